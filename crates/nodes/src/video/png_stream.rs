//! PNG files one behind the other, as ffmpeg prints frames, taken apart again.

use bytes::{Buf, Bytes, BytesMut};
use nodetool_sdk::NodeError;

const SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";

/// Most bytes of one frame.
const MAX_FRAME: usize = crate::picture::MAX_BYTES;

/// What has been printed and not been taken yet.
#[derive(Default)]
pub(super) struct PngStream {
    buffer: BytesMut,
    /// Where the next part of the first file begins.
    at: usize,
}

impl PngStream {
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next whole file.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, NodeError> {
        if self.at == 0 {
            let Some(start) = self.buffer.get(..SIGNATURE.len()) else {
                return Ok(None);
            };
            if start != SIGNATURE {
                return Err(NodeError::new("ffmpeg printed something that is no frame"));
            }
            self.at = SIGNATURE.len();
        }
        // A part: its length, its name, what it holds, a checksum.
        while let Some(mut head) = self.buffer.get(self.at..self.at + 8) {
            let length = head.get_u32() as usize;
            let is_last = head == b"IEND";
            let end = self.at + 12 + length;
            if end > MAX_FRAME {
                let message = format!("A frame has more than {MAX_FRAME} bytes");
                return Err(NodeError::new(message));
            }
            if self.buffer.len() < end {
                return Ok(None);
            }
            self.at = end;
            if is_last {
                self.at = 0;
                return Ok(Some(self.buffer.split_to(end).freeze()));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::testing::painted;

    #[test]
    fn files_come_out_whole_however_they_are_cut() {
        let file = |red| {
            let image = painted(3, 3, |_, _| [red, 0, 0, 255]).get("data");
            image.as_bytes().unwrap().clone()
        };
        let whole = [file(1), file(2), file(3)];
        let printed = whole.concat();
        for size in [1, 7, 64, printed.len()] {
            let mut stream = PngStream::default();
            let mut found = Vec::new();
            for piece in printed.chunks(size) {
                stream.push(piece);
                while let Some(file) = stream.next().unwrap() {
                    found.push(file);
                }
            }
            assert_eq!(found, whole, "pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_frame_or_too_large_is_refused() {
        let mut stream = PngStream::default();
        stream.push(b"hello, world");
        assert!(stream.next().is_err());
        let mut stream = PngStream::default();
        stream.push(SIGNATURE);
        stream.push(b"\xff\xff\xff\xffIDAT");
        assert!(stream.next().is_err());
    }
}

//! A file on its way into a form: read as it is sent, never held as a whole.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::HttpBody;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use indicatif::ProgressBar;
use tokio::fs::File;
use tokio::io::{AsyncRead, ReadBuf};

/// Bytes read at once.
const PIECE: usize = 64 << 10;

/// The body of a form with one JSON part and one file.
pub(super) struct Form {
    head: Option<Bytes>,
    file: File,
    /// Bytes of the file that were announced and not yet sent.
    left: u64,
    tail: Option<Bytes>,
    buffer: Box<[u8]>,
    progress: ProgressBar,
}

impl Form {
    /// A form, and its content type. `length` is how much of the file is sent.
    pub(super) fn new(
        json: &[u8],
        file: File,
        length: u64,
        content_type: &str,
        progress: ProgressBar,
    ) -> (Self, String) {
        // Made of randomness, so that no file holds it by chance.
        let boundary = format!("nodetool-{}", nodetool_store::new_id());
        let mut head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"json\"\r\nContent-Type: application/json\r\n\r\n"
        )
        .into_bytes();
        head.extend_from_slice(json);
        head.extend_from_slice(
            format!(
                "\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\nContent-Type: {content_type}\r\n\r\n"
            )
            .as_bytes(),
        );
        let form = Form {
            head: Some(head.into()),
            file,
            left: length,
            tail: Some(format!("\r\n--{boundary}--\r\n").into()),
            buffer: vec![0; PIECE].into(),
            progress,
        };
        (form, format!("multipart/form-data; boundary={boundary}"))
    }

    fn rest(&self) -> u64 {
        let of = |part: &Option<Bytes>| part.as_ref().map_or(0, |b| b.len() as u64);
        of(&self.head) + self.left + of(&self.tail)
    }
}

impl HttpBody for Form {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let this = self.get_mut();
        if let Some(head) = this.head.take() {
            return Poll::Ready(Some(Ok(Frame::data(head))));
        }
        if this.left == 0 {
            return Poll::Ready(this.tail.take().map(|tail| Ok(Frame::data(tail))));
        }
        let most = usize::try_from(this.left).map_or(PIECE, |left| left.min(PIECE));
        let mut buffer = ReadBuf::new(&mut this.buffer[..most]);
        if let Err(e) = ready!(Pin::new(&mut this.file).poll_read(cx, &mut buffer)) {
            return Poll::Ready(Some(Err(e)));
        }
        let piece = Bytes::copy_from_slice(buffer.filled());
        if piece.is_empty() {
            let e = std::io::Error::other("the file became shorter while it was sent");
            return Poll::Ready(Some(Err(e)));
        }
        this.left -= piece.len() as u64;
        this.progress.inc(piece.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_form_holds_both_parts_and_is_as_long_as_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let content = vec![b'z'; 3 * PIECE + 7];
        std::fs::write(&path, &content).unwrap();
        let file = File::open(&path).await.unwrap();
        let length = content.len() as u64;
        let (form, kind) = Form::new(b"{}", file, length, "text/plain", ProgressBar::hidden());
        let boundary = kind.rsplit('=').next().unwrap().to_owned();
        let exact = form.size_hint().exact().unwrap();
        let sent = form.collect().await.unwrap().to_bytes();
        assert_eq!(sent.len() as u64, exact);
        let text = String::from_utf8(sent.to_vec()).unwrap();
        let parts: Vec<&str> = text.split(&format!("--{boundary}")).collect();
        assert_eq!(parts.len(), 4);
        assert!(parts[1].ends_with("\r\n\r\n{}\r\n"), "{}", parts[1]);
        assert!(parts[2].contains("name=\"file\""));
        assert_eq!(parts[2].matches('z').count(), content.len());
        assert_eq!(parts[3], "--\r\n");
    }

    #[tokio::test]
    async fn a_file_that_shrinks_is_an_error_and_one_that_grows_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "123").unwrap();
        for (length, works) in [(9, false), (2, true)] {
            let file = File::open(&path).await.unwrap();
            let (form, _) = Form::new(b"{}", file, length, "text/plain", ProgressBar::hidden());
            assert_eq!(form.collect().await.is_ok(), works, "{length}");
        }
    }
}

//! WAV files of 16 bit mono sound.

use bytes::{BufMut, Bytes, BytesMut};

/// Length of the header.
const HEADER: usize = 44;

/// The file of little-endian samples at that rate.
pub(super) fn wav(samples: &[u8], rate: u32) -> Bytes {
    // Half a sample at the end is none. Readers take the length of longer ones from the file.
    let samples = &samples[..samples.len() & !1];
    let length = u32::try_from(samples.len()).unwrap_or(u32::MAX - HEADER as u32);
    let mut file = BytesMut::with_capacity(HEADER + samples.len());
    file.put_slice(b"RIFF");
    file.put_u32_le(length + HEADER as u32 - 8);
    file.put_slice(b"WAVEfmt ");
    file.put_u32_le(16);
    // Plain samples, one channel.
    file.put_u16_le(1);
    file.put_u16_le(1);
    file.put_u32_le(rate);
    file.put_u32_le(rate * 2);
    file.put_u16_le(2);
    file.put_u16_le(16);
    file.put_slice(b"data");
    file.put_u32_le(length);
    file.put_slice(samples);
    file.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_what_follows() {
        let file = wav(&[1, 2, 3, 4, 5], 24_000);
        assert_eq!(file.len(), HEADER + 4);
        assert_eq!(&file[..4], b"RIFF");
        assert_eq!(file[4..8], 40u32.to_le_bytes());
        assert_eq!(file[24..28], 24_000u32.to_le_bytes());
        assert_eq!(file[40..44], 4u32.to_le_bytes());
        assert_eq!(file[44..], [1, 2, 3, 4]);
    }
}

//! How long a sound lasts, as far as its header tells. It must not know assets.

/// Bytes of the beginning of a file that are looked at.
pub(super) const HEAD: u64 = 64 << 10;

/// Seconds a WAV file lasts; nothing when the bytes are none.
pub(super) fn wav_seconds(head: &[u8], file_size: u64) -> Option<f64> {
    if head.get(..4)? != b"RIFF" || head.get(8..12)? != b"WAVE" {
        return None;
    }
    let number = |at: usize| {
        let bytes: [u8; 4] = head.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    };
    let mut at = 12usize;
    let mut bytes_per_second = None;
    loop {
        let (name, length) = (head.get(at..at + 4)?, number(at + 4)?);
        let body = at + 8;
        match name {
            b"fmt " => bytes_per_second = number(body + 8).filter(|rate| *rate > 0),
            b"data" => {
                let rest = file_size.saturating_sub(body as u64);
                // Recorders that stream leave the length open.
                let length = match length {
                    0 | u32::MAX => rest,
                    length => u64::from(length).min(rest),
                };
                return Some(length as f64 / f64::from(bytes_per_second?));
            }
            _ => {}
        }
        // Chunks begin at even places.
        let length = usize::try_from(length).ok()?;
        at = body.checked_add(length)?.checked_add(length % 2)?;
    }
}

#[cfg(test)]
pub(crate) fn wav(bytes_per_second: u32, data: u32) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0\x01\0\x01\0".to_vec();
    file.extend(8000u32.to_le_bytes());
    file.extend(bytes_per_second.to_le_bytes());
    file.extend([2, 0, 16, 0]);
    file.extend(b"data");
    file.extend(data.to_le_bytes());
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wav_file_lasts_as_long_as_its_header_says() {
        let head = wav(16_000, 8_000);
        let whole = head.len() as u64 + 8_000;
        assert_eq!(wav_seconds(&head, whole), Some(0.5));
        assert_eq!(wav_seconds(&wav(16_000, u32::MAX), whole), Some(0.5));
        assert_eq!(wav_seconds(&wav(16_000, 4_000_000), whole), Some(0.5));
        assert_eq!(wav_seconds(&wav(0, 8_000), whole), None);
    }

    #[test]
    fn what_is_no_wav_file_or_cut_has_no_known_duration() {
        let head = wav(16_000, 8_000);
        for cut in 0..head.len() {
            assert_eq!(wav_seconds(&head[..cut], 1 << 20), None, "{cut}");
        }
        assert_eq!(wav_seconds(b"ID3 and so on, long enough", 100), None);
    }
}

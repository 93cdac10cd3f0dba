//! Bytes as text: UTF-8, UTF-16 with its mark, else Latin-1, if it looks like text at all.

/// Bytes that are looked at to see whether they are text.
const LOOK: usize = 64 << 10;

/// The text of some bytes; nothing when they are no text.
pub(super) fn decoded(bytes: &[u8]) -> Option<String> {
    if let Some(rest) = bytes.strip_prefix(b"\xEF\xBB\xBF") {
        return std::str::from_utf8(rest).ok().map(unified);
    }
    let wide = |rest: &[u8], read: fn([u8; 2]) -> u16| {
        let (pairs, odd) = rest.as_chunks::<2>();
        let text =
            char::decode_utf16(pairs.iter().map(|p| read(*p))).collect::<Result<String, _>>();
        text.ok().filter(|_| odd.is_empty()).map(|t| unified(&t))
    };
    if let Some(rest) = bytes.strip_prefix(b"\xFF\xFE") {
        return wide(rest, u16::from_le_bytes);
    }
    if let Some(rest) = bytes.strip_prefix(b"\xFE\xFF") {
        return wide(rest, u16::from_be_bytes);
    }
    let look = bytes.get(..bytes.len().min(LOOK)).unwrap_or_default();
    let control = |b: &&u8| **b < 32 && !matches!(**b, b'\t' | b'\n' | b'\r' | 12 | 27);
    let controls = look.iter().filter(control).count();
    if memchr::memchr(0, bytes).is_some() || controls * 100 > look.len() {
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(unified(text)),
        Err(_) => {
            // In Latin-1 every byte is a letter; those that are none in practice say that it is something else.
            let odd = look.iter().filter(|b| (0x80..0xA0).contains(*b)).count();
            (odd * 20 <= look.len()).then(|| {
                let text: String = bytes.iter().map(|b| char::from(*b)).collect();
                unified(&text)
            })
        }
    }
}

/// One kind of line end.
fn unified(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// Whether a text begins as a page does.
pub(super) fn is_html(text: &str) -> bool {
    let begin: String = text.trim_start().chars().take(15).collect();
    let begin = begin.to_ascii_lowercase();
    begin.starts_with("<!doctype html") || begin.starts_with("<html")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_write_text_is_read() {
        for bytes in [
            &b"gr\xC3\xBC\xC3\x9Fe\r\n"[..],
            b"\xEF\xBB\xBFgr\xC3\xBC\xC3\x9Fe\n",
            b"gr\xFC\xDFe\r",
            b"\xFF\xFEg\0r\0\xFC\0\xDF\0e\0\n\0",
            b"\xFE\xFF\0g\0r\0\xFC\0\xDF\0e\0\n",
        ] {
            assert_eq!(decoded(bytes).as_deref(), Some("grüße\n"), "{bytes:?}");
        }
        for bytes in [
            &b"a\0b"[..],
            b"\x01\x02\x03abc",
            b"\xFF\xFEa",
            b"\x81\x82\x83\x84",
        ] {
            assert_eq!(decoded(bytes), None, "{bytes:?}");
        }
    }
}

//! What kind of file bytes are, from how they begin. It must not know where they come from.

/// Beginnings, where they begin, and what has them.
const SIGNS: &[(usize, &[u8], &str)] = &[
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI ", "video/x-msvideo"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"\xff\xf2", "audio/mpeg"),
    (0, b"\xff\xf1", "audio/aac"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"BM", "image/bmp"),
];

/// What the bytes are, if they are something known.
pub(crate) fn sniff(bytes: &[u8]) -> Option<&'static str> {
    let found = SIGNS.iter().find(|(at, sign, mime)| {
        let begins = bytes.get(*at..).is_some_and(|rest| rest.starts_with(sign));
        // The three that are packed into RIFF say so first.
        let packed = matches!(*mime, "image/webp" | "audio/wav" | "video/x-msvideo");
        begins && (!packed || bytes.starts_with(b"RIFF"))
    });
    found.map(|(_, _, mime)| *mime)
}

/// What the bytes are; else what was said of them, when that says something; else nothing known.
pub(crate) fn of(bytes: &[u8], said: &str) -> String {
    let said = essence(said);
    match sniff(bytes) {
        Some(found) => found.to_owned(),
        None if said.contains('/') => said,
        None => "application/octet-stream".to_owned(),
    }
}

/// A content type without its parameters, in lower case.
pub(crate) fn essence(content_type: &str) -> String {
    let (essence, _) = content_type.split_once(';').unwrap_or((content_type, ""));
    essence.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_say_what_they_are_whatever_was_said_of_them() {
        for (bytes, mime) in [
            (&b"\x89PNG\r\n\x1a\n0000"[..], "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
            (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
            (b"\0\0\0\x20ftypisom", "video/mp4"),
            (b"\0\0\0\x20ftypM4A ", "audio/mp4"),
            (b"\x1a\x45\xdf\xa3....", "video/webm"),
            (b"ID3\x04", "audio/mpeg"),
            (b"fLaC", "audio/flac"),
            (b"%PDF-1.7", "application/pdf"),
        ] {
            assert_eq!(of(bytes, "text/html; charset=utf-8"), mime);
        }
    }

    #[test]
    fn unknown_bytes_are_what_was_said() {
        assert_eq!(of(b"hello", "Text/Plain; charset=utf-8"), "text/plain");
        assert_eq!(of(b"hello", ""), "application/octet-stream");
        assert_eq!(of(b"XXXX\0\0\0\0WAVE", ""), "application/octet-stream");
        assert_eq!(of(b"", ""), "application/octet-stream");
    }
}

//! What kind of file something is: by its bytes, else by what was said of it. It must not know where it comes from.

use nodetool_sdk::media_type::sniff;

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

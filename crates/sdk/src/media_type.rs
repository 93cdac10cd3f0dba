//! What kind of file bytes are, from how they begin. It must not know where they come from or what was said of them.

/// Beginnings, where they begin, and what has them; the telling ones before the general.
const SIGNS: &[(usize, &[u8], &str)] = &[
    (0, b"\x89PNG", "image/png"),
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
#[must_use]
pub fn sniff(bytes: &[u8]) -> Option<&'static str> {
    let found = SIGNS.iter().find(|(at, sign, mime)| {
        let begins = bytes.get(*at..).is_some_and(|rest| rest.starts_with(sign));
        begins
            && match *mime {
                // The three that are packed into RIFF say so first.
                "image/webp" | "audio/wav" | "video/x-msvideo" => bytes.starts_with(b"RIFF"),
                // Words begin like these, too: what follows is no text.
                "image/bmp" => bytes.get(6..10) == Some(&[0; 4]),
                "audio/mpeg" => !begins_with_word(bytes),
                _ => true,
            }
    });
    found.map(|(_, _, mime)| *mime)
}

/// Whether what looks like a tag is a word: a tag goes on with its version, a small number.
fn begins_with_word(bytes: &[u8]) -> bool {
    bytes.starts_with(b"ID3") && bytes.get(3).is_some_and(|version| *version >= b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_how_they_begin() {
        for (bytes, mime) in [
            (&b"\x89PNG\r\n\x1a\n0000"[..], "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"GIF89a", "image/gif"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
            (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
            (b"\0\0\0\x20ftypisom", "video/mp4"),
            (b"\0\0\0\x20ftypM4A ", "audio/mp4"),
            (b"\0\0\0\x20ftypavif", "image/avif"),
            (b"\x1a\x45\xdf\xa3....", "video/webm"),
            (b"ID3\x04", "audio/mpeg"),
            (b"\xff\xfb\x90", "audio/mpeg"),
            (b"OggS", "audio/ogg"),
            (b"fLaC", "audio/flac"),
            (b"%PDF-1.7", "application/pdf"),
            (b"BM\x01\x02\0\0\0\0\0\0", "image/bmp"),
        ] {
            assert_eq!(sniff(bytes), Some(mime));
        }
    }

    #[test]
    fn words_are_no_files() {
        for text in [
            "",
            "B",
            "BMW cars are fast",
            "ID3 tags",
            "RIFF is a word",
            "XXXX\0\0\0\0WAVE",
            "hello",
        ] {
            assert_eq!(sniff(text.as_bytes()), None, "{text}");
        }
    }
}

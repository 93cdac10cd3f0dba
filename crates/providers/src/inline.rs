//! Contents that go to a provider inside of a request: which type they are, and their base64.
//!
//! It must not know any provider.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodetool_sdk::media_type::sniff;
use nodetool_sdk::models::{Media, MediaSource};

/// The base64 of bytes.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of base64 that came from a provider.
pub(crate) fn from_base64(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    STANDARD.decode(text)
}

/// The MIME type of contents, without parameters, in lower case; empty when nothing tells it.
///
/// Providers refuse a picture under a wrong name, so its first bytes are believed more than its label.
pub(crate) fn mime_of(media: &Media) -> String {
    let label = media.mime.split(';').next().unwrap_or_default();
    let label = label.trim().to_ascii_lowercase();
    let MediaSource::Bytes(bytes) = &media.source else {
        return label;
    };
    let family = |mime: &str| mime.split('/').next().unwrap_or_default().to_owned();
    match sniff(bytes) {
        Some(found)
            if matches!(label.as_str(), "" | "application/octet-stream")
                || family(found) == family(&label) =>
        {
            found.to_owned()
        }
        _ => label,
    }
}

/// Whether contents of a type are text that may be read as it is.
pub(crate) fn is_text(mime: &str) -> bool {
    mime.starts_with("text/")
        || mime.ends_with("+json")
        || mime.ends_with("+xml") && mime != "image/svg+xml"
        || matches!(
            mime,
            "application/json"
                | "application/x-ndjson"
                | "application/xml"
                | "application/yaml"
                | "application/x-yaml"
                | "application/toml"
                | "application/javascript"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_of_a_picture_are_believed_more_than_its_label() {
        let png: &[u8] = b"\x89PNG\r\n\x1a\n....";
        for (label, bytes, mime) in [
            ("image/jpeg", png, "image/png"),
            ("", png, "image/png"),
            ("application/octet-stream", png, "image/png"),
            (
                "Text/Plain; charset=utf-8",
                b"GIF89a is a format",
                "text/plain",
            ),
            ("audio/x-wav", b"RIFF\0\0\0\0WAVE", "audio/wav"),
            ("", b"%PDF-1.7", "application/pdf"),
            ("", b"hello", ""),
        ] {
            let media = Media::bytes(label, bytes.to_vec());
            assert_eq!(mime_of(&media), mime, "{label}");
        }
    }
}

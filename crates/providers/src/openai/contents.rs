//! Contents that are no text: what they are, and how they are written into JSON. It must not know any message.

use base64::Engine as _;
use nodetool_sdk::media_type::sniff;
use nodetool_sdk::models::{Media, MediaSource};
use nodetool_sdk::protocol::encode_data_uri;

/// The MIME type without parameters; found out from the first bytes when it was not said.
pub(super) fn mime(media: &Media) -> String {
    let said = media.mime.split(';').next().unwrap_or_default().trim();
    if !said.is_empty() && said != "application/octet-stream" {
        return said.to_ascii_lowercase();
    }
    let found = match &media.source {
        MediaSource::Bytes(bytes) => sniff(bytes),
        MediaSource::Url(_) => None,
    };
    found.unwrap_or("application/octet-stream").to_owned()
}

/// Where the provider finds contents: their address, or all of them in a `data:` URI.
pub(super) fn address(media: &Media) -> String {
    match &media.source {
        MediaSource::Bytes(bytes) => encode_data_uri(&mime(media), bytes),
        MediaSource::Url(url) => url.clone(),
    }
}

/// What base64 stands for; with and without filling, over any number of lines.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    use base64::alphabet;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    match LENIENT.decode(text) {
        Ok(bytes) => Some(bytes),
        Err(_) => {
            let text: String = text.split_ascii_whitespace().collect();
            LENIENT.decode(text).ok()
        }
    }
}

/// The usual ending of a sound's file name; providers tell sounds apart by it.
pub(super) fn sound_ending(mime: &str) -> Option<&'static str> {
    Some(match mime {
        "audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => "wav",
        "audio/mpeg" | "audio/mp3" => "mp3",
        "audio/mp4" | "audio/m4a" | "audio/x-m4a" => "m4a",
        "audio/flac" | "audio/x-flac" => "flac",
        "audio/ogg" | "audio/opus" | "application/ogg" => "ogg",
        "audio/aac" => "aac",
        "audio/webm" | "video/webm" => "webm",
        "video/mp4" => "mp4",
        _ => return None,
    })
}

/// Whether a document of this type can be read as text.
pub(super) fn is_text(mime: &str) -> bool {
    mime.starts_with("text/")
        || mime.ends_with("+json")
        || mime.ends_with("+xml")
        || matches!(
            mime,
            "application/json"
                | "application/xml"
                | "application/yaml"
                | "application/x-yaml"
                | "application/toml"
                | "application/javascript"
                | "application/x-ndjson"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_what_was_said_or_what_the_bytes_look_like() {
        let of = |mime_said: &str, bytes: &'static [u8]| mime(&Media::bytes(mime_said, bytes));
        assert_eq!(of("Audio/WAV; codecs=1", b""), "audio/wav");
        assert_eq!(of("", b"\x89PNG\r\n"), "image/png");
        assert_eq!(
            of("application/octet-stream", b"RIFF....WAVEfmt"),
            "audio/wav"
        );
        assert_eq!(of("", b"hello"), "application/octet-stream");
    }

    #[test]
    fn base64_is_read_with_and_without_filling_and_over_lines() {
        for text in ["aGk=", "aGk", "aG\nk=\n"] {
            assert_eq!(from_base64(text).as_deref(), Some(&b"hi"[..]), "{text:?}");
        }
        assert_eq!(from_base64("a*"), None);
    }
}

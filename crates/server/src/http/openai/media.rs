//! Pictures, sounds and documents in a request: data URIs are read here, addresses are left to the provider.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use nodetool_sdk::models::{Media, MediaSource};

use super::errors::OpenAiError;

/// Longest address.
const MAX_URL: usize = 8 << 10;
/// Pictures whose first bytes say nothing that is known here.
const UNSEEN: [&str; 4] = ["image/svg+xml", "image/heic", "image/heif", "image/jxl"];

/// What a `data:` URI or an address holds.
pub(super) fn at_url(url: &str, at: &str) -> Result<Media, OpenAiError> {
    let refuse = |message: String| Err(OpenAiError::bad(at, "invalid_url", message));
    if let Some(rest) = url.strip_prefix("data:") {
        let Some((head, body)) = rest.split_once(',') else {
            return refuse(format!("Invalid '{at}': the data URI has no comma."));
        };
        let Some(mime) = head.strip_suffix(";base64") else {
            return refuse(format!("Invalid '{at}': expected a base64 data URI."));
        };
        let mime = mime.split(';').next().unwrap_or_default();
        return Ok(Media::bytes(mime.to_ascii_lowercase(), decoded(body, at)?));
    }
    let parsed = url::Url::parse(url).ok().filter(|_| url.len() <= MAX_URL);
    let web = parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !web {
        let message =
            format!("Invalid '{at}': expected a base64 data URI, or an http or https URL.");
        return refuse(message);
    }
    Ok(Media {
        mime: String::new(),
        name: None,
        source: MediaSource::Url(url.to_owned()),
    })
}

/// Base64 text as bytes.
pub(super) fn decoded(text: &str, at: &str) -> Result<Bytes, OpenAiError> {
    let bytes = STANDARD.decode(text.trim());
    let bytes = bytes.map_err(|e| {
        let message = format!("Invalid '{at}': expected base64: {e}.");
        OpenAiError::bad(at, "invalid_base64", message)
    })?;
    if bytes.is_empty() {
        let message = format!("Invalid '{at}': there is nothing in it.");
        return Err(OpenAiError::bad(at, "empty_file", message));
    }
    Ok(bytes.into())
}

/// A picture, by an address, or one whose bytes begin as those of pictures do.
pub(super) fn image_at(url: &str, at: &str) -> Result<Media, OpenAiError> {
    let mut media = at_url(url, at)?;
    check_image(&mut media, at)?;
    Ok(media)
}

/// Refuses what is no picture; the bytes say what kind it is.
pub(super) fn check_image(media: &mut Media, at: &str) -> Result<(), OpenAiError> {
    let MediaSource::Bytes(bytes) = &media.source else {
        return Ok(());
    };
    match image::guess_format(bytes) {
        Ok(format) => format.to_mime_type().clone_into(&mut media.mime),
        Err(_) if UNSEEN.contains(&media.mime.as_str()) => {}
        Err(_) => {
            let message = format!(
                "Invalid '{at}': these bytes are no image. Supported are PNG, JPEG, GIF and WebP, and what else the model knows."
            );
            return Err(OpenAiError::bad(at, "invalid_image", message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_uris_are_read_and_addresses_left_to_the_provider() {
        let sound = at_url("data:audio/WAV;codecs=1;base64,aGk=", "x").unwrap();
        assert_eq!(sound, Media::bytes("audio/wav", "hi"));
        let there = at_url("https://h.test/a.png", "x").unwrap();
        assert!(matches!(there.source, MediaSource::Url(url) if url == "https://h.test/a.png"));
        for wrong in [
            "",
            "a.png",
            "file:///etc/passwd",
            "data:image/png",
            "data:image/png,hi",
            "data:image/png;base64,",
            "data:image/png;base64,%%%",
            "ftp://h/a",
        ] {
            assert!(at_url(wrong, "x").is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_image_is_what_its_bytes_say() {
        let png = "data:image/jpeg;base64,iVBORw0KGgo=";
        assert_eq!(image_at(png, "x").unwrap().mime, "image/png");
        let none = image_at(
            "data:image/png;base64,aGVsbG8gd29ybGQ=",
            "m[0].image_url.url",
        );
        assert!(none.unwrap_err().message().contains("no image"));
        assert!(image_at("data:image/svg+xml;base64,PHN2Zy8+", "x").is_ok());
    }
}

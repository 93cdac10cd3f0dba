//! Contents inside an address: `data:image/png;base64,…`. It must not know who sends or takes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nodetool_sdk::models::{Media, MediaSource, ModelError, ModelErrorKind};

use super::mime;
use crate::Account;

/// Most bytes that are sent inside a request.
pub(crate) const MAX_INLINE: usize = 32 << 20;

/// The contents as an address.
pub(crate) fn encode(mime: &str, bytes: &[u8]) -> String {
    format!("data:{mime};base64,{}", STANDARD.encode(bytes))
}

/// The contents of such an address and what they are said to be; nothing when it is none.
pub(crate) fn decode(uri: &str) -> Option<(String, Vec<u8>)> {
    let (head, body) = uri.strip_prefix("data:")?.split_once(',')?;
    let mime = head.strip_suffix(";base64")?;
    Some((mime::essence(mime), STANDARD.decode(body.trim()).ok()?))
}

/// Where a provider finds a source: the address it has, or its contents as one. `field` names it in messages.
pub(crate) fn of(account: &Account, media: &Media, field: &str) -> Result<String, ModelError> {
    match &media.source {
        MediaSource::Url(url) => Ok(url.clone()),
        MediaSource::Bytes(bytes) => {
            let most = MAX_INLINE;
            if bytes.len() > most {
                let message = format!(
                    "{field} has {} bytes; {} takes up to {most}",
                    bytes.len(),
                    account.provider
                );
                let mut error = account.error(ModelErrorKind::BadRequest, message);
                error.param = Some(field.to_owned());
                return Err(error);
            }
            Ok(encode(&mime::of(bytes, &media.mime), bytes))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_survive_being_an_address() {
        let uri = encode("image/png", b"\x89PNG");
        assert_eq!(uri, "data:image/png;base64,iVBORw==");
        let (mime, bytes) = decode(&uri).unwrap();
        assert_eq!(
            (mime.as_str(), bytes.as_slice()),
            ("image/png", &b"\x89PNG"[..])
        );
    }

    #[test]
    fn what_is_no_such_address_is_nothing() {
        for uri in [
            "",
            "data:",
            "data:image/png,abc",
            "data:image/png;base64,***",
            "https://a/b",
        ] {
            assert_eq!(decode(uri), None, "{uri}");
        }
    }
}

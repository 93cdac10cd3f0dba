//! Bytes as `data:` URIs, for wires that have no word for bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::value::Value;

/// The bytes of a base64 `data:` URI.
pub fn decode_data_uri(uri: &str) -> Option<Value> {
    let (head, body) = uri.strip_prefix("data:")?.split_once(',')?;
    if !head.ends_with(";base64") {
        return None;
    }
    STANDARD
        .decode(body.trim())
        .ok()
        .map(|b| Value::Bytes(b.into()))
}

/// A base64 `data:` URI of the given MIME type.
pub fn encode_data_uri(mime: &str, bytes: &[u8]) -> String {
    let mut uri = format!("data:{mime};base64,");
    uri.reserve(bytes.len().div_ceil(3) * 4);
    STANDARD.encode_string(bytes, &mut uri);
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_a_round_trip_and_other_uris_are_left_alone() {
        let uri = encode_data_uri("text/plain", b"hi");
        assert_eq!(uri, "data:text/plain;base64,aGk=");
        assert!(matches!(decode_data_uri(&uri), Some(Value::Bytes(b)) if &b[..] == b"hi"));
        assert!(decode_data_uri("data:text/plain,hi").is_none());
    }
}

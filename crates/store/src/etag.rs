//! One canonical hash of a row, so that a list and a single read give the same etag.
//!
//! It must not know which columns a row has; rows feed their own fields in a fixed order.

use sha2::{Digest, Sha256};

/// Hashes fields with their lengths, so that no two rows run together to the same bytes.
pub(crate) struct Etag(Sha256);

impl Etag {
    pub(crate) fn new(kind: &str) -> Self {
        Self(Sha256::new()).text(kind)
    }

    pub(crate) fn text(mut self, value: &str) -> Self {
        self.0.update((value.len() as u64).to_be_bytes());
        self.0.update(value.as_bytes());
        self
    }

    pub(crate) fn optional(mut self, value: Option<&str>) -> Self {
        // No text is this long, so absence cannot be mistaken for a value.
        match value {
            Some(value) => self.text(value),
            None => {
                self.0.update(u64::MAX.to_be_bytes());
                self
            }
        }
    }

    pub(crate) fn number(mut self, value: i64) -> Self {
        self.0.update(value.to_be_bytes());
        self
    }

    /// The first half of the digest as 32 hex digits.
    pub(crate) fn finish(self) -> String {
        hex(&self.0.finalize()[..16])
    }
}

/// Lowercase hex of some bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// SHA-256 of a text as 64 hex digits.
pub(crate) fn sha256_hex(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_character_between_fields_changes_the_etag() {
        let one = Etag::new("row").text("ab").text("c").finish();
        let two = Etag::new("row").text("a").text("bc").finish();
        assert_ne!(one, two);
        assert_eq!(one.len(), 32);
    }

    #[test]
    fn an_absent_field_differs_from_an_empty_one() {
        assert_ne!(
            Etag::new("row").optional(None).finish(),
            Etag::new("row").optional(Some("")).finish()
        );
    }

    #[test]
    fn digests_are_the_known_ones() {
        assert_eq!(
            sha256_hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}

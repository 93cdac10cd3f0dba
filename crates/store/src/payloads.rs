//! Large values: files named by their hash, which rows refer to and `nodetool_blobs` counts.
//!
//! A value of more than [`INLINE_BYTES`] is never in a row. Its file is complete and synced before the row that
//! refers to it is committed, and the reference is counted in the same transaction. Whether the file is there is
//! looked up again inside that transaction, and files are removed only inside one that has nothing else to do
//! (see `sweep`): so a file cannot go while a row comes to need it. It must not know what the values mean.

mod blobs;
mod files;
mod sweep;

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::etag::hex;

pub(crate) use blobs::{Blobs, Place, twice};
pub(crate) use files::Files;
pub(crate) use sweep::sweep_at_open;

/// Largest value that is kept in its row.
pub(crate) const INLINE_BYTES: usize = 16 << 10;

/// What a reference begins with. No JSON text begins like this.
const PREFIX: &str = "sha256:";

/// What a row holds in place of a large value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// 64 lowercase hex digits.
    pub(crate) hash: String,
    pub(crate) size: u64,
}

impl Reference {
    fn of(value: &[u8]) -> Self {
        Self {
            hash: hex(&Sha256::digest(value)),
            size: value.len() as u64,
        }
    }

    /// Whether a column holds a reference, be it a good one or not.
    pub(crate) fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (hash, size) = text.strip_prefix(PREFIX)?.split_once(':')?;
        let reference = Self {
            hash: hash.to_owned(),
            size: size.parse().ok()?,
        };
        (is_hash(hash) && reference.to_string() == text).then_some(reference)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}:{}", self.hash, self.size)
    }
}

/// Whether a text can name a blob; only such texts become paths.
fn is_hash(text: &str) -> bool {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.len() == 64 && text.bytes().all(digit)
}

/// A kind of value that may be large.
pub(crate) trait Content {
    fn bytes(&self) -> &[u8];
}

impl Content for Arc<str> {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Content for String {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Content for Bytes {
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// A value on its way into a row. It is hashed at most once, however often the write is tried.
#[derive(Debug)]
pub(crate) struct Parcel<C> {
    value: C,
    reference: OnceLock<Reference>,
}

impl<C: Content> Parcel<C> {
    pub(crate) fn new(value: C) -> Self {
        Self {
            value,
            reference: OnceLock::new(),
        }
    }

    fn reference(&self) -> &Reference {
        self.reference
            .get_or_init(|| Reference::of(self.value.bytes()))
    }
}

/// A value of any kind that a write carries.
pub(crate) trait Carried {
    /// Whether the value is too large for its row.
    fn is_large(&self) -> bool;
    /// Writes the file of a large value before its transaction begins, so that the transaction need not.
    fn write_ahead(&self, files: &Files);
}

impl<C: Content> Carried for Parcel<C> {
    fn is_large(&self) -> bool {
        self.value.bytes().len() > INLINE_BYTES
    }

    fn write_ahead(&self, files: &Files) {
        if self.is_large() {
            // The transaction looks again, and is the one to report what goes wrong.
            let _ = files.write(self.reference(), self.value.bytes());
        }
    }
}

/// The values one write carries.
pub(crate) trait Load: Send + 'static {
    fn each(&self, visit: &mut dyn FnMut(&dyn Carried));
}

impl<C: Content + Send + 'static> Load for Vec<Parcel<C>>
where
    Parcel<C>: Carried,
{
    fn each(&self, visit: &mut dyn FnMut(&dyn Carried)) {
        self.iter().for_each(|parcel| visit(parcel));
    }
}

impl<A: Load, B: Load> Load for (A, B) {
    fn each(&self, visit: &mut dyn FnMut(&dyn Carried)) {
        self.0.each(visit);
        self.1.each(visit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_back_from_its_text() {
        let reference = Reference::of(b"abc");
        let text = reference.to_string();
        assert_eq!(
            text,
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad:3"
        );
        assert_eq!(Reference::parse(&text), Some(reference));
    }

    #[test]
    fn nothing_else_is_a_reference() {
        let hash = "a".repeat(64);
        for odd in [
            String::new(),
            "sha256:".to_owned(),
            format!("sha256:{hash}"),
            format!("sha256:{hash}:"),
            format!("sha256:{hash}:-1"),
            format!("sha256:{hash}:+1"),
            format!("sha256:{hash}:01"),
            format!("sha256:{}:1", hash.to_uppercase()),
            format!("sha256:{}:1", "../".repeat(21) + "a"),
            format!("sha256:{hash}:1:"),
            format!("SHA256:{hash}:1"),
        ] {
            assert_eq!(Reference::parse(&odd), None, "{odd}");
        }
    }
}

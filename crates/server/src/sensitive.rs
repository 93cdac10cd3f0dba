//! Texts that must not be seen: they are not in debug output, and comparing them takes the same time wherever they differ.

use std::str::FromStr;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A token or key.
#[derive(Clone)]
pub(crate) struct Sensitive(String);

impl Sensitive {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Sensitive(text.into())
    }

    /// The text itself, for whoever has to send or derive from it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether a text is this one. The digests are compared, so that not even the length shows.
    pub(crate) fn is(&self, text: &str) -> bool {
        let digest = |text: &str| Sha256::digest(text.as_bytes());
        digest(&self.0).ct_eq(&digest(text)).into()
    }
}

impl std::fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl FromStr for Sensitive {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Sensitive::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_text_is_the_same_and_none_of_it_is_shown() {
        let token = Sensitive::new("tok");
        assert!(token.is("tok"));
        for other in ["", "to", "tok ", "Tok", "tokk"] {
            assert!(!token.is(other), "{other:?}");
        }
        assert_eq!(format!("{token:?}"), "***");
    }
}

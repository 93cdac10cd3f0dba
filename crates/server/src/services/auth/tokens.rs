//! Tokens: how they are made, and the digests by which they are known. No token is kept; where one has to be known again,
//! its digest is.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// Bytes of chance in a token.
const TOKEN_BYTES: usize = 32;
/// Characters that these are.
pub(super) const TOKEN_LENGTH: usize = 43;

/// The SHA-256 of a token. Comparing two takes the same time wherever they differ.
#[derive(Clone, Copy, Debug, Eq)]
pub(crate) struct Digest([u8; 32]);

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl std::hash::Hash for Digest {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Digest {
    pub(crate) fn of(token: &str) -> Self {
        Digest(Sha256::digest(token.as_bytes()).into())
    }

    /// As 64 lowercase hexadecimal digits.
    pub(crate) fn hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.map(|d| char::from(DIGITS[usize::from(d)])).collect()
    }

    /// Reads what [`Digest::hex`] writes, in either case.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let digit = |c: u8| {
            char::from(c)
                .to_digit(16)
                .and_then(|d| u8::try_from(d).ok())
        };
        let mut bytes = [0; 32];
        if text.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Digest(bytes))
    }
}

/// The machine gave no random bytes.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the machine gives no random bytes: {0}")]
pub(crate) struct NoChance(String);

/// So many bytes nobody can guess.
pub(super) fn random<const N: usize>() -> Result<[u8; N], NoChance> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| NoChance(e.to_string()))?;
    Ok(bytes)
}

/// A new token: 43 characters of base64url after a prefix.
pub(super) fn fresh(prefix: &str) -> Result<String, NoChance> {
    let mut token = prefix.to_owned();
    URL_SAFE_NO_PAD.encode_string(random::<TOKEN_BYTES>()?, &mut token);
    Ok(token)
}

/// Whether a text looks like a token with this prefix.
pub(super) fn has_form(token: &str, prefix: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    token
        .strip_prefix(prefix)
        .is_some_and(|rest| rest.len() == TOKEN_LENGTH && rest.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_256_bits_of_chance_in_43_characters() {
        let (first, second) = (fresh("x_").unwrap(), fresh("x_").unwrap());
        assert_ne!(first, second);
        assert!(has_form(&first, "x_"), "{first}");
        assert_eq!(
            URL_SAFE_NO_PAD.decode(&first[2..]).unwrap().len(),
            TOKEN_BYTES
        );
        for other in [
            &first[1..],
            &first[..44],
            &format!("{first}A"),
            "x_",
            &first.replace('_', "é"),
        ] {
            assert!(!has_form(other, "x_"), "{other}");
        }
    }

    #[test]
    fn a_digest_reads_back_from_its_digits() {
        let digest = Digest::of("abc");
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.hex(), hex);
        assert_eq!(Digest::from_hex(hex), Some(digest));
        assert_eq!(Digest::from_hex(&hex.to_uppercase()), Some(digest));
        assert_ne!(digest, Digest::of("abd"));
        for bad in ["", &hex[1..], &hex.replace('b', "g"), &"é".repeat(32)] {
            assert_eq!(Digest::from_hex(bad), None, "{bad}");
        }
    }
}

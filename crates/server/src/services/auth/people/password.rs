//! Passwords: which are good enough, and what is kept in their place.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use ring::pbkdf2;

use crate::services::auth::tokens::{self, NoChance};

/// Rounds of a new hash; one that is stored says its own.
const ROUNDS: NonZeroU32 = NonZeroU32::new(600_000).unwrap();
/// How a hash begins.
const SCHEME: &str = "pbkdf2_sha256";
/// Fewest characters.
const SHORTEST: usize = 8;
/// Most characters; each costs time.
const LONGEST: usize = 1000;
/// Texts of a person shorter than this are in any password.
const SIMILAR: usize = 3;

/// The passwords that are tried first.
const COMMON: [&str; 40] = [
    "123456",
    "12345678",
    "123456789",
    "1234567890",
    "password",
    "password1",
    "password123",
    "passw0rd",
    "qwerty",
    "qwerty123",
    "qwertyuiop",
    "1q2w3e4r",
    "1qaz2wsx",
    "abc123",
    "abcd1234",
    "111111",
    "11111111",
    "000000",
    "00000000",
    "iloveyou",
    "letmein",
    "welcome",
    "welcome1",
    "monkey",
    "dragon",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "superman",
    "trustno1",
    "admin",
    "admin123",
    "administrator",
    "changeme",
    "secret",
    "starwars",
    "whatever",
    "computer",
    "asdfghjkl",
];

/// What is wrong with a password; `own` are texts of its person.
pub(super) fn faults(password: &str, own: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    let length = password.chars().count();
    if password.is_empty() {
        return vec!["This field is required.".into()];
    }
    if length > LONGEST {
        return vec![format!(
            "Ensure this field has no more than {LONGEST} characters."
        )];
    }
    let small = password.to_lowercase();
    let alike = |text: &str| {
        let text = text.to_lowercase();
        text.split(|c: char| !c.is_alphanumeric())
            .chain([text.as_str()])
            .any(|part| {
                part.chars().count() > SIMILAR && (small.contains(part) || part.contains(&small))
            })
    };
    if own.iter().any(|text| alike(text)) {
        faults.push("The password is too similar to your other information.".into());
    }
    if length < SHORTEST {
        let text = "This password is too short. It must contain at least 8 characters.";
        faults.push(text.into());
    }
    if COMMON.contains(&small.as_str()) || COMMON.iter().any(|common| common.starts_with(&small)) {
        faults.push("This password is too common.".into());
    }
    if password.chars().all(|c| c.is_ascii_digit()) {
        faults.push("This password is entirely numeric.".into());
    }
    faults
}

/// What is kept of a password.
pub(super) fn hash(password: &str) -> Result<String, NoChance> {
    let salt = tokens::random::<16>()?;
    let mut key = [0; 32];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        ROUNDS,
        &salt,
        password.as_bytes(),
        &mut key,
    );
    Ok(format!(
        "{SCHEME}${ROUNDS}${}${}",
        BASE64.encode(salt),
        BASE64.encode(key)
    ))
}

/// Whether this is the password of a hash; without one it is not, and that takes as long.
pub(super) fn is(password: &str, hash: Option<&str>) -> bool {
    let known = hash.and_then(read);
    let (rounds, salt, key) = match &known {
        Some((rounds, salt, key)) => (*rounds, salt.as_slice(), key.as_slice()),
        None => (ROUNDS, [0; 16].as_slice(), [0; 32].as_slice()),
    };
    let bytes = password.as_bytes();
    let right = bytes.len() <= 4 * LONGEST
        && pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, bytes, key).is_ok();
    right && known.is_some()
}

fn read(hash: &str) -> Option<(NonZeroU32, Vec<u8>, Vec<u8>)> {
    let mut parts = hash.split('$');
    let (scheme, rounds, salt, key) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let decode = |text: &str| BASE64.decode(text).ok();
    (scheme == SCHEME).then_some((rounds.parse().ok()?, decode(salt)?, decode(key)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_passwords_are_told_why() {
        let why = |password| faults(password, &["ada", "ada.lovelace@example.org"]);
        assert!(why("analytical-engine").is_empty());
        assert!(why("")[0].contains("required"));
        assert!(why("ab-cd").concat().contains("short"));
        assert!(why("12345678").concat().contains("common"));
        assert!(why("8273649164").concat().contains("numeric"));
        assert!(why("lovelace-1815").concat().contains("similar"));
    }

    #[test]
    fn a_hash_knows_its_password_only() {
        let kept = hash("analytical-engine").unwrap();
        assert!(is("analytical-engine", Some(&kept)));
        assert!(!is("analytical-engines", Some(&kept)));
        assert!(!is("analytical-engine", Some("pbkdf2_sha256$1$$")));
        assert!(!is("", None));
        assert_ne!(kept, hash("analytical-engine").unwrap());
    }
}

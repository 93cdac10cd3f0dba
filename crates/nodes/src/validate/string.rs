//! `lib.validate.String`.

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process};
use serde::de::IgnoredAny;

use super::email::is_email;
use super::url::is_url;
use crate::bounds::work;

/// Tells what a text could be: an address, a number, JSON and so on.
/// validate, text, email, url, uuid, json, number, letters
#[derive(Node)]
#[node(namespace = "lib.validate", name = "String")]
pub(super) struct StringKind {
    /// The text.
    value: String,
}

/// What the text could be.
#[derive(Outputs)]
pub(super) struct Kinds {
    is_email: bool,
    is_url: bool,
    is_uuid: bool,
    is_json: bool,
    is_numeric: bool,
    is_alpha: bool,
    is_alphanumeric: bool,
}

impl Process for StringKind {
    type Output = Kinds;

    async fn process(self, _: &NodeCx) -> Result<Kinds, NodeError> {
        work(self.value.len() / 16, move || Ok(kinds(&self.value))).await
    }
}

fn kinds(value: &str) -> Kinds {
    let trimmed = value.trim();
    let made_of = |test: fn(&u8) -> bool| !value.is_empty() && value.as_bytes().iter().all(test);
    Kinds {
        is_email: is_email(trimmed),
        is_url: is_url(trimmed),
        is_uuid: is_uuid(value),
        is_json: serde_json::from_str::<IgnoredAny>(value).is_ok(),
        is_numeric: is_numeric(trimmed),
        is_alpha: made_of(u8::is_ascii_alphabetic),
        is_alphanumeric: made_of(u8::is_ascii_alphanumeric),
    }
}

fn is_numeric(text: &str) -> bool {
    // Rust also reads `inf` and `nan`, which are words to everybody else.
    let digits = |b: u8| b.is_ascii_digit() || b"+-.eE".contains(&b);
    text.bytes().all(digits) && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Groups of 8, 4, 4, 4 and 12 hex digits, of version 1 to 5 and the usual variant.
fn is_uuid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            14 => (b'1'..=b'5').contains(b),
            19 => b"89abAB".contains(b),
            _ => b.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_uuids_and_json_are_told_from_their_likes() {
        for (text, want) in [
            ("42", true),
            (" -1.5e3 ", true),
            ("", false),
            ("inf", false),
            ("1e999", false),
            ("1,5", false),
        ] {
            assert_eq!(kinds(text).is_numeric, want, "{text}");
        }
        for (text, want) in [
            ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", true),
            ("6BA7B810-9DAD-51D1-B0B4-00C04FD430C8", true),
            ("6ba7b810-9dad-61d1-80b4-00c04fd430c8", false),
            ("6ba7b810-9dad-11d1-70b4-00c04fd430c8", false),
            ("6ba7b8109dad11d180b400c04fd430c8", false),
        ] {
            assert_eq!(kinds(text).is_uuid, want, "{text}");
        }
        for (text, want) in [
            ("{\"a\":1}", true),
            ("null", true),
            ("", false),
            ("undefined", false),
            ("[1,]", false),
        ] {
            assert_eq!(kinds(text).is_json, want, "{text}");
        }
    }

    #[test]
    fn json_of_any_depth_is_looked_at_without_harm() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(kinds(&deep).is_json);
    }
}

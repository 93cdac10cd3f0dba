//! What of a step's data is shown to those who watch: JSON text of at most 500 characters, without credentials.
//!
//! Source: orchestrator spec 4.2. Large data is written once and never held as a whole.

use std::io;

use nodetool_protocol::{Map, Value};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// Most characters of a preview.
pub(super) const LONGEST: usize = 500;
/// Characters kept of each end of what is longer.
const END: usize = 230;
/// Bytes a character may take.
const WIDEST: usize = 4;
/// What stands in place of a credential.
const MASK: &str = "***";
/// Keys whose values are credentials, in small letters.
const CREDENTIALS: [&str; 7] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-admin-token",
    "x-webhook-secret",
];

/// Whether a header, or a key of data, holds a credential.
pub(super) fn is_credential(name: &str) -> bool {
    CREDENTIALS.iter().any(|c| name.eq_ignore_ascii_case(c))
}

/// The text that is shown of data; nothing when there is none.
pub(super) fn preview(data: &Map) -> Option<String> {
    if data.is_empty() {
        return None;
    }
    let mut ends = Ends::default();
    // It takes whatever it is given.
    serde_json::to_writer(&mut ends, &Shown(data)).ok()?;
    Some(ends.text())
}

/// Both ends of a text, and how long it is.
#[derive(Default)]
struct Ends {
    head: Vec<u8>,
    tail: Vec<u8>,
    characters: usize,
}

impl io::Write for Ends {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.characters += bytes.iter().filter(|b| (**b & 0xC0) != 0x80).count();
        let room = (LONGEST + 1) * WIDEST - self.head.len().min((LONGEST + 1) * WIDEST);
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        // What is longer than both ends together only moves the second one on.
        let most = (END + 1) * WIDEST;
        let rest = &rest[rest.len().saturating_sub(most)..];
        self.tail.extend_from_slice(rest);
        if self.tail.len() > 2 * most {
            self.tail.drain(..self.tail.len() - most);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Ends {
    fn text(mut self) -> String {
        let length = self.characters;
        if length <= LONGEST {
            return String::from_utf8_lossy(&self.head).into_owned();
        }
        self.head.extend_from_slice(&self.tail);
        // Where the middle is left out, a character may be cut; only whole ones are taken from the ends.
        let text = String::from_utf8_lossy(&self.head);
        let head: String = text.chars().take(END).collect();
        let tail: Vec<char> = text.chars().rev().take(END).collect();
        let tail: String = tail.into_iter().rev().collect();
        format!("{head}…<len={length}>…{tail}")
    }
}

/// Data without credentials.
struct Shown<'a>(&'a Map);

struct ShownValue<'a>(&'a Value);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            if is_credential(key) && !value.is_null() {
                map.serialize_entry(&**key, MASK)?;
            } else {
                map.serialize_entry(&**key, &ShownValue(value))?;
            }
        }
        map.end()
    }
}

impl Serialize for ShownValue<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Map(map) => Shown(map).serialize(s),
            Value::List(items) => {
                let mut list = s.serialize_seq(Some(items.len()))?;
                for item in items.iter() {
                    list.serialize_element(&ShownValue(item))?;
                }
                list.end()
            }
            other => other.serialize(s),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(value: Value) -> Map {
        Map::from_iter([("v".into(), value)])
    }

    #[test]
    fn short_data_is_shown_whole_and_none_not_at_all() {
        assert_eq!(preview(&Map::new()), None);
        let shown = preview(&data(Value::list([Value::Int(1), "ä".into()])));
        assert_eq!(shown.as_deref(), Some(r#"{"v":[1,"ä"]}"#));
    }

    #[test]
    fn long_data_shows_its_ends_around_its_length_in_whole_characters() {
        for unit in ["x", "ä", "😀"] {
            for count in [488, 493, 494, 600, 5_000, 100_000] {
                let text = preview(&data(unit.repeat(count).into())).unwrap();
                let length = count + r#"{"v":""}"#.len();
                assert!(text.chars().count() <= LONGEST, "{}", text.chars().count());
                assert!(
                    text.starts_with(r#"{"v":""#) && text.ends_with(r#""}"#),
                    "{text}"
                );
                let marked = text.contains(&format!("…<len={length}>…"));
                assert_eq!(marked, length > LONGEST, "{count} of {unit}");
                assert!(!text.contains('\u{fffd}'), "{text}");
            }
        }
    }

    #[test]
    fn credentials_are_masked_however_deep_and_spelled() {
        let headers = Value::map(
            [
                ("Authorization", "Bearer abc"),
                ("X-Api-Key", "k"),
                ("a", "b"),
            ]
            .map(|(k, v)| (k, Value::from(v))),
        );
        let shown = preview(&data(Value::list([headers]))).unwrap();
        assert_eq!(
            shown,
            r#"{"v":[{"Authorization":"***","X-Api-Key":"***","a":"b"}]}"#
        );
    }
}

//! The text a model is shown of a tool's result: JSON without raw bytes, and never more than so many characters.

use std::io::{self, Write};

use nodetool_protocol::Value;
use serde_json::ser::{CompactFormatter, Serializer};

/// Longer `data:` addresses are written as a note: a model cannot read them.
const INLINE_DATA: usize = 256;

/// The JSON text of a result. A longer one is cut: `{"truncated": …, "result": <its beginning>}`.
///
/// A result of any size costs no more than what is shown of it.
pub fn result_text(value: &Value, most_chars: usize) -> String {
    // A character has at most four bytes; one more tells that something was left out.
    let most_bytes = most_chars.saturating_mul(4).saturating_add(1);
    let mut out = Bounded {
        text: Vec::new(),
        most: most_bytes,
    };
    let whole = Serializer::with_formatter(&mut out, CompactFormatter);
    let ended = write_value(value, most_bytes, whole).is_ok();
    let text = String::from_utf8_lossy(&out.text);
    let chars = text.chars().take(most_chars.saturating_add(1)).count();
    if ended && chars <= most_chars {
        return text.into_owned();
    }
    let note = format!("only the first {most_chars} characters are shown");
    let shown: String = match value {
        Value::Str(plain) => plain.chars().take(most_chars).collect(),
        _ => text.chars().take(most_chars).collect(),
    };
    let cut = Value::map([("truncated", note.into()), ("result", Value::from(shown))]);
    serde_json::to_string(&cut).unwrap_or_default()
}

/// The JSON text of what went wrong, as a tool message says it.
pub(crate) fn error_text(error: &str, most_chars: usize) -> String {
    let mut text: String = error.chars().take(most_chars).collect();
    if text.len() < error.len() {
        text.push('…');
    }
    serde_json::to_string(&Value::map([("error", Value::from(text))])).unwrap_or_default()
}

/// Takes so many bytes and then fails, which ends the writing.
struct Bounded {
    text: Vec<u8>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let room = self.most - self.text.len();
        if room == 0 && !piece.is_empty() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let taken = piece.len().min(room);
        self.text.extend_from_slice(&piece[..taken]);
        Ok(taken)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Out<'a> = Serializer<&'a mut Bounded, CompactFormatter>;

/// Writes a value as JSON with notes in the place of bytes.
fn write_value(value: &Value, most: usize, mut out: Out<'_>) -> Result<(), serde_json::Error> {
    serde::Serialize::serialize(&Shown(value, most), &mut out)
}

/// A value, and how many bytes of a text are more than enough.
struct Shown<'a>(&'a Value, usize);

impl serde::Serialize for Shown<'_> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Bytes(b) => s.collect_str(&format_args!("<{} bytes>", b.len())),
            Value::Str(t) if t.len() > INLINE_DATA && t.starts_with("data:") => {
                let end = t.bytes().take(64).position(|b| b == b';' || b == b',');
                let mime = end.and_then(|at| t.get(5..at)).unwrap_or_default();
                s.collect_str(&format_args!("<data {mime}, {} characters>", t.len()))
            }
            // What is left fills all the room, so that the writing ends there.
            Value::Str(t) if t.len() > self.1 => {
                s.serialize_str(&t[..t.ceil_char_boundary(self.1)])
            }
            Value::List(items) => s.collect_seq(items.iter().map(|v| Shown(v, self.1))),
            Value::Map(map) => s.collect_map(map.iter().map(|(k, v)| (&**k, Shown(v, self.1)))),
            other => other.serialize(s),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_small_result_is_its_json() {
        let value = Value::map([("a", Value::list([1i64.into(), "é\"".into()]))]);
        assert_eq!(result_text(&value, 100), r#"{"a":[1,"é\""]}"#);
        assert_eq!(result_text(&"plain".into(), 100), r#""plain""#);
    }

    #[test]
    fn bytes_and_inline_data_become_notes() {
        let data = format!("data:image/png;base64,{}", "A".repeat(400));
        let value = Value::map([
            ("image", Value::from(data)),
            ("raw", Bytes::from_static(b"abc").into()),
            ("short", "data:,hi".into()),
        ]);
        let want =
            r#"{"image":"<data image/png, 422 characters>","raw":"<3 bytes>","short":"data:,hi"}"#;
        assert_eq!(result_text(&value, 200), want);
    }

    #[test]
    fn a_huge_result_is_cut_and_says_so() {
        let text = result_text(&Value::from("ä".repeat(50_000_000 / 2)), 20_000);
        let cut = read(&text);
        let shown = cut.get("result").and_then(Value::as_str).unwrap();
        assert_eq!(shown, "ä".repeat(20_000));
        let note = cut.get("truncated").and_then(Value::as_str);
        assert_eq!(note, Some("only the first 20000 characters are shown"));
    }

    #[test]
    fn a_result_of_just_the_length_is_whole() {
        let value = Value::from("x".repeat(98));
        assert_eq!(result_text(&value, 100).len(), 100);
        assert!(read(&result_text(&value, 99)).get("truncated").is_some());
    }

    proptest! {
        #[test]
        fn what_is_shown_is_json_and_bounded(text in ".{0,200}", most in 0usize..120) {
            let value = Value::list([text.into()]);
            let shown = result_text(&value, most);
            let back = read(&shown);
            match back.get("result").and_then(Value::as_str) {
                Some(start) => prop_assert!(start.chars().count() <= most),
                None => prop_assert_eq!(back, value),
            }
        }
    }
}

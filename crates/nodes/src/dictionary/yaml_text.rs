//! Writing block YAML as PyYAML lays it out: keys sorted, lists in line with their key. It must not know any node.
//!
//! The caller bounds depth and size. Text is quoted wherever any YAML reader could take it for something else.

use std::fmt::Write;

use nodetool_sdk::Value;
use nodetool_sdk::compat::py_float;

/// Longest key on one line with its value; readers need not look further than 1024 characters.
const MAX_SIMPLE_KEY: usize = 128;

/// The value as a YAML document.
pub(super) fn write(value: &Value) -> String {
    let mut out = String::new();
    node(value, 0, &mut out);
    out.push('\n');
    out
}

/// Writes at column `indent`; further lines start there too.
fn node(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::List(items) if !items.is_empty() => {
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    line(indent, out);
                }
                out.push_str("- ");
                node(item, indent + 2, out);
            }
        }
        Value::Map(map) if !map.is_empty() => {
            let mut pairs: Vec<_> = map.iter().collect();
            pairs.sort_unstable_by_key(|(k, _)| *k);
            for (i, (key, item)) in pairs.into_iter().enumerate() {
                if i > 0 {
                    line(indent, out);
                }
                pair(key, item, indent, out);
            }
        }
        other => scalar(other, out),
    }
}

fn pair(key: &str, item: &Value, indent: usize, out: &mut String) {
    if key.len() > MAX_SIMPLE_KEY {
        out.push_str("? ");
        text(key, out);
        line(indent, out);
        out.push_str(": ");
        node(item, indent + 2, out);
        return;
    }
    text(key, out);
    out.push(':');
    match item {
        Value::List(items) if !items.is_empty() => {
            line(indent, out);
            node(item, indent, out);
        }
        Value::Map(map) if !map.is_empty() => {
            line(indent + 2, out);
            node(item, indent + 2, out);
        }
        other => {
            out.push(' ');
            scalar(other, out);
        }
    }
}

fn line(indent: usize, out: &mut String) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}

fn scalar(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(i) => {
            let _ = write!(out, "{i}");
        }
        Value::Float(f) => out.push_str(&float(*f)),
        Value::Str(s) => text(s, out),
        // The spelling that bytes have in JSON.
        Value::Bytes(_) => {
            let json = serde_json::to_string(value).unwrap_or_default();
            text(json.trim_matches('"'), out);
        }
        Value::List(_) => out.push_str("[]"),
        Value::Map(_) => out.push_str("{}"),
    }
}

fn float(f: f64) -> String {
    if f.is_nan() {
        return ".nan".into();
    }
    if f.is_infinite() {
        return if f > 0.0 { ".inf" } else { "-.inf" }.into();
    }
    let text = py_float(f);
    // YAML 1.1 readers take 1e+16 for text.
    if text.contains('.') {
        text
    } else {
        text.replacen('e', ".0e", 1)
    }
}

fn text(s: &str, out: &mut String) {
    if s.chars().any(needs_escape) {
        double_quoted(s, out);
    } else if is_plain(s) {
        out.push_str(s);
    } else {
        out.push('\'');
        out.push_str(&s.replace('\'', "''"));
        out.push('\'');
    }
}

fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// Whether no reader takes the text for anything but this text.
fn is_plain(s: &str) -> bool {
    let Some(first) = s.chars().next() else {
        return false;
    };
    // Numbers and dates start with a digit and hold no other letters than these.
    let like_a_number = || {
        !s.chars()
            .any(|c| c.is_alphabetic() && !"abcdefoxtznABCDEFOXTZN".contains(c))
    };
    let starts_well =
        first.is_alphabetic() || first == '_' || (first.is_ascii_digit() && !like_a_number());
    starts_well && !is_word(s) && !s.contains(": ") && !s.contains(" #") && !s.ends_with([':', ' '])
}

/// Whether the text is a word for null or a boolean in some version of YAML.
fn is_word(s: &str) -> bool {
    const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    s.len() <= 5 && WORDS.iter().any(|w| w.eq_ignore_ascii_case(s))
}

fn double_quoted(s: &str, out: &mut String) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if needs_escape(c) => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_look_as_pyyaml_lays_them_out() {
        let v: Value = serde_json::from_str(
            r#"{"tags": ["a", ["b", {"x": 1, "w": {}}], []], "nested": {"k": "v", "l": [1]}, "active": true,
                "empty": null, "f": 1e16}"#,
        )
        .unwrap();
        let want = "active: true\nempty: null\nf: 1.0e+16\nnested:\n  k: v\n  l:\n  - 1\ntags:\n- a\n- - b\n  - w: {}\n    x: 1\n- []\n";
        assert_eq!(write(&v), want);
        assert_eq!(write(&Value::map([("", Value::Null); 0])), "{}\n");
    }

    #[test]
    fn text_that_reads_as_something_else_is_quoted() {
        for (s, want) in [
            ("plain text", "plain text"),
            ("10 apples", "10 apples"),
            ("", "''"),
            ("No", "'No'"),
            ("12", "'12'"),
            ("0x1F", "'0x1F'"),
            ("1_000.5e3", "'1_000.5e3'"),
            ("2024-01-01T00:00:00Z", "'2024-01-01T00:00:00Z'"),
            ("- x", "'- x'"),
            ("a: b", "'a: b'"),
            ("a:", "'a:'"),
            ("a #b", "'a #b'"),
            ("it's #1", "'it''s #1'"),
            ("*ref", "'*ref'"),
            ("a\nb\u{85}", "\"a\\nb\\u0085\""),
            ("é", "é"),
        ] {
            assert_eq!(write(&Value::from(s)), format!("{want}\n"), "{s}");
        }
    }

    #[test]
    fn long_keys_stand_alone() {
        let key = "k".repeat(200);
        let v = Value::map([(
            key.as_str(),
            Value::map([("a", 1i64.into()), ("b", 2i64.into())]),
        )]);
        assert_eq!(write(&v), format!("? {key}\n: a: 1\n  b: 2\n"));
    }
}

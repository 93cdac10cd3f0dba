//! Values as Python writes them: `str()`, `repr()` and `json.dumps()`.

use std::fmt::Write;

use nodetool_protocol::Value;

/// `str(value)`: text as it is, everything else as `repr`.
pub fn py_str(value: &Value) -> String {
    match value {
        Value::Str(s) => s.to_string(),
        other => py_repr(other),
    }
}

/// `repr(value)`: `None`, `True`, `1.0`, `'text'`, `['a', 1]`, `{'k': 'v'}`.
pub fn py_repr(value: &Value) -> String {
    let mut out = String::new();
    repr_into(value, &mut out);
    out
}

fn repr_into(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Int(i) => {
            let _ = write!(out, "{i}");
        }
        Value::Float(f) => out.push_str(&py_float(*f)),
        Value::Str(s) => quote_into(s, out),
        Value::Bytes(b) => {
            out.push_str("b'");
            for byte in b.iter() {
                match byte {
                    b'\\' => out.push_str("\\\\"),
                    b'\'' => out.push_str("\\'"),
                    b'\n' => out.push_str("\\n"),
                    b'\r' => out.push_str("\\r"),
                    b'\t' => out.push_str("\\t"),
                    0x20..=0x7e => out.push(char::from(*byte)),
                    other => {
                        let _ = write!(out, "\\x{other:02x}");
                    }
                }
            }
            out.push('\'');
        }
        Value::List(items) => {
            out.push('[');
            for (i, v) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                repr_into(v, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (i, (k, v)) in map.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                quote_into(k, out);
                out.push_str(": ");
                repr_into(v, out);
            }
            out.push('}');
        }
    }
}

fn quote_into(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let code = c as u32;
                let _ = if code < 0x100 {
                    write!(out, "\\x{code:02x}")
                } else {
                    write!(out, "\\u{code:04x}")
                };
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

/// `repr(float)`: shortest digits that read back, `1.0`, `1e+16`, `1e-05`, `inf`, `nan`.
pub fn py_float(f: f64) -> String {
    if f.is_nan() {
        return "nan".into();
    }
    if f.is_infinite() {
        return if f > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let magnitude = f.abs();
    if f != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{f:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = exponent
            .strip_prefix('-')
            .map_or(('+', exponent), |d| ('-', d));
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    format!("{f:?}")
}

/// `json.dumps(value)` with Python's separators; non-ASCII is escaped when `ascii`, lines are indented when `indent` is
/// given.
pub fn json_dumps(value: &Value, ascii: bool, indent: Option<usize>) -> String {
    let mut out = String::new();
    dump_into(value, ascii, indent, 0, &mut out);
    out
}

fn dump_into(value: &Value, ascii: bool, indent: Option<usize>, depth: usize, out: &mut String) {
    let line = |out: &mut String, depth: usize| {
        if let Some(n) = indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', n * depth));
        }
    };
    let comma = if indent.is_some() { "," } else { ", " };
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(i) => {
            let _ = write!(out, "{i}");
        }
        Value::Float(f) if f.is_nan() => out.push_str("NaN"),
        Value::Float(f) if f.is_infinite() => {
            out.push_str(if *f > 0.0 { "Infinity" } else { "-Infinity" })
        }
        Value::Float(f) => out.push_str(&py_float(*f)),
        Value::Str(s) => json_text_into(s, ascii, out),
        Value::Bytes(_) => {
            let text = serde_json::to_string(value).unwrap_or_default();
            out.push_str(&text);
        }
        Value::List(items) if items.is_empty() => out.push_str("[]"),
        Value::Map(map) if map.is_empty() => out.push_str("{}"),
        Value::List(items) => {
            out.push('[');
            for (i, v) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(comma);
                }
                line(out, depth + 1);
                dump_into(v, ascii, indent, depth + 1, out);
            }
            line(out, depth);
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (i, (k, v)) in map.iter().enumerate() {
                if i > 0 {
                    out.push_str(comma);
                }
                line(out, depth + 1);
                json_text_into(k, ascii, out);
                out.push_str(": ");
                dump_into(v, ascii, indent, depth + 1, out);
            }
            line(out, depth);
            out.push('}');
        }
    }
}

fn json_text_into(text: &str, ascii: bool, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || (ascii && !c.is_ascii()) => {
                let mut units = [0u16; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
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
    fn values_print_as_python_prints_them() {
        let v = Value::list([
            Value::Null,
            true.into(),
            1i64.into(),
            1.0.into(),
            "it's".into(),
            "a\n\"'".into(),
            Value::map([("k", Value::from("é"))]),
        ]);
        assert_eq!(
            py_str(&v),
            r#"[None, True, 1, 1.0, "it's", 'a\n"\'', {'k': 'é'}]"#
        );
        assert_eq!(
            json_dumps(&v, true, None),
            r#"[null, true, 1, 1.0, "it's", "a\n\"'", {"k": "\u00e9"}]"#
        );
        assert_eq!(
            json_dumps(&Value::list([1i64.into()]), true, Some(2)),
            "[\n  1\n]"
        );
    }

    #[test]
    fn floats_print_the_shortest_digits_that_read_back() {
        for (f, text) in [
            (0.1, "0.1"),
            (1e16, "1e+16"),
            (1e-5, "1e-05"),
            (1.5e300, "1.5e+300"),
            (-2.0, "-2.0"),
            (0.0001, "0.0001"),
        ] {
            assert_eq!(py_float(f), text);
        }
    }
}

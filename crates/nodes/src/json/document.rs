//! JSON documents within bounds: how deep, how many values, how much text. It must not know nodes.

use nodetool_sdk::Value;

use crate::bounds::{MAX_ITEMS, MAX_TEXT};

/// Levels of lists and objects inside each other.
pub(crate) const MOST_LEVELS: usize = 127;

/// Reads JSON text; the error says what is wrong and where.
pub(crate) fn read(text: &str) -> Result<Value, String> {
    measure_text(text)?;
    serde_json::from_str(text).map_err(|e| format!("not valid JSON: {e}"))
}

/// Refuses text that is too long, or that nests too deep or holds too many values, before any of it is kept.
fn measure_text(text: &str) -> Result<(), String> {
    if text.len() > MAX_TEXT {
        return Err(format!(
            "{} bytes of JSON (expected at most {MAX_TEXT})",
            text.len()
        ));
    }
    let (mut depth, mut values) = (0usize, 1usize);
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'[' | b'{' => {
                depth += 1;
                values += 1;
                if depth > MOST_LEVELS {
                    return Err(format!(
                        "JSON nested deeper than {MOST_LEVELS} levels, at byte {at}"
                    ));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
        if values > MAX_ITEMS {
            return Err(format!("JSON with more than {MAX_ITEMS} values"));
        }
    }
    Ok(())
}

/// How much a value holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Weight {
    /// Values, the value itself included.
    pub(crate) values: usize,
    /// Bytes of its JSON text, at most.
    pub(crate) bytes: usize,
}

/// Weighs a value as it would be written with `indent` blanks per level; refuses what is too deep or too large.
pub(crate) fn weigh(value: &Value, indent: usize) -> Result<Weight, String> {
    let mut weight = Weight {
        values: 0,
        bytes: 0,
    };
    weigh_into(value, indent, 0, &mut weight)?;
    Ok(weight)
}

fn weigh_into(
    value: &Value,
    indent: usize,
    depth: usize,
    weight: &mut Weight,
) -> Result<(), String> {
    weight.values += 1;
    weight.bytes = weight.bytes.saturating_add(match value {
        Value::Str(s) => escaped_len(s),
        Value::Bytes(b) => b.len().saturating_mul(2) + 48,
        Value::List(_) | Value::Map(_) => indent * depth + 4,
        _ => 24,
    });
    if depth > MOST_LEVELS {
        return Err(format!("nested deeper than {MOST_LEVELS} levels"));
    }
    if weight.values > MAX_ITEMS {
        return Err(format!("more than {MAX_ITEMS} values"));
    }
    if weight.bytes > MAX_TEXT {
        return Err(format!("more than {MAX_TEXT} bytes of JSON"));
    }
    let line = indent * (depth + 1) + 3;
    match value {
        Value::List(items) => {
            for item in items.iter() {
                weight.bytes += line;
                weigh_into(item, indent, depth + 1, weight)?;
            }
        }
        Value::Map(map) => {
            for (key, item) in map.iter() {
                weight.bytes = weight.bytes.saturating_add(escaped_len(key) + line);
                weigh_into(item, indent, depth + 1, weight)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Bytes of a text in quotes, at most: everything beyond ASCII becomes `\uXXXX`, once or twice.
fn escaped_len(text: &str) -> usize {
    let plain = |b: &u8| (0x20..0x7f).contains(b) && *b != b'"' && *b != b'\\';
    let others = text.bytes().filter(|b| !plain(b)).count();
    text.len().saturating_add(others.saturating_mul(5)) + 2
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::compat::json_dumps;

    use super::*;

    #[test]
    fn text_is_read_as_deep_as_the_bound_and_no_deeper() {
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(read(&nested(MOST_LEVELS)).is_ok());
        for n in [MOST_LEVELS + 1, 10_000] {
            let error = read(&nested(n)).unwrap_err();
            assert!(error.contains("deeper than 127 levels"), "{error}");
        }
        assert!(read(&format!("\"{}\"", "[".repeat(500))).is_ok());
    }

    #[test]
    fn the_place_where_it_gets_too_deep_is_told() {
        let e = read(&"[".repeat(MOST_LEVELS + 1)).unwrap_err();
        assert!(e.contains("deeper than 127 levels, at byte 127"), "{e}");
    }

    #[test]
    fn nesting_of_ten_thousand_levels_is_refused_in_every_form() {
        for open in ["[", "{\"a\":", "[{\"a\":", " [ "] {
            let e = read(&open.repeat(10_000)).unwrap_err();
            assert!(e.contains("deeper than"), "{e}");
        }
        let quoted = format!("\"{}\\\"[\"", "[".repeat(10_000));
        assert_eq!(read(&quoted).unwrap().as_str().unwrap().len(), 10_002);
    }

    #[test]
    fn more_values_than_fit_are_refused_before_they_are_built() {
        let many = format!("[{}0]", "0,".repeat(MAX_ITEMS));
        let e = read(&many).unwrap_err();
        assert!(e.contains("values"), "{e}");
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        assert_eq!(
            read("{\"a\": }").unwrap_err(),
            "not valid JSON: expected value at line 1 column 7"
        );
        for text in ["", "{", "{\"a\": 1,}", "{'a': 1}", "[1] 2", "\"\\"] {
            let e = read(text).unwrap_err();
            assert!(
                e.contains("not valid JSON") && e.contains("line 1"),
                "{text}: {e}"
            );
        }
    }

    #[test]
    fn a_weight_is_no_less_than_what_is_written() {
        for json in [
            r#"{"a":[1,2.5,{"é\"":"😀\n"}],"b":{},"c":[]}"#,
            r#"[[[[-9223372036854775808, 1e-300, true, null]]]]"#,
            r#""""#,
        ] {
            let value = read(json).unwrap();
            for indent in [0, 2, 9] {
                let written = json_dumps(&value, true, Some(indent)).len();
                let weight = weigh(&value, indent).unwrap();
                assert!(weight.bytes >= written, "{json} {indent}");
            }
        }
    }

    #[test]
    fn shared_values_that_would_unfold_without_end_are_refused() {
        let mut value = Value::from(1i64);
        for _ in 0..100 {
            value = Value::list([value.clone(), value]);
        }
        assert!(weigh(&value, 0).is_err());
    }
}

//! Reading JSON that may be hostile: deep nesting and huge numbers of values are refused before anything is built. It
//! must not know any node.

use nodetool_sdk::Value;

use crate::bounds::{MAX_ITEMS, MAX_TEXT};

/// Deepest nesting the reader takes.
const MAX_DEPTH: usize = 127;

/// Reads one JSON value; the error says what is wrong and where.
pub(super) fn read(text: &str) -> Result<Value, String> {
    survey(text)?;
    serde_json::from_str(text).map_err(|e| format!("not valid JSON: {e}"))
}

/// Counts levels and values by their punctuation; text that is no JSON may pass, since the reader follows.
fn survey(text: &str) -> Result<(), String> {
    if text.len() > MAX_TEXT {
        return Err(format!(
            "{} bytes of JSON (expected at most {MAX_TEXT})",
            text.len()
        ));
    }
    let (mut depth, mut values) = (0usize, 1usize);
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => {
                // To the closing quote; an escaped byte never closes.
                while let Some((_, byte)) = bytes.next() {
                    match byte {
                        b'\\' => {
                            bytes.next();
                        }
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            b'[' | b'{' => {
                depth += 1;
                values += 1;
                if depth > MAX_DEPTH {
                    return Err(format!(
                        "JSON nested more than {MAX_DEPTH} levels deep (at byte {at})"
                    ));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
        if values > MAX_ITEMS {
            return Err(format!(
                "JSON of more than {MAX_ITEMS} values (expected at most that)"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_survey_agrees_with_the_reader_about_depth() {
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(read(&nested(MAX_DEPTH)).is_ok());
        let e = read(&nested(MAX_DEPTH + 1)).unwrap_err();
        assert!(e.contains("127 levels deep (at byte 127)"), "{e}");
    }

    #[test]
    fn nesting_of_ten_thousand_levels_is_refused_in_every_form() {
        for open in ["[", "{\"a\":", "[{\"a\":", " [ "] {
            let e = read(&open.repeat(10_000)).unwrap_err();
            assert!(e.contains("levels deep"), "{e}");
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
    fn what_is_no_json_says_where() {
        for text in ["", "{", "{\"a\": 1,}", "{'a': 1}", "[1] 2", "\"\\"] {
            let e = read(text).unwrap_err();
            assert!(
                e.contains("not valid JSON") && e.contains("line 1"),
                "{text}: {e}"
            );
        }
    }
}

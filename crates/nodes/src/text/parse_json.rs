//! `nodetool.text.ParseJSON`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process, Value};

use super::on;

/// Reads a value out of JSON text.
/// json, parse, read, convert, object
///
/// NaN, Infinity and -Infinity are understood.
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Parse JSON String")]
pub(super) struct ParseJSON {
    /// The JSON.
    #[prop(title = "JSON string")]
    text: String,
}

impl Process for ParseJSON {
    type Output = Value;

    async fn process(self, _: &NodeCx) -> Result<Value, NodeError> {
        on(self.text, |text| parse("text", text)).await
    }
}

/// Reads JSON with Python's additions; the error names the property.
pub(super) fn parse(property: &str, text: &str) -> Result<Value, NodeError> {
    let wrong = match serde_json::from_str(text) {
        Ok(value) => return Ok(value),
        Err(e) => NodeError::bad(property, format!("no valid JSON: {e}")),
    };
    if !text.contains("NaN") && !text.contains("Infinity") {
        return Err(wrong);
    }
    let mut mark = String::from("\u{f8ff}");
    while text.contains(&mark) {
        mark.push('\u{f8ff}');
    }
    match serde_json::from_str(&marked(text, &mark)) {
        Ok(value) => Ok(unmarked(value, &mark)),
        Err(_) => Err(wrong),
    }
}

/// The text with the three words outside of strings made strings that begin with a mark.
fn marked(text: &str, mark: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    let mut inside = false;
    while let Some(c) = rest.chars().next() {
        let word = ["-Infinity", "Infinity", "NaN"]
            .into_iter()
            .find(|w| !inside && rest.starts_with(w));
        let len = match (word, c) {
            (Some(word), _) => {
                out.extend(["\"", mark, word, "\""]);
                rest = &rest[word.len()..];
                continue;
            }
            (None, '\\') if inside => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            (None, '"') => {
                inside = !inside;
                1
            }
            (None, c) => c.len_utf8(),
        };
        out.push_str(&rest[..len]);
        rest = &rest[len..];
    }
    out
}

fn unmarked(value: Value, mark: &str) -> Value {
    match value {
        Value::Str(s) => match s.strip_prefix(mark) {
            Some("NaN") => f64::NAN.into(),
            Some("Infinity") => f64::INFINITY.into(),
            Some("-Infinity") => f64::NEG_INFINITY.into(),
            _ => Value::Str(s),
        },
        Value::List(items) => Value::list(items.iter().map(|item| unmarked(item.clone(), mark))),
        Value::Map(map) => {
            let pairs = map
                .iter()
                .map(|(k, v)| (k.clone(), unmarked(v.clone(), mark)));
            pairs.collect::<Map>().into()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_words_are_read_outside_of_strings_only() {
        let value = parse("text", r#"{"a": [NaN, -Infinity, "NaN \" NaN"], "b": 1}"#).unwrap();
        let items = value.get("a").and_then(Value::as_list).unwrap();
        assert!(items[0].as_f64().unwrap().is_nan());
        assert_eq!(items[1], Value::Float(f64::NEG_INFINITY));
        assert_eq!(items[2], Value::from("NaN \" NaN"));
    }

    #[test]
    fn wrong_json_is_refused_with_its_place() {
        for text in ["", "{", "{'a': 1}", "[NaN", "NaNa", &"[".repeat(100_000)] {
            let e = parse("text", text).unwrap_err().to_string();
            assert!(e.contains("`text`") && e.contains("line 1"), "{e}");
        }
    }
}

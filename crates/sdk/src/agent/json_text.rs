//! Finds the JSON in what a model says around it.

use nodetool_protocol::Value;

/// Places where an object or list may begin that are tried.
const MOST_STARTS: usize = 64;

/// A longer text is not searched.
const MOST_PROSE: usize = 4 << 20;

/// The JSON value in a text: the whole text, the first fenced block that is JSON, or the longest object or
/// list that stands in it.
pub fn json_in(text: &str) -> Option<Value> {
    let whole = text.trim();
    if let Ok(value) = serde_json::from_str(whole) {
        return Some(value);
    }
    fenced(whole).or_else(|| embedded(whole))
}

fn fenced(text: &str) -> Option<Value> {
    // Pieces between fences: outside, inside, outside, …
    let inside = text.split("```").skip(1).step_by(2).take(MOST_STARTS);
    inside.into_iter().find_map(|block| {
        let body = match block.split_once('\n') {
            Some((language, body)) if !language.contains(['{', '[']) => body,
            _ => block.strip_prefix("json").unwrap_or(block),
        };
        serde_json::from_str(body.trim()).ok()
    })
}

/// The longest object or list that stands in a text.
fn embedded(text: &str) -> Option<Value> {
    if text.len() > MOST_PROSE {
        return None;
    }
    let mut best: Option<(usize, Value)> = None;
    let mut at = 0;
    for _ in 0..MOST_STARTS {
        let Some(start) = text[at..].find(['{', '[']) else {
            break;
        };
        at += start;
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                let length = values.byte_offset();
                if best.as_ref().is_none_or(|(most, _)| length > *most) {
                    best = Some((length, value));
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    best.map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn json_is_found_bare_fenced_and_in_prose() {
        let want = value(r#"{"a":[1,{"b":"}"}]}"#);
        for said in [
            r#" {"a":[1,{"b":"}"}]} "#,
            "Sure!\n```json\n{\"a\":[1,{\"b\":\"}\"}]}\n```\nAnything else?",
            "```{\"a\":[1,{\"b\":\"}\"}]}```",
            r#"The answer {as asked} is [1] {"a":[1,{"b":"}"}]}. {"c":1}"#,
        ] {
            assert_eq!(json_in(said).as_ref(), Some(&want), "{said}");
        }
        assert_eq!(json_in("42"), Some(Value::Int(42)));
        assert_eq!(json_in("no JSON {here]"), None);
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in ".{0,300}") {
            let _ = json_in(&text);
        }
    }
}

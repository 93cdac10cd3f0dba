//! `lib.json.JSONTemplate`.

use std::collections::{BTreeSet, HashMap};

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Outputs, Process, Value, compat::json_dumps};

use super::document::{read, weigh};
use crate::bounds::{MAX_TEXT, work};

/// Fills a JSON template with values and reads the result.
/// json, template, placeholder, substitute, build
///
/// `"$key"` becomes the value itself, `$key` inside longer text becomes its text. Outside of text `$key` becomes the
/// value, where text that is JSON on its own counts as that JSON. Placeholders nobody fills stay as they are.
#[derive(Node)]
#[node(namespace = "lib.json", title = "JSON Template")]
pub(super) struct JSONTemplate {
    /// JSON with placeholders.
    template: String,
    /// Values by placeholder.
    values: Map,
}

/// The object that came out.
#[derive(Outputs)]
pub(super) struct Dict {
    #[slot(ty = "dict")]
    output: Value,
}

impl Process for JSONTemplate {
    type Output = Dict;

    async fn process(self, _: &NodeCx) -> Result<Dict, NodeError> {
        let mut size = self.template.len();
        for (key, value) in &self.values {
            let weight =
                weigh(value, 0).map_err(|e| NodeError::bad("values", format!("{key:?} is {e}")))?;
            size = size.saturating_add(weight.bytes);
        }
        work(size, move || {
            let text = fill(&self.template, &self.values)?;
            match read(&text).map_err(|e| NodeError::bad("template", e))? {
                output @ Value::Map(_) => Ok(Dict { output }),
                other => Err(NodeError::bad(
                    "template",
                    format!("Resulting JSON must be a dictionary, not {}", other.kind()),
                )),
            }
        })
        .await
    }
}

/// What stands for a placeholder.
struct Written {
    /// The whole of a text, or a value outside of texts.
    alone: String,
    /// Part of a text.
    inside: String,
    /// Outside of texts, where that differs.
    bare: Option<String>,
}

fn written(value: &Value) -> Written {
    // Without its quotes, a JSON text may stand inside another.
    let within = |quoted: &str| quoted[1..quoted.len() - 1].to_owned();
    let alone = json_dumps(value, true, None);
    match value {
        Value::Str(text) => Written {
            inside: within(&alone),
            bare: read(text).is_ok().then(|| text.to_string()),
            alone,
        },
        _ => Written {
            inside: within(&json_dumps(&alone.as_str().into(), true, None)),
            bare: None,
            alone,
        },
    }
}

/// One pass from left to right: what a value brings in is not looked at again.
fn fill(template: &str, values: &Map) -> Result<String, NodeError> {
    // Longer keys first, so that `$name` does not hide `$name_2`.
    let lengths: BTreeSet<usize> = values.keys().map(|k| k.len()).filter(|n| *n > 0).collect();
    let find = |tail: &str| {
        let mut heads = lengths.iter().rev().filter_map(|n| tail.get(..*n));
        heads.find_map(|head| values.get_key_value(head))
    };
    let mut texts: HashMap<&str, Written> = HashMap::new();
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    // Length of the output right after the quote that opened a text.
    let mut opened = None;
    while let Some(c) = rest.chars().next() {
        let tail = &rest[c.len_utf8()..];
        match c {
            '\\' if opened.is_some() => {
                let next = tail.chars().next().map_or(0, char::len_utf8);
                out.push_str(&rest[..1 + next]);
                rest = &tail[next..];
                continue;
            }
            '"' => {
                opened = if opened.is_none() {
                    Some(out.len() + 1)
                } else {
                    None
                }
            }
            '$' if let Some((key, value)) = find(tail) => {
                let after = &tail[key.len()..];
                let text = texts.entry(key).or_insert_with(|| written(value));
                match (opened, after.strip_prefix('"')) {
                    (Some(at), Some(closed)) if at == out.len() => {
                        out.pop();
                        out.push_str(&text.alone);
                        opened = None;
                        rest = closed;
                    }
                    (Some(_), _) => {
                        out.push_str(&text.inside);
                        rest = after;
                    }
                    (None, _) => {
                        out.push_str(text.bare.as_ref().unwrap_or(&text.alone));
                        rest = after;
                    }
                }
                if out.len() > MAX_TEXT {
                    return Err(NodeError::bad(
                        "template",
                        format!("the filled template is longer than {MAX_TEXT} bytes"),
                    ));
                }
                continue;
            }
            _ => {}
        }
        out.push(c);
        rest = tail;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> String {
        let values = Map::from_iter([
            ("name".into(), Value::from("A \"B\"")),
            ("name_2".into(), Value::from("$name")),
            ("n".into(), Value::from(5i64)),
            ("list".into(), Value::list(["x".into()])),
            ("json".into(), Value::from("[1]")),
        ]);
        fill(template, &values).unwrap()
    }

    #[test]
    fn placeholders_are_filled_by_where_they_stand() {
        for (template, want) in [
            (r#"{"a": "$name"}"#, r#"{"a": "A \"B\""}"#),
            (r#"{"a": "-$name-"}"#, r#"{"a": "-A \"B\"-"}"#),
            (r#"{"a": $name}"#, r#"{"a": "A \"B\""}"#),
            (
                r#"{"a": "$n", "b": $n, "c": "$n!"}"#,
                r#"{"a": 5, "b": 5, "c": "5!"}"#,
            ),
            (
                r#"["$list", $list, "is $list"]"#,
                r#"[["x"], ["x"], "is [\"x\"]"]"#,
            ),
            (r#"[$json, "$json"]"#, r#"[[1], "[1]"]"#),
            (r#""$name_2""#, r#""$name""#),
            (r#""$other $""#, r#""$other $""#),
            (r#""\"$n""#, r#""\"5""#),
        ] {
            assert_eq!(filled(template), want, "{template}");
        }
    }
}

//! `nodetool.document.SplitJSON`.

use nodetool_sdk::compat::py_str;
use nodetool_sdk::{DocumentRef, Emitter, Generate, Node, NodeCx, NodeError, Value};

use super::Piece;
use super::source::{Source, emit_in_row};
use crate::bounds::{MAX_TEXT, blocking};

/// Cuts a JSON document into texts, one for each item of its list.
/// document, json, split, flatten, index
///
/// Each line of a text holds the names that lead to a value, and the value. Positions count the characters of the
/// pieces before.
#[derive(Node)]
#[node(namespace = "nodetool.document", kind = Generate)]
pub(super) struct SplitJSON {
    /// The document.
    document: DocumentRef,
    /// Kept for older workflows; pieces carry no further facts.
    #[prop(default = true)]
    #[expect(dead_code, reason = "the outputs have no place for it")]
    include_metadata: bool,
    /// Kept for older workflows; pieces do not name their neighbours.
    #[prop(default = true)]
    #[expect(dead_code, reason = "the outputs have no place for it")]
    include_prev_next_rel: bool,
}

impl Generate for SplitJSON {
    type Output = Piece;

    async fn generate(self, out: &Emitter<'_, Piece>, cx: &NodeCx) -> Result<(), NodeError> {
        let source = Source::read(cx, &self.document).await?;
        let (id, json) = (source.id, source.text);
        let texts = blocking(move || {
            let value = serde_json::from_str(&json)
                .map_err(|e| NodeError::bad("document", format!("is no valid JSON: {e}")))?;
            texts(&value)
        })
        .await?;
        emit_in_row(out, &id, texts).await
    }
}

fn texts(value: &Value) -> Result<Vec<String>, NodeError> {
    let mut left = MAX_TEXT;
    let items = match value {
        Value::List(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut out = Vec::new();
    for item in items {
        let mut text = String::new();
        flatten(item, &mut Vec::new(), &mut text, &mut left)?;
        if !text.is_empty() {
            out.push(text);
        }
    }
    Ok(out)
}

fn flatten<'v>(
    value: &'v Value,
    path: &mut Vec<&'v str>,
    out: &mut String,
    left: &mut usize,
) -> Result<(), NodeError> {
    match value {
        Value::Map(map) => {
            for (name, value) in map.iter() {
                path.push(name);
                flatten(value, path, out, left)?;
                path.pop();
            }
        }
        Value::List(items) => {
            for item in items.iter() {
                flatten(item, path, out, left)?;
            }
        }
        leaf => {
            let text = py_str(leaf);
            let bytes = path.iter().map(|p| p.len() + 1).sum::<usize>() + text.len() + 1;
            *left = left.checked_sub(bytes).ok_or_else(|| {
                NodeError::bad(
                    "document",
                    format!("has more than {MAX_TEXT} bytes as lines (expected at most that)"),
                )
            })?;
            if !out.is_empty() {
                out.push('\n');
            }
            for name in path {
                out.push_str(name);
                out.push(' ');
            }
            out.push_str(&text);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_of_a_list_is_a_text_of_paths_and_values() {
        let value: Value =
            serde_json::from_str(r#"[{"a": {"b": 1, "c": [true, null]}, "d": "x y"}, 2, []]"#)
                .unwrap();
        assert_eq!(
            texts(&value).unwrap(),
            ["a b 1\na c True\na c None\nd x y", "2"]
        );
        let one: Value = serde_json::from_str(r#"{"a": 1.0}"#).unwrap();
        assert_eq!(texts(&one).unwrap(), ["a 1.0"]);
    }
}

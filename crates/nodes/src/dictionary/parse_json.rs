//! `nodetool.dictionary.ParseJSON`.

use std::sync::Arc;

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process, Value, ValueType};

use crate::bounds;
use crate::json::document;

/// Reads a JSON object as a dictionary.
/// json, parse, read, dictionary, object, decode
///
/// Any other JSON value is an error.
#[derive(Node)]
#[node(namespace = "nodetool.dictionary", layout = "small")]
pub(super) struct ParseJSON {
    /// The JSON text.
    json_string: Arc<str>,
}

impl Process for ParseJSON {
    type Output = Map;

    async fn process(self, _: &NodeCx) -> Result<Map, NodeError> {
        let text = self.json_string;
        bounds::work(text.len(), move || {
            let value = document::read(&text).map_err(|e| NodeError::bad("json_string", e))?;
            match value {
                Value::Map(_) => Map::from_value(value).map_err(NodeError::new),
                other => Err(NodeError::bad(
                    "json_string",
                    format!("Input JSON is not a dictionary but {}", other.kind()),
                )),
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn only_an_object_is_taken_and_the_last_of_equal_keys_counts() {
        let parse = |text: &str| case::<ParseJSON>().set("json_string", text).value();
        let got = parse(r#"{"b": 1, "a": 2, "b": 3}"#).await.unwrap();
        assert_eq!(serde_json::to_string(&got).unwrap(), r#"{"b":3,"a":2}"#);
        let deep = "{\"a\":".repeat(10_000);
        for text in ["[1]", "\"x\"", "null", "", "{", &deep] {
            let e = parse(text).await.unwrap_err().to_string();
            assert!(e.contains("`json_string`"), "{e}");
        }
    }
}

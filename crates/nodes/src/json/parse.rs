//! `lib.json.ParseDict` and `lib.json.ParseList`.

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process, Value};

use super::document::read;
use crate::bounds::work;

/// Reads a JSON object.
/// json, parse, dictionary, object, read
#[derive(Node)]
#[node(namespace = "lib.json")]
pub(super) struct ParseDict {
    /// JSON text.
    json_string: String,
}

/// The object.
#[derive(Outputs)]
pub(super) struct Dict {
    #[slot(ty = "dict")]
    output: Value,
}

impl Process for ParseDict {
    type Output = Dict;

    async fn process(self, _: &NodeCx) -> Result<Dict, NodeError> {
        match parse(self.json_string).await? {
            output @ Value::Map(_) => Ok(Dict { output }),
            other => Err(wrong("an object", &other)),
        }
    }
}

/// Reads a JSON array.
/// json, parse, list, array, read
#[derive(Node)]
#[node(namespace = "lib.json")]
pub(super) struct ParseList {
    /// JSON text.
    json_string: String,
}

/// The array.
#[derive(Outputs)]
pub(super) struct List {
    #[slot(ty = "list")]
    output: Value,
}

impl Process for ParseList {
    type Output = List;

    async fn process(self, _: &NodeCx) -> Result<List, NodeError> {
        match parse(self.json_string).await? {
            output @ Value::List(_) => Ok(List { output }),
            other => Err(wrong("an array", &other)),
        }
    }
}

async fn parse(text: String) -> Result<Value, NodeError> {
    work(text.len(), move || {
        read(&text).map_err(|e| NodeError::bad("json_string", e))
    })
    .await
}

fn wrong(expected: &str, got: &Value) -> NodeError {
    NodeError::bad(
        "json_string",
        format!(
            "JSON string must represent {expected}, not {} {}",
            got.kind(),
            got.preview(80)
        ),
    )
}

//! `nodetool.dictionary.GetValue`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process, Value};

/// Takes the value of a key.
/// dictionary, get, value, key, lookup, field
#[derive(Node)]
#[node(namespace = "nodetool.dictionary", layout = "small")]
pub(super) struct GetValue {
    /// The dictionary.
    dictionary: Map,
    /// The key.
    key: String,
    /// Given when there is no such key.
    #[prop(name = "default", default = Vec::<Value>::new())]
    fallback: Value,
}

impl Process for GetValue {
    type Output = Value;

    async fn process(self, _: &NodeCx) -> Result<Value, NodeError> {
        Ok(match self.dictionary.get(self.key.as_str()) {
            Some(value) => value.clone(),
            None => self.fallback,
        })
    }
}

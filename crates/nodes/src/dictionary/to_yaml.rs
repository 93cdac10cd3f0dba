//! `nodetool.dictionary.ToYAML`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process, Value};

use super::yaml_text;
use crate::extent;

/// Writes a dictionary as YAML text, keys sorted.
/// yaml, dictionary, text, serialize, convert, config
#[derive(Node)]
#[node(namespace = "nodetool.dictionary", layout = "small")]
pub(super) struct ToYAML {
    /// The dictionary.
    #[prop(ty = "dict[str, any]", default = Map::new())]
    dictionary: Value,
}

impl Process for ToYAML {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        extent::write("dictionary", self.dictionary, 2, yaml_text::write).await
    }
}

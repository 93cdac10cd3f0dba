//! `nodetool.dictionary.Remove`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process};

/// Removes a key from a dictionary.
/// dictionary, remove, delete, drop, key
///
/// A key that is not there is fine.
#[derive(Node)]
#[node(namespace = "nodetool.dictionary", layout = "small")]
pub(super) struct Remove {
    /// The dictionary.
    dictionary: Map,
    /// The key.
    key: String,
}

impl Process for Remove {
    type Output = Map;

    async fn process(mut self, _: &NodeCx) -> Result<Map, NodeError> {
        self.dictionary.shift_remove(self.key.as_str());
        Ok(self.dictionary)
    }
}

//! `nodetool.boolean.IsNone`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value};

/// Tells whether there is no value.
/// null, none, empty, missing, boolean, check
#[derive(Node)]
#[node(namespace = "nodetool.boolean")]
pub(super) struct IsNone {
    /// The value; nothing set counts as none.
    value: Value,
}

impl Process for IsNone {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        Ok(self.value.is_null())
    }
}

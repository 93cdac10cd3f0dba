//! `nodetool.boolean.Not`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

/// Turns a condition into its opposite.
/// boolean, not, negate, invert, opposite
#[derive(Node)]
#[node(namespace = "nodetool.boolean")]
pub(super) struct Not {
    /// The condition.
    value: bool,
}

impl Process for Not {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        Ok(!self.value)
    }
}

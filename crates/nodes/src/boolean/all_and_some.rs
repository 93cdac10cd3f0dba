//! `nodetool.boolean.All` and `nodetool.boolean.Some`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

/// Tells whether every condition of a list holds.
/// boolean, all, every, conjunction, list, check
///
/// An empty list gives true.
#[derive(Node)]
#[node(namespace = "nodetool.boolean")]
pub(super) struct All {
    /// The conditions.
    values: Vec<bool>,
}

impl Process for All {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        Ok(self.values.into_iter().all(|v| v))
    }
}

/// Tells whether at least one condition of a list holds.
/// boolean, any, some, disjunction, list, check
///
/// An empty list gives false.
#[derive(Node)]
#[node(namespace = "nodetool.boolean")]
pub(super) struct Some {
    /// The conditions.
    values: Vec<bool>,
}

impl Process for Some {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        Ok(self.values.into_iter().any(|v| v))
    }
}

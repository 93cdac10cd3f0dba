//! `nodetool.list.Length`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::items::Items;

/// Counts the items of a list.
/// list, length, count, size
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Length {
    /// The list.
    values: Items,
}

impl Process for Length {
    type Output = i64;

    async fn process(self, _: &NodeCx) -> Result<i64, NodeError> {
        Ok(i64::try_from(self.values.len()).unwrap_or(i64::MAX))
    }
}

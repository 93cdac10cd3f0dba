//! `nodetool.list.Reverse`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::items::Items;
use crate::bounds;

/// Turns a list around.
/// list, reverse, backwards, order
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Reverse {
    /// The list.
    values: Items,
}

impl Process for Reverse {
    type Output = Items;

    async fn process(self, _: &NodeCx) -> Result<Items, NodeError> {
        bounds::work(self.values.len(), move || {
            let mut items = self.values.into_vec();
            items.reverse();
            Ok(items.into())
        })
        .await
    }
}

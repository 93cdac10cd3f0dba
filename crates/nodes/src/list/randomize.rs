//! `nodetool.list.Randomize`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::items::Items;
use crate::bounds;

/// Puts the items of a list in random order.
/// list, random, shuffle, mix, order
#[derive(Node)]
#[node(namespace = "nodetool.list", uncached)]
pub(super) struct Randomize {
    /// The list.
    values: Items,
}

impl Process for Randomize {
    type Output = Items;

    async fn process(self, _: &NodeCx) -> Result<Items, NodeError> {
        bounds::work(self.values.len(), move || {
            let mut items = self.values.into_vec();
            fastrand::shuffle(&mut items);
            Ok(items.into())
        })
        .await
    }
}

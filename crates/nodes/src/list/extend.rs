//! `nodetool.list.Extend`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::items::Items;
use crate::bounds;

/// Joins two lists.
/// list, extend, concatenate, join, merge
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Extend {
    /// The first list.
    values: Items,
    /// The list that follows.
    other_values: Items,
}

impl Process for Extend {
    type Output = Items;

    async fn process(self, _: &NodeCx) -> Result<Items, NodeError> {
        let length = self.values.len() + self.other_values.len();
        bounds::check_items("other_values", length)?;
        bounds::work(length, move || {
            let mut items = self.values.into_vec();
            items.extend_from_slice(&self.other_values);
            Ok(items.into())
        })
        .await
    }
}

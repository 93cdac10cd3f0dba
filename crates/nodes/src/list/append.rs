//! `nodetool.list.Append`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value};

use super::items::Items;
use crate::bounds;

/// Gives a list with one more value behind its last.
/// list, append, add, push, item
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Append {
    /// The list.
    values: Items,
    /// The value.
    #[prop(default = Vec::<Value>::new())]
    value: Value,
}

impl Process for Append {
    type Output = Items;

    async fn process(self, _: &NodeCx) -> Result<Items, NodeError> {
        bounds::check_items("values", self.values.len() + 1)?;
        bounds::work(self.values.len(), move || {
            let mut items = self.values.into_vec();
            items.push(self.value);
            Ok(items.into())
        })
        .await
    }
}

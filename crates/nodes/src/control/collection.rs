//! `nodetool.control.Collection`.

use nodetool_sdk::{Emitter, Generate, Node, NodeCx, NodeError, Value};

use super::for_each::send_each;
use super::item::NumberedItem;

/// Holds a list and sends its items one by one.
/// collection, items, list, source, batch
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Generate)]
pub(super) struct Collection {
    /// The items.
    items: Vec<Value>,
}

impl Generate for Collection {
    type Output = NumberedItem;

    async fn generate(self, out: &Emitter<'_, NumberedItem>, _: &NodeCx) -> Result<(), NodeError> {
        send_each(self.items, usize::MAX, out).await
    }
}

//! `nodetool.control.ForEach`.

use nodetool_sdk::{Emitter, Generate, Node, NodeCx, NodeError, Value};

use super::item::NumberedItem;

/// Sends the items of a list one by one.
/// iterator, loop, list, each, sequence
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Generate, basic("input_list"))]
pub(super) struct ForEach {
    /// The list.
    input_list: Vec<Value>,
    /// Most items to send; -1 for all.
    #[prop(default = -1)]
    limit: i64,
}

impl Generate for ForEach {
    type Output = NumberedItem;

    async fn generate(self, out: &Emitter<'_, NumberedItem>, _: &NodeCx) -> Result<(), NodeError> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        send_each(self.input_list, limit, out).await
    }
}

/// Emits up to `limit` items with their places.
pub(super) async fn send_each(
    items: Vec<Value>,
    limit: usize,
    out: &Emitter<'_, NumberedItem>,
) -> Result<(), NodeError> {
    for (index, output) in items.into_iter().take(limit).enumerate() {
        let index = index as i64;
        out.emit(NumberedItem { output, index }).await?;
    }
    Ok(())
}

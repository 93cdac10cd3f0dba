//! `nodetool.control.ForEach`.

use nodetool_sdk::{Emitter, Generate, Node, NodeCx, NodeError, Outputs, Value};

/// Sends the items of a list one by one.
/// iterator, loop, list, each, sequence
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Generate)]
pub(super) struct ForEach {
    /// The list.
    input_list: Vec<Value>,
    /// Most items to send; -1 for all.
    #[prop(default = -1)]
    limit: i64,
}

/// An item and its place.
#[derive(Outputs)]
pub(super) struct Item {
    output: Value,
    index: i64,
}

impl Generate for ForEach {
    type Output = Item;

    async fn generate(self, out: &Emitter<'_, Item>, _: &NodeCx) -> Result<(), NodeError> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        for (index, output) in self.input_list.into_iter().take(limit).enumerate() {
            out.emit(Item {
                output,
                index: index as i64,
            })
            .await?;
        }
        Ok(())
    }
}

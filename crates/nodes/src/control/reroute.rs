//! `nodetool.control.Reroute`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value};

use super::item::Item;

/// Passes items on as they are, to lay edges out neatly.
/// reroute, pass, forward, organize, layout
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Pipe)]
pub(super) struct Reroute {
    /// The items.
    #[prop(default = Vec::<Value>::new())]
    #[expect(dead_code, reason = "read from the stream")]
    input_value: Value,
}

impl Pipe for Reroute {
    type Output = Item;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Item>,
        _: &NodeCx,
    ) -> Result<(), NodeError> {
        while let Some(output) = inputs.recv("input_value").await {
            out.emit(Item { output }).await?;
        }
        Ok(())
    }
}

//! `nodetool.control.Last`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value};

use super::item::Item;

/// Gives the final item of a stream.
/// last, final, end, newest, stream
///
/// A stream without items gives nothing.
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Pipe, once)]
pub(super) struct Last {
    /// The items.
    #[expect(dead_code, reason = "read from the stream")]
    input_item: Value,
}

impl Pipe for Last {
    type Output = Item;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Item>,
        _: &NodeCx,
    ) -> Result<(), NodeError> {
        let mut last = None;
        while let Some(item) = inputs.recv("input_item").await {
            last = Some(item);
        }
        match last {
            Some(output) => out.emit(Item { output }).await,
            None => Ok(()),
        }
    }
}

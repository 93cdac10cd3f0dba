//! `nodetool.control.Count`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value};

/// Gives the number of items of a stream.
/// count, length, total, size, stream
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Pipe, once)]
pub(super) struct Count {
    /// The items.
    #[expect(dead_code, reason = "read from the stream")]
    input_item: Value,
}

impl Pipe for Count {
    type Output = i64;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, i64>,
        _: &NodeCx,
    ) -> Result<(), NodeError> {
        let mut count = 0;
        while inputs.recv("input_item").await.is_some() {
            count += 1;
        }
        out.emit(count).await
    }
}

//! `nodetool.control.Drop`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value};

use super::item::NumberedItem;
use super::setting::Setting;

/// Drops the first items of a stream and passes the rest.
/// drop, skip, offset, tail, stream
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Pipe)]
pub(super) struct Drop {
    /// The items.
    #[expect(dead_code, reason = "read from the stream")]
    input_item: Value,
    /// How many to drop.
    #[prop(default = 1)]
    n: i64,
}

impl Pipe for Drop {
    type Output = NumberedItem;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, NumberedItem>,
        _: &NodeCx,
    ) -> Result<(), NodeError> {
        let mut n = Setting::start("n", self.n, inputs).await?;
        let (mut dropped, mut index) = (0, 0);
        while let Some(output) = inputs.recv("input_item").await {
            if index == 0 && dropped < *n.latest(inputs)? {
                dropped += 1;
                continue;
            }
            out.emit(NumberedItem { output, index }).await?;
            index += 1;
        }
        Ok(())
    }
}

//! `nodetool.control.Chunk`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Outputs, Pipe, Value};

use super::item::refuse_more_than_max;
use super::setting::Setting;

/// Gathers a stream into lists of a fixed length.
/// chunk, batch, group, window, stream
///
/// The last list may be shorter.
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Pipe)]
pub(super) struct Chunk {
    /// The items.
    #[expect(dead_code, reason = "read from the stream")]
    input_item: Value,
    /// Items per list; less than 1 counts as 1.
    #[prop(default = 10)]
    size: i64,
}

/// A list and its place.
#[derive(Outputs)]
pub(super) struct Batch {
    output: Vec<Value>,
    index: i64,
}

impl Pipe for Chunk {
    type Output = Batch;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Batch>,
        _: &NodeCx,
    ) -> Result<(), NodeError> {
        let mut size = Setting::start("size", self.size, inputs).await?;
        let (mut output, mut index) = (Vec::new(), 0);
        while let Some(item) = inputs.recv("input_item").await {
            output.push(item);
            let size = usize::try_from(*size.latest(inputs)?).unwrap_or(1);
            if output.len() >= size {
                let output = std::mem::take(&mut output);
                out.emit(Batch { output, index }).await?;
                index += 1;
            }
            refuse_more_than_max("size", output.len())?;
        }
        if !output.is_empty() {
            out.emit(Batch { output, index }).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn the_last_chunk_may_be_short_and_a_size_below_1_counts_as_1() {
        let lengths = |size: i64| async move {
            let chunks = case::<Chunk>()
                .set("size", size)
                .arrive("input_item", 0..5i64)
                .output()
                .await
                .unwrap();
            let length = |c: &Value| c.as_list().unwrap().len();
            chunks.iter().map(length).collect::<Vec<_>>()
        };
        assert_eq!(lengths(2).await, [2, 2, 1]);
        assert_eq!(lengths(0).await, [1, 1, 1, 1, 1]);
        assert_eq!(lengths(i64::MAX).await, [5]);
    }
}

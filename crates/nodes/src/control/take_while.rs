//! `nodetool.control.TakeWhile`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value};

use super::batch::Batches;
use super::expression::Expression;
use super::item::Item;
use super::setting::Setting;
use super::take::drain;

/// Passes items until one fails a test, and drops everything from there on.
/// take, while, until, predicate, javascript, stream
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Pipe)]
pub(super) struct TakeWhile {
    /// The items.
    #[expect(dead_code, reason = "read from the stream")]
    input_item: Value,
    /// The test: a JavaScript expression over `item`.
    #[prop(default = "true")]
    predicate: String,
}

impl Pipe for TakeWhile {
    type Output = Item;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Item>,
        cx: &NodeCx,
    ) -> Result<(), NodeError> {
        let mut predicate = Setting::start("predicate", self.predicate, inputs).await?;
        let mut expression = Expression::of("predicate", cx);
        let mut batches = Batches::of("input_item");
        while let Some(items) = batches.next(inputs).await {
            let truths = expression.truths(predicate.latest(inputs)?, &items).await?;
            for (output, holds) in items.into_iter().zip(truths) {
                if !holds {
                    out.complete("output");
                    drain(inputs).await;
                    return Ok(());
                }
                out.emit(Item { output }).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::super::fake_scripts;
    use super::*;

    #[tokio::test]
    async fn nothing_passes_after_the_first_item_that_fails() {
        let got = case::<TakeWhile>()
            .set("predicate", "item < 3")
            .arrive("input_item", [1i64, 2, 3, 1])
            .within(fake_scripts::context())
            .output()
            .await;
        assert_eq!(got.unwrap(), [1i64.into(), 2i64.into()]);
    }
}

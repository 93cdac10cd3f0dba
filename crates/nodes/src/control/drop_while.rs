//! `nodetool.control.DropWhile`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value};

use super::batch::Batches;
use super::expression::Expression;
use super::item::Item;
use super::setting::Setting;

/// Drops items as long as they pass a test, and passes everything from there on.
/// drop, skip, while, predicate, javascript, stream
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Pipe)]
pub(super) struct DropWhile {
    /// The items.
    #[expect(dead_code, reason = "read from the stream")]
    input_item: Value,
    /// The test: a JavaScript expression over `item`.
    #[prop(default = "false")]
    predicate: String,
}

impl Pipe for DropWhile {
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
        let mut dropping = true;
        while let Some(items) = batches.next(inputs).await {
            let mut begin = 0;
            if dropping {
                let truths = expression.truths(predicate.latest(inputs)?, &items).await?;
                let first = truths.iter().position(|holds| !holds);
                dropping = first.is_none();
                begin = first.unwrap_or(items.len());
            }
            for output in items.into_iter().skip(begin) {
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
    async fn once_an_item_passes_the_test_is_not_asked_again() {
        let items = (0..2000i64).chain(0..2000);
        let (cx, calls) = fake_scripts::counted();
        let got = case::<DropWhile>()
            .set("predicate", "item < 3")
            .arrive("input_item", items)
            .within(cx)
            .output()
            .await
            .unwrap();
        assert_eq!(got.len(), 3997);
        assert_eq!(got[0], Value::Int(3));
        assert_eq!(calls.count(), 1);
    }
}

//! `nodetool.control.FilterCode`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value};

use super::batch::Batches;
use super::expression::Expression;
use super::item::Item;
use super::setting::Setting;

/// Passes the items for which a JavaScript expression is true.
/// filter, condition, predicate, javascript, code, stream
///
/// An expression that fails for an item drops that item.
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Pipe)]
pub(super) struct FilterCode {
    /// The items.
    #[expect(dead_code, reason = "read from the stream")]
    input_item: Value,
    /// The test: a JavaScript expression over `item`.
    #[prop(default = "true")]
    predicate: String,
}

impl Pipe for FilterCode {
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
                if holds {
                    out.emit(Item { output }).await?;
                }
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
    async fn ten_thousand_items_keep_their_order_and_cost_a_few_dozen_calls() {
        let (cx, calls) = fake_scripts::counted();
        let got = case::<FilterCode>()
            .set("predicate", "item % 2 === 0")
            .arrive("input_item", 0..10_000i64)
            .within(cx)
            .output()
            .await
            .unwrap();
        let want: Vec<Value> = (0..10_000i64).step_by(2).map(Value::from).collect();
        assert_eq!(got, want);
        assert!(calls.count() <= 24, "{} calls", calls.count());
    }

    #[tokio::test]
    async fn null_items_reach_the_predicate_and_one_that_throws_drops_its_item() {
        let items = || ["a".into(), Value::Null, "b".into()];
        let pass = |predicate: &str| {
            case::<FilterCode>()
                .set("predicate", predicate)
                .arrive("input_item", items())
                .within(fake_scripts::context())
                .output()
        };
        let kept = pass("item !== null").await.unwrap();
        assert_eq!(kept, ["a".into(), "b".into()]);
        assert_eq!(pass("item.a.b > 1").await.unwrap(), []);
        let all = case::<FilterCode>().arrive("input_item", items());
        assert_eq!(all.output().await.unwrap(), items(), "no script is needed");
    }

    #[tokio::test]
    async fn an_empty_predicate_is_refused_by_name() {
        let case = case::<FilterCode>()
            .set("predicate", " ")
            .arrive("input_item", [1i64]);
        let error = case.run().await.unwrap_err().to_string();
        assert!(error.contains("`predicate`"), "{error}");
    }

    #[tokio::test]
    async fn heavy_items_travel_in_smaller_batches() {
        let heavy: Value = "x".repeat(3 << 20).into();
        let (cx, calls) = fake_scripts::counted();
        let got = case::<FilterCode>()
            .set("predicate", "item !== null")
            .arrive("input_item", vec![heavy; 5])
            .within(cx)
            .output()
            .await
            .unwrap();
        assert_eq!((got.len(), calls.count()), (5, 3));
    }
}

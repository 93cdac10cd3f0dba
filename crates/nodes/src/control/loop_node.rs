//! `nodetool.control.Loop`.

use nodetool_sdk::{Emitted, TypeMetadata, ValueType};
use nodetool_sdk::{Emitter, Generate, Node, NodeCx, NodeError, OutputSlot, Outputs, Value};

use super::expression::Expression;

/// Most rounds that may be asked for; each asks the sandbox.
const MAX_ROUNDS: i64 = 1_000_000;

/// Works a value out from the one before, again and again.
/// loop, iterate, while, repeat, javascript, sequence
///
/// Each round sends the value and its place; `done` comes once, after the last round.
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Generate)]
pub(super) struct Loop {
    /// The first value.
    initial: Value,
    /// The value after `item`: a JavaScript expression.
    #[prop(default = "item")]
    next: String,
    /// Whether `item` begins another round: a JavaScript expression.
    #[prop(default = "true")]
    condition: String,
    /// Most rounds.
    #[prop(default = 100)]
    max_iterations: i64,
}

/// A round, or the end.
pub(super) enum Round {
    Value(Value, i64),
    Done,
}

impl Outputs for Round {
    fn slots() -> Vec<OutputSlot> {
        vec![
            OutputSlot::new("value", TypeMetadata::any()),
            OutputSlot::new("index", i64::type_metadata()),
            OutputSlot::new("done", bool::type_metadata()),
        ]
    }

    fn into_emitted(self) -> Emitted {
        match self {
            Round::Value(value, index) => {
                Emitted::Slots([(0, value), (1, index.into())].into_iter().collect())
            }
            Round::Done => Emitted::one(2, true.into()),
        }
    }
}

impl Generate for Loop {
    type Output = Round;

    async fn generate(self, out: &Emitter<'_, Round>, cx: &NodeCx) -> Result<(), NodeError> {
        if self.max_iterations > MAX_ROUNDS {
            return Err(NodeError::bad(
                "max_iterations",
                format!("{} (expected at most {MAX_ROUNDS})", self.max_iterations),
            ));
        }
        let mut condition = Expression::of("condition", cx);
        let mut value = self.initial;
        for index in 0..self.max_iterations {
            if index > 0 && self.next.trim() != "item" {
                value = following(&self.next, value, cx).await?;
            }
            let holds = condition.truths(&self.condition, std::slice::from_ref(&value));
            if holds.await? != [true] {
                break;
            }
            out.emit(Round::Value(value.clone(), index)).await?;
        }
        out.emit(Round::Done).await
    }
}

async fn following(next: &str, item: Value, cx: &NodeCx) -> Result<Value, NodeError> {
    let answers = cx.services().scripts.eval_items(next, vec![item]).await?;
    match answers.into_iter().next() {
        Some(Ok(value)) => Ok(value),
        Some(Err(why)) => Err(NodeError::bad("next", why)),
        None => Err(NodeError::bad("next", "the script gave no answer")),
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::super::fake_scripts;
    use super::*;

    #[tokio::test]
    async fn rounds_follow_until_the_condition_fails_or_the_limit_is_reached() {
        let rounds = |condition: &str, most: i64| {
            case::<Loop>()
                .set("initial", 1i64)
                .set("next", "item + 1")
                .set("condition", condition)
                .set("max_iterations", most)
                .within(fake_scripts::context())
                .run()
        };
        let emitted = rounds("item < 4", 100).await.unwrap();
        let values: Vec<_> = emitted.iter().filter_map(|m| m.get("value")).collect();
        assert_eq!(values, [&Value::Int(1), &Value::Int(2), &Value::Int(3)]);
        assert_eq!(emitted[3]["done"], Value::Bool(true));
        assert_eq!(rounds("true", 2).await.unwrap().len(), 3);
        let error = rounds("true", i64::MAX).await.unwrap_err().to_string();
        assert!(error.contains("`max_iterations`"), "{error}");
    }
}

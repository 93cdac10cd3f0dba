//! Counts from one bound to the other, then ends.

use nodetool_sdk::steps::{FieldKind, FieldSpec, Flow, FormSpec, StepCx, StepKind, Token};
use nodetool_sdk::{Map, NodeError, Value};

use crate::{Fields, FormStep};

/// The next number and how many there have been.
#[derive(Default)]
pub(super) struct Counter {
    next: Option<i64>,
    iteration: i64,
}

impl FormStep for Counter {
    const IDENTIFIER: &'static str = "counter";
    const CLASS: &'static str = "CounterNode";
    const LABEL: Option<&'static str> = Some("Counter");
    const DESCRIPTION: Option<&'static str> =
        Some("Gives whole numbers from one bound to the other, one in each iteration.");
    const CATEGORY: &'static str = "Counter";
    const KIND: StepKind = StepKind::Producer;

    fn form() -> Option<FormSpec> {
        let directions = vec![("increment", "Increment"), ("decrement", "Decrement")];
        Some(FormSpec {
            name: "CounterForm",
            fields: vec![
                FieldSpec::integer("min_value")
                    .required()
                    .initial(0)
                    .help("Least number."),
                FieldSpec::integer("max_value")
                    .required()
                    .initial(10)
                    .help("Greatest number."),
                FieldSpec::new("direction", FieldKind::Choice(directions))
                    .required()
                    .initial("increment")
                    .help("Which way it counts."),
                FieldSpec::integer("step")
                    .least(1)
                    .required()
                    .initial(1)
                    .help("How far apart the numbers are."),
            ],
            check: Some(|values| {
                let bound = |name| match values.get(name) {
                    Some(Value::Int(n)) => Some(*n),
                    _ => None,
                };
                match (bound("min_value"), bound("max_value")) {
                    (Some(min), Some(max)) if min >= max => {
                        let text = "Minimum value must be less than maximum value.";
                        vec![("min_value", text.to_owned())]
                    }
                    _ => Vec::new(),
                }
            }),
        })
    }

    async fn run(
        &mut self,
        fields: &Fields,
        mut token: Token,
        _: &StepCx,
    ) -> Result<Flow, NodeError> {
        let (min, max) = (
            fields.int("min_value").unwrap_or_default(),
            fields.int("max_value").unwrap_or_default(),
        );
        let step = fields.int("step").unwrap_or(1).max(1);
        let direction = fields.text("direction");
        let down = direction == "decrement";
        let current = self.next.unwrap_or(if down { max } else { min });
        if current > max || current < min {
            return Ok(Flow::Completed(token));
        }
        self.next = Some(if down {
            current.saturating_sub(step)
        } else {
            current.saturating_add(step)
        });
        // At the ends of what fits, the next number would be this one again.
        if self.next == Some(current) {
            self.next = Some(if down { i64::MIN } else { i64::MAX });
        }
        self.iteration += 1;
        let count = Map::from_iter([
            ("current".into(), Value::Int(current)),
            ("min".into(), Value::Int(min)),
            ("max".into(), Value::Int(max)),
            ("step".into(), Value::Int(step)),
            ("direction".into(), Value::str(direction)),
            ("iteration".into(), Value::Int(self.iteration)),
        ]);
        token.put("counter", Value::from(count));
        Ok(Flow::Go(token))
    }

    async fn cleanup(&mut self, _: Option<&Token>, _: &StepCx) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{context, fields, json as as_json, map, token};
    use super::*;

    async fn counted(form: serde_json::Value) -> Vec<i64> {
        let (mut step, cx, form) = (Counter::default(), context(), fields(form));
        let mut counted = Vec::new();
        loop {
            match step
                .run(&form, token(json!({"old": 1})), &cx)
                .await
                .unwrap()
            {
                Flow::Go(token) => {
                    let counter = &token.data["counter"];
                    counted.push(counter.get("current").unwrap().as_i64().unwrap());
                    let iteration = counter.get("iteration").unwrap().as_i64().unwrap();
                    assert_eq!(usize::try_from(iteration), Ok(counted.len()));
                }
                Flow::Completed(token) => {
                    assert_eq!(as_json(&token.data.into()), json!({"old": 1}), "unchanged");
                    return counted;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn it_counts_up_or_down_until_the_bound_is_passed() {
        let form = |min: i64, max: i64, direction: &str, step: i64| json!({"min_value": min, "max_value": max, "direction": direction, "step": step});
        assert_eq!(counted(form(1, 3, "increment", 1)).await, [1, 2, 3]);
        assert_eq!(counted(form(0, 10, "increment", 4)).await, [0, 4, 8]);
        assert_eq!(counted(form(0, 10, "decrement", 4)).await, [10, 6, 2]);
        assert_eq!(counted(form(5, 5, "increment", 1)).await, [5]);
    }

    #[tokio::test]
    async fn after_cleanup_it_begins_again_and_its_bounds_are_checked() {
        let (mut step, cx) = (Counter::default(), context());
        let form =
            fields(json!({"min_value": 1, "max_value": 2, "direction": "increment", "step": 1}));
        let current = |flow| match flow {
            Flow::Go(token) => token.data["counter"].get("current").cloned(),
            other => panic!("{other:?}"),
        };
        for expected in [1i64, 2] {
            let flow = step.run(&form, token(json!({})), &cx).await.unwrap();
            assert_eq!(current(flow), Some(expected.into()));
        }
        step.cleanup(None, &cx).await;
        let flow = step.run(&form, token(json!({})), &cx).await.unwrap();
        assert_eq!(current(flow), Some(1i64.into()));
        let check = Counter::form().unwrap().check.unwrap();
        assert_eq!(
            check(&map(json!({"min_value": 2, "max_value": 2})))[0].0,
            "min_value"
        );
        assert!(check(&map(json!({"min_value": 1, "max_value": 2}))).is_empty());
    }
}

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

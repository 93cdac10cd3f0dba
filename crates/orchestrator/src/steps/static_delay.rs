//! Waits for the same time in each iteration.

use std::time::Duration;

use nodetool_sdk::steps::{FieldSpec, Flow, FormSpec, StepCx, Token};
use nodetool_sdk::{NodeError, Value};

use super::delay_unit;
use crate::{Fields, FormStep};

/// It keeps nothing.
#[derive(Default)]
pub(super) struct StaticDelay;

impl FormStep for StaticDelay {
    const IDENTIFIER: &'static str = "static-delay-node";
    const CLASS: &'static str = "StaticDelayNode";
    const LABEL: Option<&'static str> = Some("Static Delay");
    const DESCRIPTION: Option<&'static str> =
        Some("Waits for the same time in each iteration and lets the data pass.");
    const CATEGORY: &'static str = "Delay";

    fn form() -> Option<FormSpec> {
        Some(FormSpec {
            name: "StaticDelayForm",
            fields: vec![
                FieldSpec::integer("interval")
                    .least(1)
                    .required()
                    .help("How long it waits, in the unit."),
                delay_unit::field(),
            ],
            check: None,
        })
    }

    async fn run(
        &mut self,
        fields: &Fields,
        mut token: Token,
        _: &StepCx,
    ) -> Result<Flow, NodeError> {
        let interval = fields.int("interval").unwrap_or_default();
        let unit = fields.text("unit");
        let seconds = delay_unit::seconds("interval", interval, unit)?;
        tokio::time::sleep(Duration::from_secs(seconds.unsigned_abs())).await;
        let notes = [
            ("delayType", Value::from("static")),
            ("delayApplied", format!("{interval} {unit}").into()),
            ("delaySeconds", seconds.into()),
        ];
        token.metadata.extend(notes.map(|(k, v)| (k.into(), v)));
        Ok(Flow::Go(token))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::Instant;

    use super::super::testing::{context, gone, json as as_json, refusal, run};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_waits_and_the_data_passes() {
        let begun = Instant::now();
        let form = json!({"interval": 2, "unit": "minutes"});
        let token = run::<StaticDelay>(form, json!({"a": 1}), &context()).await;
        assert_eq!(begun.elapsed().as_secs(), 120);
        let token = gone(token.unwrap());
        assert_eq!(token.data["a"], 1i64.into());
        assert_eq!(
            as_json(&token.metadata.into()),
            json!({"delayType": "static", "delayApplied": "2 minutes", "delaySeconds": 120})
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_that_cannot_be_waited_for_is_refused() {
        let form = json!({"interval": i64::MAX, "unit": "days"});
        let said = refusal::<StaticDelay>(form, json!({}), &context()).await;
        assert!(said.contains("`interval`"), "{said}");
    }
}

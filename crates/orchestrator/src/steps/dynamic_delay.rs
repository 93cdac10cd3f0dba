//! Spreads a time over a number of iterations, each with a pause of its own length.

use std::collections::VecDeque;
use std::time::Duration;

use nodetool_sdk::steps::{FieldSpec, Flow, FormSpec, StepCx, Token};
use nodetool_sdk::{NodeError, Value};
use tokio::time::Instant;

use super::delay_unit;
use crate::{Fields, FormStep};

/// Most pauses that are drawn at once.
const MAX_EXECUTIONS: i64 = 1_000_000;
/// Percent by which pauses differ when nothing is said.
const JITTER: i64 = 30;
/// How much longer than its whole time a drawn cycle is kept.
const KEPT: f64 = 1.5;

/// The pauses drawn for this node.
#[derive(Default)]
pub(super) struct DynamicDelay(Option<Cycle>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Asked {
    seconds: i64,
    executions: i64,
    jitter: i64,
}

struct Cycle {
    asked: Asked,
    left: VecDeque<f64>,
    until: Option<Instant>,
}

impl FormStep for DynamicDelay {
    const IDENTIFIER: &'static str = "dynamic-delay-node";
    const CLASS: &'static str = "DynamicDelayNode";
    const LABEL: Option<&'static str> = Some("Dynamic Delay");
    const DESCRIPTION: Option<&'static str> = Some(
        "Spreads a time over a number of iterations with pauses of differing length and lets the data pass.",
    );
    const CATEGORY: &'static str = "Delay";

    fn form() -> Option<FormSpec> {
        Some(FormSpec {
            name: "DynamicDelayForm",
            fields: vec![
                FieldSpec::integer("total_time")
                    .least(1)
                    .required()
                    .help("Time of all pauses together, in the unit."),
                delay_unit::field(),
                FieldSpec::integer("executions")
                    .least(1)
                    .required()
                    .help("Iterations the time is spread over."),
                FieldSpec::integer("jitter_percent")
                    .least(0)
                    .most(100)
                    .initial(JITTER)
                    .help("By how many percent a pause may be longer or shorter than the mean."),
            ],
            check: Some(|values| match values.get("executions") {
                Some(Value::Int(n)) if *n > MAX_EXECUTIONS => {
                    let text =
                        format!("Ensure this value is less than or equal to {MAX_EXECUTIONS}.");
                    vec![("executions", text)]
                }
                _ => Vec::new(),
            }),
        })
    }

    async fn run(
        &mut self,
        fields: &Fields,
        mut token: Token,
        _: &StepCx,
    ) -> Result<Flow, NodeError> {
        let total = fields.int("total_time").unwrap_or_default();
        let asked = Asked {
            seconds: delay_unit::seconds("total_time", total, fields.text("unit"))?,
            executions: fields
                .int("executions")
                .unwrap_or(1)
                .clamp(1, MAX_EXECUTIONS),
            jitter: fields.int("jitter_percent").unwrap_or(JITTER).clamp(0, 100),
        };
        let cycle = self.cycle(asked);
        let seconds = cycle.left.pop_front().unwrap_or_default();
        let left = cycle.left.len();
        let number = asked.executions - i64::try_from(left).unwrap_or_default();
        let pause = Duration::try_from_secs_f64(seconds)
            .map_err(|e| NodeError::bad("total_time", e.to_string()))?;
        tokio::time::sleep(pause).await;
        let notes = [
            ("delayType", Value::from("dynamic_precomputed")),
            ("execution", format!("{number}/{}", asked.executions).into()),
            ("delayApplied", format!("{seconds:.2} seconds").into()),
            ("delaySeconds", seconds.into()),
            ("remainingInCycle", left.into()),
        ];
        token.metadata.extend(notes.map(|(k, v)| (k.into(), v)));
        Ok(Flow::Go(token))
    }

    async fn cleanup(&mut self, _: Option<&Token>, _: &StepCx) {
        *self = Self::default();
    }
}

impl DynamicDelay {
    /// The cycle at work, or a new one when it is used up, too old or meant for something else.
    fn cycle(&mut self, asked: Asked) -> &mut Cycle {
        let now = Instant::now();
        let fits = |cycle: &Cycle| {
            cycle.asked == asked
                && !cycle.left.is_empty()
                && cycle.until.is_none_or(|until| now < until)
        };
        if !self.0.as_ref().is_some_and(fits) {
            self.0 = None;
        }
        self.0.get_or_insert_with(|| {
            #[expect(clippy::cast_precision_loss, reason = "times people wait for")]
            let kept = Duration::try_from_secs_f64(asked.seconds as f64 * KEPT).ok();
            Cycle {
                asked,
                left: draw(asked),
                until: kept.and_then(|kept| now.checked_add(kept)),
            }
        })
    }
}

/// Pauses that differ from their mean by at most the jitter before they are scaled, and that together are the whole
/// time.
#[expect(clippy::cast_precision_loss, reason = "times people wait for")]
fn draw(asked: Asked) -> VecDeque<f64> {
    let (total, count) = (asked.seconds as f64, asked.executions as f64);
    let jitter = asked.jitter as f64 / 100.0;
    let shares: Vec<f64> = (0..asked.executions)
        .map(|_| 1.0 + jitter * (2.0 * fastrand::f64() - 1.0))
        .collect();
    let sum: f64 = shares.iter().sum();
    let mut pauses: VecDeque<f64> = match sum > 0.0 {
        true => shares.iter().map(|share| share / sum * total).collect(),
        false => shares.iter().map(|_| total / count).collect(),
    };
    // What rounding left over goes to the last one.
    if let Some(last) = pauses.pop_back() {
        let before: f64 = pauses.iter().sum();
        pauses.push_back(if pauses.is_empty() {
            last
        } else {
            (total - before).max(0.0)
        });
    }
    pauses
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{context, fields, token};
    use super::*;

    fn asked(seconds: i64, executions: i64, jitter: i64) -> Asked {
        Asked {
            seconds,
            executions,
            jitter,
        }
    }

    #[test]
    fn pauses_differ_within_the_jitter_and_together_are_the_time() {
        for jitter in [0, 30, 100] {
            let pauses = draw(asked(1_000, 100, jitter));
            let sum: f64 = pauses.iter().sum();
            assert!((sum - 1_000.0).abs() < 1e-9, "{sum}");
            assert!(pauses.iter().all(|pause| *pause >= 0.0));
        }
        let differs = |jitter| {
            draw(asked(1_000, 100, jitter))
                .iter()
                .any(|p| (p - 10.0).abs() > 1e-6)
        };
        assert!(!differs(0), "no jitter means none");
        assert!(differs(30));
        assert_eq!(draw(asked(7, 1, 30)), [7.0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cycle_is_used_up_one_pause_at_a_time() {
        let (mut step, cx) = (DynamicDelay::default(), context());
        let form = fields(json!({"total_time": 1, "unit": "minutes", "executions": 4}));
        let begun = Instant::now();
        for left in (0..4).rev() {
            let flow = step.run(&form, token(json!({"a": 1})), &cx).await.unwrap();
            let Flow::Go(token) = flow else { panic!() };
            assert_eq!(token.data["a"], 1i64.into());
            assert_eq!(token.metadata["delayType"], "dynamic_precomputed".into());
            let execution = format!("{}/4", 4 - left);
            assert_eq!(token.metadata["execution"], execution.into());
            assert_eq!(token.metadata["remainingInCycle"], i64::from(left).into());
        }
        // The clock of timers counts whole milliseconds.
        let waited = begun.elapsed().as_millis();
        assert!((60_000..=60_010).contains(&waited), "{waited}");
        let flow = step.run(&form, token(json!({})), &cx).await.unwrap();
        assert!(matches!(flow, Flow::Go(t) if t.metadata["execution"] == "1/4".into()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cycle_that_is_too_old_or_meant_for_other_values_is_drawn_again() {
        let (mut step, cx) = (DynamicDelay::default(), context());
        let form = |total: i64| {
            fields(
                json!({"total_time": total, "unit": "seconds", "executions": 9, "jitter_percent": 0}),
            )
        };
        let number = |flow: Flow| match flow {
            Flow::Go(token) => token.metadata["execution"].as_str().unwrap().to_owned(),
            other => panic!("{other:?}"),
        };
        for (total, expected) in [(90, "1/9"), (90, "2/9"), (45, "1/9"), (45, "2/9")] {
            let flow = step.run(&form(total), token(json!({})), &cx).await;
            assert_eq!(number(flow.unwrap()), expected, "{total}");
        }
        tokio::time::advance(Duration::from_secs(68)).await;
        let flow = step.run(&form(45), token(json!({})), &cx).await;
        assert_eq!(number(flow.unwrap()), "1/9");
    }
}

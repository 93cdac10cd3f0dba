//! `nodetool.triggers.Wait`.

use chrono::{DateTime, Utc};
use nodetool_sdk::{Map, Node, NodeCx, NodeError, Outputs, Process, Value};
use tokio::time::{Instant, sleep};

use super::event::{Delivered, now, seconds};

/// Holds a value back for a time, or until somebody resumes the run.
/// wait, pause, delay, suspend, resume, timeout
#[derive(Node)]
#[node(
    namespace = "nodetool.triggers",
    dynamic,
    uncached,
    effect = "idempotent"
)]
pub(super) struct Wait {
    /// Seconds after which the node goes on by itself; 0 to wait until the run is resumed.
    #[prop(default = 0.0, min = 0)]
    timeout_seconds: f64,
    /// What is handed on.
    #[prop(default = "")]
    input: Value,
    #[prop(dynamic)]
    undeclared: Map,
}

/// What was handed on, when, and after how long.
#[derive(Outputs)]
pub(super) struct Resumed {
    data: Value,
    resumed_at: String,
    waited_seconds: f64,
}

impl Process for Wait {
    type Output = Resumed;

    async fn process(self, _: &NodeCx) -> Result<Resumed, NodeError> {
        let timeout = seconds("timeout_seconds", self.timeout_seconds)?;
        if let Some(mut event) = Delivered::among(self.undeclared)? {
            let waited = waited_since(&event.take("suspended_at", String::new())?);
            // What was sent on resuming wins over what was stored on suspending.
            let stored = event.take("input", self.input)?;
            return Ok(Resumed {
                data: event.take("data", stored)?,
                resumed_at: event.take("resumed_at", now())?,
                waited_seconds: event.take("waited_seconds", waited)?,
            });
        }
        if timeout.is_zero() {
            return Err(NodeError::Suspended {
                reason: "waiting to be resumed".into(),
                state: Value::map([
                    ("suspended_at", Value::from(now())),
                    ("input", self.input),
                    ("timeout_seconds", self.timeout_seconds.into()),
                ]),
            });
        }
        let begin = Instant::now();
        sleep(timeout).await;
        Ok(Resumed {
            data: self.input,
            resumed_at: now(),
            waited_seconds: begin.elapsed().as_secs_f64(),
        })
    }
}

/// Seconds since an ISO time; 0 when it is none or lies ahead.
fn waited_since(suspended_at: &str) -> f64 {
    match DateTime::parse_from_rfc3339(suspended_at) {
        Ok(then) => {
            let waited = Utc::now().signed_duration_since(then);
            (waited.num_milliseconds() as f64 / 1000.0).max(0.0)
        }
        Err(_) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_the_timeout_the_input_is_handed_on() {
        let wait = case::<Wait>()
            .set("timeout_seconds", 0.5)
            .set("input", "hello");
        let got = &wait.run().await.unwrap()[0];
        assert_eq!(got["data"], "hello".into());
        assert!(got["waited_seconds"].as_f64().unwrap() >= 0.5);
    }

    #[tokio::test]
    async fn without_a_timeout_the_run_is_suspended_and_its_state_brings_the_input_back() {
        let suspended = case::<Wait>().set("input", 5i64).run().await;
        let Err(NodeError::Suspended { state, .. }) = suspended else {
            panic!("{suspended:?}");
        };
        let resume = |event| case::<Wait>().set("__event__", event).run();
        let got = resume(state.clone()).await.unwrap();
        assert_eq!(got[0]["data"], Value::Int(5));
        let mut merged = state.as_map().unwrap().clone();
        merged.insert("data".into(), "approved".into());
        let got = resume(merged.into()).await.unwrap();
        assert_eq!(got[0]["data"], "approved".into());
    }
}

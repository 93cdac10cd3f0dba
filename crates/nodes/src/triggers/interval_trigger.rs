//! `nodetool.triggers.IntervalTrigger`.

use std::time::Duration;

use nodetool_sdk::{Emitter, Generate, Map, Node, NodeCx, NodeError, Outputs};
use tokio::time::{Instant, sleep, sleep_until};

use super::event::{Delivered, most_events, now, seconds};

/// The shortest interval: a clock that never rests would keep a run from doing anything else.
const SHORTEST: Duration = Duration::from_millis(1);

/// Ticks at a fixed interval.
/// interval, timer, clock, schedule, periodic, trigger
#[derive(Node)]
#[node(namespace = "nodetool.triggers", kind = Generate, dynamic)]
pub(super) struct IntervalTrigger {
    /// Ticks until the end; 0 for no end.
    #[prop(min = 0)]
    max_events: i64,
    /// Seconds between ticks.
    #[prop(default = 60.0)]
    interval_seconds: f64,
    /// Seconds before anything happens.
    #[prop(min = 0)]
    initial_delay_seconds: f64,
    /// Whether the first tick comes at once rather than after an interval.
    #[prop(default = true)]
    emit_on_start: bool,
    /// Whether ticks keep to the clock of the first one however long others take.
    #[prop(default = true)]
    include_drift_compensation: bool,
    #[prop(dynamic)]
    undeclared: Map,
}

/// One tick.
#[derive(Outputs)]
pub(super) struct Tick {
    tick: i64,
    elapsed_seconds: f64,
    interval_seconds: f64,
    timestamp: String,
    source: String,
    event_type: String,
}

impl Generate for IntervalTrigger {
    type Output = Tick;

    async fn generate(self, out: &Emitter<'_, Tick>, _: &NodeCx) -> Result<(), NodeError> {
        let tick = |tick: i64, elapsed_seconds: f64| Tick {
            tick,
            elapsed_seconds,
            interval_seconds: self.interval_seconds,
            timestamp: now(),
            source: "interval".into(),
            event_type: "tick".into(),
        };
        if let Some(mut event) = Delivered::among(self.undeclared)? {
            let own = tick(1, 0.0);
            let delivered = Tick {
                tick: event.take("tick", own.tick)?,
                elapsed_seconds: event.take("elapsed_seconds", own.elapsed_seconds)?,
                interval_seconds: event.take("interval_seconds", own.interval_seconds)?,
                timestamp: event.take("timestamp", own.timestamp)?,
                source: event.take("source", own.source)?,
                event_type: event.take("event_type", own.event_type)?,
            };
            return out.emit(delivered).await;
        }
        let interval = seconds("interval_seconds", self.interval_seconds)?;
        if interval < SHORTEST {
            return Err(NodeError::bad(
                "interval_seconds",
                format!("{} (expected at least 0.001)", self.interval_seconds),
            ));
        }
        let delay = seconds("initial_delay_seconds", self.initial_delay_seconds)?;
        let most = most_events(self.max_events)?;
        let begin = Instant::now();
        sleep(delay).await;
        let mut due = Instant::now();
        if !self.emit_on_start {
            due += interval;
            sleep_until(due).await;
        }
        let mut sent = 0u64;
        loop {
            sent += 1;
            let elapsed = begin.elapsed().as_secs_f64();
            out.emit(tick(sent as i64, elapsed)).await?;
            if most.is_some_and(|most| sent >= most) {
                return Ok(());
            }
            if self.include_drift_compensation {
                due += interval;
            } else {
                due = Instant::now() + interval;
            }
            sleep_until(due).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::{Case, case};
    use nodetool_sdk::{Value, testing};

    use super::*;

    async fn elapsed(case: Case) -> Vec<f64> {
        let ticks = case.run().await.unwrap();
        let of = |tick: &Map| tick["elapsed_seconds"].as_f64().unwrap().round();
        ticks.iter().map(of).collect()
    }

    fn ticking() -> Case {
        case::<IntervalTrigger>()
            .set("max_events", 3i64)
            .set("interval_seconds", 10.0)
    }

    #[tokio::test(start_paused = true)]
    async fn ticks_come_at_once_or_after_the_first_interval() {
        assert_eq!(elapsed(ticking()).await, [0.0, 10.0, 20.0]);
        let late = ticking()
            .set("emit_on_start", false)
            .set("initial_delay_seconds", 5.0);
        assert_eq!(elapsed(late).await, [15.0, 25.0, 35.0]);
    }

    #[tokio::test]
    async fn a_delivered_tick_is_the_only_one() {
        let event = Value::map([("tick", 7i64), ("elapsed_seconds", 420)].map(value));
        let ticks = ticking().set("__event__", event).run().await.unwrap();
        assert_eq!(ticks.len(), 1);
        assert_eq!(ticks[0]["tick"], Value::Int(7));
        assert_eq!(ticks[0]["elapsed_seconds"], Value::Int(420));
        assert_eq!(ticks[0]["interval_seconds"], Value::Int(10));
    }

    fn value((name, number): (&'static str, i64)) -> (&'static str, Value) {
        (name, number.into())
    }

    #[tokio::test]
    async fn what_no_clock_can_count_is_refused_by_name() {
        for (name, value) in [
            ("interval_seconds", 0.0),
            ("interval_seconds", f64::NAN),
            ("initial_delay_seconds", -1.0),
            ("initial_delay_seconds", f64::INFINITY),
        ] {
            let case = testing::case::<IntervalTrigger>().set(name, value);
            let error = case.run().await.unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}

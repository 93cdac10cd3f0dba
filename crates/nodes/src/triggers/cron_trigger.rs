//! `nodetool.triggers.CronTrigger`.

use nodetool_sdk::{Emitter, Generate, Map, Node, NodeCx, NodeError, Outputs};

use super::event::{Delivered, now};

/// Begins a run at the times a cron expression names.
/// cron, schedule, timer, clock, calendar, daily, weekly, trigger
///
/// The server keeps the calendar and delivers each time when it has come; the node has no clock of its own.
#[derive(Node)]
#[node(namespace = "nodetool.triggers", kind = Generate, dynamic)]
pub(super) struct CronTrigger {
    /// Times until the end; 0 for no end.
    #[prop(min = 0)]
    #[expect(dead_code, reason = "a run has one delivered event")]
    max_events: i64,
    /// When: minute, hour, day of month, month, day of week; seconds may come first.
    #[prop(default = "0 * * * *")]
    expression: String,
    /// Time zone the expression is read in, such as `Europe/Berlin`.
    #[prop(default = "UTC")]
    #[expect(dead_code, reason = "read by whoever keeps the calendar")]
    timezone: String,
    #[prop(dynamic)]
    undeclared: Map,
}

/// One time that has come.
#[derive(Outputs)]
pub(super) struct Due {
    tick: i64,
    elapsed_seconds: f64,
    timestamp: String,
    source: String,
    event_type: String,
}

impl Generate for CronTrigger {
    type Output = Due;

    async fn generate(self, out: &Emitter<'_, Due>, _: &NodeCx) -> Result<(), NodeError> {
        let trigger = format!("Cron trigger '{}'", self.expression);
        let mut event = Delivered::required(self.undeclared, &trigger)?;
        out.emit(Due {
            tick: event.take("tick", 1)?,
            elapsed_seconds: event.take("elapsed_seconds", 0.0)?,
            timestamp: event.take("timestamp", now())?,
            source: event.take("source", "cron".to_owned())?,
            event_type: event.take("event_type", "tick".to_owned())?,
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn the_delivered_time_is_the_only_one() {
        let event = Value::map([
            ("tick", Value::Int(3)),
            ("timestamp", "2026-03-29T03:00:00+02:00".into()),
        ]);
        let got = case::<CronTrigger>().set("__event__", event).run().await;
        let got = got.unwrap();
        assert_eq!(got.len(), 1);
        assert_eq!(got[0]["tick"], Value::Int(3));
        assert_eq!(got[0]["timestamp"], "2026-03-29T03:00:00+02:00".into());
        assert_eq!(got[0]["source"], "cron".into());
    }

    #[tokio::test]
    async fn without_an_event_it_names_its_expression() {
        let missing = case::<CronTrigger>().set("expression", "5 4 * * *");
        let error = missing.run().await.unwrap_err().to_string();
        assert!(error.contains("'5 4 * * *' needs a delivered"), "{error}");
    }
}

//! `nodetool.triggers.ManualTrigger`.

use nodetool_sdk::{Emitter, Generate, Map, Node, NodeCx, NodeError, Outputs, Value};

use super::event::{Delivered, now};

/// Begins a run when somebody says so.
/// manual, button, start, push, trigger
///
/// What was sent along leaves on `data`.
#[derive(Node)]
#[node(namespace = "nodetool.triggers", kind = Generate, dynamic)]
pub(super) struct ManualTrigger {
    /// Events until the end; 0 for no end.
    #[prop(min = 0)]
    #[expect(dead_code, reason = "a run has one delivered event")]
    max_events: i64,
    /// What the trigger is called.
    #[prop(default = "manual_trigger")]
    name: String,
    /// Seconds to wait for an event; none for ever.
    #[prop(min = 0)]
    #[expect(dead_code, reason = "the event is there or the node fails")]
    timeout_seconds: Option<f64>,
    #[prop(dynamic)]
    undeclared: Map,
}

/// One event.
#[derive(Outputs)]
pub(super) struct Pushed {
    data: Value,
    timestamp: String,
    source: String,
    event_type: String,
}

impl Generate for ManualTrigger {
    type Output = Pushed;

    async fn generate(self, out: &Emitter<'_, Pushed>, _: &NodeCx) -> Result<(), NodeError> {
        let trigger = format!("Manual trigger '{}'", self.name);
        let mut event = Delivered::required(self.undeclared, &trigger)?;
        let timestamp = event.take("timestamp", now())?;
        let source = event.take("source", "manual".to_owned())?;
        let event_type = event.take("event_type", "manual".to_owned())?;
        let data = if event.has("data") {
            event.take("data", Value::Null)?
        } else {
            event.rest()
        };
        out.emit(Pushed {
            data,
            timestamp,
            source,
            event_type,
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn without_an_event_it_says_what_it_needs() {
        let case = case::<ManualTrigger>().set("name", "run_button");
        let error = case.run().await.unwrap_err().to_string();
        assert!(
            error.contains("'run_button' needs a delivered event"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn fields_without_a_slot_of_their_own_are_the_data() {
        let event = Value::map([("job", Value::from("x")), ("source", "cli".into())]);
        let got = case::<ManualTrigger>().set("__event__", event).run().await;
        let got = &got.unwrap()[0];
        assert_eq!(got["data"], Value::map([("job", "x".into())]));
        assert_eq!(got["source"], "cli".into());
    }
}

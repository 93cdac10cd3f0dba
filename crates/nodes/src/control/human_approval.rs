//! `nodetool.control.HumanApproval`.

use nodetool_sdk::{
    Emitted, Map, Node, NodeCx, NodeError, OutputSlot, Outputs, Process, TypeMetadata, Value,
};

use crate::triggers::event::{Delivered, now};

/// Holds a value back until somebody approves or rejects it.
/// control, approve, reject, review, human, confirm, suspend
///
/// The run is suspended meanwhile. Whoever decides may send other data in place of the value, and a comment.
#[derive(Node)]
#[node(
    namespace = "nodetool.control",
    dynamic,
    uncached,
    effect = "idempotent"
)]
pub(super) struct HumanApproval {
    /// What is to be approved.
    value: Value,
    /// What to tell the one who decides.
    message: String,
    #[prop(dynamic)]
    undeclared: Map,
}

/// The decision, and what goes on.
#[derive(Debug, PartialEq)]
pub(super) struct Decided {
    approved: bool,
    data: Value,
    comment: String,
}

impl Outputs for Decided {
    fn slots() -> Vec<OutputSlot> {
        vec![
            OutputSlot::new("approved", TypeMetadata::any()),
            OutputSlot::new("rejected", TypeMetadata::any()),
            OutputSlot::new("comment", TypeMetadata::new("str")),
        ]
    }
    fn into_emitted(self) -> Emitted {
        let way = u16::from(!self.approved);
        let values = [(way, self.data), (2, self.comment.into())];
        Emitted::Slots(values.into_iter().collect())
    }
}

impl Process for HumanApproval {
    type Output = Decided;

    async fn process(self, _: &NodeCx) -> Result<Decided, NodeError> {
        let event = Delivered::among(self.undeclared)?;
        let since = match event {
            Some(mut event) if event.has("approved") => {
                let stored = event.take("value", self.value)?;
                return Ok(Decided {
                    approved: event.take("approved", false)?,
                    data: event.take("data", stored)?,
                    comment: event.take("comment", String::new())?,
                });
            }
            // Resumed without a decision: it has been waiting all the time.
            Some(mut event) => event.take("suspended_at", now())?,
            None => now(),
        };
        Err(NodeError::Suspended {
            reason: "waiting for approval".into(),
            state: Value::map([
                ("suspended_at", Value::from(since)),
                ("value", self.value),
                ("message", self.message.into()),
            ]),
        })
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    /// The state of a node that waits, with what was sent on resuming.
    async fn answered<const N: usize>(
        sent: [(&'static str, Value); N],
    ) -> Result<Vec<Map>, NodeError> {
        let asked = || {
            let case = case::<HumanApproval>().set("value", "draft");
            case.set("message", "Send it?")
        };
        let Err(NodeError::Suspended { reason, state }) = asked().run().await else {
            panic!("it does not wait");
        };
        assert_eq!(reason, "waiting for approval");
        assert_eq!(state.get("message"), Some(&"Send it?".into()));
        let mut merged = state.as_map().unwrap().clone();
        merged.extend(sent.map(|(k, v)| (k.into(), v)));
        asked().set("__event__", Value::from(merged)).run().await
    }

    #[tokio::test]
    async fn a_decision_sends_the_value_or_other_data_one_way() {
        let got = answered([("approved", true.into())]).await.unwrap();
        let want = [("approved", "draft".into()), ("comment", "".into())];
        assert_eq!(Value::from(got[0].clone()), Value::map(want));
        let sent = [
            ("approved", false.into()),
            ("data", "better".into()),
            ("comment", "no".into()),
        ];
        let got = answered(sent).await.unwrap();
        let want = [("rejected", "better".into()), ("comment", "no".into())];
        assert_eq!(Value::from(got[0].clone()), Value::map(want));
    }

    #[tokio::test]
    async fn without_a_decision_it_goes_on_waiting_and_a_wrong_one_is_refused() {
        let again = answered([("suspended_at", "2026-01-01T00:00:00Z".into())]).await;
        let Err(NodeError::Suspended { state, .. }) = again else {
            panic!("{again:?}");
        };
        let since = state.get("suspended_at");
        assert_eq!(since, Some(&"2026-01-01T00:00:00Z".into()));
        let error = answered([("approved", "maybe".into())]).await.unwrap_err();
        assert!(error.to_string().contains("__event__.approved"), "{error}");
    }
}

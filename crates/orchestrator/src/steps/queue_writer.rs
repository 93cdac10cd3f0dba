//! Puts each token into the queues of the readers it is connected to.

use nodetool_sdk::NodeError;
use nodetool_sdk::steps::{Flow, FormSpec, StepCx, StepKind, StepRole, Token};

use crate::{Fields, FormStep};

/// What reader and writer say when they are connected to nothing.
pub(super) const NO_QUEUE: &str = "queue_name is required";

/// It keeps nothing.
#[derive(Default)]
pub(super) struct QueueWriter;

impl FormStep for QueueWriter {
    const IDENTIFIER: &'static str = "queue-node-writer";
    const CLASS: &'static str = "QueueWriter";
    const CATEGORY: &'static str = "System";
    const KIND: StepKind = StepKind::NonBlocking;
    const ROLE: StepRole = StepRole::QueueWriter;
    const SUPPORTS: &'static [&'static str] = &["production"];

    fn form() -> Option<FormSpec> {
        None
    }

    async fn run(&mut self, _: &Fields, token: Token, cx: &StepCx) -> Result<Flow, NodeError> {
        if cx.writes.is_empty() {
            return Err(NodeError::new(NO_QUEUE));
        }
        for queue in &cx.writes {
            queue.push(token.clone()).await?;
        }
        Ok(Flow::Go(token))
    }

    async fn cleanup(&mut self, last: Option<&Token>, cx: &StepCx) {
        for queue in &cx.writes {
            queue.end(last.cloned().unwrap_or_default().completed());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::steps::{Popped, TokenQueue};
    use serde_json::json;

    use super::super::testing::{context, gone, refusal, run, token};
    use super::*;

    #[tokio::test]
    async fn every_queue_gets_every_token_and_the_sentinel() {
        let mut cx = context();
        let queue = || Arc::new(TokenQueue::new("q".into(), 1, None, Vec::new()));
        let (one, two) = (queue(), queue());
        cx.writes = vec![one.clone(), two.clone()];
        let written = run::<QueueWriter>(json!({}), json!({"n": 1}), &cx).await;
        assert_eq!(gone(written.unwrap()), token(json!({"n": 1})));
        let sentinel = token(json!({"n": 2})).completed();
        QueueWriter.cleanup(Some(&sentinel), &cx).await;
        for queue in [one, two] {
            assert_eq!(queue.pop().await, Popped::Token(0, token(json!({"n": 1}))));
            assert_eq!(queue.pop().await, Popped::Ended(sentinel.clone()));
        }
    }

    #[tokio::test]
    async fn a_loop_that_is_stopped_ends_its_readers_too() {
        let mut cx = context();
        let queue = Arc::new(TokenQueue::new("q".into(), 1, None, Vec::new()));
        cx.writes = vec![queue.clone()];
        QueueWriter.cleanup(None, &cx).await;
        assert!(matches!(queue.pop().await, Popped::Ended(t) if t.is_completed()));
    }

    #[tokio::test]
    async fn without_a_queue_it_says_what_is_missing() {
        let said = refusal::<QueueWriter>(json!({}), json!({}), &context()).await;
        assert_eq!(said, "queue_name is required");
    }
}

//! Takes the tokens that writers in other loops put into its queue, in order.

use nodetool_sdk::NodeError;
use nodetool_sdk::steps::{Flow, FormSpec, Popped, StepCx, StepKind, StepRole, Token};

use crate::{Fields, FormStep};

use super::queue_writer::NO_QUEUE;

/// The number of the token at work. It is done with when the next one is asked for: until then a run that takes over
/// gets it again.
#[derive(Default)]
pub(super) struct QueueReader {
    at_work: Option<u64>,
}

impl FormStep for QueueReader {
    const IDENTIFIER: &'static str = "queue-reader-dummy";
    const CLASS: &'static str = "QueueReader";
    const CATEGORY: &'static str = "System";
    const KIND: StepKind = StepKind::Producer;
    const ROLE: StepRole = StepRole::QueueReader;
    const SUPPORTS: &'static [&'static str] = &["production"];

    fn form() -> Option<FormSpec> {
        None
    }

    async fn run(&mut self, _: &Fields, _: Token, cx: &StepCx) -> Result<Flow, NodeError> {
        let queue = cx.reads.as_ref().ok_or_else(|| NodeError::new(NO_QUEUE))?;
        if let Some(number) = self.at_work.take() {
            queue.done(number);
        }
        Ok(match queue.pop().await {
            Popped::Token(number, token) => {
                self.at_work = Some(number);
                Flow::Go(token)
            }
            Popped::Ended(sentinel) => Flow::Completed(sentinel),
        })
    }

    async fn cleanup(&mut self, _: Option<&Token>, _: &StepCx) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use nodetool_sdk::BoxFuture;
    use nodetool_sdk::steps::{QueueJournal, TokenQueue};
    use serde_json::json;

    use super::super::testing::{context, refusal, token};
    use super::*;

    #[derive(Default)]
    struct Journal(Mutex<Vec<u64>>);

    impl QueueJournal for Journal {
        fn pushed<'a>(
            &'a self,
            _: &'a str,
            _: u64,
            _: &'a Token,
        ) -> BoxFuture<'a, Result<(), NodeError>> {
            Box::pin(async { Ok(()) })
        }
        fn done(&self, _: &str, number: u64) {
            self.0.lock().unwrap().push(number);
        }
    }

    #[tokio::test]
    async fn tokens_come_whole_and_in_order_and_the_sentinel_ends_the_loop() {
        let journal = Arc::new(Journal::default());
        let queue = TokenQueue::new("q".into(), 1, Some(journal.clone()), Vec::new());
        let mut cx = context();
        let mut first = token(json!({"n": 1}));
        first.metadata.insert("note".into(), "kept".into());
        queue.push(first.clone()).await.unwrap();
        queue.push(token(json!({"n": 2}))).await.unwrap();
        queue.end(token(json!({"last": true})).completed());
        cx.reads = Some(Arc::new(queue));

        let mut step = QueueReader::default();
        let fields = Fields::default();
        match step.run(&fields, Token::default(), &cx).await.unwrap() {
            Flow::Go(token) => assert_eq!(token, first),
            other => panic!("{other:?}"),
        }
        assert!(journal.0.lock().unwrap().is_empty(), "it is at work");
        let second = step.run(&fields, Token::default(), &cx).await.unwrap();
        assert!(matches!(second, Flow::Go(t) if t.data["n"] == 2i64.into()));
        assert_eq!(*journal.0.lock().unwrap(), [0]);
        let end = step.run(&fields, Token::default(), &cx).await.unwrap();
        assert!(
            matches!(end, Flow::Completed(t) if t.is_completed() && t.data.contains_key("last"))
        );
        assert_eq!(*journal.0.lock().unwrap(), [0, 1]);
    }

    #[tokio::test]
    async fn without_a_queue_it_says_what_is_missing() {
        let said = refusal::<QueueReader>(json!({}), json!({}), &context()).await;
        assert_eq!(said, "queue_name is required");
    }
}

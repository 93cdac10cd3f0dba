//! Keeps what waits in a run that is begun again after a restart: tokens between its loops, and webhook calls.
//!
//! What was kept is on disk before its sender goes on. What was worked on is forgotten in batches, so that a process
//! that dies leaves some of it to be worked on again: at least once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nodetool_sdk::steps::{QueueJournal, Token};
use nodetool_sdk::{BoxFuture, NodeError};
use nodetool_store::{LoopTokenRow, Store, StoreError};
use tokio::sync::Notify;

/// How long what was worked on is gathered.
const GATHER: Duration = Duration::from_millis(50);

/// The journal of one workflow.
pub(super) struct TokenJournal {
    store: Store,
    workflow_id: Arc<str>,
    done: Mutex<Vec<(String, i64)>>,
    filled: Notify,
}

impl TokenJournal {
    pub(super) fn new(store: Store, workflow_id: Arc<str>) -> Self {
        TokenJournal {
            store,
            workflow_id,
            done: Mutex::default(),
            filled: Notify::new(),
        }
    }

    /// Keeps something under its number.
    pub(super) async fn keep(
        &self,
        queue: &str,
        number: u64,
        token: String,
    ) -> Result<(), StoreError> {
        let row = LoopTokenRow {
            queue: queue.to_owned(),
            number: number.cast_signed(),
            token,
        };
        self.store.put_loop_token(&self.workflow_id, row).await
    }

    /// It has been worked on.
    pub(super) fn forget(&self, queue: &str, number: u64) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.push((queue.to_owned(), number.cast_signed()));
        drop(done);
        self.filled.notify_one();
    }

    /// Writes what has been worked on.
    pub(super) async fn flush(&self) {
        let done = std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner));
        if done.is_empty() {
            return;
        }
        if let Err(e) = self.store.delete_loop_tokens(&self.workflow_id, done).await {
            tracing::error!(workflow.id = %self.workflow_id, error = %e, "tokens that were worked on could not be forgotten; a run after a restart works on them again");
        }
    }

    /// Writes for as long as it is polled.
    pub(super) async fn keep_clean(&self) {
        loop {
            self.filled.notified().await;
            tokio::time::sleep(GATHER).await;
            self.flush().await;
        }
    }
}

impl QueueJournal for TokenJournal {
    fn pushed<'a>(
        &'a self,
        queue: &'a str,
        number: u64,
        token: &'a Token,
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            let text = crate::services::workflows::to_json(&token.to_value());
            let kept = self.keep(queue, number, text).await;
            kept.map_err(|e| NodeError::new(format!("a token could not be kept in its queue: {e}")))
        })
    }

    fn done(&self, queue: &str, number: u64) {
        self.forget(queue, number);
    }
}

//! What steps could not work on, gathered while a run goes on and written together.

use std::sync::{Arc, Mutex, PoisonError};

use nodetool_protocol::{Map, Value};
use nodetool_sdk::steps::Token;
use nodetool_store::{DeadLetterRow, Store, new_id, now_micros};

use super::{LoopFailure, LoopService};
use crate::services::workflows::to_json;
use crate::services::{Caller, Seen};

/// Letters that wait to be written; more of them are counted only.
const WAITING: usize = 256;
/// Longest error that is kept, in characters.
const ERROR_KEPT: usize = 2000;
/// Largest token that is kept, in bytes.
const TOKEN_KEPT: usize = 64 << 10;
/// Letters listed at once.
const LISTED: i64 = 100;

/// The letters of one run.
pub(super) struct DeadLetters {
    workflow_id: Arc<str>,
    job_id: Arc<str>,
    waiting: Mutex<Vec<DeadLetterRow>>,
}

impl DeadLetters {
    pub(super) fn new(workflow_id: Arc<str>, job_id: Arc<str>) -> Self {
        DeadLetters {
            workflow_id,
            job_id,
            waiting: Mutex::default(),
        }
    }

    /// Notes what a step failed on, without what must not be told.
    pub(super) fn add(&self, node_id: &str, error: &str, token: &Token, seen: &Seen) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // A loop that fails without end makes more than anybody reads.
        if waiting.len() >= WAITING {
            return;
        }
        let data = seen.shown_map(&token.data).into_owned();
        let fits = Value::from(data.clone()).weight() <= TOKEN_KEPT;
        let kept = Value::map([
            ("id", Value::Str(token.id.clone())),
            ("data", Value::from(if fits { data } else { Map::new() })),
            ("truncated", Value::Bool(!fits)),
        ]);
        waiting.push(DeadLetterRow {
            id: new_id(),
            job_id: self.job_id.to_string(),
            node_id: node_id.to_owned(),
            created_at: now_micros(),
            error: error.chars().take(ERROR_KEPT).collect(),
            token: to_json(&kept),
        });
    }

    /// Writes what waits.
    pub(super) async fn flush(&self, store: &Store) {
        let waiting =
            std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if waiting.is_empty() {
            return;
        }
        if let Err(e) = store.put_dead_letters(&self.workflow_id, waiting).await {
            tracing::error!(workflow.id = %self.workflow_id, error = %e, "dead letters could not be kept");
        }
    }
}

impl LoopService {
    /// The newest inputs that steps of a workflow could not work on.
    pub(crate) async fn dead_letters(
        &self,
        caller: &Caller,
        workflow_id: &str,
    ) -> Result<Vec<DeadLetterRow>, LoopFailure> {
        let id = self.stored_id(caller, workflow_id).await?;
        Ok(self.0.store.dead_letters(&id, LISTED).await?)
    }
}

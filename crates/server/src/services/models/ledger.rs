//! What calls of models took, on its way into the cost table (HTTP spec 6.15).

use nodetool_sdk::models::Usage;
use nodetool_store::{PredictionRow, Store, new_id, now_micros};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::prices::credits;

/// A call that is over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) user_id: String,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) node_id: String,
    pub(crate) workflow_id: Option<String>,
    /// Microseconds UTC.
    pub(crate) began: i64,
    /// `completed`, `failed` or `cancelled`.
    pub(crate) status: &'static str,
    pub(crate) error: Option<String>,
    pub(crate) usage: Option<Usage>,
}

/// Where calls are noted; nothing is noted without a store. Calls end wherever their callers let go of them, so a task
/// writes each row.
#[derive(Clone, Default)]
pub(crate) struct Ledger {
    store: Option<Store>,
    tasks: TaskTracker,
}

impl Ledger {
    pub(crate) fn new(store: Store) -> Self {
        Ledger {
            store: Some(store),
            tasks: TaskTracker::new(),
        }
    }

    pub(super) fn note(&self, entry: Entry) {
        let (Some(store), Ok(runtime)) = (self.store.clone(), Handle::try_current()) else {
            return;
        };
        let write = async move {
            if let Err(e) = store.insert_prediction(row(entry)).await {
                tracing::error!(error = %e, "the cost of a call could not be stored");
            }
        };
        self.tasks.spawn_on(write, &runtime);
    }

    /// Resolves when everything noted is stored.
    pub(crate) async fn closed(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn row(entry: Entry) -> PredictionRow {
    let ended = now_micros();
    let count = |tokens: u64| i64::try_from(tokens).ok();
    let usage = entry.usage;
    PredictionRow {
        id: new_id(),
        cost: usage.and_then(|usage| credits(&entry.provider, &entry.model, &usage)),
        input_tokens: usage.and_then(|u| count(u.input)),
        output_tokens: usage.and_then(|u| count(u.output)),
        total_tokens: usage.and_then(|u| count(u.input + u.output)),
        cached_tokens: usage.and_then(|u| count(u.cached)),
        reasoning_tokens: usage.and_then(|u| count(u.reasoning)),
        user_id: entry.user_id,
        node_id: entry.node_id,
        provider: entry.provider,
        model: entry.model,
        workflow_id: entry.workflow_id,
        error: entry.error,
        status: entry.status.to_owned(),
        created_at: entry.began,
        started_at: Some(entry.began),
        completed_at: Some(ended),
        duration: Some((ended - entry.began).max(0) as f64 / 1e6),
        ..PredictionRow::default()
    }
}

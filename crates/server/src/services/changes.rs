//! News that a stored thing was created, changed or deleted, told to the sockets of its owner after the commit.
//!
//! Nobody waits for a listener: one that is too far behind misses the oldest news, which it can read again over HTTP.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;
use tokio::sync::{Notify, broadcast};

/// News kept for a listener that is behind.
const KEPT: usize = 1024;

/// How long news of jobs is gathered: there may be thousands in a second, and each goes to every socket of its owner.
const GATHER: Duration = Duration::from_millis(100);
/// News of jobs told at once; of more, the newest.
const JOBS_AT_ONCE: usize = 64;

/// What happened to a stored thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Happened {
    Created,
    Updated,
    Deleted,
}

/// One piece of news (socket spec 12.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) user_id: String,
    pub(crate) happened: Happened,
    /// `workflow`, `job`, `asset`, `thread`, `message`, `workspace`, …
    pub(crate) kind: &'static str,
    pub(crate) id: String,
    /// Empty for what was deleted.
    pub(crate) etag: String,
}

/// Where news goes and comes from; clones share it.
#[derive(Clone)]
pub(crate) struct Changes(Arc<Shared>);

struct Shared {
    told: broadcast::Sender<Arc<Change>>,
    /// News of jobs by id, oldest first, until it is told.
    jobs: Mutex<IndexMap<String, Change>>,
    gathered: Notify,
}

impl Default for Changes {
    fn default() -> Self {
        Changes(Arc::new(Shared {
            told: broadcast::channel(KEPT).0,
            jobs: Mutex::default(),
            gathered: Notify::new(),
        }))
    }
}

impl Changes {
    /// Tells everybody who listens; `etag` is only worked out when somebody does.
    pub(crate) fn tell(
        &self,
        user_id: &str,
        happened: Happened,
        kind: &'static str,
        id: &str,
        etag: impl FnOnce() -> String,
    ) {
        if self.0.told.receiver_count() == 0 {
            return;
        }
        let change = Change {
            user_id: user_id.to_owned(),
            happened,
            kind,
            id: id.to_owned(),
            etag: etag(),
        };
        if kind == "job" {
            self.gather(change);
        } else {
            // No listener left since the check is no error.
            let _ = self.0.told.send(Arc::new(change));
        }
    }

    /// Keeps the newest about each job; that it is new outweighs that it has changed since.
    fn gather(&self, change: Change) {
        let mut jobs = self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let before = jobs.shift_remove(&change.id);
        let happened = match before {
            Some(before) if change.happened == Happened::Updated => before.happened,
            _ => change.happened,
        };
        if jobs.len() >= JOBS_AT_ONCE {
            jobs.shift_remove_index(0);
        }
        jobs.insert(change.id.clone(), Change { happened, ..change });
        self.0.gathered.notify_one();
    }

    /// Tells the gathered news of jobs from time to time, for as long as it is polled.
    pub(crate) async fn deliver(self) {
        loop {
            self.0.gathered.notified().await;
            tokio::time::sleep(GATHER).await;
            let jobs = self.0.jobs.lock();
            let jobs = std::mem::take(&mut *jobs.unwrap_or_else(PoisonError::into_inner));
            for change in jobs.into_values() {
                // Nobody listening is no error.
                let _ = self.0.told.send(Arc::new(change));
            }
        }
    }

    /// All later news, of every user; the listener picks its own.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<Change>> {
        self.0.told.subscribe()
    }
}

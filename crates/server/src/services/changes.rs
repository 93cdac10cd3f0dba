//! News that a stored thing was created, changed or deleted, told to the sockets of its owner after the commit.
//!
//! Nobody waits for a listener: one that is too far behind misses the oldest news, which it can read again over HTTP.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::broadcast;

/// News kept for a listener that is behind.
const KEPT: usize = 1024;

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
pub(crate) struct Changes(broadcast::Sender<Arc<Change>>);

impl Default for Changes {
    fn default() -> Self {
        Changes(broadcast::channel(KEPT).0)
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
        if self.0.receiver_count() == 0 {
            return;
        }
        // No listener left since the check is no error.
        let _ = self.0.send(Arc::new(Change {
            user_id: user_id.to_owned(),
            happened,
            kind,
            id: id.to_owned(),
            etag: etag(),
        }));
    }

    /// All later news, of every user; the listener picks its own.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<Change>> {
        self.0.subscribe()
    }
}

//! One watcher of a user's downloads.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::state::Snapshot;
use super::{Inner, News};

/// What a user's downloads do.
pub(crate) struct Watch {
    inner: Arc<Inner>,
    user_id: String,
    news: broadcast::Receiver<Arc<News>>,
    pub(super) waiting: VecDeque<Snapshot>,
}

impl Watch {
    pub(super) fn new(inner: Arc<Inner>, user_id: &str) -> Self {
        let (news, waiting) = inner.listen(user_id);
        Watch {
            inner,
            user_id: user_id.to_owned(),
            news,
            waiting,
        }
    }

    /// The next word; waits for it.
    pub(crate) async fn next(&mut self) -> Snapshot {
        loop {
            if let Some(first) = self.waiting.pop_front() {
                return first;
            }
            match self.news.recv().await {
                Ok(news) if news.user_id == self.user_id => return news.snapshot.clone(),
                Ok(_) => {}
                // What was missed may have been an end.
                Err(RecvError::Lagged(_)) => {
                    (self.news, self.waiting) = self.inner.listen(&self.user_id);
                }
                // Cannot be while `inner` is held.
                Err(RecvError::Closed) => return std::future::pending().await,
            }
        }
    }

    /// The end of one download, whose state was told before or is told now.
    pub(crate) async fn end_of(&mut self, id: &str) -> Snapshot {
        loop {
            let snapshot = self.next().await;
            if snapshot.id() == id && snapshot.status.is_terminal() {
                return snapshot;
            }
        }
    }
}

//! The feeds of the jobs at work, and of those that ended lately.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Feed, Kept, Subject};

/// How long and how much is kept of jobs that have ended.
#[derive(Clone, Debug)]
pub(crate) struct Shelving {
    pub(crate) kept: Kept,
    pub(crate) after_end: Duration,
    pub(crate) bytes_after_end: usize,
}

impl Default for Shelving {
    fn default() -> Self {
        Shelving {
            kept: Kept::default(),
            after_end: Duration::from_secs(300),
            bytes_after_end: 32 << 20,
        }
    }
}

#[derive(Default)]
struct Shelf {
    by_job: HashMap<Arc<str>, Arc<Feed>>,
    /// Ended jobs, oldest first, with what their feeds hold.
    ended: VecDeque<(Instant, Arc<Feed>, usize)>,
    ended_bytes: usize,
}

/// Every feed there is; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Feeds {
    shelf: Arc<Mutex<Shelf>>,
    shelving: Shelving,
}

impl Feeds {
    pub(crate) fn new(shelving: Shelving) -> Self {
        Feeds {
            shelf: Arc::default(),
            shelving,
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the feed of a job that begins, or begins again; its first message gets the number `first`, and
    /// numbers up to `allowed` are known to the store.
    pub(crate) fn open(&self, subject: Subject, first: u64, allowed: u64) -> Arc<Feed> {
        let job_id = subject.job_id.clone();
        let feed = Arc::new(Feed::new(
            subject,
            first,
            allowed,
            self.shelving.kept.clone(),
        ));
        self.shelf().by_job.insert(job_id, feed.clone());
        feed
    }

    /// Opens the feed of a job that is taken up again: the one that is still here, or a new one as [`open`](Self::open).
    pub(crate) fn reopen(&self, subject: Subject, first: u64, allowed: u64) -> Arc<Feed> {
        if let Some(feed) = self.get(&subject.user_id, &subject.job_id) {
            let mut shelf = self.shelf();
            // It has not ended after all, and must not be dropped as one that has.
            let Shelf {
                ended, ended_bytes, ..
            } = &mut *shelf;
            ended.retain(|(_, kept, weight)| {
                let other = !Arc::ptr_eq(kept, &feed);
                *ended_bytes -= if other { 0 } else { *weight };
                other
            });
            feed.reopen(allowed);
            return feed;
        }
        self.open(subject, first, allowed)
    }

    /// The feed of a job of this user that is at work or ended lately.
    pub(crate) fn get(&self, user_id: &str, job_id: &str) -> Option<Arc<Feed>> {
        let shelf = self.shelf();
        let feed = shelf.by_job.get(job_id)?;
        (&*feed.subject().user_id == user_id).then(|| feed.clone())
    }

    /// The job's run has ended: closes the feed and keeps it for a while.
    pub(crate) fn ended(&self, feed: &Arc<Feed>) {
        feed.close();
        let weight = feed.weight();
        let mut shelf = self.shelf();
        shelf.ended_bytes += weight;
        let since = Instant::now();
        shelf.ended.push_back((since, feed.clone(), weight));
        self.clear(&mut shelf);
    }

    /// Drops what was kept long enough.
    pub(crate) fn sweep(&self) {
        self.clear(&mut self.shelf());
    }

    fn clear(&self, shelf: &mut Shelf) {
        while let Some((since, feed, weight)) = shelf.ended.front().cloned() {
            let old = since.elapsed() > self.shelving.after_end;
            if !old && shelf.ended_bytes <= self.shelving.bytes_after_end {
                return;
            }
            shelf.ended.pop_front();
            shelf.ended_bytes -= weight;
            // A job that was taken up again has a new feed under its id.
            let id = &feed.subject().job_id;
            if shelf.by_job.get(id).is_some_and(|f| Arc::ptr_eq(f, &feed)) {
                shelf.by_job.remove(id);
            }
        }
    }
}

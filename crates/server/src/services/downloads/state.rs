//! How far a download is, as its watchers see it.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// Files named at most as those that come right now.
const NAMED: usize = 16;

/// What a download is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// It waits for others to end.
    Idle,
    /// The hub is asked what there is.
    Start,
    Progress,
    Completed,
    Error,
    Cancelled,
}

impl Status {
    /// Whether nothing follows.
    pub(crate) fn is_terminal(self) -> bool {
        matches!(self, Status::Completed | Status::Error | Status::Cancelled)
    }
}

/// A download at one moment, as sockets tell it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Snapshot {
    pub(crate) status: Status,
    pub(crate) repo_id: String,
    pub(crate) path: Option<String>,
    pub(crate) model_type: Option<String>,
    pub(crate) downloaded_bytes: u64,
    pub(crate) total_bytes: u64,
    pub(crate) downloaded_files: usize,
    pub(crate) current_files: Vec<String>,
    pub(crate) total_files: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// The file that failed.
    #[serde(skip)]
    pub(crate) error_file: Option<String>,
    /// Files that were there before.
    #[serde(skip)]
    pub(crate) cached_files: usize,
    /// Where it is, once it is whole.
    #[serde(skip)]
    pub(crate) local_path: Option<PathBuf>,
}

impl Snapshot {
    /// `repo_id`, or `repo_id/path`.
    pub(crate) fn id(&self) -> String {
        match &self.path {
            Some(path) => format!("{}/{path}", self.repo_id),
            None => self.repo_id.clone(),
        }
    }
}

struct Told {
    now: Snapshot,
    /// Something has changed since it was last told.
    fresh: bool,
}

/// A download that is at work; its work writes here.
pub(super) struct Live(Mutex<Told>);

impl Live {
    pub(super) fn new(now: Snapshot) -> Self {
        Live(Mutex::new(Told { now, fresh: true }))
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut told = self.told();
        change(&mut told.now);
        told.fresh = true;
    }

    pub(super) fn add(&self, bytes: u64) {
        self.change(|now| now.downloaded_bytes = now.downloaded_bytes.saturating_add(bytes));
    }

    /// Bytes that came and are no good.
    pub(super) fn take_back(&self, bytes: u64) {
        self.change(|now| now.downloaded_bytes = now.downloaded_bytes.saturating_sub(bytes));
    }

    pub(super) fn begin_file(&self, name: &str) {
        self.change(|now| {
            if now.current_files.len() < NAMED {
                now.current_files.push(name.to_owned());
            }
        });
    }

    pub(super) fn end_file(&self, name: &str) {
        self.change(|now| {
            now.current_files.retain(|n| n != name);
            now.downloaded_files += 1;
        });
    }

    pub(super) fn now(&self) -> Snapshot {
        self.told().now.clone()
    }

    /// How it stands, if that has not been told yet.
    pub(super) fn news(&self) -> Option<Snapshot> {
        let mut told = self.told();
        std::mem::take(&mut told.fresh).then(|| told.now.clone())
    }
}

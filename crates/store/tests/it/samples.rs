//! Rows and stores the tests start from.

use std::path::PathBuf;

use nodetool_store::{
    Expected, FinishJob, JobStatus, NewJob, NodeRecord, NodeRecordStatus, Options, Store,
    WorkflowRow,
};
use tempfile::TempDir;

/// A folder with room for a database; it goes when dropped.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.path().join("nodetool.sqlite3")
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(&self.database(), Options::default()).unwrap()
    }
}

/// A finished record of a whole node.
pub(crate) fn record(run_id: &str, node_id: &str, payload: &str) -> NodeRecord {
    NodeRecord {
        run_id: run_id.to_owned(),
        node_id: node_id.to_owned(),
        invocation: -1,
        status: NodeRecordStatus::Finished,
        payload: payload.to_owned().into(),
        updated_at: 5,
    }
}

/// A JSON text too large for its row.
pub(crate) fn large(mark: &str) -> String {
    format!("[\"{}\"]", mark.repeat(20_000 / mark.len()))
}

/// A workflow of user `u` saved at `at`.
pub(crate) fn workflow(id: &str, at: i64) -> WorkflowRow {
    WorkflowRow {
        id: id.to_owned(),
        user_id: "u".to_owned(),
        created_at: at,
        updated_at: at,
        name: format!("workflow {id}"),
        ..WorkflowRow::default()
    }
}

/// A job of user `u` and workflow `w` started at `at`.
pub(crate) fn job(id: &str, at: i64) -> NewJob {
    NewJob::new(id, "u", "w", at)
}

/// The good end of a job nobody has touched since its insert.
pub(crate) fn completion(id: &str, at: i64) -> FinishJob {
    FinishJob::new(id, Expected::Version(0), JobStatus::Completed, at)
}

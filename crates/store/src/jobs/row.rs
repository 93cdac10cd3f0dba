//! The shapes of a job: its status, its row, and what callers hand in. It must not know SQL.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::etag::Etag;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// Accepted, not started.
    Scheduled,
    /// Being run.
    Running,
    /// Stopped by a node that waits for something outside.
    Suspended,
    /// Stopped by a person.
    Paused,
    /// Being taken up again.
    Recovering,
    /// Ended well.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended on request.
    Cancelled,
}

impl JobStatus {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::Scheduled,
        Self::Running,
        Self::Suspended,
        Self::Paused,
        Self::Recovering,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word used in the table and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Paused => "paused",
            Self::Recovering => "recovering",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the job has ended; such a status never changes.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for JobStatus {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or(UnknownStatus)
    }
}

/// A word that is no job status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a job status")]
pub struct UnknownStatus;

/// A job about to be stored. What is `None` takes the column's default.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Primary key.
    pub id: String,
    /// Owner.
    pub user_id: String,
    /// What kind of work it is.
    pub job_type: String,
    /// The workflow it runs, `""` for a bare graph.
    pub workflow_id: String,
    /// Status to begin with.
    pub status: JobStatus,
    /// Microseconds UTC.
    pub started_at: i64,
    /// JSON graph, when it has to be kept with the job.
    pub graph: Option<Arc<str>>,
    /// JSON object of parameters.
    pub params: Option<Arc<str>>,
    /// How it is executed.
    pub execution_strategy: Option<String>,
    /// Id of this attempt.
    pub execution_id: Option<String>,
    /// Process that runs it.
    pub worker_id: Option<String>,
    /// JSON object of the caller's own.
    pub metadata: Option<String>,
    /// JSON of the event that started it, for a job a trigger started.
    pub trigger_event: Option<String>,
    /// The word for how it keeps its assets.
    pub assets: Option<String>,
}

impl NewJob {
    /// A scheduled job of a workflow, with everything else at its default.
    #[must_use]
    pub fn new(id: &str, user_id: &str, workflow_id: &str, started_at: i64) -> Self {
        Self {
            id: id.to_owned(),
            user_id: user_id.to_owned(),
            job_type: "workflow".to_owned(),
            workflow_id: workflow_id.to_owned(),
            status: JobStatus::Scheduled,
            started_at,
            graph: None,
            params: None,
            execution_strategy: None,
            execution_id: None,
            worker_id: None,
            metadata: None,
            trigger_event: None,
            assets: None,
        }
    }

    pub(super) fn text_bytes(&self) -> usize {
        let texts = [&self.id, &self.user_id, &self.job_type, &self.workflow_id];
        let shared = [&self.graph, &self.params];
        let optional = [
            &self.execution_strategy,
            &self.execution_id,
            &self.worker_id,
            &self.metadata,
            &self.trigger_event,
            &self.assets,
        ];
        texts.iter().map(|text| text.len()).sum::<usize>()
            + shared
                .iter()
                .map(|text| text.as_ref().map_or(0, |text| text.len()))
                .sum::<usize>()
            + optional
                .iter()
                .map(|text| text.as_ref().map_or(0, String::len))
                .sum::<usize>()
    }
}

/// What a job must still be for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Exactly this version.
    Version(i64),
    /// This status, whatever else was written.
    Status(JobStatus),
    /// Any status that is not terminal.
    NotEnded,
}

/// The end of a job.
#[derive(Clone, Debug)]
pub struct FinishJob {
    /// Which job.
    pub id: String,
    /// What it must still be.
    pub expected: Expected,
    /// A terminal status.
    pub status: JobStatus,
    /// Microseconds UTC.
    pub finished_at: i64,
    /// Why it failed; kept as `error` and `error_message`.
    pub error: Option<String>,
    /// What it cost; `None` keeps what is stored.
    pub cost: Option<f64>,
    /// JSON list of log entries; `None` keeps what is stored.
    pub logs: Option<String>,
    /// JSON of what it gave; `None` keeps what is stored.
    pub result: Option<Arc<str>>,
}

impl FinishJob {
    /// An end without error, cost, logs or result.
    #[must_use]
    pub fn new(id: &str, expected: Expected, status: JobStatus, finished_at: i64) -> Self {
        let id = id.to_owned();
        Self {
            id,
            expected,
            status,
            finished_at,
            error: None,
            cost: None,
            logs: None,
            result: None,
        }
    }

    pub(super) fn text_bytes(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let result = self.result.as_ref().map_or(0, |text| text.len());
        self.id.len() + length(&self.error) + length(&self.logs) + result
    }
}

/// Why and where a job was suspended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// The node that suspended it.
    pub node_id: String,
    /// Shown reason.
    pub reason: String,
    /// JSON object the node gets back on resume.
    pub state: String,
    /// JSON object about the suspension.
    pub metadata: String,
}

/// A step of a job that does not end it. What is `None` keeps what is stored.
#[derive(Clone, Debug)]
pub struct StatusChange {
    /// Which job.
    pub id: String,
    /// What it must still be.
    pub expected: Expected,
    /// A status that is not terminal.
    pub status: JobStatus,
    /// Microseconds UTC.
    pub updated_at: i64,
    /// Process that runs it now.
    pub worker_id: Option<String>,
    /// Id of the new attempt.
    pub execution_id: Option<String>,
    /// Details of a suspension.
    pub suspension: Option<Suspension>,
}

impl StatusChange {
    /// A bare change of status.
    #[must_use]
    pub fn new(id: &str, expected: Expected, status: JobStatus, updated_at: i64) -> Self {
        Self {
            id: id.to_owned(),
            expected,
            status,
            updated_at,
            worker_id: None,
            execution_id: None,
            suspension: None,
        }
    }

    pub(super) fn text_bytes(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let suspension = self.suspension.as_ref().map_or(0, |s| {
            s.node_id.len() + s.reason.len() + s.state.len() + s.metadata.len()
        });
        self.id.len() + length(&self.worker_id) + length(&self.execution_id) + suspension
    }
}

/// Which jobs a list holds.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Of this owner only.
    pub user_id: String,
    /// Of this workflow only.
    pub workflow_id: Option<String>,
    /// With one of these statuses only; none restricts nothing.
    pub statuses: Vec<JobStatus>,
}

/// Whose jobs count as interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeadOwner {
    /// Whoever showed no sign of life since this time (microseconds UTC): no heartbeat and no save.
    SilentSince(i64),
    /// These workers.
    Workers(Vec<String>),
}

/// One job without its large texts, which are in [`JobPayload`].
#[derive(Clone, Debug, PartialEq)]
pub struct JobRow {
    /// Primary key.
    pub id: String,
    /// Owner.
    pub user_id: String,
    /// What kind of work it is.
    pub job_type: String,
    /// The workflow it runs.
    pub workflow_id: String,
    /// Microseconds UTC.
    pub started_at: i64,
    /// Microseconds UTC, set with a terminal status.
    pub finished_at: Option<i64>,
    /// Where it stands.
    pub status: JobStatus,
    /// Number of writes since it was inserted; saving node records or reserving events does not count.
    pub version: i64,
    /// Microseconds UTC of the last write.
    pub updated_at: Option<i64>,
    /// Microseconds UTC, only when it completed.
    pub completed_at: Option<i64>,
    /// Microseconds UTC, only when it failed.
    pub failed_at: Option<i64>,
    /// Why it failed.
    pub error: Option<String>,
    /// Why it failed, for the run state.
    pub error_message: Option<String>,
    /// What it cost.
    pub cost: Option<f64>,
    /// Node that suspended it.
    pub suspended_node_id: Option<String>,
    /// Why that node did.
    pub suspension_reason: Option<String>,
    /// How it is executed.
    pub execution_strategy: Option<String>,
    /// Id of the attempt.
    pub execution_id: Option<String>,
    /// Process that runs it.
    pub worker_id: Option<String>,
    /// Microseconds UTC of the last sign of life.
    pub heartbeat_at: Option<i64>,
    /// Attempts so far.
    pub retry_count: i64,
    /// Attempts allowed.
    pub max_retries: i64,
}

impl JobRow {
    /// Opaque tag that changes with every write; see [`job_etag`].
    #[must_use]
    pub fn etag(&self) -> String {
        job_etag(&self.id, self.version)
    }

    pub(super) fn text_bytes(&self) -> usize {
        let optional = [&self.error, &self.error_message, &self.suspension_reason];
        self.id.len()
            + optional
                .iter()
                .map(|text| text.as_ref().map_or(0, String::len))
                .sum::<usize>()
    }
}

/// The etag of a job at a version, for callers that know both without reading the row.
#[must_use]
pub fn job_etag(id: &str, version: i64) -> String {
    Etag::new("job").text(id).number(version).finish()
}

/// The large texts of a job, and what is needed to take it up again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPayload {
    /// JSON graph, `{}` unless it was kept.
    pub graph: Arc<str>,
    /// JSON object of parameters.
    pub params: Arc<str>,
    /// JSON list of log entries.
    pub logs: Option<String>,
    /// JSON object the suspended node gets back.
    pub suspension_state: String,
    /// JSON object about the suspension.
    pub suspension_metadata: String,
    /// JSON object of the caller's own.
    pub metadata: String,
    /// JSON of what it gave.
    pub result: Option<Arc<str>>,
    /// Events up to this number may have been told to somebody.
    pub event_seq: i64,
    /// JSON of the event that started it.
    pub trigger_event: Option<String>,
    /// The word for how it keeps its assets.
    pub assets: Option<String>,
    /// Microseconds UTC, when it was inserted without being started.
    pub queued_at: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_reads_back_from_its_word() {
        for status in JobStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert_eq!("Completed".parse::<JobStatus>(), Err(UnknownStatus));
    }

    #[test]
    fn three_statuses_are_terminal() {
        let terminal = JobStatus::ALL
            .into_iter()
            .filter(|status| status.is_terminal());
        assert_eq!(
            terminal.collect::<Vec<_>>(),
            [
                JobStatus::Completed,
                JobStatus::Failed,
                JobStatus::Cancelled
            ]
        );
    }

    #[test]
    fn a_job_etag_changes_with_id_and_version() {
        assert_eq!(job_etag("a", 1), job_etag("a", 1));
        assert_ne!(job_etag("a", 1), job_etag("a", 2));
        assert_ne!(job_etag("a", 1), job_etag("b", 1));
    }
}

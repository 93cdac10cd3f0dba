//! Work of a job that is no graph of dataflow nodes: loops, calls of workflows, single steps.
//!
//! The job gives it the context of a run and tells it when to end; everything else about a job stays as it is. It must
//! not know what the work is.

use std::sync::Arc;
use std::time::Duration;

use nodetool_engine::RunOutcome;
use nodetool_protocol::{JobStatus, Map};
use nodetool_sdk::{BoxFuture, RunCx};
use tokio_util::sync::CancellationToken;

use super::{RunError, StartRun};
use crate::services::Seen;
use crate::services::feeds::Feed;

/// The error of a run of loops whose process died.
pub(crate) const SERVER_RESTARTED: &str = "server restarted";

/// Kinds of jobs whose work is not taken up again: whoever owns it decides what becomes of it.
pub(super) const JOB_TYPES: [&str; 3] = ["loop", "api", "node"];

/// What a job does instead of running its workflow's graph.
pub(crate) struct Work {
    /// `loop`, `api` or `node`; jobs of the latter two are not listed.
    pub(crate) job_type: &'static str,
    /// Does it; has to end soon after it was told to stop.
    pub(crate) run: Box<dyn FnOnce(WorkCx) -> BoxFuture<'static, RunOutcome> + Send + Sync>,
    /// Hears of the end once that is stored, before anybody else. Not when the server goes away in the middle.
    pub(crate) ended: Option<Box<Ended>>,
}

/// Hears of an end.
pub(crate) type Ended = dyn FnOnce(WorkEnd) -> BoxFuture<'static, ()> + Send + Sync;

/// What work has at hand.
pub(crate) struct WorkCx {
    /// What all its nodes share.
    pub(crate) run: Arc<RunCx>,
    /// The messages of its job, where it has any.
    pub(crate) feed: Option<Arc<Feed>>,
    /// The secrets it has read.
    pub(crate) seen: Arc<Seen>,
    /// Tells when to end.
    pub(crate) stop: CancellationToken,
}

/// How work ended.
#[derive(Clone, Debug)]
pub(crate) struct WorkEnd {
    pub(crate) status: JobStatus,
    pub(crate) error: Option<String>,
    pub(crate) duration: Duration,
}

/// What is known of a job's work while it is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WorkKind(&'static str);

impl WorkKind {
    /// It goes on until it is told to end, so the end of the server does not wait for it.
    pub(super) fn is_endless(self) -> bool {
        self.0 == "loop"
    }

    pub(super) fn is_listed(self) -> bool {
        self.0 == "loop"
    }
}

impl Work {
    pub(super) fn kind(&self) -> WorkKind {
        WorkKind(self.job_type)
    }
}

/// The outcome of work that gave this data, if any.
pub(crate) fn outcome_of(
    status: JobStatus,
    data: Option<Map>,
    error: Option<String>,
    duration: Duration,
) -> RunOutcome {
    let value = data.map(nodetool_protocol::Value::from);
    let name: Arc<str> = "output".into();
    RunOutcome {
        status,
        last: value.iter().map(|v| (name.clone(), v.clone())).collect(),
        outputs: value.map(|v| (name.clone(), vec![v])).into_iter().collect(),
        error,
        suspended: None,
        duration,
    }
}

/// Makes runs of workflows that are loops what they are.
pub(crate) trait Loops: Send + Sync {
    /// The run with its work.
    fn lower<'a>(&'a self, start: StartRun) -> BoxFuture<'a, Result<Lowered, RunError>>;
}

/// What came of a run of a workflow that is loops.
pub(crate) enum Lowered {
    /// It is to begin.
    Begin(Box<StartRun>),
    /// Its loops run already, as this job.
    Running(Arc<str>),
}

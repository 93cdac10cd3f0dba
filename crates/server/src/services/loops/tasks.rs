//! Starting and stopping workflows like services, and what became of it: each run is a task. A task is a job.
//!
//! Source: orchestrator spec 3.3, 3.9, 6.2, 6.3, 7.5.

use std::sync::PoisonError;
use std::time::Duration;

use nodetool_protocol::{Map, Value};
use nodetool_sdk::steps::Compat;
use nodetool_store::{JobRow, JobStatus, new_id};
use tokio::time::Instant;

use super::running::Left;
use super::{LoopFailure, LoopService, ids};
use crate::services::Caller;
use crate::services::jobs::SERVER_RESTARTED;

/// How long stopping waits for the end.
const STOPPED_WITHIN: Duration = Duration::from_secs(5);
/// How often a run that is just beginning is asked to stop.
const ASK_AGAIN: Duration = Duration::from_millis(10);
/// Stop operations that are remembered.
const STOPS_KEPT: usize = 1000;

/// How a task stands, in the words of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskState {
    /// It waits, or nobody knows of it.
    Pending,
    /// It is at work.
    Started,
    /// It has ended well.
    Success,
    /// It has failed.
    Failure,
    /// It was stopped.
    Revoked,
}

impl TaskState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            TaskState::Pending => "PENDING",
            TaskState::Started => "STARTED",
            TaskState::Success => "SUCCESS",
            TaskState::Failure => "FAILURE",
            TaskState::Revoked => "REVOKED",
        }
    }

    fn of(status: JobStatus) -> Self {
        match status {
            JobStatus::Scheduled => TaskState::Pending,
            JobStatus::Running
            | JobStatus::Suspended
            | JobStatus::Paused
            | JobStatus::Recovering => TaskState::Started,
            JobStatus::Completed => TaskState::Success,
            JobStatus::Failed => TaskState::Failure,
            JobStatus::Cancelled => TaskState::Revoked,
        }
    }
}

/// A task: its id as clients know it, how it stands, and what it gave.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) state: TaskState,
    pub(crate) result: Value,
    /// Why it failed or has no result.
    pub(crate) error: Option<String>,
}

impl Task {
    fn new(id: &str, state: TaskState) -> Self {
        Task {
            id: ids::shown(id),
            state,
            result: Value::Null,
            error: None,
        }
    }

    fn of(row: &JobRow) -> Self {
        let mut task = Task::new(&row.id, TaskState::of(row.status));
        match task.state {
            TaskState::Success => {
                task.result = Value::map([
                    ("status", Value::from("success")),
                    ("workflow_id", ids::shown(&row.workflow_id).into()),
                    (
                        "message",
                        "Workflow execution completed successfully".into(),
                    ),
                ]);
            }
            TaskState::Failure => {
                let error = row.error.clone().unwrap_or_else(|| SERVER_RESTARTED.into());
                let mut result = Map::from_iter([
                    ("status".into(), "error".into()),
                    ("error".into(), error.as_str().into()),
                ]);
                let details: Vec<Value> = error.lines().skip(1).map(Value::from).collect();
                if !details.is_empty() {
                    result.insert("details".into(), details.into());
                }
                task.result = result.into();
                task.error = Some(error);
            }
            TaskState::Revoked => task.error = Some("Task was revoked".into()),
            TaskState::Pending | TaskState::Started => {}
        }
        task
    }
}

impl LoopService {
    /// Starts a workflow; if it runs already, that run is the answer.
    pub(crate) async fn start_execution(
        &self,
        caller: &Caller,
        workflow_id: &str,
    ) -> Result<Task, LoopFailure> {
        let opened = self.opened(caller, workflow_id).await?;
        if opened.row.workflow_type == "api" {
            let text =
                "An API workflow runs once for each call of its execute route and is not started";
            return Err(LoopFailure::Refused(text.into()));
        }
        let is_loop = opened.row.dialect == "loop";
        let (job_id, is_new) = if is_loop {
            // What an earlier run has left in its queues is not part of this one.
            if self.1.grip(&opened.id).is_none() {
                self.0.store.clear_loop_tokens(&opened.id).await?;
            }
            self.begin(caller, opened, Left::default()).await?
        } else {
            self.run_once(caller, opened).await?
        };
        let state = if is_new {
            TaskState::Pending
        } else {
            TaskState::Started
        };
        Ok(Task::new(&job_id, state))
    }

    /// Stops a workflow and waits for its end, as long as that is reasonable; answers the operation that did.
    pub(crate) async fn stop_execution(
        &self,
        caller: &Caller,
        workflow_id: &str,
    ) -> Result<Task, LoopFailure> {
        let id = self.stored_id(caller, workflow_id).await?;
        let operation = new_id();
        self.note_stop(caller, &operation);
        let Some(grip) = self.1.grip(&id) else {
            return Ok(Task::new(&operation, TaskState::Success));
        };
        let until = Instant::now() + STOPPED_WITHIN;
        // One that is just beginning has no job yet that could be told.
        while Instant::now() < until && !grip.over.is_cancelled() {
            if self.0.jobs.cancel(caller, &grip.job_id).await? {
                break;
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
        if tokio::time::timeout_at(until, grip.over.cancelled())
            .await
            .is_err()
        {
            tracing::warn!(workflow.id = %id, job.id = %grip.job_id, "a workflow that was stopped has not let go yet");
        }
        let told = match self.steps().compat() {
            Compat::Doc => TaskState::Revoked,
            Compat::Reference => TaskState::Success,
        };
        Ok(Task::new(&operation, told))
    }

    fn note_stop(&self, caller: &Caller, operation: &str) {
        let mut stops = self.1.stops.lock().unwrap_or_else(PoisonError::into_inner);
        if stops.len() == STOPS_KEPT {
            stops.pop_front();
        }
        stops.push_back((operation.to_owned(), caller.user_id.clone()));
    }

    /// The newest run of a workflow; nothing when it has never been started.
    pub(crate) async fn task_of(
        &self,
        caller: &Caller,
        workflow_id: &str,
    ) -> Result<Option<Task>, LoopFailure> {
        let id = self.stored_id(caller, workflow_id).await?;
        let row = self.0.store.get_loop(&id).await?;
        let Some(job_id) = row.and_then(|row| row.last_job_id) else {
            return Ok(None);
        };
        self.task(caller, &job_id).await.map(Some)
    }

    /// A task of the caller's; one that nobody knows is pending.
    pub(crate) async fn task(&self, caller: &Caller, task_id: &str) -> Result<Task, LoopFailure> {
        let other = ids::other_spelling(task_id);
        for id in [Some(task_id), other.as_deref()].into_iter().flatten() {
            if let Some(row) = self.0.jobs.get(caller, id).await? {
                return Ok(Task::of(&row));
            }
            let stops = self.1.stops.lock().unwrap_or_else(PoisonError::into_inner);
            if stops
                .iter()
                .any(|(stop, user)| stop == id && *user == caller.user_id)
            {
                return Ok(Task::new(id, TaskState::Success));
            }
        }
        Ok(Task::new(task_id, TaskState::Pending))
    }
}

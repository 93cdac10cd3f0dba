//! One attempt at a job, from its place in the queue to its closing message. One task per attempt.

use std::sync::Arc;
use std::time::Duration;

use nodetool_engine::RunOutcome;
use nodetool_protocol::{JobEvent, JobStatus, JobUpdate, Map, RunState, Value};
use nodetool_sdk::EventSink;
use nodetool_store::{Expected, FinishJob, StatusChange, StoreError, Suspension, now_micros};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::queue::Ticket;
use super::{Inner, Live, StartRun, execute};
use crate::services::Happened;
use crate::services::feeds::Feed;

/// A job that gets its turn sooner is not told that it waits.
const UNTOLD_WAIT: Duration = Duration::from_millis(5);
/// How often a job that waits is told its new position at most.
const TOLD_EVERY: Duration = Duration::from_millis(100);

/// What an attempt is told while it runs.
pub(super) enum Command {}

/// One attempt at a job.
pub(super) struct Attempt {
    pub(super) inner: Arc<Inner>,
    pub(super) live: Arc<Live>,
    pub(super) feed: Arc<Feed>,
    pub(super) start: StartRun,
    pub(super) place: Option<(Ticket, watch::Receiver<usize>)>,
    pub(super) orders: mpsc::Receiver<Command>,
}

impl Attempt {
    /// Waits for its turn, runs, stores the end and tells it.
    pub(super) async fn see_through(mut self) {
        let outcome = if self.has_its_turn().await {
            self.run().await
        } else {
            RunOutcome::cancelled()
        };
        let stored = self.inner.finish(&self.live.subject.job_id, &outcome).await;
        self.inner.running().remove(&self.live.subject.job_id);
        // Whoever hears of the end may start the next one without waiting.
        self.place = None;
        let subject = &self.live.subject;
        let mut update =
            outcome.closing_update(subject.job_id.clone(), subject.workflow_id.clone());
        if let Err(e) = stored {
            tracing::error!(job.id = %subject.job_id, error = %e, "the end of a job could not be stored");
            update.status = JobStatus::Failed;
            update.error = Some("The result could not be stored".into());
            update.result = None;
        }
        if self.start.explicit_types {
            update.result = update.result.map(explicit);
        }
        self.feed.emit(JobEvent::JobUpdate(update));
        self.inner.feeds.ended(&self.feed);
        self.inner
            .told(&subject.user_id, Happened::Updated, &subject.job_id);
    }

    /// Waits in line; `false` when the job was cancelled there.
    async fn has_its_turn(&mut self) -> bool {
        let Some((_, position)) = &self.place else {
            return true;
        };
        if *position.borrow() == 0 {
            return true;
        }
        let mut turn = position.clone();
        let (feed, live) = (&self.feed, &self.live);
        let mut told = 0;
        let mut next = Instant::now() + UNTOLD_WAIT;
        loop {
            tokio::select! {
                biased;
                () = live.cancelled.cancelled() => return false,
                // The ticket keeps the sender there.
                _ = turn.wait_for(|at| *at == 0) => break,
                () = tokio::time::sleep_until(next) => {
                    next = Instant::now() + TOLD_EVERY;
                    let at = *position.borrow();
                    if at > 0 && at != told {
                        told = at;
                        let mut update = self.live.update(JobStatus::Queued);
                        update.queue_position = Some(at);
                        update.message = Some(format!("Queued (#{at})"));
                        feed.emit(JobEvent::JobUpdate(update));
                    }
                }
            }
        }
        let running = nodetool_store::JobStatus::Running;
        let scheduled = Expected::Status(nodetool_store::JobStatus::Scheduled);
        let change = StatusChange::new(&live.subject.job_id, scheduled, running, now_micros());
        if let Err(e) = self.inner.store.set_job_status(change).await {
            tracing::warn!(job.id = %live.subject.job_id, error = %e, "the start of a job could not be stored");
        }
        true
    }

    async fn run(&mut self) -> RunOutcome {
        let (feed, live) = (self.feed.clone(), self.live.clone());
        let job_id = live.subject.job_id.clone();
        let (runner, cx) = self.inner.runner(&self.start, job_id, feed.clone(), 0);
        if let Some(runner) = &runner {
            live.made(runner.handle());
        }
        let mut update = live.update(JobStatus::Running);
        update.run_state = Some(running_state());
        feed.emit(JobEvent::JobUpdate(update));
        let run = execute(runner, &self.start.workflow, &cx);
        tokio::pin!(run);
        let outcome = loop {
            tokio::select! {
                biased;
                outcome = &mut run => break outcome,
                last = feed.short_of_numbers() => self.reserve(last).await,
                Some(order) = self.orders.recv() => match order {},
            }
        };
        if let Some(error) = &outcome.error {
            feed.emit(JobEvent::Error {
                message: error.clone(),
                thread_id: None,
                workflow_id: Some(cx.workflow_id.clone()),
            });
        }
        outcome
    }

    /// Lets more numbers out once the store knows of them.
    async fn reserve(&self, last: u64) {
        self.feed.allow(last);
    }
}

impl Live {
    fn update(&self, status: JobStatus) -> JobUpdate {
        let subject = &self.subject;
        JobUpdate::new(status, subject.job_id.clone(), subject.workflow_id.clone())
    }
}

fn running_state() -> RunState {
    RunState {
        status: JobStatus::Running,
        suspended_node_id: None,
        suspension_reason: None,
        error_message: None,
        execution_strategy: Some("threaded".into()),
        is_resumable: true,
    }
}

impl Inner {
    /// How a job's row ends; nothing for one that waits to be resumed.
    pub(super) fn ending(&self, id: &str, outcome: &RunOutcome) -> Option<FinishJob> {
        let status = match outcome.status {
            JobStatus::Suspended => return None,
            JobStatus::Completed => nodetool_store::JobStatus::Completed,
            JobStatus::Cancelled => nodetool_store::JobStatus::Cancelled,
            _ => nodetool_store::JobStatus::Failed,
        };
        let mut finish = FinishJob::new(id, Expected::NotEnded, status, now_micros());
        finish.error.clone_from(&outcome.error);
        Some(finish)
    }

    pub(super) async fn finish(&self, id: &str, outcome: &RunOutcome) -> Result<(), StoreError> {
        if let Some(end) = self.ending(id, outcome) {
            return self.store.finish_job(end).await.map(drop);
        }
        let suspended = nodetool_store::JobStatus::Suspended;
        let mut change = StatusChange::new(id, Expected::NotEnded, suspended, now_micros());
        change.suspension = outcome
            .suspended
            .as_ref()
            .map(|(node, reason, state)| Suspension {
                node_id: node.to_string(),
                reason: reason.clone(),
                state: serde_json::to_string(state).unwrap_or_else(|_| "{}".into()),
                metadata: "{}".into(),
            });
        self.store.set_job_status(change).await.map(drop)
    }
}

/// The values of a result with the names of their types (engine spec 5.1, `explicit_types`).
fn explicit(result: Map) -> Map {
    result.into_iter().map(|(k, v)| (k, typed(v))).collect()
}

fn typed(value: Value) -> Value {
    let name = match &value {
        Value::Map(map) if map.contains_key("type") => return value,
        Value::Map(map) => return explicit(Map::clone(map)).into(),
        Value::Null => return value,
        Value::Bool(_) => "boolean",
        Value::Int(_) => "integer",
        Value::Float(_) => "float",
        Value::Str(_) => "string",
        Value::Bytes(_) => "bytes",
        Value::List(_) => "list",
    };
    Value::map([("type", name.into()), ("value", value)])
}

//! One attempt at a job, from its place in the queue to its closing message. One task per attempt.

use std::sync::Arc;
use std::time::Duration;

use nodetool_engine::{Resume, RunHandle, RunOutcome, Runner};
use nodetool_protocol::{JobEvent, JobStatus, JobUpdate, Map, RunState, Value};
use nodetool_sdk::EventSink;
use nodetool_store::{Expected, FinishJob, StatusChange, StoreError, Suspension, now_micros};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::journal::JobJournal;
use super::queue::Ticket;
use super::work::Ended;
use super::{Inner, Live, StartRun, WorkCx, WorkEnd, carry_out, passes};
use crate::services::feeds::{Feed, LogLine};
use crate::services::{Happened, explicit_types, metrics};

/// A job that gets its turn sooner is not told that it waits.
const UNTOLD_WAIT: Duration = Duration::from_millis(20);
/// The row of a job that waited for a moment only still says so until the job is this old; most end before.
const START_NOTED: Duration = Duration::from_millis(50);
/// How often a job that waits is told its new position at most.
const TOLD_EVERY: Duration = Duration::from_millis(100);

/// How long to wait before trying a failed write again.
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// How long the end of a job is tried to be stored before it is told that it could not be.
const STORE_PATIENCE: Duration = Duration::from_secs(5);
/// What is told then.
const NOT_STORED: &str = "The result could not be stored";
/// How long nodes at work may take to let go when the server ends.
const RELEASE_GRACE: Duration = Duration::from_secs(2);
/// Largest result that is kept with its job.
const RESULT_KEPT: usize = 8 << 20;

/// What an attempt is told while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Begin no node any more.
    Pause,
    /// Go on.
    Unpause,
    /// Note how far things are and let go; another process goes on.
    Release,
}

/// One attempt at a job.
pub(super) struct Attempt {
    pub(super) inner: Arc<Inner>,
    pub(super) live: Arc<Live>,
    pub(super) feed: Arc<Feed>,
    pub(super) start: StartRun,
    pub(super) place: Option<(Ticket, watch::Receiver<bool>)>,
    pub(super) orders: mpsc::Receiver<Command>,
    pub(super) journal: Arc<JobJournal>,
    /// What an earlier attempt left behind.
    pub(super) resume: Option<Resume>,
    /// It was told to pause before it had its turn.
    pub(super) pause_asked: bool,
    /// Its row still says that it waits.
    pub(super) waited: bool,
    /// Hears of the end of other work than a graph.
    pub(super) ended: Option<Box<Ended>>,
}

/// How an attempt is over.
enum Over {
    Ended(Box<RunOutcome>),
    /// It stopped in the middle, for another process to go on.
    Released,
}

impl Attempt {
    /// Waits for its turn, runs, stores the end and tells it.
    pub(super) async fn see_through(mut self) {
        let outcome = match self.take_turn().await {
            Turn::Come => match self.run().await {
                Over::Ended(outcome) => *outcome,
                Over::Released => return self.release().await,
            },
            Turn::Cancelled => RunOutcome::cancelled(),
            Turn::Released => return self.release().await,
        };
        let mut outcome = self.or_cancelled(outcome);
        let mut stored = self.store_end_in_time(&outcome).await;
        if outcome.suspended.is_some() {
            outcome = self.or_cancelled(outcome);
            if outcome.suspended.is_none() {
                stored = self.store_end_in_time(&outcome).await;
            }
        }
        // Whoever hears of the end may start the next one without waiting.
        self.place = None;
        let subject = &self.live.subject;
        let mut update =
            outcome.closing_update(subject.job_id.clone(), subject.workflow_id.clone());
        if let Err(e) = &stored {
            tracing::error!(job.id = %subject.job_id, error = %e, "the end of a job could not be stored");
            update.status = JobStatus::Failed;
            update.error = Some(NOT_STORED.into());
            update.result = None;
        }
        if let Some((node, reason, _)) = &outcome.suspended
            && stored.is_ok()
        {
            update.run_state = Some(RunState {
                suspended_node_id: Some(node.to_string()),
                suspension_reason: Some(reason.clone()),
                ..run_state(JobStatus::Suspended)
            });
        }
        if self.start.explicit_types {
            update.result = update.result.map(explicit_types);
        }
        if self.live.work.is_none() {
            update.validation_issues = self.start.workflow.issues();
        }
        if let Some(ended) = self.ended.take() {
            let end = WorkEnd {
                status: update.status,
                error: update.error.clone(),
                duration: outcome.duration,
            };
            ended(end).await;
        }
        count_end(update.status, self.live.started_at);
        self.feed.emit(JobEvent::JobUpdate(update));
        self.inner.feeds.ended(&self.feed);
        // Not before: a job that is taken up again writes into the same feed.
        self.inner.running().remove(&subject.job_id);
        self.inner
            .told(&subject.user_id, Happened::Updated, &subject.job_id);
        if stored.is_err_and(|e| passes(&e)) {
            self.store_failure().await;
        }
    }

    /// A job that was asked to end while it came to be suspended ends.
    fn or_cancelled(&self, outcome: RunOutcome) -> RunOutcome {
        if outcome.suspended.is_some() && self.live.cancelled.is_cancelled() {
            RunOutcome::cancelled()
        } else {
            outcome
        }
    }

    /// Stores the end; what stands in the way may pass.
    async fn store_end_in_time(&self, outcome: &RunOutcome) -> Result<(), StoreError> {
        let until = Instant::now() + STORE_PATIENCE;
        loop {
            match self.store_end(outcome).await {
                Err(e) if passes(&e) && Instant::now() < until => {
                    tracing::warn!(job.id = %self.live.subject.job_id, error = %e, "the end of a job could not be stored; trying again");
                    tokio::time::sleep(TRY_AGAIN).await;
                }
                stored => return stored,
            }
        }
    }

    /// Stores what everybody was told of a job whose end could not be stored, as soon as that is possible. A process
    /// that ends before leaves the job to the next one.
    async fn store_failure(&self) {
        let id = &self.live.subject.job_id;
        while !self.inner.tasks.is_closed() {
            tokio::time::sleep(TRY_AGAIN).await;
            let failed = nodetool_store::JobStatus::Failed;
            let mut end = FinishJob::new(id, Expected::NotEnded, failed, now_micros());
            end.error = Some(NOT_STORED.into());
            match self.inner.store.finish_job(end).await {
                Err(e) if passes(&e) => {}
                Ok(_) => {
                    let subject = &self.live.subject;
                    return self
                        .inner
                        .told(&subject.user_id, Happened::Updated, &subject.job_id);
                }
                Err(e) => {
                    return tracing::error!(job.id = %id, error = %e, "the failure of a job could not be stored");
                }
            }
        }
    }

    async fn store_end(&self, outcome: &RunOutcome) -> Result<(), StoreError> {
        let id = &self.live.subject.job_id;
        if let Some((node, _, state)) = &outcome.suspended {
            self.journal.suspended(node, state.clone());
            self.journal.flush().await?;
        }
        self.inner.finish(id, outcome, Some(&self.feed)).await
    }

    /// Leaves the job for another process: its progress is on disk, its status says that it waits to be taken up.
    async fn release(self) {
        let id = &self.live.subject.job_id;
        self.journal.write().await;
        if self.feed.status() != Some(JobStatus::Paused) {
            let recovering = nodetool_store::JobStatus::Recovering;
            let change = StatusChange::new(id, Expected::NotEnded, recovering, now_micros());
            if let Err(e) = self.inner.store.set_job_status(change).await {
                tracing::error!(job.id = %id, error = %e, "a job could not be left for later");
            }
        }
        self.feed.emit(JobEvent::Error {
            message: "The server is going away; the job goes on when it is back".into(),
            thread_id: None,
            workflow_id: Some(self.live.subject.workflow_id.clone()),
        });
        self.inner.feeds.ended(&self.feed);
        self.inner.running().remove(id);
    }

    /// Waits in line.
    async fn take_turn(&mut self) -> Turn {
        let Some((ticket, turn)) = &self.place else {
            return Turn::Come;
        };
        if *turn.borrow() {
            return Turn::Come;
        }
        let mut turn = turn.clone();
        let (feed, live) = (&self.feed, &self.live);
        let mut told = 0;
        let mut next = Instant::now() + UNTOLD_WAIT;
        loop {
            tokio::select! {
                biased;
                () = live.cancelled.cancelled() => return Turn::Cancelled,
                Some(order) = self.orders.recv() => match order {
                    Command::Pause => self.pause_asked = true,
                    Command::Unpause => self.pause_asked = false,
                    Command::Release => return Turn::Released,
                },
                // The ticket keeps the sender there.
                _ = turn.wait_for(|come| *come) => break,
                () = tokio::time::sleep_until(next) => {
                    next = Instant::now() + TOLD_EVERY;
                    let at = ticket.position();
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
        if self.resume.is_none() {
            self.waited = true;
            if told > 0 {
                self.note_start().await;
            }
        }
        Turn::Come
    }

    /// The row of a job that waited says that it is at work.
    async fn note_start(&mut self) {
        if std::mem::take(&mut self.waited) {
            let scheduled = nodetool_store::JobStatus::Scheduled;
            let expected = Expected::Status(scheduled);
            self.note_status(expected, nodetool_store::JobStatus::Running)
                .await;
        }
    }

    async fn note_status(&self, expected: Expected, status: nodetool_store::JobStatus) {
        let id = &self.live.subject.job_id;
        let change = StatusChange::new(id, expected, status, now_micros());
        if let Err(e) = self.inner.store.set_job_status(change).await {
            tracing::warn!(job.id = %id, error = %e, "the status of a job could not be stored");
        }
    }

    async fn run(&mut self) -> Over {
        let (feed, live, journal) = (self.feed.clone(), self.live.clone(), self.journal.clone());
        let resumed = self.resume.is_some();
        let (runner, cx, seen) = self
            .inner
            .runner(
                &mut self.start,
                live.subject.job_id.clone(),
                feed.clone(),
                Some((journal.clone(), self.resume.take())),
            )
            .await;
        let handle = runner.as_ref().map(Runner::handle);
        if let Some(handle) = &handle {
            live.made(handle.clone());
        }
        let mut update = live.update(JobStatus::Running);
        update.message = resumed.then(|| "Job resumed successfully".into());
        update.run_state = Some(run_state(JobStatus::Running));
        feed.emit(JobEvent::JobUpdate(update));
        let workflow = self.start.workflow.clone();
        let stop = live.cancelled.child_token();
        let work = self.start.work.take().map(|mut work| {
            self.ended = work.ended.take();
            let at_hand = WorkCx {
                run: cx.clone(),
                feed: Some(feed.clone()),
                seen: seen.clone(),
                stop: stop.clone(),
            };
            (work, at_hand)
        });
        let is_work = work.is_some();
        let run = journal.keep_while(carry_out(work, runner, &workflow, &cx));
        tokio::pin!(run);
        let mut pause = Pause::None;
        if let Some(handle) = handle.as_ref().filter(|_| self.pause_asked) {
            handle.pause();
            pause = Pause::Asked;
        }
        let noted = Instant::now() + START_NOTED;
        let mut outcome = loop {
            tokio::select! {
                biased;
                outcome = &mut run => break outcome,
                () = tokio::time::sleep_until(noted), if self.waited => self.note_start().await,
                last = feed.short_of_numbers() => self.reserve(last).await,
                Some(order) = self.orders.recv() => {
                    if is_work && order == Command::Release {
                        stop.cancel();
                        // It cleans up; what it was at goes on with the next process, as its owner decides.
                        let _ = tokio::time::timeout(RELEASE_GRACE, &mut run).await;
                        return Over::Released;
                    }
                    let Some(handle) = &handle else { continue };
                    match order {
                        Command::Pause => {
                            handle.pause();
                            pause = pause.max(Pause::Asked);
                        }
                        Command::Unpause => {
                            handle.unpause();
                            if std::mem::replace(&mut pause, Pause::None) != Pause::None {
                                self.go_on().await;
                            }
                        }
                        Command::Release => {
                            handle.pause();
                            let settled = tokio::time::timeout(RELEASE_GRACE, handle.settled());
                            if settled.await.is_ok() && pause == Pause::Asked {
                                self.stand_still().await;
                            }
                            return Over::Released;
                        }
                    }
                }
                () = settled(handle.as_ref()), if pause == Pause::Asked => {
                    pause = Pause::Reached;
                    self.stand_still().await;
                }
            }
        };
        seen.hide_outcome(&mut outcome);
        if let Some(error) = &outcome.error {
            feed.emit(JobEvent::Error {
                message: error.clone(),
                thread_id: None,
                workflow_id: Some(cx.workflow_id.clone()),
            });
        }
        Over::Ended(Box::new(outcome))
    }

    /// The pause is reached: no node is at work any more.
    async fn stand_still(&mut self) {
        self.journal.write().await;
        self.waited = false;
        self.note_status(Expected::NotEnded, nodetool_store::JobStatus::Paused)
            .await;
        // Others may use its turn meanwhile.
        self.place = None;
        self.tell_status(JobStatus::Paused, None);
    }

    async fn go_on(&mut self) {
        self.note_status(Expected::NotEnded, nodetool_store::JobStatus::Running)
            .await;
        self.tell_status(JobStatus::Running, Some("Job resumed successfully"));
    }

    fn tell_status(&self, status: JobStatus, message: Option<&str>) {
        let mut update = self.live.update(status);
        update.message = message.map(Into::into);
        update.run_state = Some(run_state(status));
        self.feed.emit(JobEvent::JobUpdate(update));
        let subject = &self.live.subject;
        self.inner
            .told(&subject.user_id, Happened::Updated, &subject.job_id);
    }

    /// Lets more numbers out once the store knows of them.
    async fn reserve(&self, last: u64) {
        let id = &self.live.subject.job_id;
        match self
            .inner
            .store
            .reserve_events(id, last.cast_signed())
            .await
        {
            Ok(()) => self.feed.allow(last),
            Err(e) => {
                tracing::error!(job.id = %id, error = %e, "message numbers could not be reserved; trying again");
                tokio::time::sleep(TRY_AGAIN).await;
            }
        }
    }
}

/// What waiting in line came to.
enum Turn {
    Come,
    Cancelled,
    Released,
}

/// How far a pause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pause {
    None,
    Asked,
    Reached,
}

async fn settled(handle: Option<&RunHandle>) {
    match handle {
        Some(handle) => handle.settled().await,
        None => std::future::pending().await,
    }
}

impl Live {
    fn update(&self, status: JobStatus) -> JobUpdate {
        let subject = &self.subject;
        JobUpdate::new(status, subject.job_id.clone(), subject.workflow_id.clone())
    }
}

fn run_state(status: JobStatus) -> RunState {
    RunState {
        status,
        suspended_node_id: None,
        suspension_reason: None,
        error_message: None,
        execution_strategy: Some("threaded".into()),
        is_resumable: true,
    }
}

/// Counts the end of a job, or that it was suspended.
pub(super) fn count_end(status: JobStatus, started_at: i64) {
    let status = match status {
        JobStatus::Suspended => "suspended",
        JobStatus::Completed => "completed",
        JobStatus::Cancelled => "cancelled",
        _ => "failed",
    };
    metrics().job_ended(status, started_at);
}

impl Inner {
    /// How a job's row ends; nothing for one that waits to be resumed.
    pub(super) fn ending(
        &self,
        id: &str,
        outcome: &RunOutcome,
        feed: Option<&Feed>,
    ) -> Option<FinishJob> {
        let status = match outcome.status {
            JobStatus::Suspended => return None,
            JobStatus::Completed => nodetool_store::JobStatus::Completed,
            JobStatus::Cancelled => nodetool_store::JobStatus::Cancelled,
            _ => nodetool_store::JobStatus::Failed,
        };
        let mut finish = FinishJob::new(id, Expected::NotEnded, status, now_micros());
        finish.error.clone_from(&outcome.error);
        finish.result = result_text(outcome);
        finish.logs = feed.map(Feed::log).and_then(log_text);
        Some(finish)
    }

    pub(super) async fn finish(
        &self,
        id: &str,
        outcome: &RunOutcome,
        feed: Option<&Feed>,
    ) -> Result<(), StoreError> {
        if let Some(end) = self.ending(id, outcome, feed) {
            return self.store.finish_job(end).await.map(drop);
        }
        let suspended = nodetool_store::JobStatus::Suspended;
        let mut change = StatusChange::new(id, Expected::NotEnded, suspended, now_micros());
        // The node's state is in the journal; the row says where and why.
        change.suspension = outcome
            .suspended
            .as_ref()
            .map(|(node, reason, _)| Suspension {
                node_id: node.to_string(),
                reason: reason.clone(),
                state: "{}".into(),
                metadata: "{}".into(),
            });
        self.store.set_job_status(change).await.map(drop)
    }
}

/// The outputs as they are kept with the job; nothing when there are none or they are too large to keep.
fn result_text(outcome: &RunOutcome) -> Option<Arc<str>> {
    if outcome.status != JobStatus::Completed || outcome.outputs.is_empty() {
        return None;
    }
    let values = outcome.outputs.iter().flat_map(|(_, values)| values);
    if values.map(Value::weight).sum::<usize>() > RESULT_KEPT {
        return None;
    }
    let result: Map = outcome
        .outputs
        .iter()
        .map(|(name, values)| (name.clone(), Value::from(values.clone())))
        .collect();
    serde_json::to_string(&Value::from(result))
        .ok()
        .filter(|text| text.len() <= RESULT_KEPT)
        .map(Into::into)
}

fn log_text(lines: Vec<LogLine>) -> Option<String> {
    if lines.is_empty() {
        return None;
    }
    serde_json::to_string(&lines).ok()
}

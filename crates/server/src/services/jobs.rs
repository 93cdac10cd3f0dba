//! Runs of workflows: the only writer of job rows, the owner of every run at work.
//!
//! A run somebody waits for with nothing but its outputs (`run`) goes without messages and, when it is quick, with one
//! write. Every other run has a [`Feed`] of numbered messages that any number of listeners follow, and an [`Attempt`]
//! that sees it through: its turn in the queue, its messages, its checkpoints, its end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use nodetool_engine::{ResultCache, RunHandle, RunOutcome};
use nodetool_protocol::{JobEvent, JobStatus, JobUpdate, Map, Value};
use nodetool_sdk::EventSink;
use nodetool_sdk::browsers::Browsers;
use nodetool_sdk::services::Services;
use nodetool_store::{
    Expected, FinishJob, JobFilter, JobRow, Page, Store, StoreError, new_id, now_micros,
};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::feeds::{Begin, Feed, Feeds, LogLine, Subject, Watch};
use super::loops::ids::other_spelling;
use super::{
    AssetService, BrowserService, Caller, Changes, CollectionService, Happened, ListJobs,
    ModelService, SecretsService, ThreadService, ToolService, WeakTools, WorkflowError,
    WorkflowService,
};
use attempt::Command;
use detached::Detached;
pub(in crate::services) use folder::user_workspace;
use nested::{Nests, WorkflowsInside};
use queue::{Queue, Seat};

mod approval;
mod attempt;
mod detached;
mod discretion;
mod folder;
mod journal;
mod models;
mod nested;
mod queue;
mod quiet;
mod recovery;
mod running;
mod start;
mod work;

pub(crate) use approval::{Approval, LINK_SECONDS, LINK_SECONDS_MOST, LinkError, Question};
pub(crate) use queue::{Full, Limits};
pub(crate) use recovery::{Recovery, ResumeError, RetryError};
use running::{carry_out, execute};
pub(crate) use start::StartRun;
use work::WorkKind;
pub(crate) use work::{Loops, Lowered, SERVER_RESTARTED, Work, WorkCx, WorkEnd, outcome_of};

/// The note of a job that may run beside other runs of its workflow, for whoever takes it up.
const CONCURRENT: &str = r#"{"concurrent":true}"#;
/// Message numbers the first attempt at a job may give out before the store has to know of more.
const FIRST_NUMBERS: u64 = 64 << 10;

/// Why a run could not be made or stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("Job {0} already exists")]
    Taken(String),
    #[error(transparent)]
    TooMany(#[from] Full),
    #[error("The loops of this workflow run already, as job {0}")]
    Running(Arc<str>),
    #[error("the server is shutting down")]
    ShuttingDown,
}

/// Why a value did not reach an input of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InputError {
    #[error("No active job/context")]
    NoJob,
    #[error("Invalid input name")]
    NoInput,
}

/// A run that lives as long as somebody follows it: dropping this cancels it.
pub(crate) struct Followed {
    pub(crate) watch: Watch,
    live: Option<Arc<Live>>,
}

impl Followed {
    /// The run has ended.
    pub(crate) fn let_go(&mut self) {
        self.live = None;
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        if let Some(live) = &self.live {
            live.cancel();
        }
    }
}

/// Cancels a run that is still at work when nobody waits for it any more.
struct Attended<'a> {
    jobs: &'a JobService,
    id: Arc<str>,
}

impl Drop for Attended<'_> {
    fn drop(&mut self) {
        let live = self.jobs.0.running().get(&self.id).cloned();
        if let Some(live) = live {
            live.cancel();
        }
    }
}

/// A job that has not ended.
#[derive(Clone, Debug)]
pub(crate) struct ActiveJob {
    pub(crate) job_id: Arc<str>,
    pub(crate) workflow_id: Arc<str>,
    pub(crate) status: JobStatus,
    pub(crate) started_at: i64,
}

/// What the service is made of.
pub(crate) struct JobServiceParts {
    pub(crate) store: Store,
    pub(crate) workflows: WorkflowService,
    pub(crate) services: Services,
    pub(crate) secrets: SecretsService,
    pub(crate) assets: AssetService,
    pub(crate) models: ModelService,
    pub(crate) collections: CollectionService,
    pub(crate) threads: ThreadService,
    pub(crate) workspace: std::path::PathBuf,
    pub(crate) changes: Changes,
    pub(crate) feeds: Feeds,
    pub(crate) limits: Limits,
    pub(crate) recovery: Recovery,
}

/// By job: whose it is, and what tells it to end.
type Beginnings = HashMap<Arc<str>, (Arc<str>, CancellationToken)>;

struct Inner {
    /// Itself, for what runs inside of runs.
    me: Weak<Inner>,
    store: Store,
    workflows: WorkflowService,
    services: Services,
    secrets: SecretsService,
    assets: AssetService,
    models: ModelService,
    collections: CollectionService,
    threads: ThreadService,
    workspace: std::path::PathBuf,
    changes: Changes,
    feeds: Feeds,
    queue: Queue,
    /// Progress is kept for a process that takes the jobs up.
    steady: bool,
    cache: Arc<ResultCache>,
    tasks: TaskTracker,
    running: Mutex<HashMap<Arc<str>, Arc<Live>>>,
    /// Jobs whose rows are being written, by id: whose they are, and what tells them to end.
    starting: Mutex<Beginnings>,
    nests: Nests,
    /// Browsers of steps; without, there are none.
    browsers: OnceLock<BrowserService>,
    /// What agents of runs may use; the service of tools runs workflows itself, so that neither keeps the other alive.
    tools: OnceLock<WeakTools>,
    /// Who runs workflows that are loops.
    loops: OnceLock<Arc<dyn Loops>>,
}

/// The grip on a job that has not ended.
struct Live {
    subject: Subject,
    started_at: i64,
    feed: Option<Arc<Feed>>,
    /// There once its run is made.
    handle: OnceLock<RunHandle>,
    cancelled: CancellationToken,
    /// What its attempt is told; a run without messages takes no orders.
    commands: Option<mpsc::Sender<Command>>,
    /// It was asked to pause and not yet to go on.
    pausing: AtomicBool,
    /// Held by a run that takes no turn, where those are limited.
    _seat: Option<Seat>,
    /// What it does, when that is no graph.
    work: Option<WorkKind>,
}

impl Live {
    fn cancel(&self) {
        self.cancelled.cancel();
        if let Some(handle) = self.handle.get() {
            handle.cancel();
        }
    }

    /// The run is made; one that was cancelled meanwhile hears of it now.
    fn made(&self, handle: RunHandle) {
        let handle = self.handle.get_or_init(|| handle);
        if self.cancelled.is_cancelled() {
            handle.cancel();
        }
    }
}

/// Starts, watches and ends runs.
#[derive(Clone)]
pub(crate) struct JobService(Arc<Inner>);

impl JobService {
    pub(crate) fn new(parts: JobServiceParts) -> Self {
        JobService(Arc::new_cyclic(|weak| {
            let mut services = parts.services;
            services.workflows = Arc::new(WorkflowsInside(weak.clone()));
            Inner {
                me: weak.clone(),
                store: parts.store,
                workflows: parts.workflows,
                services,
                secrets: parts.secrets,
                assets: parts.assets,
                models: parts.models,
                collections: parts.collections,
                threads: parts.threads,
                workspace: parts.workspace,
                changes: parts.changes,
                feeds: parts.feeds,
                queue: Queue::new(parts.limits),
                steady: parts.recovery == Recovery::Resume,
                cache: Arc::default(),
                tasks: TaskTracker::new(),
                running: Mutex::default(),
                starting: Mutex::default(),
                nests: Nests::default(),
                browsers: OnceLock::new(),
                tools: OnceLock::new(),
                loops: OnceLock::new(),
            }
        }))
    }

    /// The browsers of a user, where this server has any.
    pub(crate) fn browsers(&self, caller: &Caller) -> Arc<dyn Browsers> {
        match self.0.browsers.get() {
            Some(browsers) => browsers.of(caller),
            None => Services::none().browsers,
        }
    }

    /// Gives runs the browsers of their users; without, they have none.
    pub(crate) fn offer_browsers(&self, browsers: BrowserService) {
        // Offered once, when the house is put together.
        let _ = self.0.browsers.set(browsers);
    }

    /// Gives runs the tools of their users; without, they have none.
    pub(crate) fn offer_tools(&self, tools: &ToolService) {
        // Offered once, when the house is put together.
        let _ = self.0.tools.set(tools.downgrade());
    }

    /// Gives runs of workflows that are loops to those who run them.
    pub(crate) fn offer_loops(&self, loops: Arc<dyn Loops>) {
        // Offered once, when the house is put together.
        let _ = self.0.loops.set(loops);
    }

    /// The run as its workflow is run.
    async fn lower(&self, start: StartRun) -> Result<Lowered, RunError> {
        match self.0.loops.get() {
            Some(loops) if start.workflow.loops && start.work.is_none() => loops.lower(start).await,
            _ => Ok(Lowered::Begin(Box::new(start))),
        }
    }

    /// Runs to the end and stores the job. Nobody hears of it before; a caller that goes away leaves the run at work.
    pub(crate) async fn run(&self, mut start: StartRun) -> Result<RunOutcome, RunError> {
        if self.0.tasks.is_closed() {
            return Err(RunError::ShuttingDown);
        }
        if start.workflow.loops {
            start = match self.lower(start).await? {
                Lowered::Begin(start) => *start,
                Lowered::Running(job_id) => return Err(RunError::Running(job_id)),
            };
        }
        let inner = self.0.clone();
        let work = async move { inner.run_quietly(start).await };
        Detached::new(&self.0.tasks, work.in_current_span()).await
    }

    /// Runs to the end for somebody without whom it ends: a caller that goes away cancels the run.
    pub(crate) async fn run_attended(&self, mut start: StartRun) -> Result<RunOutcome, RunError> {
        let id = start.job_id.get_or_insert_with(new_id).as_str().into();
        let _attended = Attended { jobs: self, id };
        self.run(start).await
    }

    /// Stores the job, starts it or gets it in line; it goes on by itself.
    pub(crate) async fn start(&self, mut start: StartRun) -> Result<Arc<Feed>, RunError> {
        if start.workflow.loops {
            let user = start.caller.user_id.clone();
            start = match self.lower(start).await? {
                Lowered::Begin(start) => *start,
                Lowered::Running(job_id) => {
                    let feed = self.0.feeds.get(&user, &job_id);
                    return feed.ok_or(RunError::Running(job_id));
                }
            };
        }
        let inner = self.0.clone();
        let (live, _) = self.detached(inner.begin(start, None)).await?;
        live.feed.clone().ok_or(RunError::ShuttingDown)
    }

    /// Stores the job and starts it for somebody who follows every message and without whom it ends.
    pub(crate) async fn follow(
        &self,
        mut start: StartRun,
        wake: Arc<Notify>,
    ) -> Result<Followed, RunError> {
        if start.workflow.loops {
            let user = start.caller.user_id.clone();
            start = match self.lower(start).await? {
                Lowered::Begin(start) => *start,
                Lowered::Running(job_id) => {
                    let feed = self.0.feeds.get(&user, &job_id);
                    let feed = feed.ok_or(RunError::Running(job_id))?;
                    let watch = feed.watch(Begin::Lossless, wake);
                    return Ok(Followed { watch, live: None });
                }
            };
        }
        let inner = self.0.clone();
        self.detached(async move {
            let (live, watch) = inner.begin(start, Some(wake)).await?;
            let watch = watch.ok_or(RunError::ShuttingDown)?;
            let live = Some(live);
            // Made here, so that a follower who has gone meanwhile ends the run all the same.
            Ok(Followed { watch, live })
        })
        .await
    }

    /// A caller that goes away while the row is written must not leave a row without a run.
    async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, RunError>> + Send + 'static,
    ) -> Result<T, RunError> {
        if self.0.tasks.is_closed() {
            return Err(RunError::ShuttingDown);
        }
        Detached::new(&self.0.tasks, work).await
    }

    /// How many jobs are at work or stand still, and how many wait for their turn.
    pub(crate) fn at_work(&self) -> (usize, usize) {
        let queued = self.0.queue.waiting();
        let all = self.0.running().len();
        (all.saturating_sub(queued), queued)
    }

    /// The client that nodes of all runs share.
    pub(crate) fn http(&self) -> Arc<dyn nodetool_sdk::services::Http> {
        self.0.services.http.clone()
    }

    /// The messages of all jobs.
    pub(crate) fn feeds(&self) -> &Feeds {
        &self.0.feeds
    }

    /// The messages of a job of the caller's that is at work or ended lately.
    pub(crate) fn feed(&self, caller: &Caller, job_id: &str) -> Option<Arc<Feed>> {
        self.0.feeds.get(&caller.user_id, job_id)
    }

    /// The caller's jobs that have not ended, oldest first.
    pub(crate) fn active(&self, caller: &Caller) -> Vec<ActiveJob> {
        let mut jobs: Vec<ActiveJob> = self
            .0
            .running()
            .values()
            .filter(|live| *live.subject.user_id == *caller.user_id)
            .filter(|live| !live.feed.as_ref().is_some_and(|f| f.is_over()))
            .filter(|live| live.work.is_none_or(WorkKind::is_listed))
            .map(|live| ActiveJob {
                job_id: live.subject.job_id.clone(),
                workflow_id: live.subject.workflow_id.clone(),
                status: live
                    .feed
                    .as_ref()
                    .and_then(|f| f.status())
                    .unwrap_or(JobStatus::Running),
                started_at: live.started_at,
            })
            .collect();
        jobs.sort_by(|a, b| (a.started_at, &a.job_id).cmp(&(b.started_at, &b.job_id)));
        jobs
    }

    fn live(&self, caller: &Caller, job_id: &str) -> Option<Arc<Live>> {
        let live = self.0.running().get(job_id)?.clone();
        (*live.subject.user_id == *caller.user_id).then_some(live)
    }

    /// Pushes a value into a streaming input of a run.
    pub(crate) async fn push_input(
        &self,
        caller: &Caller,
        job_id: &str,
        input: &str,
        handle: &str,
        value: Value,
    ) -> Result<(), InputError> {
        let live = self.live(caller, job_id).ok_or(InputError::NoJob)?;
        let run = live.handle.get().ok_or(InputError::NoJob)?;
        let taken = run.push_input(input, handle, value).await;
        taken.then_some(()).ok_or(InputError::NoInput)
    }

    /// Ends a streaming input of a run.
    pub(crate) async fn end_input(
        &self,
        caller: &Caller,
        job_id: &str,
        input: &str,
    ) -> Result<(), InputError> {
        let live = self.live(caller, job_id).ok_or(InputError::NoJob)?;
        let run = live.handle.get().ok_or(InputError::NoJob)?;
        let ended = run.end_input(input).await;
        ended.then_some(()).ok_or(InputError::NoInput)
    }

    /// Stores the job and starts it or gets it in line; answers its id.
    pub(crate) async fn submit(&self, mut start: StartRun) -> Result<Arc<str>, RunError> {
        (start.limited, start.concurrent) = (true, true);
        Ok(self.start(start).await?.subject().job_id.clone())
    }

    /// Asks a job to end; `false` when the caller has no such job or it has ended.
    pub(crate) async fn cancel(&self, caller: &Caller, job_id: &str) -> Result<bool, StoreError> {
        if self.0.cancel_starting(caller, job_id) {
            return Ok(true);
        }
        self.between(caller, job_id).await?;
        if let Some(live) = self.live(caller, job_id) {
            live.cancel();
            return Ok(true);
        }
        // Its row may have come into sight meanwhile, before whoever writes it knows that it has.
        if self.0.cancel_starting(caller, job_id) {
            return Ok(true);
        }
        // A job that sleeps in its row only: suspended, or paused by an earlier process.
        let row = self.get(caller, job_id).await?;
        let Some(row) = row.filter(|row| !row.status.is_terminal()) else {
            return Ok(false);
        };
        let cancelled = nodetool_store::JobStatus::Cancelled;
        let expected = Expected::Version(row.version);
        let end = FinishJob::new(job_id, expected, cancelled, now_micros());
        match self.0.store.finish_job(end).await {
            Ok(_) => {}
            Err(StoreError::AlreadyEnded { .. } | StoreError::Conflict { .. }) => return Ok(false),
            Err(e) => return Err(e),
        }
        if let Some(feed) = self.feed(caller, job_id) {
            let subject = feed.subject().clone();
            let feed = self.0.feeds.reopen(subject, 1, FIRST_NUMBERS);
            let subject = feed.subject();
            feed.emit(JobEvent::JobUpdate(JobUpdate::new(
                JobStatus::Cancelled,
                subject.job_id.clone(),
                subject.workflow_id.clone(),
            )));
            self.0.feeds.ended(&feed);
        }
        self.0.told(&caller.user_id, Happened::Updated, job_id);
        Ok(true)
    }

    /// A number for the only message about a job without a feed: beyond those its attempts have given out.
    pub(crate) async fn number_beyond(&self, job_id: &str) -> Result<u64, StoreError> {
        let payload = self.0.store.get_job_payload(job_id).await?;
        Ok(payload.map_or(1, |p| p.event_seq.max(0).cast_unsigned().max(FIRST_NUMBERS)))
    }

    pub(crate) async fn get(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Option<JobRow>, StoreError> {
        let mut found = self.0.store.get_job(id).await?;
        if found.is_none()
            && let Some(other) = other_spelling(id)
        {
            found = self.0.store.get_job(&other).await?;
        }
        Ok(found.filter(|j| j.user_id == caller.user_id))
    }

    pub(crate) async fn list(
        &self,
        caller: &Caller,
        list: ListJobs,
    ) -> Result<Page<JobRow>, StoreError> {
        let filter = JobFilter {
            user_id: caller.user_id.clone(),
            workflow_id: list.workflow_id,
            statuses: Vec::new(),
        };
        self.0
            .store
            .list_jobs(filter, list.limit, &list.cursor)
            .await
    }

    /// Asks every job of a workflow of the caller's to end; answers which.
    pub(crate) async fn cancel_workflow(
        &self,
        caller: &Caller,
        workflow_id: &str,
    ) -> Result<Vec<String>, StoreError> {
        let mut cancelled = Vec::new();
        for status in [
            nodetool_store::JobStatus::Suspended,
            nodetool_store::JobStatus::Paused,
        ] {
            let filter = JobFilter {
                user_id: caller.user_id.clone(),
                workflow_id: Some(workflow_id.to_owned()),
                statuses: vec![status],
            };
            let page = self.0.store.list_jobs(filter, 1000, "").await?;
            for row in page.rows {
                if self.cancel(caller, &row.id).await? {
                    cancelled.push(row.id);
                }
            }
        }
        for job in self.active(caller) {
            if *job.workflow_id == *workflow_id
                && !cancelled.iter().any(|id| **id == *job.job_id)
                && self.cancel(caller, &job.job_id).await?
            {
                cancelled.push(job.job_id.to_string());
            }
        }
        Ok(cancelled)
    }

    /// What the nodes of a job wrote to its log; nothing when the caller has no such job.
    pub(crate) async fn logs(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Option<Vec<LogLine>>, StoreError> {
        if let Some(feed) = self.feed(caller, id) {
            return Ok(Some(feed.log()));
        }
        if self.get(caller, id).await?.is_none() {
            return Ok(None);
        }
        let payload = self.0.store.get_job_payload(id).await?;
        let lines = payload.and_then(|p| serde_json::from_str(&p.logs?).ok());
        Ok(Some(lines.unwrap_or_default()))
    }

    /// Asks a job to begin no more nodes; `false` when the caller has no such job at work.
    pub(crate) async fn pause(&self, caller: &Caller, job_id: &str) -> Result<bool, StoreError> {
        self.between(caller, job_id).await?;
        let live = self.live(caller, job_id);
        // Other work than graphs goes on or ends.
        let Some(live) = live.filter(|live| live.work.is_none()) else {
            return Ok(false);
        };
        let Some(orders) = &live.commands else {
            return Ok(false);
        };
        live.pausing.store(true, Ordering::Release);
        Ok(orders.send(Command::Pause).await.is_ok())
    }

    /// The outputs of a job of the caller's that has completed, where they were kept.
    pub(crate) async fn result(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Option<Map>, StoreError> {
        if self.get(caller, id).await?.is_none() {
            return Ok(None);
        }
        let payload = self.0.store.get_job_payload(id).await?;
        Ok(payload.and_then(|p| serde_json::from_str(&p.result?).ok()))
    }

    /// Takes no new runs and waits for those at work. What is left then notes how far it is and lets go, for the next
    /// process to go on; a run without a journal of its own is cancelled.
    pub(crate) async fn shut_down(&self, grace: Duration) {
        self.0.tasks.close();
        // Those that stand still or wait in line have nothing to finish.
        self.0.release(|live| {
            let status = live.feed.as_ref().and_then(|f| f.status());
            live.work.is_some_and(WorkKind::is_endless)
                || matches!(status, Some(JobStatus::Paused | JobStatus::Queued))
        });
        if tokio::time::timeout(grace, self.0.tasks.wait())
            .await
            .is_err()
        {
            let left = self.0.release(|_| true);
            tracing::warn!(
                jobs = left,
                "jobs are still at work; they go on after the next start"
            );
            let _ = tokio::time::timeout(Duration::from_secs(4), self.0.tasks.wait()).await;
        }
    }
}

/// Whether what failed may succeed later without anybody doing anything else.
fn passes(e: &StoreError) -> bool {
    matches!(
        e,
        StoreError::NoRoom { .. }
            | StoreError::ReadOnly { .. }
            | StoreError::File { .. }
            | StoreError::Busy { .. }
            | StoreError::QueueFull
            | StoreError::Sql { .. }
    )
}

impl Inner {
    fn running(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Live>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self, user_id: &str, happened: Happened, job_id: &str) {
        self.changes
            .tell(user_id, happened, "job", job_id, String::new);
    }

    /// Tells jobs to let go, or to end if they have no journal of their own; answers how many.
    fn release(&self, which: impl Fn(&Live) -> bool) -> usize {
        let live: Vec<Arc<Live>> = self.running().values().cloned().collect();
        let chosen = live.iter().filter(|live| which(live));
        chosen
            .map(|live| match &live.commands {
                Some(orders) => drop(orders.try_send(Command::Release)),
                None => live.cancel(),
            })
            .count()
    }
}

#[cfg(test)]
mod tests;

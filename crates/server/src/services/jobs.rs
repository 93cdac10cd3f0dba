//! Runs of workflows: the only writer of job rows, the owner of every run at work.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use nodetool_engine::{
    AssetMode, ResultCache, RunHandle, RunOptions, RunOutcome, Runner, Unheard, tell_rejection,
};
use nodetool_protocol::{JobEvent, JobStatus, JobUpdate, Map, Value};
use nodetool_sdk::services::{Services, Workflows};
use nodetool_sdk::{BoxFuture, EventSink, NodeCx, NodeError, RunCx, Severity, Variables};
use nodetool_store::{
    Expected, FinishJob, JobFilter, JobRow, NewJob, Page, StatusChange, Store, StoreError,
    Suspension, new_id, now_micros,
};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{Caller, ListJobs, Loaded, WorkflowError, WorkflowService};

/// How deep workflows may run workflows.
const MAX_DEPTH: u32 = 16;
/// How many workflows may be at work inside one run at the same time; a few that run themselves multiply without end.
const MAX_NESTED: usize = 256;
/// Largest parameters that are kept with a job.
const PARAMS_KEPT: usize = 4 << 20;
/// A run that nobody was told of and that ends within this time is stored with one commit instead of two.
const QUICK: Duration = Duration::from_millis(2);

/// Why a run could not be made or stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("Job {0} already exists")]
    Taken(String),
    #[error("the server is shutting down")]
    ShuttingDown,
}

/// What to run and for whom.
pub(crate) struct StartRun {
    pub(crate) caller: Caller,
    pub(crate) workflow: Arc<Loaded>,
    pub(crate) params: Map,
    pub(crate) assets: AssetMode,
    pub(crate) job_id: Option<String>,
    /// Event for a trigger node of the workflow: the node's id and the payload.
    pub(crate) trigger_event: Option<(Arc<str>, Value)>,
}

impl StartRun {
    /// A run of a workflow with these parameters and nothing special.
    pub(crate) fn new(caller: Caller, workflow: Arc<Loaded>, params: Map) -> Self {
        StartRun {
            caller,
            workflow,
            params,
            assets: AssetMode::Python,
            job_id: None,
            trigger_event: None,
        }
    }
}

/// A run at work for somebody: dropping this cancels it.
pub(crate) struct Started {
    pub(crate) job_id: Arc<str>,
    /// The grip on it; nothing when its graph could not be planned.
    handle: Option<RunHandle>,
}

impl Started {
    /// The run has ended, or goes on without its starter.
    pub(crate) fn let_go(&mut self) {
        self.handle = None;
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            handle.cancel();
        }
    }
}

/// What the service is made of.
pub(crate) struct JobServiceParts {
    pub(crate) store: Store,
    pub(crate) workflows: WorkflowService,
    pub(crate) services: Services,
    pub(crate) workspace: std::path::PathBuf,
}

struct Inner {
    store: Store,
    workflows: WorkflowService,
    services: Services,
    workspace: std::path::PathBuf,
    cache: Arc<ResultCache>,
    tasks: TaskTracker,
    running: Mutex<HashMap<Arc<str>, RunHandle>>,
    nested: Mutex<HashMap<Arc<str>, Nest>>,
}

/// The workflows at work inside one run.
#[derive(Default)]
struct Nest {
    at_work: usize,
    /// There were too many once: no more start until all have ended, so that a run that multiplies comes to its end.
    overrun: bool,
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
                store: parts.store,
                workflows: parts.workflows,
                services,
                workspace: parts.workspace,
                cache: Arc::default(),
                tasks: TaskTracker::new(),
                running: Mutex::default(),
                nested: Mutex::default(),
            }
        }))
    }

    /// Runs to the end and stores the job. Nobody hears of it before; a caller that goes away leaves the run at work.
    pub(crate) async fn run(&self, start: StartRun) -> Result<RunOutcome, RunError> {
        if self.0.tasks.is_closed() {
            return Err(RunError::ShuttingDown);
        }
        let inner = self.0.clone();
        let work = Box::pin(async move { inner.run_quietly(start).await });
        Detached {
            work: Some(work),
            _counted: self.0.tasks.token(),
            tasks: self.0.tasks.clone(),
        }
        .await
    }

    /// Stores the job and starts the run; its messages go to `events`, the closing one last.
    pub(crate) async fn start(
        &self,
        start: StartRun,
        events: Arc<dyn EventSink>,
    ) -> Result<Started, RunError> {
        if self.0.tasks.is_closed() {
            return Err(RunError::ShuttingDown);
        }
        // A caller that goes away while the row is written must not leave a row without a run.
        let begun = self.0.tasks.spawn(self.0.clone().begin(start, events));
        begun.await.map_err(|_| RunError::ShuttingDown)?
    }

    /// Stores the job and starts its run, which goes on by itself; answers the job's id.
    #[expect(dead_code, reason = "for what starts runs by itself")]
    pub(crate) async fn submit(&self, start: StartRun) -> Result<Arc<str>, RunError> {
        let mut started = self.start(start, Arc::new(Unheard)).await?;
        started.let_go();
        Ok(started.job_id.clone())
    }

    pub(crate) async fn get(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Option<JobRow>, StoreError> {
        Ok(self
            .0
            .store
            .get_job(id)
            .await?
            .filter(|j| j.user_id == caller.user_id))
    }

    pub(crate) async fn list(
        &self,
        caller: &Caller,
        list: ListJobs,
    ) -> Result<Page<JobRow>, StoreError> {
        let filter = JobFilter {
            user_id: caller.user_id.clone(),
            workflow_id: list.workflow_id,
        };
        self.0
            .store
            .list_jobs(filter, list.limit, &list.cursor)
            .await
    }

    /// Takes no new runs, waits for those at work, then cancels what is left.
    pub(crate) async fn shut_down(&self, grace: Duration) {
        self.0.tasks.close();
        if tokio::time::timeout(grace, self.0.tasks.wait())
            .await
            .is_err()
        {
            let left: Vec<RunHandle> = self.0.running().values().cloned().collect();
            tracing::warn!(jobs = left.len(), "cancelling jobs that are still at work");
            left.iter().for_each(RunHandle::cancel);
            let _ = tokio::time::timeout(Duration::from_secs(2), self.0.tasks.wait()).await;
        }
    }
}

/// Runs a plan, or fails as the plan did.
async fn execute(runner: Option<Runner>, workflow: &Loaded, cx: &RunCx) -> RunOutcome {
    match (runner, &workflow.plan) {
        (Some(runner), _) => runner.execute().await,
        (None, Err(error)) => {
            tell_rejection(error, &|id| workflow.titles.get(id).cloned(), cx);
            RunOutcome::rejected(error)
        }
        (None, Ok(_)) => unreachable!("a plan always gives a runner"),
    }
}

impl Inner {
    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, RunHandle>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the job and hands its run to a task.
    async fn begin(
        self: Arc<Self>,
        start: StartRun,
        events: Arc<dyn EventSink>,
    ) -> Result<Started, RunError> {
        let job = self.prepare(&start);
        let job_id: Arc<str> = job.id.as_str().into();
        // The id is told to a client, so the row comes first; an id of the client's may be taken.
        self.store.insert_job(job)?.await.map_err(|e| match e {
            StoreError::AlreadyExists { id, .. } => RunError::Taken(id),
            e => e.into(),
        })?;
        let (runner, cx) = self.runner(&start, job_id.clone(), events.clone(), 0);
        let handle = runner.as_ref().map(Runner::handle);
        if let Some(handle) = &handle {
            self.running().insert(job_id.clone(), handle.clone());
        }
        let (inner, id) = (self.clone(), job_id.clone());
        self.tasks.spawn(async move {
            events.emit(JobEvent::JobUpdate(JobUpdate::new(
                JobStatus::Running,
                id.clone(),
                cx.workflow_id.clone(),
            )));
            let outcome = execute(runner, &start.workflow, &cx).await;
            if let Some(error) = &outcome.error {
                let message = error.clone();
                let workflow_id = Some(cx.workflow_id.clone());
                events.emit(JobEvent::Error {
                    message,
                    thread_id: None,
                    workflow_id,
                });
            }
            let stored = inner.finish(&id, &outcome).await;
            inner.running().remove(&id);
            let mut update = outcome.closing_update(id.clone(), cx.workflow_id.clone());
            if let Err(e) = stored {
                tracing::error!(job.id = %id, error = %e, "the end of a job could not be stored");
                update.status = JobStatus::Failed;
                update.error = Some("The result could not be stored".into());
            }
            events.emit(JobEvent::JobUpdate(update));
        });
        Ok(Started { job_id, handle })
    }

    /// Counts a workflow into the run it works for; nothing when there are too many already.
    fn nest(self: &Arc<Self>, job_id: &Arc<str>) -> Option<Nested> {
        let mut runs = self.nested.lock().unwrap_or_else(PoisonError::into_inner);
        let nest = runs.entry(job_id.clone()).or_default();
        nest.overrun |= nest.at_work >= MAX_NESTED;
        if nest.overrun {
            return None;
        }
        nest.at_work += 1;
        Some(Nested {
            inner: self.clone(),
            job_id: job_id.clone(),
        })
    }

    fn prepare(&self, start: &StartRun) -> NewJob {
        let id = start.job_id.clone().unwrap_or_else(new_id);
        let mut job = NewJob::new(&id, &start.caller.user_id, &start.workflow.id, now_micros());
        job.status = nodetool_store::JobStatus::Running;
        job.execution_strategy = Some("threaded".into());
        if !start.params.is_empty() {
            let params = Value::from(start.params.clone());
            // They are kept for whoever looks at the job later; what is too large to keep is no reason not to run.
            job.params = serde_json::to_string(&params)
                .ok()
                .filter(|text| text.len() <= PARAMS_KEPT)
                .map(Into::into);
        }
        job
    }

    fn runner(
        &self,
        start: &StartRun,
        job_id: Arc<str>,
        events: Arc<dyn EventSink>,
        depth: u32,
    ) -> (Option<Runner>, Arc<RunCx>) {
        let cx = Arc::new(RunCx {
            job_id,
            workflow_id: start.workflow.id.clone(),
            user_id: start.caller.user_id.as_str().into(),
            depth,
            services: self.services.clone(),
            variables: Variables::default(),
            workspace: Some(self.workspace.clone()),
            events,
        });
        let options = RunOptions {
            params: start.params.clone(),
            assets: start.assets,
            cache: Some(self.cache.clone()),
            trigger_event: start.trigger_event.clone(),
            // No surface pushes values into a run yet; an input that waits for them would hold it for ever.
            pushes: false,
            ..RunOptions::default()
        };
        let runner = start
            .workflow
            .plan
            .as_ref()
            .ok()
            .map(|plan| Runner::new(plan.clone(), cx.clone(), options));
        (runner, cx)
    }

    /// A run nobody listens to. Its row is written when it ends, or after [`QUICK`] if it takes longer.
    async fn run_quietly(&self, start: StartRun) -> Result<RunOutcome, RunError> {
        let job = self.prepare(&start);
        let id = job.id.clone();
        let (runner, cx) = self.runner(&start, id.as_str().into(), Arc::new(Unheard), 0);
        if let Some(runner) = &runner {
            self.running().insert(cx.job_id.clone(), runner.handle());
        }
        let _listed = Unlist {
            inner: self,
            id: cx.job_id.clone(),
        };
        let run = execute(runner, &start.workflow, &cx);
        tokio::pin!(run);
        let mut job = Some(job);
        let outcome = tokio::select! {
            biased;
            outcome = &mut run => outcome,
            () = tokio::time::sleep(QUICK) => {
                if let Some(job) = job.take() {
                    drop(self.store.insert_job(job)?);
                }
                run.await
            }
        };
        match (job.take(), self.ending(&id, &outcome)) {
            (Some(job), Some(end)) => drop(self.store.insert_ended_job(job, end).await?),
            (Some(job), None) => {
                drop(self.store.insert_job(job)?);
                self.finish(&id, &outcome).await?;
            }
            (None, _) => self.finish(&id, &outcome).await?,
        }
        Ok(outcome)
    }

    /// How a job's row ends; nothing for one that waits to be resumed.
    fn ending(&self, id: &str, outcome: &RunOutcome) -> Option<FinishJob> {
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

    async fn finish(&self, id: &str, outcome: &RunOutcome) -> Result<(), StoreError> {
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

/// A workflow at work inside a run.
struct Nested {
    inner: Arc<Inner>,
    job_id: Arc<str>,
}

impl Drop for Nested {
    fn drop(&mut self) {
        let mut runs = self
            .inner
            .nested
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(nest) = runs.get_mut(&self.job_id) {
            nest.at_work -= 1;
            if nest.at_work == 0 {
                runs.remove(&self.job_id);
            }
        }
    }
}

/// Takes a job off the list of those at work, however its run ends.
struct Unlist<'a> {
    inner: &'a Inner,
    id: Arc<str>,
}

impl Drop for Unlist<'_> {
    fn drop(&mut self) {
        self.inner.running().remove(&self.id);
    }
}

/// Work done in the caller's task for as long as the caller waits, and in a task of its own after that.
struct Detached<T: Send + 'static> {
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    /// The end of the server waits for this work while it is done in the caller's task, too.
    _counted: TaskTrackerToken,
    tasks: TaskTracker,
}

impl<T: Send + 'static> Future for Detached<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(work) = &mut self.work else {
            return Poll::Pending;
        };
        let poll = work.as_mut().poll(cx);
        if poll.is_ready() {
            self.work = None;
        }
        poll
    }
}

impl<T: Send + 'static> Drop for Detached<T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.tasks.spawn(work);
        }
    }
}

/// Runs workflows inside workflows.
struct WorkflowsInside(std::sync::Weak<Inner>);

impl Workflows for WorkflowsInside {
    fn run<'a>(
        &'a self,
        workflow_id: &'a str,
        params: Map,
        cx: &'a NodeCx,
        on_output: &'a mut (dyn FnMut(Arc<str>, Value) + Send),
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            let Some(inner) = self.0.upgrade() else {
                return Err(NodeError::Stopped);
            };
            let depth = cx.run.depth + 1;
            if depth > MAX_DEPTH {
                let text = format!(
                    "Workflows run workflows more than {MAX_DEPTH} deep; is '{workflow_id}' running itself?"
                );
                return Err(NodeError::new(text));
            }
            let Some(_counted) = inner.nest(&cx.run.job_id) else {
                let text = format!(
                    "More than {MAX_NESTED} workflows are at work inside this run at the same time; is '{workflow_id}' \
                     running itself?"
                );
                return Err(NodeError::new(text));
            };
            let caller = Caller {
                user_id: cx.run.user_id.to_string(),
            };
            let workflow =
                inner
                    .workflows
                    .load(&caller, workflow_id)
                    .await
                    .map_err(|e| match e {
                        WorkflowError::NotFound => NodeError::bad(
                            "workflow_id",
                            format!("there is no workflow '{workflow_id}'"),
                        ),
                        e => NodeError::new(e.to_string()),
                    })?;
            let start = StartRun::new(caller, workflow, params);
            let sink = Arc::new(Forward {
                cx_events: cx.run.events.clone(),
                node: cx.node.clone(),
                outer: cx.run.workflow_id.clone(),
            });
            let (runner, run_cx) = inner.runner(&start, cx.run.job_id.clone(), sink, depth);
            let outcome = execute(runner, &start.workflow, &run_cx).await;
            if let Some(error) = outcome.error {
                return Err(NodeError::new(error));
            }
            for (name, values) in outcome.outputs {
                values.into_iter().for_each(|v| on_output(name.clone(), v));
            }
            Ok(())
        })
    }
}

/// What of a nested run's messages the outer run shows (engine spec 4.21, FIX-31).
struct Forward {
    cx_events: Arc<dyn EventSink>,
    node: Arc<nodetool_sdk::NodeInfo>,
    outer: Arc<str>,
}

impl EventSink for Forward {
    fn emit(&self, event: JobEvent) {
        let (node_id, workflow_id) = (self.node.id.clone(), Some(self.outer.clone()));
        let node_name = self.node.title.clone();
        let forwarded = match event {
            JobEvent::PreviewUpdate { .. } => event,
            JobEvent::NodeProgress {
                progress,
                total,
                chunk,
                ..
            } => JobEvent::NodeProgress {
                node_id,
                node_name,
                progress,
                total,
                chunk,
                workflow_id,
            },
            JobEvent::LogUpdate {
                content, severity, ..
            } => JobEvent::LogUpdate {
                node_id,
                node_name,
                content,
                severity,
                workflow_id,
            },
            JobEvent::Chunk {
                thread_id,
                content_type,
                content,
                content_metadata,
                done,
                thinking,
                ..
            } => {
                let node_id = Some(node_id);
                JobEvent::Chunk {
                    node_id,
                    thread_id,
                    workflow_id,
                    content_type,
                    content,
                    content_metadata,
                    done,
                    thinking,
                }
            }
            JobEvent::NodeUpdate(u) if u.status == nodetool_protocol::NodeStatus::Completed => {
                let content = format!("{} completed", u.node_name);
                JobEvent::LogUpdate {
                    node_id,
                    node_name,
                    content,
                    severity: Severity::Info,
                    workflow_id,
                }
            }
            _ => return,
        };
        self.cx_events.emit(forwarded);
    }

    fn listening(&self) -> bool {
        self.cx_events.listening()
    }

    fn behind(&self) -> bool {
        self.cx_events.behind()
    }

    fn caught_up<'a>(&'a self) -> BoxFuture<'a, ()> {
        self.cx_events.caught_up()
    }
}

//! Taking up jobs again: after a restart, when a node that waited gets its answer, when a pause ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use nodetool_engine::{AssetMode, Decision};
use nodetool_protocol::{Graph, JobStatus, Map, Value};
use nodetool_store::{
    Expected, FinishJob, INTERRUPTED_ERROR, JobPayload, JobRow, StatusChange, StoreError,
    now_micros,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::attempt::{Attempt, Command};
use super::journal::{JobJournal, left_behind};
use super::queue::Ask;
use super::work::{JOB_TYPES, SERVER_RESTARTED};
use super::{FIRST_NUMBERS, Inner, JobService, Live, StartRun};
use crate::services::feeds::{Feed, Subject};
use crate::services::{Caller, Happened, Loaded};

/// How long a job that is between two states is waited for, and how often it is looked at.
const BETWEEN: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Told when a job cannot be taken up again (engine spec 5.9).
const CANNOT_RESUME: &str = "Recovery failed: could not resume execution";

/// What happens at the start to jobs that were at work when the server ended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Recovery {
    /// They go on where they were.
    Resume,
    /// They are marked failed.
    Fail,
}

/// Why a job cannot be resumed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResumeError {
    #[error("Job not found")]
    NotFound,
    #[error("only a suspended or paused job can be resumed, this one is {0}")]
    NotResumable(&'static str),
    #[error("{0}")]
    BadAnswer(&'static str),
    #[error("the job cannot be taken up again: {0}")]
    Broken(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl JobService {
    /// Takes up the jobs an earlier process left, as the setting says. Answers how many.
    pub(crate) async fn recover(&self, recovery: Recovery) -> Result<usize, StoreError> {
        self.0.fail_work().await?;
        if recovery == Recovery::Fail {
            let dead = nodetool_store::DeadOwner::SilentSince(now_micros());
            let failed = self
                .0
                .store
                .fail_interrupted_jobs(dead, now_micros())
                .await?;
            return Ok(failed + self.0.fail_left().await?);
        }
        let mut taken = 0;
        for job in self.0.store.unfinished_jobs().await? {
            let (row, payload) = match job {
                Ok(job) => job,
                Err((id, e)) => {
                    tracing::error!(job.id = %id, error = %e, "a job cannot be read and is given up");
                    self.0.give_up(&id, CANNOT_RESUME).await;
                    continue;
                }
            };
            use nodetool_store::JobStatus::{Paused, Suspended};
            if matches!(row.status, Paused | Suspended) {
                continue;
            }
            let id = row.id.clone();
            taken += 1;
            if let Err(e) = self.0.take_up(row, payload, None).await {
                tracing::error!(job.id = %id, error = %e, "a job cannot be taken up again and is given up");
                self.0.give_up(&id, CANNOT_RESUME).await;
            }
        }
        Ok(taken)
    }

    /// Lets a suspended or paused job go on; `data` is the answer the suspended node waits for.
    pub(crate) async fn resume(
        &self,
        caller: &Caller,
        job_id: &str,
        data: Option<Value>,
    ) -> Result<Arc<Feed>, ResumeError> {
        if self.0.tasks.is_closed() {
            return Err(ResumeError::ShuttingDown);
        }
        self.between(caller, job_id).await?;
        if let Some(live) = self.live(caller, job_id) {
            let (Some(feed), Some(orders)) = (&live.feed, &live.commands) else {
                return Err(ResumeError::NotResumable("running"));
            };
            let status = feed.status();
            let pausing = live.pausing.swap(false, Ordering::AcqRel);
            return match status {
                _ if pausing && orders.send(Command::Unpause).await.is_ok() => Ok(feed.clone()),
                other => Err(ResumeError::NotResumable(
                    other.unwrap_or(JobStatus::Running).as_str(),
                )),
            };
        }
        let row = self.get(caller, job_id).await?;
        let row = row.ok_or(ResumeError::NotFound)?;
        use nodetool_store::JobStatus::{Paused, Suspended};
        if !matches!(row.status, Paused | Suspended) {
            return Err(ResumeError::NotResumable(row.status.as_str()));
        }
        let payload = self.0.store.get_job_payload(job_id).await?;
        let payload = payload.ok_or(ResumeError::NotFound)?;
        let inner = self.0.clone();
        let work = async move { inner.take_up(row, payload, data).await };
        super::Detached::new(&self.0.tasks, work).await
    }

    /// Waits while a job that stops, or has just begun, is not yet where its row says.
    pub(super) async fn between(&self, caller: &Caller, job_id: &str) -> Result<(), StoreError> {
        use nodetool_store::JobStatus::{Paused, Suspended};
        let until = Instant::now() + BETWEEN;
        while Instant::now() < until {
            let Some(row) = self.get(caller, job_id).await? else {
                return Ok(());
            };
            let live = self.live(caller, job_id);
            let feed = live.as_ref().and_then(|live| live.feed.as_ref());
            let settled = match row.status {
                Suspended => live.is_none(),
                status if status.is_terminal() => live.is_none(),
                Paused => feed.is_none_or(|f| f.status() == Some(JobStatus::Paused)),
                _ => live.is_some() && !feed.is_some_and(|f| f.is_over()),
            };
            if settled {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// A new job that does again what this one did; with its graph and parameters.
    pub(crate) async fn retry(
        &self,
        caller: &Caller,
        job_id: &str,
    ) -> Result<Arc<Feed>, RetryError> {
        let row = self.get(caller, job_id).await?;
        let row = row.ok_or(RetryError::NotFound)?;
        if !row.status.is_terminal() {
            return Err(RetryError::NotEnded(row.status.as_str()));
        }
        if matches!(row.job_type.as_str(), "api" | "node") {
            let why = "it was one call of a workflow or one step of it; make that call again";
            return Err(RetryError::Broken(why.into()));
        }
        let payload = self.0.store.get_job_payload(job_id).await?;
        let payload = payload.ok_or(RetryError::NotFound)?;
        let start = self.0.start_again(&row, &payload).await;
        let start = start.map_err(|e| RetryError::Broken(e.to_string()))?;
        Ok(self.start(start).await?)
    }
}

/// Why a job cannot be run again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RetryError {
    #[error("Job not found")]
    NotFound,
    #[error("only a job that has ended can be retried, this one is {0}")]
    NotEnded(&'static str),
    #[error("the job cannot be run again: {0}")]
    Broken(String),
    #[error(transparent)]
    Run(#[from] super::RunError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Inner {
    async fn give_up(&self, id: &str, error: &str) {
        let failed = nodetool_store::JobStatus::Failed;
        let mut end = FinishJob::new(id, Expected::NotEnded, failed, now_micros());
        end.error = Some(error.into());
        if let Err(e) = self.store.finish_job(end).await {
            tracing::error!(job.id = %id, error = %e, "a job that cannot be taken up again could not be marked failed");
        }
    }

    /// Marks the jobs failed that an earlier process left with other work than a graph: their owner begins it anew, if
    /// at all.
    async fn fail_work(&self) -> Result<(), StoreError> {
        for (row, _) in self.store.unfinished_jobs().await?.into_iter().flatten() {
            if JOB_TYPES.contains(&row.job_type.as_str()) {
                self.give_up(&row.id, SERVER_RESTARTED).await;
            }
        }
        Ok(())
    }

    /// Marks the jobs failed that an earlier process left to be taken up, and those that cannot be read.
    async fn fail_left(&self) -> Result<usize, StoreError> {
        let mut failed = 0;
        for job in self.store.unfinished_jobs().await? {
            let (id, error) = match job {
                Ok((row, _)) if row.status == nodetool_store::JobStatus::Recovering => {
                    (row.id, INTERRUPTED_ERROR)
                }
                Ok(_) => continue,
                Err((id, e)) => {
                    tracing::error!(job.id = %id, error = %e, "a job cannot be read and is given up");
                    (id, CANNOT_RESUME)
                }
            };
            self.give_up(&id, error).await;
            failed += 1;
        }
        Ok(failed)
    }

    /// What a stored job ran: its own graph where it was kept, its workflow's otherwise.
    async fn workflow_of(
        &self,
        caller: &Caller,
        row: &JobRow,
        payload: &JobPayload,
    ) -> Result<Arc<Loaded>, ResumeError> {
        if !payload.graph.is_empty() && &*payload.graph != "{}" {
            let graph: Graph = serde_json::from_str(&payload.graph)
                .map_err(|e| ResumeError::Broken(format!("its graph cannot be read: {e}")))?;
            let id: Arc<str> = row.workflow_id.as_str().into();
            let loaded = self.workflows.plan_graph_of(id, caller, &graph).await;
            return loaded.map_err(|e| ResumeError::Broken(e.to_string()));
        }
        let loaded = self.workflows.load(caller, &row.workflow_id).await;
        loaded.map_err(|e| ResumeError::Broken(e.to_string()))
    }

    /// A run of what a stored job ran, with its parameters.
    async fn start_again(
        &self,
        row: &JobRow,
        payload: &JobPayload,
    ) -> Result<StartRun, ResumeError> {
        let caller = Caller::on_behalf_of(row.user_id.clone());
        let workflow = self.workflow_of(&caller, row, payload).await?;
        let params: Map = serde_json::from_str(&payload.params)
            .map_err(|e| ResumeError::Broken(format!("its parameters cannot be read: {e}")))?;
        let mut start = StartRun::new(caller, workflow, params);
        start.limited = true;
        start.concurrent = payload.metadata == super::CONCURRENT;
        start.assets = payload
            .assets
            .as_deref()
            .map_or(AssetMode::Python, asset_mode);
        if let Some(event) = &payload.trigger_event {
            let event: Option<(Arc<str>, Value)> = serde_json::from_str(event)
                .map_err(|e| ResumeError::Broken(format!("its event cannot be read: {e}")))?;
            start.trigger_event = event;
        }
        Ok(start)
    }

    /// Starts another attempt at a stored job.
    async fn take_up(
        self: &Arc<Self>,
        row: JobRow,
        payload: JobPayload,
        data: Option<Value>,
    ) -> Result<Arc<Feed>, ResumeError> {
        let start = self.start_again(&row, &payload).await?;
        let records = self.store.node_records(&row.id).await?;
        let left = left_behind(records)
            .map_err(|e| ResumeError::Broken(format!("its journal cannot be read: {e}")))?;
        let (mut resume, mut waiting) = (left.resume, left.waiting);
        let noted: Vec<Arc<str>> = resume.states.keys().cloned().collect();
        let mut answered = None;
        if let Some(node) = &row.suspended_node_id
            && row.status == nodetool_store::JobStatus::Suspended
        {
            let node: Arc<str> = node.as_str().into();
            let state = waiting.remove(&node).unwrap_or_default();
            match answer(state, data)? {
                Answer::State(state) => {
                    resume.states.insert(node.clone(), state.clone());
                    answered = Some((node, state));
                }
                Answer::Decision(decision) => drop(resume.decisions.insert(node, decision)),
            }
        }
        let subject = Subject {
            job_id: row.id.as_str().into(),
            workflow_id: row.workflow_id.as_str().into(),
            user_id: row.user_id.as_str().into(),
        };
        // Numbers that may have been given out are not given out again.
        let given = payload.event_seq.max(0).cast_unsigned().max(FIRST_NUMBERS);
        let known = given + FIRST_NUMBERS;
        let expected = Expected::Version(row.version);
        let worker = std::process::id().to_string();
        self.store
            .take_over_job(
                &row.id,
                expected,
                &worker,
                known.cast_signed(),
                now_micros(),
            )
            .await
            .map_err(|e| match e {
                StoreError::AlreadyEnded { .. } | StoreError::Conflict { .. } => {
                    ResumeError::NotResumable("already resumed or ended")
                }
                e => e.into(),
            })?;
        let graph = start.workflow.graph.clone();
        let id = subject.job_id.clone();
        let journal = JobJournal::new(self.store.clone(), id, graph, self.steady);
        journal.expect_answered(noted);
        if let Some((node, state)) = answered {
            journal.answered(&node, state);
            if let Err(e) = journal.flush().await {
                // Without its answer on disk the job would lose it with this process: it goes on waiting.
                let suspended = nodetool_store::JobStatus::Suspended;
                let running = Expected::Status(nodetool_store::JobStatus::Running);
                let change = StatusChange::new(&row.id, running, suspended, now_micros());
                self.store.set_job_status(change).await?;
                return Err(e.into());
            }
        }
        let feed = self.feeds.reopen(subject.clone(), given + 1, known);
        let place = self.queue.enter(Ask {
            job_id: subject.job_id.clone(),
            user_id: subject.user_id.clone(),
            workflow_id: subject.workflow_id.clone(),
            concurrent: start.concurrent,
        });
        let (commands, orders) = mpsc::channel(8);
        let live = Arc::new(Live {
            subject,
            started_at: row.started_at,
            feed: Some(feed.clone()),
            handle: OnceLock::new(),
            cancelled: CancellationToken::new(),
            commands: Some(commands),
            pausing: AtomicBool::new(false),
            _seat: None,
            work: None,
        });
        self.told(&live.subject.user_id, Happened::Updated, &row.id);
        self.running()
            .insert(live.subject.job_id.clone(), live.clone());
        let attempt = Attempt {
            inner: self.clone(),
            live,
            feed: feed.clone(),
            start,
            place: Some(place),
            orders,
            journal: Arc::new(journal),
            resume: Some(resume),
            pause_asked: false,
            waited: false,
            ended: None,
        };
        let id = feed.subject().job_id.clone();
        let work = crate::telemetry::of_job(attempt.see_through(), &id);
        self.tasks.spawn(work);
        Ok(feed)
    }
}

/// What a suspended job goes on with.
#[derive(Debug, PartialEq)]
enum Answer {
    State(Value),
    Decision(Decision),
}

/// The answer as the suspended node, or the engine, looks for it.
fn answer(waiting: Value, data: Option<Value>) -> Result<Answer, ResumeError> {
    let mut merged = waiting.as_map().cloned().unwrap_or_default();
    if merged.contains_key("in_doubt") {
        let decision = data.as_ref().and_then(|d| d.get("decision")?.as_str());
        return match decision {
            Some("again") => Ok(Answer::Decision(Decision::Again)),
            Some("skip") => Ok(Answer::Decision(Decision::Skip)),
            _ => Err(ResumeError::BadAnswer(
                "this job waits for a decision: resume it with {\"data\": {\"decision\": \"again\"}} or \"skip\"",
            )),
        };
    }
    match data {
        None | Some(Value::Null) => {}
        Some(Value::Map(answer)) => merged.extend(Arc::unwrap_or_clone(answer)),
        Some(other) => {
            merged.insert("data".into(), other);
        }
    }
    Ok(Answer::State(merged.into()))
}

/// The words for how asset references leave a run, as the row holds them.
const ASSET_WORDS: [(AssetMode, &str); 5] = [
    (AssetMode::Python, "python"),
    (AssetMode::DataUri, "data_uri"),
    (AssetMode::Raw, "raw"),
    (AssetMode::StorageUrl, "storage_url"),
    (AssetMode::Workspace, "workspace"),
];

fn asset_mode(word: &str) -> AssetMode {
    let found = ASSET_WORDS.iter().find(|(_, w)| *w == word);
    found.map_or(AssetMode::Python, |(mode, _)| *mode)
}

pub(super) fn asset_word(mode: AssetMode) -> &'static str {
    let found = ASSET_WORDS.iter().find(|(m, _)| *m == mode);
    found.map_or("python", |(_, word)| word)
}

//! The beginning of a job: what is asked for, the row it leaves, and the attempt that sees it through.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, MutexGuard, OnceLock, PoisonError};

use nodetool_engine::AssetMode;
use nodetool_protocol::{Map, Value};
use nodetool_store::{NewJob, StoreError, new_id, now_micros};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::attempt::Attempt;
use super::journal::JobJournal;
use super::queue::Ask;
use super::{Beginnings, CONCURRENT, FIRST_NUMBERS, Inner, Live, RunError, Work, recovery};
use crate::services::feeds::{Begin, Subject, Watch};
use crate::services::{Caller, Happened, Loaded};
use crate::telemetry;

/// Largest parameters that are kept with a job: all that a request can bring.
const PARAMS_KEPT: usize = 48 << 20;

/// What to run and for whom.
pub(crate) struct StartRun {
    pub(crate) caller: Caller,
    pub(crate) workflow: Arc<Loaded>,
    pub(crate) params: Map,
    pub(crate) assets: AssetMode,
    pub(crate) job_id: Option<String>,
    /// Event for a trigger node of the workflow: the node's id and the payload.
    pub(crate) trigger_event: Option<(Arc<str>, Value)>,
    /// Its streaming inputs stay open for values that come while it runs.
    pub(crate) pushes: bool,
    /// It counts against the user's limit and waits for its turn.
    pub(crate) limited: bool,
    /// It may run beside other runs of its workflow.
    pub(crate) concurrent: bool,
    /// The values of its result say their types.
    pub(crate) explicit_types: bool,
    /// How many runs deep it is: more than 0 when an agent of another run has started it.
    pub(crate) depth: u32,
    /// The workflows around it, outermost first, when an agent has started it.
    pub(crate) inside: Arc<[Arc<str>]>,
    /// What it does instead of running the workflow's graph.
    pub(crate) work: Option<Work>,
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
            pushes: false,
            limited: false,
            concurrent: false,
            explicit_types: false,
            depth: 0,
            inside: Arc::new([]),
            work: None,
        }
    }
}

impl StartRun {
    /// The workflows that agents of the run must not run again.
    pub(super) fn inside_and_itself(&self) -> Arc<[Arc<str>]> {
        let id = &self.workflow.id;
        if id.is_empty() || self.inside.contains(id) {
            return self.inside.clone();
        }
        self.inside.iter().chain([id]).cloned().collect()
    }
}

/// A job whose row is being written.
struct Starting<'a> {
    inner: &'a Inner,
    id: Arc<str>,
    cancelled: CancellationToken,
}

impl<'a> Starting<'a> {
    fn enter(inner: &'a Inner, subject: &Subject) -> Self {
        let (id, cancelled) = (subject.job_id.clone(), CancellationToken::new());
        let whose = (subject.user_id.clone(), cancelled.clone());
        inner.starting().insert(id.clone(), whose);
        Starting {
            inner,
            id,
            cancelled,
        }
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        self.inner.starting().remove(&self.id);
    }
}

impl Inner {
    fn starting(&self) -> MutexGuard<'_, Beginnings> {
        self.starting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a job to end whose row is being written, unless there is an older one of its id; whether there was one.
    pub(super) fn cancel_starting(&self, caller: &Caller, job_id: &str) -> bool {
        if self.running().contains_key(job_id) {
            return false;
        }
        match self.starting().get(job_id) {
            Some((user, cancelled)) if **user == *caller.user_id => {
                cancelled.cancel();
                true
            }
            _ => false,
        }
    }

    /// Stores the job and hands its attempt to a task.
    pub(super) async fn begin(
        self: Arc<Self>,
        start: StartRun,
        follower: Option<Arc<Notify>>,
    ) -> Result<(Arc<Live>, Option<Watch>), RunError> {
        let mut job = self.prepare(&start);
        let subject = Subject {
            job_id: job.id.as_str().into(),
            workflow_id: start.workflow.id.clone(),
            user_id: start.caller.user_id.as_str().into(),
        };
        let (place, seat) = if start.limited {
            let place = self.queue.enter_new(Ask {
                job_id: subject.job_id.clone(),
                user_id: subject.user_id.clone(),
                workflow_id: subject.workflow_id.clone(),
                concurrent: start.concurrent,
            })?;
            (Some(place), None)
        } else {
            (None, self.queue.sit(&subject.user_id)?)
        };
        if place.as_ref().is_some_and(|(_, turn)| !*turn.borrow()) {
            job.status = nodetool_store::JobStatus::Scheduled;
        }
        let started_at = job.started_at;
        // From here on it can be told to end: whoever reads its row may know its id.
        let starting = Starting::enter(&self, &subject);
        // The id is told to a client, so the row comes first; an id of the client's may be taken.
        self.store.add_job(job).await.map_err(|e| match e {
            StoreError::AlreadyExists { id, .. } => RunError::Taken(id),
            e => e.into(),
        })?;
        self.told(&subject.user_id, Happened::Created, &subject.job_id);
        let feed = self.feeds.open(subject.clone(), 1, FIRST_NUMBERS);
        let watch = follower.map(|wake| feed.watch(Begin::Lossless, wake));
        let (commands, orders) = mpsc::channel(8);
        let live = Arc::new(Live {
            subject,
            started_at,
            feed: Some(feed.clone()),
            handle: OnceLock::new(),
            cancelled: starting.cancelled.clone(),
            commands: Some(commands),
            pausing: AtomicBool::new(false),
            _seat: seat,
            work: start.work.as_ref().map(Work::kind),
        });
        self.running()
            .insert(live.subject.job_id.clone(), live.clone());
        drop(starting);
        let graph = start.workflow.graph.clone();
        let id = live.subject.job_id.clone();
        let journal = JobJournal::new(self.store.clone(), id, graph, self.steady);
        let attempt = Attempt {
            inner: self.clone(),
            live: live.clone(),
            feed,
            start,
            place,
            orders,
            journal: Arc::new(journal),
            resume: None,
            pause_asked: false,
            waited: false,
            ended: None,
        };
        let id = live.subject.job_id.clone();
        let work = telemetry::of_job(attempt.see_through(), &id);
        self.tasks.spawn(work);
        Ok((live, watch))
    }

    pub(super) fn prepare(&self, start: &StartRun) -> NewJob {
        let id = start.job_id.clone().unwrap_or_else(new_id);
        let mut job = NewJob::new(&id, &start.caller.user_id, &start.workflow.id, now_micros());
        job.status = nodetool_store::JobStatus::Running;
        job.execution_strategy = Some("threaded".into());
        if let Some(work) = &start.work {
            job.job_type = work.job_type.to_owned();
        }
        if start.concurrent {
            job.metadata = Some(CONCURRENT.into());
        }
        if start.workflow.id.is_empty() {
            // There is no workflow to find it in.
            job.graph.clone_from(&start.workflow.graph);
        }
        if start.assets != AssetMode::Python {
            job.assets = Some(recovery::asset_word(start.assets).into());
        }
        if let Some(event) = &start.trigger_event {
            job.trigger_event = serde_json::to_string(event).ok();
        }
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
}

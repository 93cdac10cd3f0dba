//! A run from start to outcome, and the caller's grip on it.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{FutureExt, poll};
use nodetool_sdk::protocol::{JobEvent, JobStatus, JobUpdate, NodeStatus, NodeUpdate};
use nodetool_sdk::{
    Behaviour, BoxFuture, Emitted, EventSink, Map, NodeCx, NodeError, Props, RunCx, Value,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::actor::{act, panic_text};
use crate::assets::AssetMode;
use crate::cache::ResultCache;
use crate::journal::{Journal, Resume};
use crate::plan::{FaultKind, Plan, PlanError};
use crate::ports::Ports;
use crate::run::{Pause, Run};

/// Items a handle holds before its producers wait.
const INBOX_LIMIT: u32 = 64;
/// Client-pushed items an input holds before the client waits.
const INPUT_LIMIT: usize = 64;
/// How long a cancelled node may take to let go; after that the run ends without it.
const CANCEL_GRACE: Duration = Duration::from_millis(800);

/// Actors of a graph this small start in one task: most small graphs are done then, without waking another thread.
const TOGETHER: usize = 32;

/// The tasks of a run; what they give back are actors that still have to run.
type Actors = JoinSet<Vec<BoxFuture<'static, ()>>>;

fn spawn(actors: &mut Actors, actor: BoxFuture<'static, ()>) {
    let work = async {
        actor.await;
        Vec::new()
    };
    // What nodes log belongs to the job, too.
    actors.spawn(work.in_current_span());
}

/// How a run is to be made.
pub struct RunOptions {
    /// Values of inputs by name.
    pub params: Map,
    /// What happens to asset references in results and messages.
    pub assets: AssetMode,
    /// Reuse and keep results of deterministic nodes.
    pub cache: Option<Arc<ResultCache>>,
    /// Items a handle holds before its producers wait.
    pub inbox_limit: u32,
    /// Event for a trigger node: its id and the payload.
    pub trigger_event: Option<(Arc<str>, Value)>,
    /// Whether the caller may push into streaming inputs; if not, they end with the value they have.
    pub pushes: bool,
    /// Where what must survive the process is kept.
    pub journal: Option<Arc<dyn Journal>>,
    /// What an earlier attempt of the same run left behind.
    pub resume: Option<Resume>,
}

impl Default for RunOptions {
    fn default() -> Self {
        RunOptions {
            params: Map::new(),
            assets: AssetMode::default(),
            cache: None,
            inbox_limit: INBOX_LIMIT,
            trigger_event: None,
            pushes: true,
            journal: None,
            resume: None,
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// Completed, failed, cancelled or suspended.
    pub status: JobStatus,
    /// Output name to all its values, in order.
    pub outputs: Vec<(Arc<str>, Vec<Value>)>,
    /// Output name to its last value, null included.
    pub last: Map,
    /// Why it failed.
    pub error: Option<String>,
    /// Where it waits: node, reason, state.
    pub suspended: Option<(Arc<str>, String, Value)>,
    /// How long it took.
    pub duration: Duration,
}

impl RunOutcome {
    /// The outcome of a graph that could not be planned.
    pub fn rejected(error: &PlanError) -> Self {
        RunOutcome {
            status: JobStatus::Failed,
            outputs: Vec::new(),
            last: Map::new(),
            error: Some(error.to_string().chars().take(4000).collect()),
            suspended: None,
            duration: Duration::ZERO,
        }
    }

    /// The outcome of a run that was cancelled before it began.
    pub fn cancelled() -> Self {
        RunOutcome {
            status: JobStatus::Cancelled,
            outputs: Vec::new(),
            last: Map::new(),
            error: None,
            suspended: None,
            duration: Duration::ZERO,
        }
    }

    /// The one closing message of the run.
    pub fn closing_update(&self, job_id: Arc<str>, workflow_id: Arc<str>) -> JobUpdate {
        let mut update = JobUpdate::new(self.status, job_id.clone(), workflow_id);
        match self.status {
            JobStatus::Completed => {
                update.message = Some(format!("Workflow {job_id} completed"));
                update.result = Some(
                    self.outputs
                        .iter()
                        .map(|(k, v)| (k.clone(), Value::from(v.clone())))
                        .collect(),
                );
                update.duration = Some(self.duration.as_secs_f64());
            }
            JobStatus::Suspended => {
                if let Some((node, reason, _)) = &self.suspended {
                    update.message = Some(format!("Workflow suspended at node {node}: {reason}"));
                }
            }
            _ => update.error.clone_from(&self.error),
        }
        update
    }
}

/// Tells the faults of a graph as a failed run would: `running` first, then each node's error.
pub fn tell_rejection(
    error: &PlanError,
    plan_nodes: &dyn Fn(&str) -> Option<(String, String)>,
    cx: &RunCx,
) {
    if !cx.events.listening() {
        return;
    }
    for fault in error
        .faults
        .iter()
        .filter(|f| f.kind == FaultKind::Validation)
    {
        let Some(id) = &fault.node_id else { continue };
        let Some((title, node_type)) = plan_nodes(id) else {
            continue;
        };
        cx.events.emit(JobEvent::NodeUpdate(NodeUpdate {
            node_id: id.clone(),
            node_name: title.into(),
            node_type: node_type.into(),
            status: NodeStatus::Error,
            error: Some(fault.message.chars().take(1000).collect()),
            result: None,
            properties: None,
            workflow_id: Some(cx.workflow_id.clone()),
        }));
    }
}

enum Push {
    Value(Arc<str>, Value),
    End,
}

/// The caller's grip on a run.
#[derive(Clone)]
pub struct RunHandle {
    cancel: watch::Sender<bool>,
    inputs: Arc<Mutex<HashMap<Arc<str>, mpsc::Sender<Push>>>>,
    pause: Arc<Pause>,
}

impl RunHandle {
    /// Ends the run; it answers within a second.
    pub fn cancel(&self) {
        self.cancel.send_replace(true);
    }

    /// Holds the run still: executions at work end, no others begin, and nodes that stream wait when they next read or
    /// emit.
    pub fn pause(&self) {
        self.pause.close();
    }

    /// Lets a paused run go on.
    pub fn unpause(&self) {
        self.pause.open();
    }

    /// Resolves when the run is paused and no execution is at work, or when it has ended.
    pub async fn settled(&self) {
        self.pause.settled().await;
    }

    fn input(&self, name: &str) -> Option<mpsc::Sender<Push>> {
        self.inputs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    /// Pushes a value into a streaming input; `false` when there is no open input of that name.
    pub async fn push_input(&self, name: &str, handle: &str, value: Value) -> bool {
        let Some(tx) = self.input(name) else {
            return false;
        };
        tx.send(Push::Value(handle.into(), value)).await.is_ok()
    }

    /// Ends a streaming input; `false` when there is no open input of that name.
    pub async fn end_input(&self, name: &str) -> bool {
        let tx = self
            .inputs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
        match tx {
            Some(tx) => tx.send(Push::End).await.is_ok(),
            None => false,
        }
    }
}

/// Makes runs of plans.
pub struct Runner {
    run: Arc<Run>,
    options: RunOptions,
    handle: RunHandle,
    cancelled: watch::Receiver<bool>,
    /// What clients push, by node, until its input is fed.
    pushed: HashMap<usize, mpsc::Receiver<Push>>,
}

impl Runner {
    /// Prepares a run. Nothing happens before [`execute`](Self::execute), but its inputs take values from now on.
    pub fn new(plan: Arc<Plan>, cx: Arc<RunCx>, mut options: RunOptions) -> Self {
        let (cancel, cancelled) = watch::channel(false);
        let mut inputs = HashMap::new();
        let mut pushed = HashMap::new();
        for (node, input) in plan.nodes.iter().enumerate() {
            let streams = input.is_input() && input.def.metadata.is_streaming_output;
            if options.pushes
                && streams
                && let Some(name) = &input.name
            {
                let (tx, rx) = mpsc::channel(INPUT_LIMIT);
                inputs.insert(name.clone(), tx);
                pushed.insert(node, rx);
            }
        }
        let run = Run::new(plan, cx, &mut options);
        let pause = run.pause.clone();
        Runner {
            run: Arc::new(run),
            options,
            handle: RunHandle {
                cancel,
                inputs: Arc::new(Mutex::new(inputs)),
                pause,
            },
            cancelled,
            pushed,
        }
    }

    /// The grip on this run.
    pub fn handle(&self) -> RunHandle {
        self.handle.clone()
    }

    /// Runs to the end. Dropping the future ends the run at once.
    pub async fn execute(mut self) -> RunOutcome {
        let started = Instant::now();
        let mut actors = Actors::new();
        let mut status = JobStatus::Completed;
        let mut cancelled = self.cancelled.clone();
        let fed = tokio::select! {
            biased;
            _ = cancelled.wait_for(|c| *c) => None,
            fed = self.feed_inputs(&mut actors) => Some(fed),
        };
        match fed {
            Some(Ok(())) => self.start_actors(&mut actors),
            Some(Err((node, e))) => {
                self.run.fail(node, &e);
                self.drop_client_inputs();
            }
            None => status = JobStatus::Cancelled,
        }
        while status != JobStatus::Cancelled {
            if self.run.failing.load(Ordering::Acquire) {
                self.drop_client_inputs();
                if self.suspension().is_some() {
                    break;
                }
            }
            tokio::select! {
                ended = actors.join_next() => match ended {
                    None => break,
                    Some(Err(e)) if e.is_panic() => {
                        tracing::error!(job.id = %self.run.cx.job_id, panic = panic_text(&*e.into_panic()), "an actor panicked outside its node");
                        self.run.failing.store(true, Ordering::Release);
                    }
                    Some(Ok(waiting)) => waiting.into_iter().for_each(|a| spawn(&mut actors, a)),
                    Some(Err(_)) => {}
                },
                // The handle in `self` keeps the channel open, so an error cannot come.
                _ = self.cancelled.wait_for(|c| *c) => status = JobStatus::Cancelled,
            }
        }
        self.run.stopping.store(true, Ordering::Release);
        actors.abort_all();
        let _ = tokio::time::timeout(CANCEL_GRACE, async {
            while actors.join_next().await.is_some() {}
        })
        .await;
        if !actors.is_empty() {
            tracing::warn!(job.id = %self.run.cx.job_id, nodes = actors.len(), "nodes did not let go in time; the run ends without them");
            self.run.over.store(true, Ordering::Release);
            actors.detach_all();
        }
        self.outcome(status, started)
    }

    /// One actor per node. The actors of a small graph start together in one task, which hands back those that have to
    /// wait; never in the caller's task, so that a node that blocks its thread cannot keep a cancel from being heard.
    fn start_actors(&self, actors: &mut Actors) {
        let plan = &self.run.plan;
        let run = self.run.clone();
        let nodes = (0..plan.nodes.len()).filter(|&n| !plan.nodes[n].is_input());
        if plan.nodes.len() > TOGETHER {
            nodes.for_each(|node| spawn(actors, Box::pin(act(run.clone(), node))));
            return;
        }
        let nodes: Vec<usize> = nodes.collect();
        let together = async move {
            let mut waiting = Vec::new();
            for node in nodes {
                let mut actor: BoxFuture<'static, ()> = Box::pin(act(run.clone(), node));
                if poll!(&mut actor).is_pending() {
                    waiting.push(actor);
                }
            }
            waiting
        };
        actors.spawn(together.in_current_span());
    }

    /// After a failure nobody waits for the client any more.
    fn drop_client_inputs(&self) {
        let inputs = self.handle.inputs.lock();
        inputs.unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn suspension(&self) -> Option<(Arc<str>, String, Value)> {
        let failure = self
            .run
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let f = failure.as_ref()?;
        let (reason, state) = f.suspended.clone()?;
        Some((self.run.plan.nodes[f.node].info.id.clone(), reason, state))
    }

    fn outcome(&self, status: JobStatus, started: Instant) -> RunOutcome {
        let results = std::mem::take(
            &mut *self
                .run
                .results
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        let suspended = self.suspension();
        let failure = self
            .run
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let (status, error) = match (status, failure) {
            (JobStatus::Cancelled, _) => (JobStatus::Cancelled, None),
            (_, Some(f)) if f.suspended.is_some() => (JobStatus::Suspended, None),
            (_, Some(f)) => (JobStatus::Failed, Some(f.error)),
            (_, None) if self.run.failing.load(Ordering::Acquire) => (
                JobStatus::Failed,
                Some("The engine failed inside a node's task".into()),
            ),
            (s, None) => (s, None),
        };
        RunOutcome {
            status,
            outputs: results.lists,
            last: results.last,
            error,
            suspended,
            duration: started.elapsed(),
        }
    }

    /// Pushes parameters and defaults, in the order of the spec (4.4): named parameters first, then the others.
    async fn feed_inputs(&mut self, actors: &mut Actors) -> Result<(), (usize, NodeError)> {
        let plan = self.run.plan.clone();
        let inputs: Vec<usize> = (0..plan.nodes.len())
            .filter(|&i| plan.nodes[i].is_input())
            .collect();
        if inputs.is_empty() {
            return Ok(());
        }
        let by_name: HashMap<&str, usize> = inputs
            .iter()
            .filter_map(|&i| Some((plan.nodes[i].name.as_deref()?, i)))
            .collect();
        let mut named = vec![false; plan.nodes.len()];
        for (name, value) in std::mem::take(&mut self.options.params) {
            match by_name.get(&*name) {
                Some(&i) => {
                    named[i] = true;
                    self.feed(i, Some(value), actors)
                        .await
                        .map_err(|e| (i, e))?;
                }
                None => {
                    tracing::debug!(job.id = %self.run.cx.job_id, input.name = %name, "no input of this name; the parameter is ignored")
                }
            }
        }
        for &i in inputs.iter().filter(|&&i| !named[i]) {
            self.feed(i, None, actors).await.map_err(|e| (i, e))?;
        }
        Ok(())
    }

    async fn feed(
        &mut self,
        node: usize,
        param: Option<Value>,
        actors: &mut Actors,
    ) -> Result<(), NodeError> {
        let run = self.run.clone();
        let plan = &run.plan.nodes[node];
        let ports = Ports::new(run.clone(), node);
        let streams = plan.def.metadata.is_streaming_output;
        let value_at = plan.def.property_index("value");
        let mut props = plan.props.clone();
        let given = param.is_some();
        let value = match (param, value_at) {
            (Some(Value::Null), _) => Value::Null,
            (Some(v), Some(i)) => {
                let target = crate::plan::Target::Property(i);
                crate::plan::fit_input(&plan.def, target, &"value".into(), v, &mut props)
                    .map_err(NodeError::Failed)?;
                props.values[i].clone()
            }
            (Some(v), None) => v,
            (None, Some(i)) => props.values[i].clone(),
            (None, None) => Value::Null,
        };
        let silent = streams && !given && is_blank(&value);
        if !silent {
            let emitted = self.input_values(node, props, value).await?;
            // Nobody reads yet, so there is no waiting for room; the next value of the client waits.
            ports.send(emitted, false)?;
        }
        if let Some(rx) = self.pushed.remove(&node) {
            spawn(
                actors,
                Box::pin(stream_input(ports, rx, plan.slots.first().cloned())),
            );
        }
        Ok(())
    }

    /// All slots of an input (FIX-13): what its code gives, or the value itself on the first slot.
    async fn input_values(
        &self,
        node: usize,
        props: Props,
        value: Value,
    ) -> Result<Emitted, NodeError> {
        let plan = &self.run.plan.nodes[node];
        match &plan.def.behaviour {
            Behaviour::Process(f) if !value.is_null() || plan.slots.len() > 1 => {
                let cx = NodeCx::new(self.run.cx.clone(), plan.info.clone());
                let work = AssertUnwindSafe(async { f(props, &cx).await }).catch_unwind();
                work.await
                    .unwrap_or_else(|panic| Err(NodeError::Panicked(panic_text(&*panic))))
            }
            _ => Ok(Emitted::one(0, value)),
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.run.pause.end();
    }
}

/// Whether a value says nothing: null, an empty text or collection, or a reference to nothing.
fn is_blank(value: &Value) -> bool {
    let nothing = |key| value.get(key).is_none_or(Value::is_null);
    match value {
        Value::Null => true,
        Value::Str(s) => s.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(map) => {
            let uri = value.get("uri").and_then(Value::as_str);
            map.is_empty() || (uri == Some("") && nothing("asset_id") && nothing("data"))
        }
        _ => false,
    }
}

/// Forwards client-pushed values until the client ends the input.
async fn stream_input(ports: Ports, mut rx: mpsc::Receiver<Push>, first: Option<Arc<str>>) {
    while let Some(Push::Value(handle, value)) = rx.recv().await {
        let slot = match &first {
            Some(first) if handle.is_empty() || &*handle == "output" => first.clone(),
            _ => handle,
        };
        let map: Map = [(slot, value)].into_iter().collect();
        match ports.send(Emitted::Named(map), false) {
            Ok(true) => {}
            Ok(false) => ports.room().await,
            Err(e) => {
                tracing::warn!(error = %e, "a pushed value has no such slot; it is dropped");
            }
        }
    }
}

/// Takes no messages: for callers that only want the outcome.
#[derive(Clone, Copy, Debug)]
pub struct Unheard;

impl EventSink for Unheard {
    fn emit(&self, _: JobEvent) {}
    fn listening(&self) -> bool {
        false
    }
}

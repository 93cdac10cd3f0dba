//! What the actors of one run share: inboxes, edge counters, results, the first failure.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use nodetool_sdk::protocol::{
    EdgeStatus, JobEvent, NodeStatus, NodeUpdate, OutputUpdate, output_type_of,
};
use nodetool_sdk::{Map, NodeError, Props, RunCx, Value};

use crate::assets::{self, AssetMode};
use crate::cache::ResultCache;
use crate::control::ControlInbox;
use crate::inbox::Inbox;
use crate::journal::{Journal, Resume};
use crate::plan::{Plan, named_properties};
use crate::runner::RunOptions;

mod deadlock;
mod pause;

pub(crate) use pause::Pause;

/// Longest error text of a node (engine spec 4.22).
const ERROR_CHARS: usize = 1000;
/// `edge_update`s sent for every item at the start of an edge.
const EDGE_UPDATES_FIRST: u64 = 64;
/// After those, at most one per edge in this time.
const EDGE_UPDATE_GAP_MS: u128 = 34;

/// The handle of a node's control queue, where handles are packed with their nodes.
pub(crate) const CONTROL: u16 = u16::MAX;

/// A node and one of its handles in one word; never 0.
pub(crate) fn pack(node: usize, handle: u16) -> u64 {
    ((node as u64) << 16 | u64::from(handle)) + 1
}

/// The counter of one edge.
#[derive(Debug, Default)]
pub(crate) struct EdgeState {
    /// Ended before its producer.
    closed: AtomicBool,
    sent: AtomicU64,
    /// Count last told and when; only touched when somebody listens.
    told: Mutex<(u64, Option<Instant>)>,
}

/// The first failure of a run.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) node: usize,
    pub(crate) error: String,
    pub(crate) suspended: Option<(String, Value)>,
}

/// Results by output name.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// Every non-fallback or non-null value, in order of arrival.
    pub(crate) lists: Vec<(Arc<str>, Vec<Value>)>,
    /// The last value announced, null included.
    pub(crate) last: Map,
}

/// A run at work.
pub(crate) struct Run {
    pub(crate) plan: Arc<Plan>,
    pub(crate) cx: Arc<RunCx>,
    pub(crate) cache: Option<Arc<ResultCache>>,
    pub(crate) mode: AssetMode,
    /// Event for a trigger node: its id and the payload.
    pub(crate) trigger_event: Option<(Arc<str>, Value)>,
    pub(crate) listening: bool,
    pub(crate) journal: Option<Arc<dyn Journal>>,
    pub(crate) resume: Option<Resume>,
    /// Bytes in the records of all nodes.
    pub(crate) recorded: AtomicUsize,
    pub(crate) pause: Arc<Pause>,
    pub(crate) inboxes: Box<[Inbox]>,
    pub(crate) controls: Box<[ControlInbox]>,
    edges: Box<[EdgeState]>,
    pub(crate) results: Mutex<Results>,
    pub(crate) failure: Mutex<Option<Failure>>,
    pub(crate) failing: AtomicBool,
    /// All nodes are about to be cut off: by a suspension or a cancel.
    pub(crate) stopping: AtomicBool,
    /// The outcome is out: who is still at work has nothing more to say (G7).
    pub(crate) over: AtomicBool,
    /// Whether nodes may wait for events and answers too.
    controls_used: bool,
    /// Where each node waits for room: 0, or one more than target and handle packed.
    pub(crate) blocked: Box<[AtomicU64]>,
    pub(crate) ended: Box<[AtomicBool]>,
    /// Readers parked on some of their handles only.
    pub(crate) selective: AtomicUsize,
}

impl Run {
    pub(crate) fn new(plan: Arc<Plan>, cx: Arc<RunCx>, options: &mut RunOptions) -> Self {
        let n = plan.nodes.len();
        let mut resume = options.resume.take();
        if let Some(resume) = &mut resume {
            resume.prune(&plan);
        }
        let inbox_limit = options.inbox_limit;
        Run {
            listening: cx.events.listening(),
            inboxes: plan
                .nodes
                .iter()
                .map(|p| Inbox::new(p.handles.iter().map(|h| h.open), inbox_limit))
                .collect(),
            controls: plan
                .nodes
                .iter()
                .map(|p| ControlInbox::new(p.controllers))
                .collect(),
            edges: plan.edges.iter().map(|_| EdgeState::default()).collect(),
            results: Mutex::default(),
            failure: Mutex::default(),
            failing: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            over: AtomicBool::new(false),
            controls_used: plan.nodes.iter().any(|p| p.controllers > 0),
            blocked: (0..n).map(|_| AtomicU64::new(0)).collect(),
            ended: (0..n).map(|_| AtomicBool::new(false)).collect(),
            selective: AtomicUsize::new(0),
            plan,
            cx,
            cache: options.cache.clone(),
            mode: options.assets,
            trigger_event: options.trigger_event.clone(),
            journal: options.journal.clone(),
            resume,
            recorded: AtomicUsize::new(0),
            pause: Arc::new(Pause::new(n)),
        }
    }

    fn emit(&self, event: JobEvent) {
        if !self.over.load(Ordering::Relaxed) {
            self.cx.events.emit(event);
        }
    }

    /// Waits for a listener that is behind, so that messages do not pile up.
    pub(crate) async fn breathe(&self) {
        if self.listening && self.cx.events.behind() {
            self.cx.events.caught_up().await;
        }
    }

    /// Counts an item on an edge and tells it, before the item becomes visible (G4).
    pub(crate) fn item_sent(&self, edge: usize) {
        if !self.listening {
            return;
        }
        let state = &self.edges[edge];
        let n = state.sent.fetch_add(1, Ordering::Relaxed) + 1;
        let mut told = state.told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (n > EDGE_UPDATES_FIRST).then(Instant::now);
        let due = match (now, told.1) {
            (Some(now), Some(before)) => {
                now.duration_since(before).as_millis() >= EDGE_UPDATE_GAP_MS
            }
            _ => true,
        };
        if due {
            *told = (n, now);
            self.edge_update(edge, EdgeStatus::MessageSent, Some(n));
        }
    }

    /// Tells the counter of an edge if the last item was not told.
    pub(crate) fn settle(&self, edge: usize) {
        if !self.listening {
            return;
        }
        let state = &self.edges[edge];
        let sent = state.sent.load(Ordering::Relaxed);
        let mut told = state.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.0 < sent {
            told.0 = sent;
            self.edge_update(edge, EdgeStatus::MessageSent, Some(sent));
        }
    }

    /// Marks an edge as ended, though its producer goes on.
    pub(crate) fn close_edge(&self, edge: usize) {
        self.edges[edge].closed.store(true, Ordering::SeqCst);
    }

    /// Tells that no more items will come, after the last counter (G5).
    pub(crate) fn edge_drained(&self, edge: usize) {
        if !self.listening {
            return;
        }
        self.settle(edge);
        self.edge_update(edge, EdgeStatus::Drained, None);
    }

    fn edge_update(&self, edge: usize, status: EdgeStatus, counter: Option<u64>) {
        self.emit(JobEvent::EdgeUpdate {
            workflow_id: self.cx.workflow_id.clone(),
            edge_id: self.plan.edges[edge].id.clone(),
            status,
            counter,
        });
    }

    /// Tells that a node began or ended an execution.
    pub(crate) fn node_update(
        &self,
        node: usize,
        status: NodeStatus,
        props: Option<&Props>,
        result: Option<Map>,
    ) {
        if !self.listening {
            return;
        }
        let p = &self.plan.nodes[node];
        self.emit(JobEvent::NodeUpdate(NodeUpdate {
            node_id: p.info.id.clone(),
            node_name: p.info.title.clone(),
            node_type: p.info.node_type.clone(),
            status,
            error: None,
            result: result.map(|r| assets::for_message(r, self.mode)),
            properties: props
                .map(|props| assets::for_message(named_properties(&p.def, props), self.mode)),
            workflow_id: Some(self.cx.workflow_id.clone()),
        }));
    }

    /// Records a failure, the first of the run being the one that counts (FIX-21), and tells it.
    pub(crate) fn fail(&self, node: usize, error: &NodeError) {
        let text: String = error.to_string().chars().take(ERROR_CHARS).collect();
        let suspended = match error {
            NodeError::Suspended { reason, state } => Some((reason.clone(), state.clone())),
            _ => None,
        };
        let is_suspension = suspended.is_some();
        {
            let mut first = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            if first.is_none() && is_suspension {
                self.stopping.store(true, Ordering::Release);
            }
            first.get_or_insert(Failure {
                node,
                error: text.clone(),
                suspended,
            });
        }
        self.failing.store(true, Ordering::Release);
        if self.listening {
            let p = &self.plan.nodes[node];
            self.emit(JobEvent::NodeUpdate(NodeUpdate {
                node_id: p.info.id.clone(),
                node_name: p.info.title.clone(),
                node_type: p.info.node_type.clone(),
                status: if is_suspension {
                    NodeStatus::Suspended
                } else {
                    NodeStatus::Error
                },
                error: (!is_suspension).then_some(text),
                result: None,
                properties: is_suspension.then(Map::new),
                workflow_id: Some(self.cx.workflow_id.clone()),
            }));
        }
    }

    /// Whether this node is the one whose suspension ends the run.
    pub(crate) fn suspended_at(&self, node: usize) -> bool {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let failure = failure.as_ref();
        failure.is_some_and(|f| f.node == node && f.suspended.is_some())
    }

    /// A value at an output. `fallback` marks the configured value of an output nothing reached.
    pub(crate) async fn output(
        &self,
        node: usize,
        name: &Arc<str>,
        value: Value,
        fallback: bool,
    ) -> Value {
        let value = assets::materialise(value, self.mode, &self.cx).await;
        self.keep_result(node, name, value.clone(), fallback);
        value
    }

    /// A value of a named node that stands where an output could (node-catalogue-current 4).
    pub(crate) fn record_result(&self, node: usize, name: &Arc<str>, value: Value) {
        self.keep_result(node, name, assets::present(value, self.mode), false);
    }

    /// Keeps a result and tells it.
    pub(crate) fn keep_result(&self, node: usize, name: &Arc<str>, value: Value, fallback: bool) {
        {
            let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
            if !(fallback && value.is_null()) {
                match results.lists.iter_mut().find(|(n, _)| n == name) {
                    Some((_, list)) => list.push(value.clone()),
                    None => results.lists.push((name.clone(), vec![value.clone()])),
                }
            }
            results.last.insert(name.clone(), value.clone());
        }
        if self.listening {
            self.emit(JobEvent::OutputUpdate(OutputUpdate {
                node_id: self.plan.nodes[node].info.id.clone(),
                node_name: name.clone(),
                output_name: name.clone(),
                output_type: output_type_of(&value),
                value,
                metadata: Map::new(),
                workflow_id: Some(self.cx.workflow_id.clone()),
            }));
        }
    }

    /// A value at a preview.
    pub(crate) async fn preview(&self, node: usize, value: Value) {
        if self.listening {
            let value = assets::materialise(value, self.mode, &self.cx).await;
            self.emit(JobEvent::PreviewUpdate {
                node_id: self.plan.nodes[node].info.id.clone(),
                value,
            });
        }
    }
}

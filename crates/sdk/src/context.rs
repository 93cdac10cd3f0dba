//! What a node may know and use while it runs.

use std::any::Any;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nodetool_protocol::{JobEvent, Map, Severity, TypeMetadata, Value};
use tokio::sync::watch;

use crate::services::Services;
use crate::{BoxFuture, NodeDef, NodeError, Props, Workspace};

/// Takes the messages of a run. Must not block.
pub trait EventSink: Send + Sync {
    /// Takes one message.
    fn emit(&self, event: JobEvent);
    /// Whether anybody listens to more than the end of the run; when not, messages need not be built.
    fn listening(&self) -> bool;
    /// Whether the listener is behind, so that nodes should wait for [`caught_up`](Self::caught_up).
    fn behind(&self) -> bool {
        false
    }
    /// Resolves when the listener has caught up or is gone.
    fn caught_up<'a>(&'a self) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// What all nodes of a run share.
pub struct RunCx {
    /// The job.
    pub job_id: Arc<str>,
    /// The workflow; empty for a graph that is not stored.
    pub workflow_id: Arc<str>,
    /// Whose run it is.
    pub user_id: Arc<str>,
    /// How many workflows deep this run is nested.
    pub depth: u32,
    /// Server services.
    pub services: Services,
    /// Values shared by name.
    pub variables: Variables,
    /// The folder nodes may touch.
    pub workspace: Option<PathBuf>,
    /// Where messages go.
    pub events: Arc<dyn EventSink>,
}

/// Who this node is.
#[derive(Clone, Debug, Default)]
pub struct NodeInfo {
    /// Its id.
    pub id: Arc<str>,
    /// Its title.
    pub title: Arc<str>,
    /// Its type.
    pub node_type: Arc<str>,
    /// Outputs declared on the instance.
    pub dynamic_outputs: Arc<[Arc<str>]>,
    /// Their types, in the same order.
    pub dynamic_output_types: Arc<[TypeMetadata]>,
    /// The nodes its control edges lead to, each once, in the order of the edges.
    pub controlled: Arc<[ControlledNode]>,
}

/// A node that another one tells when to run and with which properties.
#[derive(Clone, Debug)]
pub struct ControlledNode {
    /// Its id.
    pub id: Arc<str>,
    /// What people call it: the title it was given, or that of its type.
    pub title: Arc<str>,
    /// Its type.
    pub def: Arc<NodeDef>,
    /// The property values it runs with unless told others.
    pub props: Props,
}

/// What one node has at hand.
pub struct NodeCx {
    /// The run.
    pub run: Arc<RunCx>,
    /// The node.
    pub node: Arc<NodeInfo>,
    /// Something the node keeps between its executions in one run.
    kept: Mutex<Option<Box<dyn Any + Send>>>,
    /// One more than the number of the execution at work; 0 for a node without effects.
    effect: AtomicU64,
}

impl NodeCx {
    /// A context of one node in one run.
    pub fn new(run: Arc<RunCx>, node: Arc<NodeInfo>) -> Self {
        NodeCx {
            run,
            node,
            kept: Mutex::new(None),
            effect: AtomicU64::new(0),
        }
    }

    /// A context of the same node at the same execution, for what the node drives by itself. What was kept stays here.
    #[must_use]
    pub fn twin(&self) -> Self {
        NodeCx {
            effect: AtomicU64::new(self.effect.load(Ordering::Relaxed)),
            ..NodeCx::new(self.run.clone(), self.node.clone())
        }
    }

    /// Server services.
    pub fn services(&self) -> &Services {
        &self.run.services
    }

    /// The folder nodes may touch, or a clear error when the run has none.
    pub fn workspace(&self) -> Result<Workspace, NodeError> {
        match &self.run.workspace {
            Some(root) => Workspace::open(root),
            None => Err(NodeError::new(
                "This run has no workspace folder; start it with one to use files",
            )),
        }
    }

    /// Says how far the node is.
    pub fn progress(&self, progress: i64, total: i64) {
        if self.run.events.listening() {
            self.run.events.emit(JobEvent::NodeProgress {
                node_id: self.node.id.clone(),
                node_name: self.node.title.clone(),
                progress,
                total,
                chunk: String::new(),
                workflow_id: Some(self.run.workflow_id.clone()),
            });
        }
    }

    /// Writes a line to the run's log.
    pub fn log(&self, severity: Severity, content: impl Into<String>) {
        if self.run.events.listening() {
            self.run.events.emit(JobEvent::LogUpdate {
                node_id: self.node.id.clone(),
                node_name: self.node.title.clone(),
                content: content.into(),
                severity,
                workflow_id: Some(self.run.workflow_id.clone()),
            });
        }
    }

    /// Brings a line to the user's attention.
    pub fn notify(&self, severity: Severity, content: impl Into<String>) {
        if self.run.events.listening() {
            self.run.events.emit(JobEvent::Notification {
                node_id: self.node.id.clone(),
                content: content.into(),
                severity,
                workflow_id: Some(self.run.workflow_id.clone()),
            });
        }
    }

    /// Shows a value where the node stands.
    pub fn preview(&self, value: Value) {
        if self.run.events.listening() {
            self.run.events.emit(JobEvent::PreviewUpdate {
                node_id: self.node.id.clone(),
                value,
            });
        }
    }

    /// Tells that something was stored.
    pub fn saved(&self, name: &str, value: Value) {
        if self.run.events.listening() {
            let output_type = nodetool_protocol::output_type_of(&value);
            self.run.events.emit(JobEvent::SaveUpdate {
                node_id: self.node.id.clone(),
                name: name.into(),
                value,
                output_type,
                metadata: Map::new(),
            });
        }
    }

    /// Tells the result of a workflow that an agent uses as a tool: values by handle.
    pub fn tool_result(&self, result: Map) {
        if self.run.events.listening() {
            self.run.events.emit(JobEvent::ToolResultUpdate {
                node_id: self.node.id.clone(),
                thread_id: None,
                workflow_id: Some(self.run.workflow_id.clone()),
                result,
            });
        }
    }

    /// Names the execution at work of a node with effects, for services that take the same request only once:
    /// `<job id>:<node id>:<n>`. It is the same again when a resumed run makes the execution again.
    pub fn effect_key(&self) -> Option<String> {
        let n = self.effect.load(Ordering::Relaxed).checked_sub(1)?;
        Some(format!("{}:{}:{n}", self.run.job_id, self.node.id))
    }

    /// Says which execution (from 0) of a node with effects is at work. For the engine.
    pub fn begin_effect(&self, n: u64) {
        self.effect.store(n.saturating_add(1), Ordering::Relaxed);
    }

    /// Takes what an earlier execution of this node in this run kept.
    pub fn take_kept<T: Send + 'static>(&self) -> Option<T> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.take()?.downcast::<T>() {
            Ok(value) => Some(*value),
            Err(other) => {
                *kept = Some(other);
                None
            }
        }
    }

    /// Keeps something for the next execution of this node in this run.
    pub fn keep<T: Send + 'static>(&self, value: T) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(value));
    }
}

/// Values shared by name within one run; readers can wait for the next one.
#[derive(Default)]
pub struct Variables {
    cells: Mutex<HashMap<Arc<str>, watch::Sender<Option<Value>>>>,
}

impl Variables {
    /// Stores a value.
    pub fn set(&self, name: &str, value: Value) {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        cells
            .entry(name.into())
            .or_insert_with(|| watch::channel(None).0)
            .send_replace(Some(value));
    }

    /// The value stored last, if any.
    pub fn get(&self, name: &str) -> Option<Value> {
        let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        cells.get(name).and_then(|tx| tx.borrow().clone())
    }

    /// A receiver that sees every later value of the name.
    pub fn watch(&self, name: &str) -> watch::Receiver<Option<Value>> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        cells
            .entry(name.into())
            .or_insert_with(|| watch::channel(None).0)
            .subscribe()
    }

    /// All names with a value, as an object, for templates.
    pub fn snapshot(&self) -> Map {
        let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        cells
            .iter()
            .filter_map(|(k, tx)| Some((k.clone(), tx.borrow().clone()?)))
            .collect()
    }
}

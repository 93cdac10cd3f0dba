//! Runs one node without an engine, for the tests beside it; models and tools that follow a script.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use nodetool_protocol::{JobEvent, Map, Value};

use crate::services::Services;
use crate::{
    Behaviour, BoxFuture, ControlEvent, ControlMessage, Emit, Emitted, EventSink, InputSource,
    Node, NodeCx, NodeError, NodeInfo, Props, RunCx, Variables,
};

mod models;
mod tools;

pub use models::{Asked, Scripted, ScriptedModels};
pub use tools::ScriptedTools;

/// Keeps every message.
#[derive(Default)]
pub struct Recorder(Mutex<Vec<JobEvent>>);

impl Recorder {
    /// The messages so far.
    pub fn events(&self) -> Vec<JobEvent> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl EventSink for Recorder {
    fn emit(&self, event: JobEvent) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
    }
    fn listening(&self) -> bool {
        true
    }
}

/// A context without services.
pub fn context() -> NodeCx {
    context_with(Services::none(), None)
}

/// A context with the given services and workspace folder.
pub fn context_with(services: Services, workspace: Option<std::path::PathBuf>) -> NodeCx {
    let events = Arc::new(Recorder::default());
    context_of(node_info(), services, workspace, events)
}

/// The node of [`context_with`], without outputs of its own and without control edges.
pub fn node_info() -> NodeInfo {
    NodeInfo {
        id: "node".into(),
        title: "Node".into(),
        node_type: "test.Node".into(),
        ..NodeInfo::default()
    }
}

/// A context of the given node, services, workspace folder and listener.
pub fn context_of(
    node: NodeInfo,
    services: Services,
    workspace: Option<std::path::PathBuf>,
    events: Arc<dyn EventSink>,
) -> NodeCx {
    let run = RunCx {
        job_id: "job".into(),
        workflow_id: "workflow".into(),
        user_id: "1".into(),
        depth: 0,
        services,
        variables: Variables::default(),
        workspace,
        events,
    };
    NodeCx::new(Arc::new(run), Arc::new(node))
}

/// What controlled nodes give, by their id and the properties they are told to run with.
pub type Controlled = dyn Fn(&str, &Map) -> Result<Map, String> + Send + Sync;

/// Keeps emissions as maps of slot name to value.
struct Collected {
    slots: Vec<String>,
    items: Mutex<Vec<Map>>,
    controlled: Option<Box<Controlled>>,
}

impl Emit for Collected {
    fn put(&self, emitted: Emitted) -> Result<bool, NodeError> {
        let map: Map = match emitted {
            Emitted::Named(map) => map,
            Emitted::Slots(slots) => slots
                .into_iter()
                .filter_map(|(i, v)| Some((Arc::from(self.slots.get(usize::from(i))?.as_str()), v)))
                .collect(),
        };
        self.items
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(map);
        Ok(true)
    }
    fn ready<'a>(&'a self) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async { Ok(()) })
    }
    fn complete(&self, _: &str) {}
    fn control(&self, message: ControlMessage) -> Result<(), NodeError> {
        let target = message.target.unwrap_or_default();
        if let (Some(controlled), ControlEvent::Run(properties)) =
            (&self.controlled, &message.event)
        {
            let result = controlled(&target, properties);
            // Who does not wait for it does not want it.
            let _ = message.reply.map(|reply| reply.send(result));
        }
        Ok(())
    }
}

/// Items ready from the start, then end of stream.
struct Queued {
    names: Vec<Arc<str>>,
    items: VecDeque<(u16, Value)>,
}

impl InputSource for Queued {
    fn poll_any(&mut self, _: &mut Context<'_>) -> Poll<Option<(u16, Value)>> {
        Poll::Ready(self.items.pop_front())
    }
    fn poll_handle(&mut self, handle: u16, _: &mut Context<'_>) -> Poll<Option<Value>> {
        Poll::Ready(self.try_handle(handle))
    }
    fn try_handle(&mut self, handle: u16) -> Option<Value> {
        let at = self.items.iter().position(|(h, _)| *h == handle)?;
        self.items.remove(at).map(|(_, v)| v)
    }
    fn handles(&self) -> &[Arc<str>] {
        &self.names
    }
}

/// One case: a node type, its properties, and for pipes the items that arrive.
pub struct Case {
    props: Props,
    names: Vec<Arc<str>>,
    items: VecDeque<(u16, Value)>,
    cx: NodeCx,
    def: Arc<crate::NodeDef>,
    controlled: Option<Box<Controlled>>,
}

/// A case of a node type with default properties.
pub fn case<N: Node>() -> Case {
    case_of(Arc::new(N::definition()))
}

/// A case of a registered node type with default properties.
pub fn case_of(def: Arc<crate::NodeDef>) -> Case {
    Case {
        props: def.defaults(),
        names: Vec::new(),
        items: VecDeque::new(),
        cx: context(),
        def,
        controlled: None,
    }
}

impl Case {
    /// Sets a property, declared or dynamic.
    pub fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        match self.def.property_index(name) {
            Some(i) => self.props.values[i] = value.into(),
            None => {
                self.props.dynamic.insert(name.into(), value.into());
            }
        }
        self
    }

    /// Lets items arrive on a handle of a pipe.
    pub fn arrive<V: Into<Value>>(
        mut self,
        handle: &str,
        items: impl IntoIterator<Item = V>,
    ) -> Self {
        let index = self
            .names
            .iter()
            .position(|n| &**n == handle)
            .unwrap_or_else(|| {
                self.names.push(handle.into());
                self.names.len() - 1
            });
        self.items
            .extend(items.into_iter().map(|v| (index as u16, v.into())));
        self
    }

    /// Says what the nodes give that this one controls.
    pub fn controls(
        mut self,
        controlled: impl Fn(&str, &Map) -> Result<Map, String> + Send + Sync + 'static,
    ) -> Self {
        self.controlled = Some(Box::new(controlled));
        self
    }

    /// Runs in another context.
    pub fn within(mut self, cx: NodeCx) -> Self {
        self.cx = cx;
        self
    }

    /// Runs the node; every emission as a map of slot name to value.
    pub async fn run(self) -> Result<Vec<Map>, NodeError> {
        let slots = self
            .def
            .metadata
            .outputs
            .iter()
            .map(|s| s.name.clone())
            .collect();
        let sink = Collected {
            slots,
            items: Mutex::new(Vec::new()),
            controlled: self.controlled,
        };
        match &self.def.behaviour {
            Behaviour::Inert => {}
            Behaviour::Process(f) => {
                sink.put(f(self.props, &self.cx).await?)?;
            }
            Behaviour::Generate(f) => f(self.props, &sink, &self.cx).await?,
            Behaviour::Pipe(f) => {
                let mut source = Queued {
                    names: self.names,
                    items: self.items,
                };
                f(self.props, &mut source, &sink, &self.cx).await?;
            }
        }
        Ok(sink
            .items
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs the node and gives what left on the slot `output`, in order.
    pub async fn output(self) -> Result<Vec<Value>, NodeError> {
        Ok(self
            .run()
            .await?
            .into_iter()
            .filter_map(|mut m| m.shift_remove("output"))
            .collect())
    }

    /// Runs the node and gives the one value on `output`; null when there is none.
    pub async fn value(self) -> Result<Value, NodeError> {
        Ok(self.output().await?.pop().unwrap_or_default())
    }
}

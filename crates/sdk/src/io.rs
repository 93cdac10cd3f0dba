//! How a node reads its inputs and emits its outputs, behind two small traits the engine implements.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use nodetool_protocol::{Map, Value};
use smallvec::{SmallVec, smallvec};
use tokio::sync::oneshot;

use crate::{BoxFuture, NodeError, Outputs};

/// Values by index of the declared slot.
pub type SlotValues = SmallVec<[(u16, Value); 2]>;

/// One emission.
#[derive(Clone, Debug)]
pub enum Emitted {
    /// By index of the declared slot.
    Slots(SlotValues),
    /// By slot name.
    Named(Map),
}

impl Emitted {
    /// Nothing at all.
    pub fn nothing() -> Self {
        Emitted::Slots(SmallVec::new())
    }

    /// One value on one declared slot.
    pub fn one(slot: u16, value: Value) -> Self {
        Emitted::Slots(smallvec![(slot, value)])
    }
}

/// What a controller tells a controlled node.
#[derive(Clone, Debug)]
pub enum ControlEvent {
    /// Execute once with these properties.
    Run(Map),
    /// End after the current work.
    Stop,
}

/// A control event on its way.
#[derive(Debug)]
pub struct ControlMessage {
    /// One controlled node, or all of them.
    pub target: Option<Arc<str>>,
    /// The event.
    pub event: ControlEvent,
    /// Where the result of the execution goes.
    pub reply: Option<oneshot::Sender<Result<Map, String>>>,
}

/// Where emissions go. The engine implements it.
pub trait Emit: Send + Sync {
    /// Sends at once; `Ok(false)` asks the caller to await [`ready`](Emit::ready) before the next one.
    fn put(&self, emitted: Emitted) -> Result<bool, NodeError>;
    /// Resolves when consumers have room again.
    fn ready<'a>(&'a self) -> BoxFuture<'a, Result<(), NodeError>>;
    /// Ends one slot early.
    fn complete(&self, slot: &str);
    /// Sends a control event along the node's control edges.
    fn control(&self, message: ControlMessage) -> Result<(), NodeError>;
}

/// Typed access to a node's outputs.
pub struct Emitter<'a, O> {
    sink: &'a dyn Emit,
    of: PhantomData<fn(O)>,
}

impl<'a, O: Outputs> Emitter<'a, O> {
    /// An emitter over a sink.
    pub fn new(sink: &'a dyn Emit) -> Self {
        Emitter {
            sink,
            of: PhantomData,
        }
    }

    /// Emits, waiting while a consumer has no room. Fails only when the run is over: pass the error on.
    pub async fn emit(&self, output: O) -> Result<(), NodeError> {
        if !self.sink.put(output.into_emitted())? {
            self.sink.ready().await?;
        }
        Ok(())
    }

    /// Emits one value on a slot by name, for slots declared on the instance.
    pub async fn emit_named(&self, slot: &str, value: Value) -> Result<(), NodeError> {
        let map: Map = [(Arc::from(slot), value)].into_iter().collect();
        if !self.sink.put(Emitted::Named(map))? {
            self.sink.ready().await?;
        }
        Ok(())
    }

    /// Ends one slot early; consumers of it see end of stream.
    pub fn complete(&self, slot: &str) {
        self.sink.complete(slot);
    }

    /// Tells controlled nodes to run or stop.
    pub fn control(&self, message: ControlMessage) -> Result<(), NodeError> {
        self.sink.control(message)
    }

    /// Runs one controlled node (or all) with these properties and waits for its result.
    pub async fn run_controlled(
        &self,
        target: Option<Arc<str>>,
        properties: Map,
    ) -> Result<Map, NodeError> {
        let (tx, rx) = oneshot::channel();
        self.sink.control(ControlMessage {
            target,
            event: ControlEvent::Run(properties),
            reply: Some(tx),
        })?;
        let answer = rx.await;
        // While it waited, the node was at rest; it may have to stay so.
        self.sink.ready().await?;
        match answer {
            Ok(result) => result.map_err(NodeError::new),
            Err(_) => Err(NodeError::new("The controlled node ended without a result")),
        }
    }
}

/// Where items come from. The engine implements it.
pub trait InputSource: Send {
    /// The next item of any handle, in arrival order; `None` at end of stream.
    fn poll_any(&mut self, cx: &mut Context<'_>) -> Poll<Option<(u16, Value)>>;
    /// The next item of one handle; `None` at its end of stream.
    fn poll_handle(&mut self, handle: u16, cx: &mut Context<'_>) -> Poll<Option<Value>>;
    /// The next item of one handle if it is already here.
    fn try_handle(&mut self, handle: u16) -> Option<Value>;
    /// The handles something is wired to.
    fn handles(&self) -> &[Arc<str>];
}

/// A node's connected inputs as streams.
pub struct Inputs<'a> {
    source: &'a mut dyn InputSource,
}

impl<'a> Inputs<'a> {
    /// Inputs over a source.
    pub fn new(source: &'a mut dyn InputSource) -> Self {
        Inputs { source }
    }

    /// Whether something is wired to the handle.
    pub fn is_connected(&self, handle: &str) -> bool {
        self.index(handle).is_some()
    }

    /// Whether anything is wired to the node.
    pub fn any_connected(&self) -> bool {
        !self.source.handles().is_empty()
    }

    /// The next item of any handle with the handle's name, in arrival order; `None` when all streams ended.
    pub async fn next(&mut self) -> Option<(Arc<str>, Value)> {
        let (h, v) = poll_fn(|cx| self.source.poll_any(cx)).await?;
        Some((self.source.handles()[usize::from(h)].clone(), v))
    }

    /// The next item of one handle; `None` when its stream ended or nothing is wired to it.
    pub async fn recv(&mut self, handle: &str) -> Option<Value> {
        let h = self.index(handle)?;
        poll_fn(|cx| self.source.poll_handle(h, cx)).await
    }

    /// The next item of one handle if it is already here, for work in batches.
    pub fn try_recv(&mut self, handle: &str) -> Option<Value> {
        let h = self.index(handle)?;
        self.source.try_handle(h)
    }

    fn index(&self, handle: &str) -> Option<u16> {
        self.source
            .handles()
            .iter()
            .position(|h| &**h == handle)
            .map(|i| i as u16)
    }
}

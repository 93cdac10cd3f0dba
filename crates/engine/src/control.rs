//! Control events on their way to a controlled node: a queue of its own, so data never sees them (FIX-16).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use nodetool_sdk::{ControlEvent, ControlMessage, Map, NodeError, Value};
use tokio::sync::oneshot;

/// Events a controlled node may have waiting before its controllers wait for it.
const LIMIT: usize = 64;

/// An event and who wants to know how it went.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) event: ControlEvent,
    /// The controller.
    pub(crate) from: usize,
    pub(crate) reply: Option<Reply>,
}

/// Where the result of an execution goes.
pub(crate) type Reply = oneshot::Sender<Result<Map, String>>;

#[derive(Debug)]
struct State {
    queue: VecDeque<Event>,
    limit: usize,
    /// The controller whose event is at work and who waits for the result.
    answering: Option<usize>,
    open: u32,
    closed: bool,
    reader: Option<Waker>,
    writers: Vec<Waker>,
}

/// The control queue of one node.
#[derive(Debug)]
pub(crate) struct ControlInbox(Mutex<State>);

impl ControlInbox {
    pub(crate) fn new(controllers: u32) -> Self {
        ControlInbox(Mutex::new(State {
            queue: VecDeque::new(),
            limit: LIMIT,
            answering: None,
            open: controllers,
            closed: false,
            reader: None,
            writers: Vec::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event; an ended node answers it at once.
    pub(crate) fn put(&self, event: Event) {
        let mut s = self.lock();
        if s.closed {
            drop(s);
            if let Some(reply) = event.reply {
                let _ = reply.send(Err("The controlled node has ended".into()));
            }
            return;
        }
        s.queue.push_back(event);
        let reader = s.reader.take();
        drop(s);
        if let Some(w) = reader {
            w.wake();
        }
    }

    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut s = self.lock();
        s.answering = None;
        if let Some(event) = s.queue.pop_front() {
            s.answering = event.reply.is_some().then_some(event.from);
            let writers = std::mem::take(&mut s.writers);
            drop(s);
            writers.into_iter().for_each(Waker::wake);
            return Poll::Ready(Some(event));
        }
        if s.open == 0 || s.closed {
            return Poll::Ready(None);
        }
        s.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Resolves when a controller may send more.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut s = self.lock();
        if s.closed || s.queue.len() < s.limit {
            return Poll::Ready(());
        }
        s.writers.push(cx.waker().clone());
        Poll::Pending
    }

    /// Whether the controlled node waits for an event.
    pub(crate) fn parked(&self) -> bool {
        self.lock().reader.is_some()
    }

    /// Whether a controller waits for a result from here.
    pub(crate) fn owes(&self, controller: usize) -> bool {
        let s = self.lock();
        let asked = |e: &Event| e.from == controller && e.reply.is_some();
        s.answering == Some(controller) || s.queue.iter().any(asked)
    }

    /// Lets a full queue hold twice as much, and wakes whoever waited for that.
    pub(crate) fn grow(&self) {
        let mut s = self.lock();
        if s.queue.len() < s.limit {
            return;
        }
        s.limit = s.limit.saturating_mul(2);
        let writers = std::mem::take(&mut s.writers);
        drop(s);
        writers.into_iter().for_each(Waker::wake);
    }

    /// One of the controllers is done.
    pub(crate) fn controller_done(&self) {
        let mut s = self.lock();
        s.open = s.open.saturating_sub(1);
        let reader = if s.open == 0 { s.reader.take() } else { None };
        drop(s);
        if let Some(w) = reader {
            w.wake();
        }
    }

    /// The controlled node is gone; what waits is answered.
    pub(crate) fn close(&self) {
        let mut s = self.lock();
        s.closed = true;
        s.answering = None;
        let queue = std::mem::take(&mut s.queue);
        let writers = std::mem::take(&mut s.writers);
        drop(s);
        writers.into_iter().for_each(Waker::wake);
        for event in queue {
            if let Some(reply) = event.reply {
                let _ = reply.send(Err("The controlled node has ended".into()));
            }
        }
    }
}

/// Reads a control event out of what a node emitted on `__control__` (engine spec 4.12); `None` is dropped.
pub(crate) fn read_event(value: Value) -> Option<ControlMessage> {
    let Value::Map(map) = value else { return None };
    let event = |m: &Map| -> Option<ControlEvent> {
        match m.get("event_type").and_then(Value::as_str) {
            Some("run") => Some(ControlEvent::Run(
                m.get("properties")
                    .and_then(Value::as_map)
                    .cloned()
                    .unwrap_or_default(),
            )),
            Some("stop") => Some(ControlEvent::Stop),
            _ => None,
        }
    };
    match (map.get("target_node_id"), map.get("event")) {
        (Some(Value::Str(target)), Some(Value::Map(inner))) => Some(ControlMessage {
            target: Some(target.clone()),
            event: event(inner)?,
            reply: None,
        }),
        (None, None) => {
            let event = event(&map).unwrap_or_else(|| ControlEvent::Run(Arc::unwrap_or_clone(map)));
            Some(ControlMessage {
                target: None,
                event,
                reply: None,
            })
        }
        _ => None,
    }
}

/// The same event as [`read_event`] takes it; who asked is left out.
pub(crate) fn write_event(message: &ControlMessage) -> Value {
    let event = match &message.event {
        ControlEvent::Run(properties) => Value::map([
            ("event_type", "run".into()),
            ("properties", properties.clone().into()),
        ]),
        ControlEvent::Stop => Value::map([("event_type", "stop".into())]),
    };
    match &message.target {
        Some(target) => Value::map([
            ("target_node_id", Value::Str(target.clone())),
            ("event", event),
        ]),
        None => event,
    }
}

/// The older `__control_output__` form: always a run of all targets.
pub(crate) fn read_legacy_event(value: Value) -> Result<ControlMessage, NodeError> {
    let Value::Map(map) = value else {
        return Err(NodeError::new(
            "`__control_output__` takes an object of properties",
        ));
    };
    let properties = match map.get("properties") {
        Some(Value::Map(inner)) => Map::clone(inner),
        _ => Arc::unwrap_or_clone(map),
    };
    Ok(ControlMessage {
        target: None,
        event: ControlEvent::Run(properties),
        reply: None,
    })
}

//! A node's outgoing edges. Owning them is what keeps the streams open: dropping the ports is end of stream.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use nodetool_sdk::{BoxFuture, ControlMessage, Emit, Emitted, Map, NodeError, Role, Value};
use smallvec::SmallVec;

use crate::control::{self, Event};
use crate::inbox::{Item, Put};
use crate::journal::{Emission, Record};
use crate::run::{CONTROL, Run, pack};

/// Levels a value may be nested: what comes after it, the last reader and the drop included, goes through it recursively.
const MAX_LEVELS: usize = 1000;
/// Emissions after which a node that never waits lets others have the thread.
const YIELD_EVERY: u32 = 256;

#[derive(Debug, Default)]
struct Open {
    /// Edges already closed.
    closed: SmallVec<[usize; 2]>,
    /// Edges whose consumer had no room at the last put.
    full: SmallVec<[usize; 4]>,
    since_yield: u32,
    /// Last value per slot name, when somebody will be told.
    last: Option<Map>,
    /// What is emitted, when it is kept for a resumed run.
    records: Option<Box<Records>>,
}

/// What a node has emitted, and its execution at work.
#[derive(Debug, Default)]
struct Records {
    node: Record,
    execution: Option<Record>,
}

/// The outgoing edges of one node.
pub(crate) struct Ports {
    run: Arc<Run>,
    node: usize,
    open: Mutex<Open>,
}

impl Ports {
    pub(crate) fn new(run: Arc<Run>, node: usize) -> Self {
        let info = &run.plan.nodes[node].info;
        let finished = run.resume.as_ref().map(|r| &r.finished);
        let known = finished.is_some_and(|f| f.contains_key(&info.id));
        let kept = run.journal.is_some() && !known && !run.plan.nodes[node].is_input();
        let open = Open {
            records: kept.then(Box::default),
            ..Open::default()
        };
        Ports {
            run,
            node,
            open: Mutex::new(open),
        }
    }

    /// Keeps a value for a resumed run.
    fn record(&self, open: &mut Open, slot: &Arc<str>, value: &Value) {
        if let Some(records) = &mut open.records {
            records.node.note(slot, value, Some(&self.run.recorded));
            if let Some(execution) = &mut records.execution {
                execution.note(slot, value, None);
            }
        }
    }

    /// Keeps a value that does not leave over an edge.
    pub(crate) fn note(&self, slot: &Arc<str>, value: &Value) {
        self.record(&mut self.lock(), slot, value);
    }

    /// Starts the record of an execution; [`take_execution`](Self::take_execution) gives it.
    pub(crate) fn record_execution(&self) {
        if let Some(records) = &mut self.lock().records {
            records.execution = Some(Record::default());
        }
    }

    /// Adds an emission that is about to leave to the record of its execution.
    pub(crate) fn note_execution(&self, emitted: &Emitted) {
        let slots = &self.run.plan.nodes[self.node].slots;
        let mut open = self.lock();
        let execution = open.records.as_mut().and_then(|r| r.execution.as_mut());
        let Some(execution) = execution else { return };
        match emitted {
            Emitted::Slots(values) => {
                for (slot, value) in values {
                    execution.note(&slots[usize::from(*slot)], value, None);
                }
            }
            Emitted::Named(map) => {
                for (slot, value) in map {
                    execution.note(slot, value, None);
                }
            }
        }
    }

    /// What the execution emitted; nothing when that was too much.
    pub(crate) fn take_execution(&self) -> Option<Vec<Emission>> {
        let mut open = self.lock();
        open.records.as_mut()?.execution.take()?.finish()
    }

    /// All the node emitted; nothing when that was too much.
    pub(crate) fn take_record(&self) -> Option<Vec<Emission>> {
        let records = self.lock().records.take()?;
        records.node.finish()
    }

    /// Starts to remember the last value of each slot; [`take_last`](Self::take_last) gives them.
    pub(crate) fn remember(&self) {
        self.lock().last = Some(Map::new());
    }

    /// The last value per slot since [`remember`](Self::remember).
    pub(crate) fn take_last(&self) -> Map {
        self.lock().last.take().unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends values by slot index along their edges.
    fn route(&self, open: &mut Open, slot: usize, value: Value) {
        let plan = &self.run.plan;
        let node = &plan.nodes[self.node];
        if let Some(last) = &mut open.last {
            last.insert(node.slots[slot].clone(), value.clone());
        }
        if !node.def.routes {
            return;
        }
        // What outputs and previews show is noted as shown.
        if open.records.is_some() && !matches!(node.def.role, Role::Output | Role::Preview) {
            self.record(open, &node.slots[slot], &value);
        }
        if node.result_slot == Some(slot)
            && let Some(name) = &node.name
        {
            self.run.record_result(self.node, name, value.clone());
        }
        let edges = &node.out[slot];
        let count = edges.len();
        let mut value = Some(value);
        for (i, &e) in edges.iter().enumerate() {
            if !open.closed.is_empty() && open.closed.contains(&e) {
                continue;
            }
            // The last consumer gets the value itself, so an unshared list can be taken apart without a copy.
            let item = if i + 1 == count {
                value.take()
            } else {
                value.clone()
            };
            let Some(value) = item else { break };
            let edge = &plan.edges[e];
            self.run.item_sent(e);
            let put = self.run.inboxes[edge.target].put(Item {
                handle: edge.handle,
                edge: e as u32,
                value,
                seq: 0,
            });
            if put == Put::Full && !open.full.contains(&e) {
                open.full.push(e);
            }
        }
    }

    fn send_control(&self, message: ControlMessage) {
        let plan = &self.run.plan;
        let ControlMessage {
            target,
            event,
            mut reply,
        } = message;
        let targets: Vec<usize> = plan.nodes[self.node]
            .control_out
            .iter()
            .map(|&e| plan.edges[e].target)
            .filter(|&t| {
                target
                    .as_ref()
                    .is_none_or(|id| plan.nodes[t].info.id == *id)
            })
            .collect();
        if targets.is_empty() {
            tracing::warn!(node.id = %plan.nodes[self.node].info.id, "a control event has no target; it is dropped");
            return;
        }
        for t in targets {
            self.run.controls[t].put(Event {
                event: event.clone(),
                from: self.node,
                reply: reply.take(),
            });
        }
    }

    fn named(&self, open: &mut Open, map: Map) -> Result<(), NodeError> {
        let node = &self.run.plan.nodes[self.node];
        for (name, value) in map {
            if matches!(&*name, "__control__" | "__control_output__") {
                self.record(open, &name, &value);
            }
            match &*name {
                "__control__" => match control::read_event(value) {
                    Some(message) => self.send_control(message),
                    None => {
                        tracing::warn!(node.id = %node.info.id, "not a control event; it is dropped")
                    }
                },
                "__control_output__" => self.send_control(control::read_legacy_event(value)?),
                _ if value.deeper_than(MAX_LEVELS) => {
                    return Err(too_deep(&name));
                }
                _ => match node.slots.iter().position(|s| *s == name) {
                    Some(slot) => self.route(open, slot, value),
                    None if node.def.metadata.supports_dynamic_outputs
                        || node.def.metadata.is_dynamic =>
                    {
                        if let Some(last) = &mut open.last {
                            last.insert(name, value);
                        }
                    }
                    None => return Err(self.unknown_slot(&name)),
                },
            }
        }
        Ok(())
    }

    /// Refuses what [`send`](Self::send) would refuse, so that no node is completed before it fails.
    pub(crate) fn check(&self, emitted: &Emitted) -> Result<(), NodeError> {
        let Emitted::Named(map) = emitted else {
            return Ok(());
        };
        let node = &self.run.plan.nodes[self.node];
        let free = node.def.metadata.supports_dynamic_outputs || node.def.metadata.is_dynamic;
        for (name, value) in map {
            match &**name {
                "__control__" => {}
                "__control_output__" => drop(control::read_legacy_event(value.clone())?),
                _ if free || node.slots.contains(name) => {}
                _ => return Err(self.unknown_slot(name)),
            }
        }
        Ok(())
    }

    fn unknown_slot(&self, name: &str) -> NodeError {
        let node = &self.run.plan.nodes[self.node];
        NodeError::new(format!(
            "Node {} ({}) tried to emit to unknown output '{name}'",
            node.info.title, node.info.id
        ))
    }

    /// Tells the counters of all edges that are behind, so that they come before `completed` (G3).
    pub(crate) fn settle(&self) {
        for &e in self.run.plan.nodes[self.node].out.iter().flatten() {
            self.run.settle(e);
        }
    }

    /// Sends an emission; `Ok(false)` asks to await [`ready`](Emit::ready).
    pub(crate) fn send(&self, emitted: Emitted, skip_null: bool) -> Result<bool, NodeError> {
        let mut open = self.lock();
        match emitted {
            Emitted::Slots(values) => {
                for (slot, value) in values {
                    if !(skip_null && value.is_null()) {
                        if value.deeper_than(MAX_LEVELS) {
                            let node = &self.run.plan.nodes[self.node];
                            return Err(too_deep(&node.slots[usize::from(slot)]));
                        }
                        self.route(&mut open, usize::from(slot), value);
                    }
                }
            }
            Emitted::Named(mut map) => {
                if skip_null {
                    map.retain(|_, v| !v.is_null());
                }
                self.named(&mut open, map)?;
            }
        }
        open.since_yield += 1;
        let behind = self.run.listening && self.run.cx.events.behind();
        Ok(open.full.is_empty()
            && open.since_yield < YIELD_EVERY
            && !behind
            && !self.controls_busy())
    }

    /// Controllers check their targets' queues on every emission; there are few of either.
    fn controls_busy(&self) -> bool {
        !self.run.plan.nodes[self.node].control_out.is_empty()
    }

    /// Waits until every consumer has room.
    pub(crate) async fn room(&self) {
        let (full, long) = {
            let mut open = self.lock();
            let long = open.since_yield >= YIELD_EVERY;
            if long {
                open.since_yield = 0;
            }
            (std::mem::take(&mut open.full), long)
        };
        if long {
            tokio::task::yield_now().await;
        }
        self.run.breathe().await;
        let _mark = Unmark(&self.run.blocked[self.node]);
        for e in full {
            let edge = &self.run.plan.edges[e];
            let inbox = &self.run.inboxes[edge.target];
            poll_fn(|cx| {
                let poll = inbox.poll_room(edge.handle, self.node, cx);
                self.blocked(poll, edge.target, edge.handle)
            })
            .await;
        }
        for &e in &self.run.plan.nodes[self.node].control_out {
            let target = self.run.plan.edges[e].target;
            poll_fn(|cx| {
                let poll = self.run.controls[target].poll_room(cx);
                self.blocked(poll, target, CONTROL)
            })
            .await;
        }
    }

    /// Marks where this node waits for room.
    fn blocked(&self, poll: Poll<()>, target: usize, handle: u16) -> Poll<()> {
        if poll.is_pending() {
            self.run.blocked[self.node].store(pack(target, handle), Ordering::SeqCst);
            self.run.pause.leave(self.node);
            self.run.break_deadlock();
        }
        poll
    }

    fn close_edge(&self, open: &mut Open, e: usize) {
        if open.closed.contains(&e) {
            return;
        }
        open.closed.push(e);
        self.run.close_edge(e);
        self.run.edge_drained(e);
        let edge = &self.run.plan.edges[e];
        if self.run.plan.nodes[self.node].def.routes {
            self.run.inboxes[edge.target].producer_done(edge.handle);
        }
    }
}

/// Ends the waiting of a node, also when the node gives up waiting.
struct Unmark<'a>(&'a AtomicU64);

impl Drop for Unmark<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

fn too_deep(output: &str) -> NodeError {
    NodeError::new(format!(
        "The value for output '{output}' is nested more than {MAX_LEVELS} levels deep"
    ))
}

impl Emit for Ports {
    fn put(&self, emitted: Emitted) -> Result<bool, NodeError> {
        // After a failure, sources that could go on for ever have nobody left to work for (FIX-3).
        if self.run.failing.load(Ordering::Relaxed) {
            let node = &self.run.plan.nodes[self.node];
            if node.handles.is_empty() && node.controllers == 0 {
                return Err(NodeError::Stopped);
            }
        }
        Ok(self.send(emitted, true)? && !self.run.pause.is_closed())
    }

    fn ready<'a>(&'a self) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async {
            self.room().await;
            self.run.enter(self.node).await;
            Ok(())
        })
    }

    fn complete(&self, slot: &str) {
        let node = &self.run.plan.nodes[self.node];
        if let Some(i) = node.slots.iter().position(|s| &**s == slot) {
            let mut open = self.lock();
            for &e in &node.out[i] {
                self.close_edge(&mut open, e);
            }
            drop(open);
            self.run.break_deadlock();
        }
    }

    fn control(&self, message: ControlMessage) -> Result<(), NodeError> {
        {
            let mut open = self.lock();
            if open.records.is_some() {
                let event = control::write_event(&message);
                self.record(&mut open, &"__control__".into(), &event);
            }
        }
        // Who waits for an answer is at rest until it comes.
        if message.reply.is_some() {
            self.run.pause.leave(self.node);
        }
        self.send_control(message);
        Ok(())
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        let node = &self.run.plan.nodes[self.node];
        let early = std::mem::take(&mut self.lock().closed);
        // Everybody is about to be cut off: an end of stream now would only let a consumer take it for a real one.
        if self.run.stopping.load(Ordering::Acquire) {
            if !self.run.suspended_at(self.node) {
                let all = node.out.iter().flatten().chain(&node.control_out);
                all.filter(|e| !early.contains(e))
                    .for_each(|&e| self.run.edge_drained(e));
            }
            return;
        }
        for &e in node.out.iter().flatten() {
            if early.is_empty() || !early.contains(&e) {
                let edge = &self.run.plan.edges[e];
                self.run.edge_drained(e);
                if node.def.routes {
                    self.run.inboxes[edge.target].producer_done(edge.handle);
                }
            }
        }
        let mut told: SmallVec<[usize; 4]> = SmallVec::new();
        for &e in &node.control_out {
            let target = self.run.plan.edges[e].target;
            self.run.edge_drained(e);
            if !told.contains(&target) {
                told.push(target);
                self.run.controls[target].controller_done();
            }
        }
        // Inputs have no actor; everybody else closes the inbox here, whatever ended it (FIX-3).
        if node.def.role != Role::Input {
            self.run.inboxes[self.node].close();
            self.run.controls[self.node].close();
        }
        self.run.ended[self.node].store(true, Ordering::SeqCst);
        self.run.break_deadlock();
    }
}

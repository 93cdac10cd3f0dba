//! One node at work: inbox, batches, execution, emission. One task per node.
//!
//! Source: engine spec 4.5 to 4.13. It never names a node type; roles are in the definition.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use nodetool_sdk::protocol::NodeStatus;
use nodetool_sdk::{Behaviour, ControlEvent, Emitted, Map, NodeCx, NodeError, Props, Role, Value};
use tracing::Instrument;
use tracing::field::Empty;

use crate::aligner::{Aligner, Batch, HandleRule, Want};
use crate::control::{Event, Reply};
use crate::journal::UNSET;
use crate::plan::{PlanNode, fit_input};
use crate::ports::Ports;
use crate::reader::Reader;
use crate::run::Run;
use crate::tally::Execution;

mod effects;
mod replay;

use effects::{Effects, Turn};

/// Keys that never show in the `completed` result of a streaming node.
const UNTOLD: [&str; 3] = ["chunk", "__control__", "__control_output__"];

/// Dynamic property by which a trigger node gets the event that started the run.
const EVENT_PROPERTY: &str = "__event__";

/// Runs a node to its end; its ports, and with them its streams, close with it.
pub(crate) async fn act(run: Arc<Run>, node: usize) {
    let ports = Ports::new(run.clone(), node);
    let mut actor = Actor {
        cx: NodeCx::new(run.cx.clone(), run.plan.nodes[node].info.clone()),
        run,
        node,
        ports,
        owed: None,
        effects: Effects::default(),
    };
    let result = AssertUnwindSafe(actor.live()).catch_unwind().await;
    let error = match result {
        Ok(Ok(())) => return actor.finished(),
        Ok(Err(NodeError::Stopped)) => return,
        Ok(Err(e)) => e,
        Err(panic) => NodeError::Panicked(panic_text(&*panic)),
    };
    actor.run.fail(node, &error);
    // After the failure is known, so that a controller that fails over it is not taken for the cause (FIX-21).
    if let Some(reply) = actor.owed.take() {
        let _ = reply.send(Err(error.to_string()));
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into())
}

struct Actor {
    run: Arc<Run>,
    node: usize,
    cx: NodeCx,
    ports: Ports,
    /// Where the result of the control event at work goes.
    owed: Option<Reply>,
    effects: Effects,
}

/// The data inputs of a node, as batches.
enum Feed {
    /// No inputs: one batch of nothing.
    Once(bool),
    /// Batches of the inbox.
    Inbox(Reader, Box<Aligner>, bool),
}

impl Actor {
    fn plan(&self) -> &PlanNode {
        &self.run.plan.nodes[self.node]
    }

    async fn live(&mut self) -> Result<(), NodeError> {
        let plan = self.plan();
        // All sources non-routable: nothing will ever come.
        if !plan.handles.is_empty() && plan.handles.iter().all(|h| h.open == 0) {
            return Ok(());
        }
        if let Some(emitted) = self.recorded() {
            return self.replay(emitted).await;
        }
        // Something happened at one trigger; the others have nothing to tell.
        if plan.def.begins_runs
            && let Some((id, _)) = &self.run.trigger_event
            && *id != plan.info.id
        {
            return Ok(());
        }
        if plan.controllers > 0 {
            return self.controlled().await;
        }
        if plan.def.is_streaming_input() {
            return self
                .pipe(&mut Reader::new(self.run.clone(), self.node), &Map::new())
                .await
                .map(drop);
        }
        let mut feed = self.feed();
        while let Some(batch) = self.next_batch(&mut feed).await {
            self.execute(&batch, &Map::new()).await?;
        }
        Ok(())
    }

    fn feed(&self) -> Feed {
        let plan = self.plan();
        if plan.handles.is_empty() {
            return Feed::Once(false);
        }
        let rules: Vec<HandleRule> = plan
            .handles
            .iter()
            .map(|h| HandleRule {
                sticky: h.sticky,
                list: h.list && h.open > 0,
                absent: h.open == 0,
            })
            .collect();
        let aligner = Box::new(Aligner::new(plan.sync, &rules));
        Feed::Inbox(Reader::new(self.run.clone(), self.node), aligner, false)
    }

    async fn next_batch(&self, feed: &mut Feed) -> Option<Batch> {
        match feed {
            Feed::Once(done) => (!std::mem::replace(done, true)).then(Batch::new),
            Feed::Inbox(_, _, true) => None,
            Feed::Inbox(reader, aligner, ended) => loop {
                if let Some(batch) = aligner.next_batch() {
                    return Some(batch);
                }
                match poll_fn(|cx| reader.poll_next(aligner.wants(), cx)).await {
                    Some(item) => aligner.push(item.handle, item.edge as usize, item.value),
                    None => {
                        *ended = true;
                        let edges = &self.run.plan.edges;
                        let last = aligner.finish(|_, e| edges[e].list_slot);
                        for (h, n) in aligner.leftovers() {
                            let name = &self.plan().handles[h].name;
                            let text =
                                format!("{n} item(s) on '{name}' had no partner and were dropped");
                            self.cx.log(nodetool_sdk::Severity::Warning, text);
                        }
                        return last;
                    }
                }
            },
        }
    }

    /// Property values of one execution: static ⊕ inputs ⊕ control overrides.
    fn props(&self, batch: &Batch, overrides: &Map) -> Result<Props, NodeError> {
        let plan = self.plan();
        let mut props = plan.props.clone();
        for (h, value) in batch.iter().enumerate() {
            let handle = &plan.handles[h];
            match value {
                Some(v) if !overrides.contains_key(&handle.name) => {
                    fit_input(
                        &plan.def,
                        handle.target,
                        &handle.name,
                        v.clone(),
                        &mut props,
                    )
                    .map_err(NodeError::Failed)?;
                }
                _ => {}
            }
        }
        self.apply(overrides, &mut props)?;
        Ok(props)
    }

    fn apply(&self, overrides: &Map, props: &mut Props) -> Result<(), NodeError> {
        let plan = self.plan();
        for (name, value) in overrides {
            let target = match plan.def.property_index(name) {
                Some(i) => crate::plan::Target::Property(i),
                None if plan.def.metadata.is_dynamic => crate::plan::Target::Dynamic,
                None => {
                    let class = plan.def.class_name();
                    let text = format!(
                        "Control property {name} failed: [{class}] Property {name} does not exist"
                    );
                    return Err(NodeError::Failed(text));
                }
            };
            fit_input(&plan.def, target, name, value.clone(), props)
                .map_err(|e| NodeError::Failed(format!("Control property {name} failed: {e}")))?;
        }
        Ok(())
    }

    /// One execution; the result is for a controller that asked.
    async fn execute(&self, batch: &Batch, overrides: &Map) -> Result<Map, NodeError> {
        let _working = self.run.work(self.node).await;
        let mut props = self.props(batch, overrides)?;
        let turn = self.turn().await?;
        self.tell_event(&mut props, &turn);
        match &self.plan().def.behaviour {
            Behaviour::Generate(_) => self.generate(props, turn).await,
            _ => self.process(props, overrides, turn).await,
        }
    }

    /// Buffered: the result is told before it is routed (G3).
    async fn process(&self, props: Props, overrides: &Map, turn: Turn) -> Result<Map, NodeError> {
        let plan = self.plan();
        let Behaviour::Process(f) = &plan.def.behaviour else {
            return Ok(Map::new());
        };
        let key = match &self.run.cache {
            Some(cache) if plan.def.cacheable && !plan.stream_driven && overrides.is_empty() => {
                cache.key(&self.run.cx.user_id, &plan.def.metadata.node_type, &props)
            }
            _ => None,
        };
        let told = self.run.listening.then(|| props.clone());
        let hit = key
            .zip(self.run.cache.as_ref())
            .and_then(|(k, cache)| cache.get(k));
        let emitted = match (turn, hit) {
            (Turn::Over(emitted), _) => Emitted::Named(emitted.into_iter().collect()),
            (_, Some(values)) => Emitted::Slots(values),
            (turn, None) => {
                if let Some(props) = &told {
                    self.run
                        .node_update(self.node, NodeStatus::Running, Some(props), None);
                }
                let emitted = self.timed(f(props, &self.cx)).await?;
                self.ports.check(&emitted)?;
                if let Turn::Effect(n) = turn {
                    self.effect_done(n, &emitted).await?;
                }
                if let (Some(key), Some(cache), Emitted::Slots(values)) =
                    (key, &self.run.cache, &emitted)
                {
                    cache.put(key, values);
                }
                emitted
            }
        };
        let wanted = told.is_some() || plan.controllers > 0;
        let result = if wanted {
            self.result_map(&emitted)
        } else {
            Map::new()
        };
        if let Some(props) = &told {
            self.run.node_update(
                self.node,
                NodeStatus::Completed,
                Some(props),
                Some(result.clone()),
            );
        }
        if !self.ports.send(emitted, false)? {
            self.ports.room().await;
        }
        Ok(told_only(result))
    }

    fn result_map(&self, emitted: &Emitted) -> Map {
        match emitted {
            Emitted::Named(map) => map.clone(),
            Emitted::Slots(values) => {
                let slots = &self.plan().slots;
                values
                    .iter()
                    .map(|(i, v)| (slots[usize::from(*i)].clone(), v.clone()))
                    .collect()
            }
        }
    }

    /// Streaming out: every emission is routed at once, the last values are told at the end.
    async fn generate(&self, props: Props, turn: Turn) -> Result<Map, NodeError> {
        let Behaviour::Generate(f) = &self.plan().def.behaviour else {
            return Ok(Map::new());
        };
        let told = self.begin(&props);
        let work = self.timed(f(props, &self.ports, &self.cx));
        self.streamed(turn, work).await?;
        self.ports.room().await;
        Ok(self.end(told))
    }

    /// Streaming in: runs once and reads its inbox itself.
    async fn pipe(&self, reader: &mut Reader, overrides: &Map) -> Result<Map, NodeError> {
        let plan = self.plan();
        let _working = self.run.work(self.node).await;
        let mut props = self.props(&Batch::new(), overrides)?;
        let turn = self.turn().await?;
        self.tell_event(&mut props, &turn);
        let told = self.begin(&props);
        match (&plan.def.behaviour, plan.def.role) {
            (_, Role::Output | Role::Preview) => self.sink(reader, props).await?,
            (Behaviour::Pipe(f), _) => {
                let work = self.timed(f(props, reader, &self.ports, &self.cx));
                self.streamed(turn, work).await?;
            }
            _ => {}
        }
        self.ports.room().await;
        Ok(self.end(told))
    }

    fn begin(&self, props: &Props) -> Option<Props> {
        if self.run.listening || self.plan().controllers > 0 {
            self.ports.remember();
        }
        self.run
            .node_update(self.node, NodeStatus::Running, Some(props), None);
        self.run.listening.then(|| props.clone())
    }

    fn end(&self, told: Option<Props>) -> Map {
        let result = told_only(self.ports.take_last());
        if let Some(props) = &told {
            self.ports.settle();
            self.run.node_update(
                self.node,
                NodeStatus::Completed,
                Some(props),
                Some(result.clone()),
            );
        }
        result
    }

    /// Output and preview: tell every item and pass it on; the configured value when nothing came.
    async fn sink(&self, reader: &mut Reader, mut props: Props) -> Result<(), NodeError> {
        let plan = self.plan();
        let name = plan.name.clone().unwrap_or_else(|| plan.info.id.clone());
        let mut any = false;
        while let Some(item) = poll_fn(|cx| reader.poll_item(&Want::All, cx)).await {
            any = true;
            self.show(&name, item.value, false).await?;
        }
        if !any {
            let value = plan
                .def
                .property_index("value")
                .map(|i| std::mem::take(&mut props.values[i]))
                .unwrap_or_default();
            if plan.def.role == Role::Output || !value.is_null() {
                self.show(&name, value, true).await?;
            }
        }
        Ok(())
    }

    async fn show(&self, name: &Arc<str>, value: Value, fallback: bool) -> Result<(), NodeError> {
        let value = if self.plan().def.role == Role::Output {
            self.run.output(self.node, name, value, fallback).await
        } else {
            self.run.preview(self.node, value.clone()).await;
            value
        };
        if self.run.journal.is_some() {
            let unset = fallback && value.is_null();
            let slot = if unset { &UNSET.into() } else { name };
            self.ports.note(slot, &value);
        }
        self.pass_on(value).await
    }

    /// What an output or a preview showed goes on to whoever is wired to it.
    async fn pass_on(&self, value: Value) -> Result<(), NodeError> {
        if !self.plan().slots.is_empty() && !self.ports.send(Emitted::one(0, value), false)? {
            self.ports.room().await;
        }
        Ok(())
    }

    async fn timed<T>(
        &self,
        work: impl Future<Output = Result<T, NodeError>>,
    ) -> Result<T, NodeError> {
        let plan = self.plan();
        let node_type = &*plan.def.metadata.node_type;
        let span = tracing::info_span!(
            target: "trace",
            "node",
            otel.name = node_type,
            otel.status_code = Empty,
            nodetool.node.id = &*plan.info.id,
            nodetool.node.type = node_type
        );
        let execution = Execution::begin();
        let work = work.instrument(span.clone());
        let result = match plan.def.timeout_s.filter(|t| *t > 0.0) {
            None => work.await,
            Some(t) => tokio::time::timeout(Duration::from_secs_f64(t), work)
                .await
                .unwrap_or(Err(NodeError::TimedOut(t))),
        };
        execution.ended(&result);
        if matches!(&result, Err(e) if !matches!(e, NodeError::Stopped)) {
            span.record("otel.status_code", "ERROR");
        }
        result
    }

    /// Executes once per control event (4.12): the first event runs over the data as it comes, later ones over the last
    /// batch again.
    async fn controlled(&mut self) -> Result<(), NodeError> {
        let mut feed = self.feed();
        let streaming = self.plan().def.is_streaming_input();
        let mut last: Option<Batch> = None;
        loop {
            let event = poll_fn(|cx| {
                let poll = self.run.controls[self.node].poll_next(cx);
                if poll.is_pending() {
                    self.run.break_deadlock();
                }
                poll
            })
            .await;
            let Some(Event { event, reply, .. }) = event else {
                return Ok(());
            };
            let ControlEvent::Run(overrides) = event else {
                return Ok(());
            };
            self.owed = reply;
            let result = if streaming {
                self.piped_event(&mut feed, &mut last, &overrides).await?
            } else {
                self.batched_event(&mut feed, &mut last, &overrides).await?
            };
            if let Some(reply) = self.owed.take() {
                let _ = reply.send(Ok(result));
            }
        }
    }

    async fn batched_event(
        &self,
        feed: &mut Feed,
        last: &mut Option<Batch>,
        overrides: &Map,
    ) -> Result<Map, NodeError> {
        if let Some(batch) = &*last {
            return self.execute(batch, overrides).await;
        }
        let mut result = Map::new();
        while let Some(batch) = self.next_batch(feed).await {
            result = self.execute(&batch, overrides).await?;
            *last = Some(batch);
        }
        Ok(result)
    }

    /// A body that reads its inbox itself: the first event gets the live streams, later ones none.
    async fn piped_event(
        &self,
        feed: &mut Feed,
        _: &mut Option<Batch>,
        overrides: &Map,
    ) -> Result<Map, NodeError> {
        match std::mem::replace(feed, Feed::Once(true)) {
            Feed::Inbox(mut reader, _, _) => {
                let result = self.pipe(&mut reader, overrides).await;
                *feed = Feed::Once(true);
                result
            }
            Feed::Once(_) if self.plan().handles.is_empty() => {
                self.pipe(&mut Reader::new(self.run.clone(), self.node), overrides)
                    .await
            }
            Feed::Once(_) => Ok(Map::new()),
        }
    }
}

fn told_only(mut map: Map) -> Map {
    map.retain(|k, _| !UNTOLD.contains(&&**k));
    map
}

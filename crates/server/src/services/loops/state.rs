//! How the runs of a workflow stand, and who watches them: one board for each workflow.
//!
//! A board has one owner of its state, the lock, held for the moment of a change. Events get their numbers under it, so
//! they are in order for everybody. It must not know steps, rows or sockets. Source: orchestrator spec 4.2 to 4.4.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use nodetool_protocol::{JobStatus, Map, Value};
use nodetool_sdk::steps::StepNode;
use nodetool_store::now_micros;
use serde::Serialize;
use tokio::sync::Notify;

use super::watch::{Frame, Places};
use crate::services::zulu_text as time_text;

/// Completions that are listed.
const COMPLETED_KEPT: usize = 200;
/// How long a state is kept after the end of its run, in microseconds.
pub(super) const KEPT_FOR: i64 = 3_600_000_000;
const MICROS: f64 = 1e6;

/// The state and the watchers of one workflow.
pub(super) struct Board {
    /// The workflow's id as clients know it.
    workflow_id: Arc<str>,
    inner: Mutex<Inner>,
    /// Some watcher takes events, and not only the state when it next looks.
    heard: AtomicBool,
    /// Something has changed since the last snapshot.
    dirty: AtomicBool,
    changed: Notify,
}

struct Inner {
    stands: Stands,
    /// Runs at work: one of loops, or any number of calls.
    runs: usize,
    seq: u64,
    places: Places,
}

/// What is known of the newest run.
enum Stands {
    Idle,
    Run(Box<Run>),
    /// As an earlier process left it.
    Left(Map),
}

struct Run {
    status: &'static str,
    started_at: i64,
    total_nodes: usize,
    executing: IndexMap<Arc<str>, Executing>,
    completed: VecDeque<Completed>,
    completed_count: u64,
    ended_at: Option<i64>,
    error: Option<String>,
}

struct Executing {
    node: StepNode,
    started_at: i64,
    /// Loops that are at work on it.
    times: u32,
}

struct Completed {
    node: StepNode,
    at: i64,
    seconds: f64,
    route: Arc<str>,
}

/// One event on the wire.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event<'a> {
    NodeStarted {
        workflow_id: &'a str,
        node_id: &'a str,
        node_type: &'a str,
        started_at: String,
        seq: u64,
    },
    NodeCompleted {
        workflow_id: &'a str,
        node_id: &'a str,
        node_type: &'a str,
        route: &'a str,
        duration: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        output_data: Option<String>,
        seq: u64,
    },
    NodeFailed {
        workflow_id: &'a str,
        node_id: &'a str,
        node_type: &'a str,
        error: &'a str,
        seq: u64,
    },
    WorkflowCompleted {
        workflow_id: &'a str,
        status: &'a str,
        duration: f64,
        seq: u64,
    },
    WorkflowFailed {
        workflow_id: &'a str,
        error: &'a str,
        seq: u64,
    },
    StateSync {
        state: Value,
        seq: u64,
    },
}

/// What a step gave, for those who watch.
pub(super) struct Finished<'a> {
    pub(super) route: &'a str,
    pub(super) seconds: f64,
    pub(super) preview: Option<String>,
}

impl Board {
    /// The board of a workflow; `left` is the state an earlier process kept.
    pub(super) fn new(workflow_id: Arc<str>, left: Option<Map>) -> Self {
        Board {
            workflow_id,
            inner: Mutex::new(Inner {
                stands: left.map_or(Stands::Idle, Stands::Left),
                runs: 0,
                seq: 0,
                places: Places::default(),
            }),
            heard: AtomicBool::new(false),
            dirty: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether previews are worth making.
    pub(super) fn is_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// Resolves when something has changed since it last did.
    pub(super) async fn changed(&self) {
        loop {
            let changed = self.changed.notified();
            if self.dirty.swap(false, Ordering::AcqRel) {
                return;
            }
            changed.await;
        }
    }

    /// Something beside the state has changed that is to be kept.
    pub(super) fn touch(&self) {
        if !self.dirty.swap(true, Ordering::AcqRel) {
            self.changed.notify_waiters();
        }
    }

    /// A run begins.
    pub(super) fn begin(&self, total_nodes: usize) {
        let mut inner = self.lock();
        inner.runs += 1;
        if inner.runs == 1 {
            inner.stands = Stands::Run(Box::new(Run {
                status: "running",
                started_at: now_micros(),
                total_nodes,
                executing: IndexMap::new(),
                completed: VecDeque::new(),
                completed_count: 0,
                ended_at: None,
                error: None,
            }));
            // Nobody may take what comes now for a part of what was before.
            self.show(&mut inner);
        }
        drop(inner);
        self.touch();
    }

    pub(super) fn started(&self, node: &StepNode) {
        let at = now_micros();
        let mut inner = self.lock();
        if let Some(run) = inner.run() {
            let executing = run.executing.entry(node.id.clone());
            let executing = executing.or_insert_with(|| Executing {
                node: node.clone(),
                started_at: at,
                times: 0,
            });
            executing.times += 1;
        }
        self.tell(&mut inner, |workflow_id, seq| Event::NodeStarted {
            workflow_id,
            node_id: &node.id,
            node_type: &node.node_type,
            started_at: time_text(at),
            seq,
        });
        drop(inner);
        self.touch();
    }

    pub(super) fn completed(&self, node: &StepNode, done: Finished<'_>) {
        let at = now_micros();
        let mut inner = self.lock();
        if let Some(run) = inner.run() {
            run.leave(&node.id);
            run.completed_count += 1;
            if run.completed.len() == COMPLETED_KEPT {
                run.completed.pop_front();
            }
            let before = run.completed.back().map(|c| c.route.clone());
            let route = match before.filter(|route| **route == *done.route) {
                Some(route) => route,
                None => done.route.into(),
            };
            run.completed.push_back(Completed {
                node: node.clone(),
                at,
                seconds: done.seconds,
                route,
            });
        }
        self.tell(&mut inner, |workflow_id, seq| Event::NodeCompleted {
            workflow_id,
            node_id: &node.id,
            node_type: &node.node_type,
            route: done.route,
            duration: done.seconds,
            output_data: done.preview,
            seq,
        });
        drop(inner);
        self.touch();
    }

    pub(super) fn failed(&self, node: &StepNode, error: &str) {
        let mut inner = self.lock();
        if let Some(run) = inner.run() {
            run.leave(&node.id);
        }
        self.tell(&mut inner, |workflow_id, seq| Event::NodeFailed {
            workflow_id,
            node_id: &node.id,
            node_type: &node.node_type,
            error,
            seq,
        });
        drop(inner);
        self.touch();
    }

    /// A run has ended; a cancelled one leaves nothing behind.
    pub(super) fn end(&self, status: JobStatus, error: Option<&str>, seconds: f64) {
        let mut inner = self.lock();
        inner.runs = inner.runs.saturating_sub(1);
        let is_last = inner.runs == 0;
        match status {
            JobStatus::Cancelled if is_last => {
                inner.stands = Stands::Idle;
                self.show(&mut inner);
            }
            JobStatus::Cancelled => {}
            JobStatus::Completed => {
                inner.close("completed", None, is_last);
                self.tell_end(&mut inner, |workflow_id, seq| Event::WorkflowCompleted {
                    workflow_id,
                    status: "success",
                    duration: seconds,
                    seq,
                });
            }
            _ => {
                let error = error.unwrap_or("The run failed");
                inner.close("failed", Some(error), is_last);
                self.tell_end(&mut inner, |workflow_id, seq| Event::WorkflowFailed {
                    workflow_id,
                    error,
                    seq,
                });
            }
        }
        drop(inner);
        self.touch();
    }

    /// How long a node has been at work.
    pub(super) fn since(&self, node_id: &str) -> Option<Duration> {
        let mut inner = self.lock();
        let began = inner.run()?.executing.get(node_id)?.started_at;
        Some(Duration::from_micros(
            (now_micros() - began).max(0).cast_unsigned(),
        ))
    }

    /// The state document.
    pub(super) fn state(&self) -> Value {
        self.lock().document(&self.workflow_id)
    }

    /// Whether nothing of it is needed any more.
    pub(super) fn is_idle(&self) -> bool {
        let inner = self.lock();
        let gone = match &inner.stands {
            Stands::Idle | Stands::Left(_) => true,
            Stands::Run(run) => run.is_old(),
        };
        inner.runs == 0 && inner.places.is_empty() && gone
    }

    /// A new watcher's place.
    pub(super) fn join(&self) -> (usize, Arc<Notify>) {
        let mut inner = self.lock();
        let first = self.sync(&inner);
        let joined = inner.places.join(first);
        self.note_heard(&inner);
        joined
    }

    /// A watcher goes.
    pub(super) fn leave(&self, key: usize) {
        let mut inner = self.lock();
        inner.places.leave(key);
        self.note_heard(&inner);
    }

    /// Whether so many frames wait for a watcher; its `Notify` tells it when they do.
    pub(super) fn has(&self, key: usize, count: usize) -> bool {
        self.lock().places.has(key, count)
    }

    /// All frames that wait for a watcher, and the state after them if it is wanted, or something was lost.
    pub(super) fn take(&self, key: usize, wanted: bool) -> VecDeque<Frame> {
        let mut inner = self.lock();
        let (mut frames, lost) = inner.places.take(key);
        if lost || wanted {
            frames.push_back(self.sync(&inner));
            self.note_heard(&inner);
        }
        frames
    }

    fn sync(&self, inner: &Inner) -> Frame {
        frame(&Event::StateSync {
            state: inner.document(&self.workflow_id),
            seq: inner.seq,
        })
    }

    fn tell<'a>(&'a self, inner: &mut Inner, event: impl FnOnce(&'a str, u64) -> Event<'a>) {
        inner.seq += 1;
        if !self.is_heard() {
            return;
        }
        let frame = frame(&event(&self.workflow_id, inner.seq));
        if inner.places.push(&frame) {
            self.note_heard(inner);
        }
    }

    /// Tells the state to all who listen, in its place among the events.
    fn show(&self, inner: &mut Inner) {
        let frame = self.sync(inner);
        inner.places.push(&frame);
        self.note_heard(inner);
    }

    /// Tells of the end of a run; nobody who watches misses it, however short the run was.
    fn tell_end<'a>(&'a self, inner: &mut Inner, event: impl FnOnce(&'a str, u64) -> Event<'a>) {
        inner.seq += 1;
        if inner.places.is_empty() {
            return;
        }
        let frame = frame(&event(&self.workflow_id, inner.seq));
        inner.places.push_end(&frame);
        self.note_heard(inner);
    }

    fn note_heard(&self, inner: &Inner) {
        self.heard
            .store(inner.places.any_listens(), Ordering::Relaxed);
    }
}

fn frame(event: &Event<'_>) -> Frame {
    // Texts and numbers only: it always serialises.
    serde_json::to_string(event).unwrap_or_default().into()
}

impl Inner {
    fn run(&mut self) -> Option<&mut Run> {
        match &mut self.stands {
            Stands::Run(run) => Some(run),
            Stands::Idle | Stands::Left(_) => None,
        }
    }

    fn close(&mut self, status: &'static str, error: Option<&str>, is_last: bool) {
        if let Some(run) = self.run().filter(|_| is_last) {
            run.status = status;
            run.ended_at = Some(now_micros());
            run.error = error.map(Into::into);
            run.executing.clear();
        }
    }

    fn document(&self, workflow_id: &Arc<str>) -> Value {
        match &self.stands {
            Stands::Run(run) if !run.is_old() => run.document(workflow_id),
            Stands::Left(left) => Value::from(left.clone()),
            Stands::Idle | Stands::Run(_) => idle(workflow_id),
        }
    }
}

/// The state of a workflow without a run that is remembered.
fn idle(workflow_id: &Arc<str>) -> Value {
    Value::map([
        ("workflow_id", Value::Str(workflow_id.clone())),
        ("status", "idle".into()),
        ("executing_nodes", Map::new().into()),
        ("completed_nodes", Value::list([])),
        ("completed_count", Value::Int(0)),
    ])
}

fn seconds(from: i64, to: i64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a run")]
    Value::Float((to - from).max(0) as f64 / MICROS)
}

impl Run {
    /// One of the loops that are at work on a node is not any more.
    fn leave(&mut self, node_id: &Arc<str>) {
        if let Some(executing) = self.executing.get_mut(node_id) {
            executing.times -= 1;
            if executing.times == 0 {
                self.executing.shift_remove(node_id);
            }
        }
    }

    fn is_old(&self) -> bool {
        self.ended_at.is_some_and(|at| now_micros() - at > KEPT_FOR)
    }

    fn document(&self, workflow_id: &Arc<str>) -> Value {
        let now = now_micros();
        let executing = self.executing.iter().map(|(id, e)| {
            let entry = Value::map([
                ("node_id", Value::Str(id.clone())),
                ("node_type", Value::Str(e.node.node_type.clone())),
                ("started_at", time_text(e.started_at).into()),
                ("duration_seconds", seconds(e.started_at, now)),
            ]);
            (id.clone(), entry)
        });
        let completed = self.completed.iter().map(|c| {
            Value::map([
                ("node_id", Value::Str(c.node.id.clone())),
                ("node_type", Value::Str(c.node.node_type.clone())),
                ("completed_at", time_text(c.at).into()),
                ("duration_seconds", Value::Float(c.seconds)),
                ("route", Value::Str(c.route.clone())),
            ])
        });
        let count = i64::try_from(self.completed_count).unwrap_or(i64::MAX);
        let total = i64::try_from(self.total_nodes).unwrap_or(i64::MAX);
        let mut document = Map::from_iter([
            ("workflow_id".into(), Value::Str(workflow_id.clone())),
            ("status".into(), self.status.into()),
            ("started_at".into(), time_text(self.started_at).into()),
            ("total_nodes".into(), Value::Int(total)),
            (
                "executing_nodes".into(),
                Value::from(executing.collect::<Map>()),
            ),
            ("completed_nodes".into(), Value::list(completed)),
            ("completed_count".into(), Value::Int(count)),
        ]);
        if let Some(ended_at) = self.ended_at {
            document.insert("completed_at".into(), time_text(ended_at).into());
            let total = seconds(self.started_at, ended_at);
            document.insert("total_duration_seconds".into(), total);
        }
        if let Some(error) = &self.error {
            document.insert("error".into(), error.as_str().into());
        }
        Value::from(document)
    }
}

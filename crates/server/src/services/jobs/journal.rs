//! What a job leaves behind while it runs, so that it can be taken up again: the outputs of its finished nodes, and
//! which executions with effects began and ended.
//!
//! Nodes tell the journal without waiting; it is written in batches once the job is old enough to be worth it. Only an
//! execution with effects waits until its beginning is on disk.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use nodetool_engine::{EffectState, Emission, Journal, Resume};
use nodetool_protocol::Value;
use nodetool_sdk::{BoxFuture, NodeError};
use nodetool_store::{CheckpointJob, NodeRecord, NodeRecordStatus, Store, StoreError, now_micros};
use tokio::sync::Notify;

/// A job this old is worth a checkpoint.
const CHECKPOINT_AFTER: Duration = Duration::from_millis(250);
/// How long what is told is gathered before it is written.
const GATHER: Duration = Duration::from_millis(50);
/// The number under which a record is about the whole node.
const WHOLE_NODE: i64 = -1;
/// What one write holds at most: records, and about their bytes.
const WRITTEN: (usize, usize) = (1000, 16 << 20);
/// How many executions with effects are kept in memory where progress is not written all the time.
const KEPT_BACK: usize = 128;

/// The journal of one attempt.
pub(super) struct JobJournal {
    store: Store,
    job_id: Arc<str>,
    /// What is told is written while the run is at work, not only when it stops to be resumed.
    steady: bool,
    state: Mutex<State>,
    /// One write after the other.
    writing: tokio::sync::Mutex<()>,
    told: Notify,
}

struct State {
    pending: Vec<Told>,
    /// What is told is written soon; before, it waits in memory.
    active: bool,
    /// The graph, until it is written with the first records.
    graph: Option<Arc<str>>,
    /// Nodes that go on with an answer which no execution has used up.
    answered: HashSet<Arc<str>>,
}

/// One thing told.
struct Told {
    node_id: Arc<str>,
    invocation: i64,
    status: NodeRecordStatus,
    value: Content,
}

enum Content {
    Nothing,
    Emitted(Vec<Emission>),
    State(Value),
}

impl JobJournal {
    /// A journal that writes the graph with its first records.
    pub(super) fn new(
        store: Store,
        job_id: Arc<str>,
        graph: Option<Arc<str>>,
        steady: bool,
    ) -> Self {
        JobJournal {
            store,
            job_id,
            steady,
            state: Mutex::new(State {
                pending: Vec::new(),
                active: false,
                graph,
                answered: HashSet::new(),
            }),
            writing: tokio::sync::Mutex::default(),
            told: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, node_id: &Arc<str>, invocation: i64, status: NodeRecordStatus, value: Content) {
        let mut state = self.state();
        state.pending.push(Told {
            node_id: node_id.clone(),
            invocation,
            status,
            value,
        });
        if state.active {
            self.told.notify_one();
        }
    }

    /// Notes where a suspended node stands.
    pub(super) fn suspended(&self, node_id: &Arc<str>, state: Value) {
        let status = NodeRecordStatus::Suspended;
        self.tell(node_id, WHOLE_NODE, status, Content::State(state));
    }

    /// Notes what a suspended node goes on with.
    pub(super) fn answered(&self, node_id: &Arc<str>, state: Value) {
        let status = NodeRecordStatus::Started;
        self.tell(node_id, WHOLE_NODE, status, Content::State(state));
        self.state().answered.insert(node_id.clone());
    }

    /// Nodes whose answers an earlier attempt has noted.
    pub(super) fn expect_answered(&self, nodes: impl IntoIterator<Item = Arc<str>>) {
        self.state().answered.extend(nodes);
    }

    /// From now on, what is told is written soon.
    pub(super) fn activate(&self) {
        self.state().active = true;
        self.told.notify_one();
    }

    /// Resolves when something was told a little while ago and has to be written.
    pub(super) async fn due(&self) {
        loop {
            self.told.notified().await;
            if !self.state().pending.is_empty() {
                tokio::time::sleep(GATHER).await;
                return;
            }
        }
    }

    /// Writes what was told so far and waits until it is durable. What could not be written, or whose writing is broken
    /// off, stays to be written next time, unless it never can be.
    pub(super) async fn flush(&self) -> Result<(), StoreError> {
        let _turn = self.writing.lock().await;
        let mut taken = Taken {
            journal: self,
            told: std::mem::take(&mut self.state().pending),
        };
        while !taken.told.is_empty() {
            let now = now_micros();
            let (mut records, mut bytes, mut count) = (Vec::new(), 0, 0);
            for told in taken.told.iter().take(WRITTEN.0) {
                if bytes >= WRITTEN.1 {
                    break;
                }
                count += 1;
                let Some(payload) = encode(&told.value) else {
                    continue;
                };
                bytes += payload.len();
                records.push(NodeRecord {
                    run_id: self.job_id.to_string(),
                    node_id: told.node_id.to_string(),
                    invocation: told.invocation,
                    status: told.status,
                    payload,
                    updated_at: now,
                });
            }
            let graph = self.state().graph.clone();
            let job = CheckpointJob {
                graph,
                event_seq: None,
                heartbeat_at: now,
            };
            let saved = self
                .store
                .save_node_records(&self.job_id, records, job)
                .await;
            if saved.as_ref().is_err_and(super::passes) {
                return saved;
            }
            taken.told.drain(..count);
            saved?;
            self.state().graph = None;
        }
        Ok(())
    }

    /// Sees a run to its end and writes what it tells once it is old enough.
    pub(super) async fn keep_while<T>(&self, run: impl Future<Output = T>) -> T {
        if !self.steady {
            return run.await;
        }
        tokio::pin!(run);
        let old = tokio::time::sleep(CHECKPOINT_AFTER);
        tokio::pin!(old);
        let mut is_old = false;
        loop {
            tokio::select! {
                biased;
                outcome = &mut run => return outcome,
                () = &mut old, if !is_old => {
                    is_old = true;
                    self.activate();
                }
                () = self.due() => self.write().await,
            }
        }
    }

    /// Writes what was told; a failure is logged, and costs that nodes run again.
    pub(super) async fn write(&self) {
        if let Err(e) = self.flush().await {
            tracing::warn!(job.id = %self.job_id, error = %e, "the progress of a job could not be stored");
        }
    }

    /// Writes what is told of an execution with effects before it goes on.
    async fn flush_for(&self, node_id: &str, fault: &'static str) -> Result<(), NodeError> {
        if !self.steady {
            // It is needed only when the job stops to be resumed, but must not grow for ever.
            let many = self.state().pending.len() >= KEPT_BACK;
            if many {
                self.write().await;
            }
            return Ok(());
        }
        self.state().active = true;
        self.flush().await.map_err(|e| {
            tracing::error!(job.id = %self.job_id, node.id = %node_id, error = %e, "a journal could not be written");
            NodeError::new(fault)
        })
    }

    /// An execution did not begin after all.
    fn take_back(&self, node_id: &str, n: i64) {
        let is_it = |told: &Told| {
            *told.node_id == *node_id
                && told.invocation == n
                && told.status == NodeRecordStatus::Started
        };
        self.state().pending.retain(|told| !is_it(told));
    }
}

/// What is being written; what is left of it is told again.
struct Taken<'a> {
    journal: &'a JobJournal,
    told: Vec<Told>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.told.is_empty() {
            return;
        }
        let mut state = self.journal.state();
        let later = std::mem::replace(&mut state.pending, std::mem::take(&mut self.told));
        state.pending.extend(later);
    }
}

fn encode(content: &Content) -> Option<Bytes> {
    let bytes = match content {
        Content::Nothing => Ok(Vec::new()),
        Content::Emitted(emitted) => rmp_serde::to_vec(emitted),
        Content::State(state) => rmp_serde::to_vec(state),
    };
    match bytes {
        Ok(bytes) => Some(bytes.into()),
        Err(e) => {
            tracing::error!(error = %e, "what a node emitted cannot be written; it will run again when its job is resumed");
            None
        }
    }
}

impl Journal for JobJournal {
    fn node_finished(&self, node_id: &Arc<str>, emitted: Option<Vec<Emission>>) {
        if let Some(emitted) = emitted {
            let finished = NodeRecordStatus::Finished;
            self.tell(node_id, WHOLE_NODE, finished, Content::Emitted(emitted));
        }
    }

    fn effect_begins<'a>(
        &'a self,
        node_id: &'a Arc<str>,
        n: u64,
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            let started = NodeRecordStatus::Started;
            let n = n.cast_signed();
            self.tell(node_id, n, started, Content::Nothing);
            let fault = "What this node does could not be noted; it was not done";
            self.flush_for(node_id, fault)
                .await
                .inspect_err(|_| self.take_back(node_id, n))
        })
    }

    fn effect_done<'a>(
        &'a self,
        node_id: &'a Arc<str>,
        n: u64,
        emitted: Vec<Emission>,
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            let finished = NodeRecordStatus::Finished;
            self.tell(
                node_id,
                n.cast_signed(),
                finished,
                Content::Emitted(emitted),
            );
            if self.state().answered.remove(node_id) {
                // The answer was for this execution; another one asks for its own.
                let used = NodeRecordStatus::Suspended;
                self.tell(node_id, WHOLE_NODE, used, Content::Nothing);
            }
            let fault = "What this node did could not be noted";
            self.flush_for(node_id, fault).await
        })
    }
}

/// What an earlier attempt left behind.
#[derive(Default)]
pub(super) struct Left {
    /// Ready for the engine.
    pub(super) resume: Resume,
    /// The states of nodes that wait for an answer.
    pub(super) waiting: HashMap<Arc<str>, Value>,
}

/// Reads what an earlier attempt left behind. A record that cannot be read is an error: going on without it would do
/// again what was done.
pub(super) fn left_behind(records: Vec<NodeRecord>) -> Result<Left, rmp_serde::decode::Error> {
    let mut left = Left::default();
    let resume = &mut left.resume;
    let mut effects: HashMap<Arc<str>, Vec<(i64, EffectState)>> = HashMap::new();
    for record in records {
        let node_id: Arc<str> = record.node_id.as_str().into();
        match (record.invocation, record.status) {
            (WHOLE_NODE, NodeRecordStatus::Finished) => {
                let emitted = rmp_serde::from_slice(&record.payload)?;
                resume.finished.insert(node_id, emitted);
            }
            // An answer that was used up.
            (WHOLE_NODE, NodeRecordStatus::Suspended) if record.payload.is_empty() => {}
            (WHOLE_NODE, NodeRecordStatus::Suspended) => {
                let state = rmp_serde::from_slice(&record.payload)?;
                left.waiting.insert(node_id, state);
            }
            (WHOLE_NODE, NodeRecordStatus::Started) => {
                let state = rmp_serde::from_slice(&record.payload)?;
                resume.states.insert(node_id, state);
            }
            (n, NodeRecordStatus::Finished) => {
                let emitted = rmp_serde::from_slice(&record.payload)?;
                let done = EffectState::Done(emitted);
                effects.entry(node_id).or_default().push((n, done));
            }
            (n, NodeRecordStatus::Started) => {
                let begun = EffectState::Begun;
                effects.entry(node_id).or_default().push((n, begun));
            }
            (_, NodeRecordStatus::Suspended) => {}
        }
    }
    for (node_id, mut executions) in effects {
        executions.sort_by_key(|(n, _)| *n);
        let executions = executions.into_iter().map(|(_, state)| state).collect();
        resume.effects.insert(node_id, executions);
    }
    Ok(left)
}

//! What a job leaves behind while it runs, so that it can be taken up again: the outputs of its finished nodes, and
//! which executions with effects began and ended.
//!
//! Nodes tell the journal without waiting; it is written in batches once the job is old enough to be worth it. Only an
//! execution with effects waits until its beginning is on disk.

use std::collections::HashMap;
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

/// The journal of one attempt.
pub(super) struct JobJournal {
    store: Store,
    job_id: Arc<str>,
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
    pub(super) fn new(store: Store, job_id: Arc<str>, graph: Option<Arc<str>>) -> Self {
        JobJournal {
            store,
            job_id,
            state: Mutex::new(State {
                pending: Vec::new(),
                active: false,
                graph,
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

    /// Writes what was told so far and waits until it is durable.
    pub(super) async fn flush(&self) -> Result<(), StoreError> {
        let _turn = self.writing.lock().await;
        let (pending, graph) = {
            let mut state = self.state();
            (std::mem::take(&mut state.pending), state.graph.clone())
        };
        if pending.is_empty() {
            return Ok(());
        }
        let now = now_micros();
        let records = pending
            .into_iter()
            .filter_map(|told| {
                let payload = encode(&told.value)?;
                Some(NodeRecord {
                    run_id: self.job_id.to_string(),
                    node_id: told.node_id.to_string(),
                    invocation: told.invocation,
                    status: told.status,
                    payload,
                    updated_at: now,
                })
            })
            .collect();
        let job = CheckpointJob {
            graph,
            event_seq: None,
            heartbeat_at: now,
        };
        self.store
            .save_node_records(&self.job_id, records, job)
            .await?;
        self.state().graph = None;
        Ok(())
    }

    /// Sees a run to its end and writes what it tells once it is old enough.
    pub(super) async fn keep_while<T>(&self, run: impl Future<Output = T>) -> T {
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

    async fn flush_for(&self, node_id: &str) -> Result<(), NodeError> {
        self.state().active = true;
        self.flush().await.map_err(|e| {
            tracing::error!(job.id = %self.job_id, node.id = %node_id, error = %e, "a journal could not be written");
            NodeError::new("What this node does could not be noted; it was not done")
        })
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
            self.tell(node_id, n.cast_signed(), started, Content::Nothing);
            self.flush_for(node_id).await
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
            self.flush_for(node_id).await
        })
    }
}

/// What an earlier attempt left behind, ready for the engine. A record that cannot be read is an error: going on
/// without it would do again what was done.
pub(super) fn resume_of(records: Vec<NodeRecord>) -> Result<Resume, rmp_serde::decode::Error> {
    let mut resume = Resume::default();
    let mut effects: HashMap<Arc<str>, Vec<(i64, EffectState)>> = HashMap::new();
    for record in records {
        let node_id: Arc<str> = record.node_id.as_str().into();
        match (record.invocation, record.status) {
            (WHOLE_NODE, NodeRecordStatus::Finished) => {
                let emitted = rmp_serde::from_slice(&record.payload)?;
                resume.finished.insert(node_id, emitted);
            }
            (WHOLE_NODE, NodeRecordStatus::Suspended) => {
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
    Ok(resume)
}

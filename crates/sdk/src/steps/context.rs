//! What a step may know and use while it runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nodetool_protocol::{Map, Value};

use super::TokenQueue;
use crate::{BoxFuture, NodeCx, NodeError};

/// Why a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In a loop that goes on until it is stopped or its producer ends.
    Production,
    /// In a single pass that somebody waits for.
    Api,
    /// Alone, with values of its own, while somebody builds the workflow.
    Development,
}

/// The request a single pass answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepRequest {
    /// Method.
    pub method: String,
    /// Headers without credentials, names in small letters.
    pub headers: Map,
    /// Lists of texts by name.
    pub query_params: Map,
}

/// Values that templates keep for the whole run, shared by all its loops.
#[derive(Debug, Default)]
pub struct Runtime {
    values: Mutex<Map>,
    version: AtomicU64,
}

impl Runtime {
    /// A state to begin with.
    pub fn new(values: Map) -> Self {
        Runtime {
            values: Mutex::new(values),
            version: AtomicU64::new(0),
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<Value> {
        self.lock().get(key).cloned()
    }

    /// Stores a value.
    pub fn set(&self, key: &str, value: Value) {
        self.lock().insert(key.into(), value);
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Forgets a key.
    pub fn delete(&self, key: &str) {
        if self.lock().shift_remove(key).is_some() {
            self.version.fetch_add(1, Ordering::Release);
        }
    }

    /// All values.
    pub fn snapshot(&self) -> Map {
        self.lock().clone()
    }

    /// Rises with every change.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Map> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call from outside.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WebhookCall {
    /// Its body.
    pub body: Value,
    /// Headers without credentials.
    pub headers: Map,
    /// Method.
    pub method: String,
    /// Lists of texts by name.
    pub query_params: Map,
    /// When it came, ISO 8601 with `Z`.
    pub received_at: String,
}

/// Calls from outside, for one user's run.
pub trait Webhooks: Send + Sync {
    /// Begins to collect the calls of one id.
    fn subscribe<'a>(
        &'a self,
        webhook_id: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn WebhookInbox>, NodeError>>;
}

/// What has come and not yet been taken; dropping it ends the collecting.
pub trait WebhookInbox: Send {
    /// The next call; `None` when there will be none.
    fn next<'a>(&'a mut self) -> BoxFuture<'a, Option<WebhookCall>>;
}

/// What all steps of a run share.
pub struct FlowCx {
    /// Why they run.
    pub mode: Mode,
    /// Values of the workflow, the same for the whole run.
    pub env: Arc<Map>,
    /// Values that steps change.
    pub runtime: Arc<Runtime>,
    /// The request of a single pass.
    pub request: Option<Arc<StepRequest>>,
    /// Calls from outside; `None` where there are none.
    pub webhooks: Option<Arc<dyn Webhooks>>,
}

/// What one step has at hand.
pub struct StepCx {
    /// What every node has: its run, services, folder, log.
    pub node: NodeCx,
    /// What all steps of the run share.
    pub flow: Arc<FlowCx>,
    /// The queue a reader takes its tokens from.
    pub reads: Option<Arc<TokenQueue>>,
    /// The queues a writer's tokens go to.
    pub writes: Vec<Arc<TokenQueue>>,
}

//! The loop dialect: one actor per producer runs all that can be reached from it, one token after the other.
//!
//! Graph and steps in, events and an outcome out. A [`LoopPlan`] is checked and shared; what follows on what is decided
//! by plain code over plain values; the actor runs the steps. Source: orchestrator spec 1.6 to 1.13, 7.1.

mod actor;
mod merge;
mod pass;
mod plan;
mod produce;
mod shared;
mod single;
mod slot;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use nodetool_sdk::protocol::JobStatus;
use nodetool_sdk::steps::{FlowCx, LoopSink, QueueJournal, Token};
use nodetool_sdk::{Map, RunCx};

pub use merge::{merge_branches, merge_upstream};
pub use plan::{LoopPlan, LoopPlanError, NodeFaults};

/// What a run of loops is made of.
pub struct LoopRun {
    /// The checked graph.
    pub plan: Arc<LoopPlan>,
    /// What all nodes share.
    pub run: Arc<RunCx>,
    /// What all steps share.
    pub flow: Arc<FlowCx>,
    /// Takes what it tells.
    pub sink: Arc<dyn LoopSink>,
    /// Keeps the tokens between loops, if somebody takes the run up again.
    pub journal: Option<Arc<dyn QueueJournal>>,
    /// What an earlier process left in the queues, by name of the queue.
    pub left: HashMap<Arc<str>, Vec<(u64, Token)>>,
}

/// How the loops ended.
#[derive(Clone, Debug)]
pub struct LoopOutcome {
    /// Completed, failed or cancelled.
    pub status: JobStatus,
    /// Why it failed.
    pub error: Option<String>,
    /// How long it took.
    pub duration: Duration,
    /// The data of the last node that ran, of a single pass.
    pub data: Map,
}

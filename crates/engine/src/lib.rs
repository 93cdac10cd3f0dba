//! The dataflow engine: a checked [`Plan`], one actor per node, an inbox per handle, end of stream by ownership.
//!
//! Graph and registry in, messages and an outcome out. No I/O of its own: what nodes need comes through the sdk's
//! services, what callers want to hear goes to an event sink. It must not know any node type, the store or the server.

mod actor;
mod aligner;
mod assets;
mod cache;
mod control;
mod inbox;
mod journal;
mod loops;
mod plan;
mod ports;
mod reader;
mod run;
mod runner;
mod tally;

pub use assets::AssetMode;
pub use cache::ResultCache;
pub use journal::{Decision, EffectState, Emission, Journal, RECORD_LIMIT, RECORD_VALUES, Resume};
pub use loops::{
    LoopOutcome, LoopPlan, LoopPlanError, LoopRun, NodeFaults, merge_branches, merge_upstream,
};
pub use plan::{Fault, FaultKind, Plan, PlanError};
pub use runner::{RunHandle, RunOptions, RunOutcome, Runner, Unheard, tell_rejection};
pub use tally::{Executions, executions};

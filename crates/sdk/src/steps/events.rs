//! What a run of loops tells while it goes on.

use std::sync::Arc;
use std::time::Duration;

use nodetool_protocol::Map;

use super::Token;

/// A step as events name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepNode {
    /// Id of the node.
    pub id: Arc<str>,
    /// Its type, without prefix.
    pub node_type: Arc<str>,
}

/// A step has done its work on one token.
#[derive(Clone, Copy, Debug)]
pub struct StepDone<'a> {
    /// The way out it chose.
    pub route: &'a str,
    /// How long it took.
    pub duration: Duration,
    /// What it gave; empty in the pass of a sentinel.
    pub data: &'a Map,
}

/// Takes what a run of loops tells, in order. Must not block.
pub trait LoopSink: Send + Sync {
    /// A step begins.
    fn started(&self, node: &StepNode);
    /// A step has ended well.
    fn completed(&self, node: &StepNode, done: StepDone<'_>);
    /// A step has failed; what it was given is not worked on again.
    fn failed(&self, node: &StepNode, error: &str, input: &Token);
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl LoopSink for Unwatched {
    fn started(&self, _: &StepNode) {}
    fn completed(&self, _: &StepNode, _: StepDone<'_>) {}
    fn failed(&self, _: &StepNode, _: &str, _: &Token) {}
}

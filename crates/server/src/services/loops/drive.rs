//! The engine as the services here call it.

use std::sync::Arc;
use std::time::Duration;

use nodetool_engine::{LoopPlan, LoopRun};
use nodetool_protocol::{Graph, JobStatus, Map, Value};
use nodetool_sdk::steps::{Mode, Steps, Token};
use tokio_util::sync::CancellationToken;

/// The checked graph, or what is wrong with it in one text.
pub(super) fn plan(graph: &Graph, steps: &Steps, mode: Mode) -> Result<Arc<LoopPlan>, String> {
    LoopPlan::build(graph, steps, mode)
        .map(Arc::new)
        .map_err(|e| e.to_string())
}

/// The type of the first node, without prefix.
pub(super) fn first_type(plan: &LoopPlan) -> Option<Arc<str>> {
    plan.first().map(|node| node.node_type.clone())
}

/// Loops until they end or are stopped.
pub(super) async fn produce(
    run: LoopRun,
    stop: CancellationToken,
) -> (JobStatus, Option<String>, Duration) {
    let outcome = run.produce(stop).await;
    (outcome.status, outcome.error, outcome.duration)
}

/// One pass; the token of the last node that ran.
pub(super) async fn once(
    run: LoopRun,
    input: Token,
    stop: CancellationToken,
) -> Result<Token, String> {
    run.once(input, stop).await
}

/// All items of a for-each node through its body.
pub(super) async fn each(
    run: LoopRun,
    node_id: &str,
    items: Vec<Value>,
    token: Token,
    stop: CancellationToken,
) -> Result<Token, String> {
    run.each(node_id, items, token, stop).await
}

/// One item of a for-each node, and where.
pub(super) struct Item {
    pub(super) items: Vec<Value>,
    pub(super) index: usize,
    /// What earlier items gave.
    pub(super) results: Vec<Value>,
}

/// One item through the body: what its sinks gave, and the token after it.
pub(super) async fn each_one(
    run: LoopRun,
    node_id: &str,
    item: Item,
    token: Token,
    stop: CancellationToken,
) -> Result<(Vec<Map>, Token), String> {
    let Item {
        items,
        index,
        results,
    } = item;
    run.each_one(node_id, items, index, results, token, stop)
        .await
}

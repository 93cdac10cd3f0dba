//! Runs with something happening outside while they go on: a file appears in a watched folder.
//!
//! The clock is paused, so it moves on only when every node waits: the file appears after the first look at the
//! folder, however slow the machine is.

use std::path::Path;
use std::time::Duration;

use nodetool_protocol::{Map, Value};

use super::house::{House, Ran};
use super::ledger::Verdict;
use super::workflow_cases::WorkflowCase;

/// Runs a case that is live; nothing when its file is not here.
pub(super) fn run(case: &WorkflowCase) -> Option<Verdict> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap_or_else(|e| panic!("no runtime: {e}"));
    runtime.block_on(async {
        let house = House::open();
        let folder = house.fresh_folder();
        let case = case.with_folder(&folder.to_string_lossy());
        let mut order = case.order()?;
        let live = case.live.clone()?;
        for (node, data) in live
            .get("set_data")
            .and_then(Value::as_map)
            .into_iter()
            .flatten()
        {
            order.graph = with_data(&order.graph, node, data);
        }
        let text = |key| live.get(key).and_then(Value::as_str).unwrap_or_default();
        let seconds = |key, unit: f64| {
            let n = live.get(key).and_then(Value::as_f64).unwrap_or_default();
            Duration::from_secs_f64(n * unit)
        };
        let appear = async {
            tokio::time::sleep(seconds("after_ms", 0.001)).await;
            let path = Path::new(text("write_file"));
            std::fs::write(path, text("content"))
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            tokio::time::sleep(seconds("timeout_s", 1.0)).await;
        };
        let ran = tokio::select! {
            ran = house.run_in(folder.clone(), order) => ran,
            () = appear => Ran::failed("the run did not see what happened in time"),
        };
        Some(case.judge(&ran))
    })
}

/// A graph with some properties of one node set.
pub(super) fn with_data(graph: &Value, id: &str, data: &Value) -> Value {
    let set = |node: &Value| {
        let mut node = node.as_map().cloned().unwrap_or_default();
        if node.get("id").and_then(Value::as_str) == Some(id) {
            let mut all = node
                .get("data")
                .and_then(Value::as_map)
                .cloned()
                .unwrap_or_default();
            all.extend(data.as_map().cloned().unwrap_or_default());
            node.insert("data".into(), all.into());
        }
        Value::from(node)
    };
    let nodes = graph
        .get("nodes")
        .and_then(Value::as_list)
        .unwrap_or_default();
    let mut graph: Map = graph.as_map().cloned().unwrap_or_default();
    graph.insert("nodes".into(), Value::list(nodes.iter().map(set)));
    graph.into()
}

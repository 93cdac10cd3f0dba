//! The graphs the tests save and run, as the JSON a client would send.

use serde_json::{Value, json};

pub(crate) const INPUT: &str = "nodetool.input.StringInput";
pub(crate) const OUTPUT: &str = "nodetool.output.Output";
pub(crate) const COUNT: &str = "nodetool.control.RepeatCount";
pub(crate) const REPEAT: &str = "nodetool.control.RepeatValue";
pub(crate) const WAIT: &str = "nodetool.triggers.Wait";
pub(crate) const CODE: &str = "nodetool.code.Code";
pub(crate) const WORKFLOW: &str = "nodetool.workflows.workflow_node.Workflow";

/// A node with static values.
pub(crate) fn node(id: &str, node_type: &str, data: Value) -> Value {
    json!({ "id": id, "type": node_type, "data": data })
}

/// The output node every graph here ends in: id `o`, name `out`.
pub(crate) fn output() -> Value {
    node("o", OUTPUT, json!({ "name": "out" }))
}

/// An edge, written as `source.handle -> target.handle`.
pub(crate) fn edge(text: &str) -> Value {
    let (source, target) = text.split_once(" -> ").expect("an arrow");
    let (source, source_handle) = source.split_once('.').expect("a handle");
    let (target, target_handle) = target.split_once('.').expect("a handle");
    json!({
        "id": text, "source": source, "sourceHandle": source_handle, "target": target, "targetHandle": target_handle,
    })
}

/// Nodes and edges.
pub(crate) fn graph(nodes: &[Value], edges: &[&str]) -> Value {
    let edges: Vec<Value> = edges.iter().map(|e| edge(e)).collect();
    json!({ "nodes": nodes, "edges": edges })
}

/// What comes in as `name` goes out as `out`.
pub(crate) fn greeting() -> Value {
    let input = node("i", INPUT, json!({ "name": "name" }));
    graph(&[input, output()], &["i.output -> o.value"])
}

/// Counts up to `n`, one output value after the other.
pub(crate) fn counting(n: u64) -> Value {
    let source = node("n", COUNT, json!({ "count": n }));
    graph(&[source, output()], &["n.output -> o.value"])
}

/// Waits so many seconds, then gives `done`.
pub(crate) fn waiting(seconds: f64) -> Value {
    let wait = node(
        "w",
        WAIT,
        json!({ "timeout_seconds": seconds, "input": "done" }),
    );
    graph(&[wait, output()], &["w.data -> o.value"])
}

/// A script whose result goes out.
pub(crate) fn script(code: &str, timeout: i64) -> Value {
    let script = node("c", CODE, json!({ "code": code, "timeout": timeout }));
    graph(&[script, output()], &["c.output -> o.value"])
}

/// A script that writes `begun.txt`, waits for `go.txt` and writes `done.txt`, all in the workspace.
pub(crate) const UNTIL_TOLD: &str = "
    await workspace.write('begun.txt', '1');
    for (;;) {
        try { await workspace.read('go.txt'); break } catch { await sleep(10) }
    }
    await workspace.write('done.txt', '1');
    return { output: 'told' };
";

/// A node that always fails.
pub(crate) fn failing() -> Value {
    script("throw new Error('it broke')", 10)
}

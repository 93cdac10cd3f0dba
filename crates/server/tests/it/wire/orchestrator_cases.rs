//! The cases of the Orchestrator API as clients see them: what happens in a run as its socket tells it, and the real
//! steps through its routes (orchestrator spec 9; tests are named by the number of their case, and by the row of
//! section 8.2 they keep from coming back).

mod bodies;
mod calls;
mod forks;
mod google;
mod graphs;
mod paths;
mod queues;
mod sheets;
mod sockets;
mod steps;
mod templates;

use serde_json::{Value, json};

use super::orchestrator_runs::{Flow, count, error};
use super::server::{TestServer, pace};
use super::ws::{Socket, opened};

/// A watcher of a workflow.
struct Watch {
    socket: Socket,
    seq: u64,
}

impl Watch {
    /// Watches a workflow, which is told as the first frame says.
    async fn open(server: &TestServer, flow: &Flow<'_>) -> Self {
        let path = format!("/ws/workflow/{}/", flow.id);
        let mut socket = opened(server, &path).await;
        let first = socket.next().await;
        assert_eq!(first["type"], "state_sync", "{first}");
        assert_eq!(first["state"]["workflow_id"], flow.id.as_str());
        let seq = first["seq"].as_u64().expect("a number");
        Watch { socket, seq }
    }

    /// What is told next; none is left out and none comes twice.
    async fn next(&mut self) -> Value {
        let told = self.socket.next().await;
        self.note(&told);
        told
    }

    fn note(&mut self, told: &Value) {
        let seq = told["seq"].as_u64().expect("a number");
        match told["type"].as_str() {
            Some("state_sync") => assert!(seq >= self.seq, "{told}"),
            _ => assert_eq!(seq, self.seq + 1, "{told}"),
        }
        self.seq = seq;
    }

    /// All that is told up to what is wanted, that included.
    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut told = Vec::new();
        loop {
            let next = self.next().await;
            let last = wanted(&next);
            told.push(next);
            if last {
                return told;
            }
        }
    }

    /// Starts the workflow; what is told of its run, beside states.
    async fn run(&mut self, flow: &Flow<'_>) -> Vec<Value> {
        assert_eq!(flow.start().await["status"], "PENDING");
        self.ended().await
    }

    /// What is told up to the end of a run, beside states.
    async fn ended(&mut self) -> Vec<Value> {
        let mut told = self.until(is_end).await;
        told.retain(|told| told["type"] != "state_sync");
        told
    }

    /// The state, when asked for; what is told meanwhile is passed over, and nothing is on its way after it.
    async fn state(&mut self) -> Value {
        for asked in ["request_state", "ping"] {
            self.socket.send(&json!({ "type": asked })).await;
        }
        let mut state = Value::Null;
        loop {
            let told = self.socket.next().await;
            match told["type"].as_str() {
                Some("pong") => return state,
                Some("state_sync") => state = told["state"].clone(),
                _ => {}
            }
            self.note(&told);
        }
    }

    /// The state once it is as wanted; what is told before is passed over.
    async fn until_state(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let state = self.state().await;
            if wanted(&state) {
                return state;
            }
            pace().await;
        }
    }

    /// Waits for a node to be at work.
    async fn until_at_work(&mut self, node: &str) {
        self.until_state(|state| state["executing_nodes"].get(node).is_some())
            .await;
    }
}

/// Whether it ends a run.
fn is_end(told: &Value) -> bool {
    matches!(
        told["type"].as_str(),
        Some("workflow_completed" | "workflow_failed")
    )
}

/// Whether a node has completed.
fn is_done(told: &Value, node: &str) -> bool {
    told["type"] == "node_completed" && told["node_id"] == node
}

/// What is told, in words: `c` says that node c has given something, `c:no` that it went that way, `c.` that the
/// sentinel has passed it, `c!` that it has failed; the last word is how the run has ended. Every node is told of when
/// it begins, too.
#[track_caller]
fn story(told: &[Value], names: &[(&str, &str)]) -> Vec<String> {
    let mut at_work = Vec::new();
    let mut story = Vec::new();
    for told in told {
        let text = |key: &str| told[key].as_str().unwrap_or_default();
        let node = text("node_id");
        let named = || names.iter().find(|(_, id)| *id == node);
        let name = || named().unwrap_or_else(|| panic!("unknown: {told}")).0;
        match text("type") {
            "node_started" => {
                assert!(text("started_at").ends_with('Z'), "{told}");
                at_work.push(node.to_owned());
                continue;
            }
            "workflow_completed" => {
                assert!(told["duration"].is_f64(), "{told}");
                story.push(text("status").to_owned());
                continue;
            }
            "workflow_failed" => {
                story.push("failed".to_owned());
                continue;
            }
            _ => {}
        }
        assert!(!text("node_type").is_empty(), "{told}");
        let began = at_work.iter().position(|id| id == node);
        at_work.remove(began.unwrap_or_else(|| panic!("it had not begun: {told}")));
        match (text("type"), text("route"), told.get("output_data")) {
            ("node_failed", ..) => story.push(format!("{}!", name())),
            ("node_completed", _, None) => story.push(format!("{}.", name())),
            ("node_completed", "default", Some(_)) => story.push(name().to_owned()),
            ("node_completed", route, Some(_)) => story.push(format!("{}:{route}", name())),
            _ => panic!("nobody knows {told}"),
        }
    }
    assert!(at_work.is_empty(), "still at work: {at_work:?}");
    story
}

/// What is told of some nodes.
fn about(told: &[Value], nodes: &[&str]) -> Vec<Value> {
    let mine = |told: &&Value| nodes.iter().any(|node| told["node_id"] == *node);
    told.iter().filter(mine).cloned().collect()
}

/// What a node gave, each time, as its previews tell.
fn given(told: &[Value], node: &str) -> Vec<Value> {
    let done = told.iter().filter(|told| is_done(told, node));
    let texts = done.filter_map(|told| told["output_data"].as_str());
    let parsed = texts.map(|text| serde_json::from_str(text).expect("a preview of all of it"));
    parsed.collect()
}

/// The same words in one order for all orders.
fn sorted(words: &[String]) -> Vec<&str> {
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.sort_unstable();
    words
}

/// The form of a step whose output is this JSON and nothing else.
fn only(output: &str) -> Value {
    json!({ "overwrite": true, "output_template": output })
}

/// A counter that gives 1 and then ends.
async fn once(flow: &Flow<'_>) -> String {
    let form = json!({ "min_value": 1, "max_value": 2, "direction": "increment", "step": 2 });
    flow.node("counter", form).await
}

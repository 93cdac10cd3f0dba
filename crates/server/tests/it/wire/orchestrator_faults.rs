//! What loops stand: sudden ends, floods, steps that never end, people who ask for what is not theirs (orchestrator spec 6,
//! 8). Tests of the weaknesses listed there carry the number of their row: `s1_…` to `s17_…`, `p1_…` to `p8_…`.

mod endless;
mod kills;
mod owners;
mod protocol;
mod security;
mod stops;
mod watch;

use hyper::Method;
use serde_json::{Value, json};

use super::client::{Client, Reply};
use super::local::with_headers;
use super::orchestrator_runs::Flow;
use super::server::{TestServer, pace, within};
use watch::Watch;

impl Flow<'_> {
    /// Nodes one behind the other; gives their ids.
    async fn chain(&self, nodes: &[(&str, Value)]) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        for (kind, form) in nodes {
            let id = self.node(kind, form.clone()).await;
            if let Some(before) = ids.last() {
                self.edge(before, &id).await;
            }
            ids.push(id);
        }
        ids
    }

    /// Waits for the task to come to a status.
    async fn comes_to(&self, status: &str) -> Value {
        within(status, async {
            loop {
                let task = self.task().await;
                if task["status"] == status {
                    return task;
                }
                pace().await;
            }
        })
        .await
    }

    /// Runs one node with a form; gives the answer.
    async fn try_node(&self, node: &str, form: Value, input: Value) -> Reply {
        let more = json!({ "form_values": form, "input_data": input });
        self.run_node(node, more).await
    }

    async fn watch(&self, server: &TestServer) -> Watch {
        Watch::open(server, &format!("/ws/workflow/{}/", self.id), None).await
    }
}

/// A counter as a node.
fn counter(min: i64, max: i64) -> (&'static str, Value) {
    let form = json!({ "min_value": min, "max_value": max, "direction": "increment", "step": 1 });
    ("counter", form)
}

/// A delay as a node.
fn delay(interval: i64, unit: &str) -> (&'static str, Value) {
    let form = json!({ "interval": interval, "unit": unit });
    ("static-delay-node", form)
}

/// A node that adds a line to a file.
fn note(file: &str, template: &str) -> (&'static str, Value) {
    let form = json!({ "file_path": file, "mode": "a", "content": template });
    ("file-writer", form)
}

/// A producer that waits for calls of a webhook.
fn webhook(id: &str) -> (&'static str, Value) {
    ("webhook-producer", json!({ "webhook_id": id }))
}

/// Sends a request as somebody with a token.
pub(super) async fn as_user(
    client: &Client,
    token: &str,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Reply {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("authorization", bearer.as_str())];
    if body.is_some() {
        headers.push(("content-type", "application/json"));
    }
    let body = body.map(Value::to_string).unwrap_or_default();
    client
        .send(with_headers(method, path, &headers, body))
        .await
}

/// The lines of the one file of this name below a folder.
fn lines(folder: &std::path::Path, name: &str) -> Vec<String> {
    let text = found(folder, name).and_then(|path| std::fs::read_to_string(path).ok());
    let text = text.unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The one file of this name below a folder.
fn found(folder: &std::path::Path, name: &str) -> Option<std::path::PathBuf> {
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                left.push(path);
            } else if path.file_name().is_some_and(|n| n == name) {
                return Some(path);
            }
        }
    }
    None
}

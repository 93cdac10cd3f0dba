//! Jobs that outlive what happens to their server: sudden ends, stops, full disks, people who take their time.

use std::path::Path;

use serde_json::{Value, json};

use super::client::{Client, Reply};
use super::graphs::{OUTPUT, WAIT, graph, node};
use super::server::{pace, within};

mod approvals;
mod faults;
mod kills;
mod pauses;
mod queues;
mod waiting;

pub(crate) const WRITE: &str = "nodetool.workspace.WriteTextFile";
const MOVE: &str = "nodetool.workspace.MoveWorkspaceFile";
const APPROVAL: &str = "nodetool.control.HumanApproval";
const POST: &str = "lib.http.PostRequest";

/// Starts a job that goes on by itself.
async fn begin(client: &Client, body: &Value) -> Reply {
    client.post("/api/jobs", body).await
}

/// Starts a job of a workflow beside others; gives its id.
async fn begin_one(client: &Client, workflow: &str, params: Value) -> String {
    let body = json!({ "workflow_id": workflow, "params": params, "concurrent": true });
    let job = begin(client, &body).await.ok();
    job["id"].as_str().expect("an id").to_owned()
}

/// Saves a graph and starts a job of it.
async fn begin_graph(client: &Client, graph: &Value) -> String {
    let workflow = client.save(graph).await;
    begin_one(client, &workflow, json!({})).await
}

async fn job(client: &Client, id: &str) -> Value {
    client.get(&format!("/api/jobs/{id}")).await.ok()
}

/// The job once it has this status.
async fn until(client: &Client, id: &str, status: &str) -> Value {
    let mut seen = Value::Null;
    let reached = async {
        loop {
            seen = job(client, id).await;
            if seen["status"] == status {
                return;
            }
            let ended = !seen["finished_at"].is_null();
            assert!(!ended, "waited for {status}: {seen}");
            pace().await;
        }
    };
    within(status, reached).await;
    seen
}

/// What a completed job gave.
async fn outputs(client: &Client, id: &str) -> Value {
    client.get(&format!("/api/jobs/{id}/outputs")).await.ok()
}

/// Tells a job something.
async fn order(client: &Client, id: &str, what: &str, body: &Value) -> Reply {
    client.post(&format!("/api/jobs/{id}/{what}"), body).await
}

/// Waits until a file in the workspace has this content, or more.
async fn holds(folder: &Path, file: &str, lines: usize) {
    let path = folder.join("workspace").join(file);
    within(file, async {
        while content(&path).lines().count() < lines {
            pace().await;
        }
    })
    .await;
}

fn content(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// What a file in the workspace holds.
fn in_workspace(folder: &Path, file: &str) -> String {
    content(&folder.join("workspace").join(file))
}

/// A node that holds its input back for so many seconds.
fn wait(id: &str, seconds: f64) -> Value {
    node(id, WAIT, json!({ "timeout_seconds": seconds, "input": "" }))
}

/// A node that adds a line to a file of the workspace whenever it runs.
fn append(id: &str, file: &str) -> Value {
    let line = format!("{id}\n");
    node(
        id,
        WRITE,
        json!({ "path": file, "content": line, "append": true }),
    )
}

/// One line to `a.txt`, one to `b.txt`, then a wait of so many seconds; gives what it waited with.
fn two_steps(seconds: f64) -> Value {
    let second = node("b", WRITE, json!({ "path": "b.txt", "append": true }));
    let out = node("o", OUTPUT, json!({ "name": "out" }));
    graph(
        &[append("a", "a.txt"), second, wait("w", seconds), out],
        &[
            "a.output -> b.content",
            "b.output -> w.input",
            "w.data -> o.value",
        ],
    )
}

//! The main answers in full, with ids and times taken out.

use std::collections::BTreeMap;

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::client::Client;
use super::graphs::{failing, greeting};
use super::server::TestServer;

/// Keys whose values differ from run to run.
const VOLATILE: [&str; 6] = [
    "id",
    "etag",
    "created_at",
    "updated_at",
    "started_at",
    "finished_at",
];
const VOLATILE_IDS: [&str; 2] = ["job_id", "workflow_id"];

/// The value with what differs from run to run replaced by its kind. Ids of nodes and edges stay.
fn redacted(mut value: Value, within_graph: bool) -> Value {
    match &mut value {
        Value::Object(map) => {
            for (key, v) in map.iter_mut() {
                let volatile = VOLATILE_IDS.contains(&key.as_str())
                    || (!within_graph && VOLATILE.contains(&key.as_str()));
                if volatile && v.is_string() {
                    *v = format!("[{key}]").into();
                } else if key == "duration" && v.is_number() {
                    *v = "[duration]".into();
                } else if key == "message" && v.is_string() {
                    *v = "[message]".into();
                } else {
                    *v = redacted(v.take(), within_graph || key == "graph");
                }
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|v| *v = redacted(v.take(), within_graph)),
        _ => {}
    }
    value
}

/// The messages of a run, apart for the job, each node and each edge: no order is promised between them.
async fn lines(client: &Client, id: &str, params: Value) -> Value {
    let stream = client.run_lines(id, &json!({ "params": params })).await;
    let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in stream.lines().await {
        let of = ["node_id", "edge_id"].iter().find_map(|key| line.get(*key));
        let of = of.and_then(Value::as_str).unwrap_or("job").to_owned();
        groups.entry(of).or_default().push(redacted(line, false));
    }
    json!(groups)
}

#[tokio::test]
async fn a_workflow_and_its_job_look_like_this() {
    let server = TestServer::start();
    let client = server.client();
    let body = json!({
        "name": "Greeting", "access": "public", "description": "says hello", "tags": ["demo"], "graph": greeting(),
        "settings": { "a": 1 }, "run_mode": "tool", "tool_name": "greet",
    });
    let made = client.post("/api/workflows", &body).await.ok();
    let id = made["id"].as_str().unwrap().to_owned();
    assert_json_snapshot!("workflow", redacted(made, false));
    client.run(&id, json!({ "name": "hi" })).await.ok();
    let jobs = client.get("/api/jobs").await.ok();
    assert_json_snapshot!("jobs", redacted(jobs, false));
}

#[tokio::test]
async fn a_run_as_lines_looks_like_this() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    assert_json_snapshot!(
        "lines_of_a_run",
        lines(&client, &id, json!({ "name": "hi" })).await
    );
    let id = client.save(&failing()).await;
    assert_json_snapshot!(
        "lines_of_a_failed_run",
        lines(&client, &id, json!({})).await
    );
}

#[tokio::test]
async fn errors_look_like_this() {
    let server = TestServer::start();
    let client = server.client();
    let mut told = serde_json::Map::new();
    for (name, reply) in [
        (
            "missing fields",
            client.post("/api/workflows", &json!({})).await,
        ),
        (
            "invalid JSON",
            client
                .post_as("/api/workflows", "application/json", "{bad")
                .await,
        ),
        (
            "no body",
            client
                .post_as("/api/workflows", "application/json", "")
                .await,
        ),
        (
            "wrong type",
            client.post_as("/api/workflows", "text/plain", "{}").await,
        ),
        ("bad number", client.get("/api/workflows?limit=abc").await),
        (
            "unknown column",
            client.get("/api/workflows?columns=zip").await,
        ),
        ("unknown route", client.get("/nope").await),
        ("wrong method", client.delete("/health").await),
        ("no workflow", client.get("/api/workflows/nope").await),
        ("no job", client.get("/api/jobs/nope").await),
        (
            "no graph",
            client
                .post(
                    "/api/workflows",
                    &json!({ "name": "W", "access": "private" }),
                )
                .await,
        ),
    ] {
        told.insert(
            name.into(),
            json!({ "status": reply.status, "body": reply.json() }),
        );
    }
    assert_json_snapshot!("errors", Value::from(told));
}

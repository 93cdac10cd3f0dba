//! The Orchestrator API (orchestrator spec 9; tests are named by the number of their case).

mod connections;
mod discovery;
mod doors;
mod files;
mod nodes;
mod requests;
mod surfaces;
mod workflows;

use hyper::Method;
use serde_json::{Value, json};

use super::client::{Client, Reply};
use super::local::local_json;

/// Makes a workflow; gives its address.
async fn made(client: &Client, body: Value) -> String {
    let reply = client.post("/api/workflow/", &body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    format!("/api/workflow/{}", id_of(&reply.json()))
}

/// Makes a workflow of any name; gives its address.
async fn some(client: &Client) -> String {
    made(client, json!({ "name": "W" })).await
}

/// Puts a node into a workflow; gives its id.
async fn node(client: &Client, workflow: &str, kind: &str) -> String {
    let body = json!({ "nodeTemplate": kind });
    let reply = client.post(&format!("{workflow}/nodes/add/"), &body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    id_of(&reply.json())
}

/// Connects two nodes.
async fn connect(client: &Client, workflow: &str, source: &str, target: &str) -> Value {
    let body = json!({ "source": source, "target": target });
    let reply = client
        .post(&format!("{workflow}/connections/add/"), &body)
        .await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()
}

async fn patch(client: &Client, path: &str, body: &Value) -> Reply {
    client.send(local_json(Method::PATCH, path, body)).await
}

fn id_of(object: &Value) -> String {
    object["id"].as_str().expect("an id").to_owned()
}

/// The words of a refusal: `error` and `code`, with what older clients read beside them.
#[track_caller]
fn refusal(reply: &Reply, status: u16, code: &str) -> Value {
    assert_eq!(reply.status, status, "{reply:?}");
    let body = reply.json();
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(body["detail"], body["error"], "{body}");
    assert!(
        body["error"].is_string() && body["error_code"].is_string(),
        "{body}"
    );
    assert!(body["details"].is_object(), "{body}");
    body
}

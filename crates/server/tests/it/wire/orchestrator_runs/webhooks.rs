//! Calls from outside to running workflows.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use hyper::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;

use super::super::client::{Client, Reply};
use super::super::local::with_headers;
use super::super::server::{TestServer, folder, pace, program, within};
use super::Flow;

async fn call(client: &Client, id: &str, body: &Value) -> Reply {
    client.post(&format!("/api/webhooks/{id}/"), body).await
}

/// A workflow whose loop waits for calls of webhook `w`.
async fn listening(client: &Client) -> (Flow<'_>, String) {
    let flow = Flow::new(client).await;
    let producer = json!({ "webhook_id": "w" });
    let producer = flow.node("webhook-producer", producer).await;
    flow.start().await;
    flow.until("the producer to wait", |state| {
        !state["executing_nodes"][&producer].is_null()
    })
    .await;
    (flow, producer)
}

#[tokio::test]
async fn case_61_a_call_is_taken_whether_or_not_somebody_waits() {
    let server = TestServer::start();
    let client = server.client();
    let unheard = call(&client, "w", &json!({ "a": 1 })).await;
    assert_eq!(unheard.status, 202, "{unheard:?}");
    assert_eq!(
        unheard.json(),
        json!({ "status": "accepted", "webhook_id": "w", "subscribers": 0,
            "message": "No subscribers listening" })
    );
    let (flow, producer) = listening(&client).await;
    let heard = call(&client, "w", &json!({ "input": { "a": 1 } })).await;
    assert_eq!(
        (heard.status, &heard.json()["subscribers"]),
        (202, &json!(1))
    );
    let state = flow
        .until("the call", |state| state["completed_count"] == 1)
        .await;
    assert_eq!(state["completed_nodes"][0]["node_id"], producer.as_str());
    let broken = client
        .post_as("/api/webhooks/w/", "application/json", "{no")
        .await;
    assert_eq!(
        (broken.status, &broken.json()["subscribers"]),
        (202, &json!(1))
    );
    flow.until("the second call", |state| state["completed_count"] == 2)
        .await;
    flow.stop().await;
    assert_eq!(
        call(&client, "w", &json!({})).await.json()["subscribers"],
        0
    );
}

#[tokio::test]
async fn case_62_calls_wait_while_the_loop_is_busy_and_come_in_order() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let producer = flow
        .node("webhook-producer", json!({ "webhook_id": "w" }))
        .await;
    let delay = json!({ "interval": 1, "unit": "seconds" });
    let delay = flow.node("static-delay-node", delay).await;
    let write = json!({ "file_path": "calls.txt", "mode": "a",
        "content": "{{ data.webhook.data.body.n }}" });
    let write = flow.node("file-writer", write).await;
    flow.edge(&producer, &delay).await;
    flow.edge(&delay, &write).await;
    flow.start().await;
    flow.until("the producer to wait", |state| {
        !state["executing_nodes"][&producer].is_null()
    })
    .await;
    for n in 1..=3 {
        assert_eq!(
            call(&client, "w", &json!({ "n": n })).await.json()["subscribers"],
            1
        );
    }
    let state = flow
        .until("all calls", |state| state["completed_count"] == 9)
        .await;
    let nodes = state["completed_nodes"].as_array().unwrap();
    let order: Vec<_> = nodes
        .iter()
        .map(|n| n["node_id"].as_str().unwrap())
        .collect();
    assert_eq!(order, [&*producer, &delay, &write].repeat(3));
    let written = super::loops::lines(server.folder(), "calls.txt");
    assert_eq!(written, ["1", "2", "3"]);
    flow.stop().await;
}

#[tokio::test]
async fn a_flood_that_nobody_works_on_is_refused_and_not_dropped() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let producer = flow
        .node("webhook-producer", json!({ "webhook_id": "w" }))
        .await;
    let delay = json!({ "interval": 1, "unit": "hours" });
    let delay = flow.node("static-delay-node", delay).await;
    flow.edge(&producer, &delay).await;
    flow.start().await;
    flow.until("the producer to wait", |state| {
        !state["executing_nodes"][&producer].is_null()
    })
    .await;
    call(&client, "w", &json!({})).await;
    flow.until("the delay", |state| {
        !state["executing_nodes"][&delay].is_null()
    })
    .await;
    for _ in 0..1000 {
        assert_eq!(call(&client, "w", &json!({})).await.status, 202);
    }
    let refused = call(&client, "w", &json!({})).await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (429, &json!("RATE_LIMITED"))
    );
    assert_eq!(refused.header("retry-after"), "1");
    flow.stop().await;
}

/// A server of two users, with a token for each.
struct TwoUsers {
    server: TestServer,
    ann: String,
    bob: String,
    /// Holds the users file.
    _folder: Arc<TempDir>,
}

impl TwoUsers {
    fn start() -> Self {
        let folder = folder();
        let file = folder.path().join("users.yaml");
        let add = |name: &str| {
            let run = program()
                .args(["users", "add", name])
                .env("USERS_FILE", &file)
                .output();
            let run = run.expect("the program runs");
            assert!(run.status.success(), "{run:?}");
            String::from_utf8(run.stdout).unwrap().trim_end().to_owned()
        };
        let (ann, bob) = (add("ann"), add("bob"));
        let environment = [
            ("AUTH_PROVIDER", "multi_user"),
            ("USERS_FILE", file.to_str().unwrap()),
            ("SECRETS_MASTER_KEY", "a key for tests"),
            ("SERVER_AUTH_TOKEN", "the-token-of-the-server"),
        ];
        let server = TestServer::start_in(&environment, &[]);
        TwoUsers {
            server,
            ann,
            bob,
            _folder: folder,
        }
    }

    async fn send(&self, token: &str, method: Method, path: &str, body: Value) -> Reply {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("content-type", "application/json")];
        if !token.is_empty() {
            headers.push(("authorization", bearer.as_str()));
        }
        let request = with_headers(method, path, &headers, body.to_string());
        self.server.client().send(request).await
    }

    async fn as_ann(&self, method: Method, path: &str, body: Value) -> Reply {
        self.send(&self.ann, method, path, body).await
    }
}

#[tokio::test]
async fn case_63_a_webhook_belongs_to_its_owner_and_a_signature_speaks_for_them() {
    let users = TwoUsers::start();
    let body = json!({ "name": "W" });
    let made = users.as_ann(Method::POST, "/api/workflow", body).await;
    let flow = format!("/api/workflow/{}", made.json()["id"].as_str().unwrap());
    let body = json!({ "nodeTemplate": "webhook-producer", "form_values": { "webhook_id": "w" } });
    users
        .as_ann(Method::POST, &format!("{flow}/nodes/add"), body)
        .await;
    let start = format!("{flow}/start_execution");
    let foreign = users
        .send(&users.bob, Method::POST, &start, json!({}))
        .await;
    assert_eq!(foreign.status, 404, "{foreign:?}");
    users.as_ann(Method::POST, &start, json!({})).await.ok();
    let hook = "/api/webhooks/w";
    within("the producer to wait", async {
        while users.as_ann(Method::POST, hook, json!({})).await.json()["subscribers"] != 1 {
            pace().await;
        }
    })
    .await;
    let theirs = users.send(&users.bob, Method::POST, hook, json!({})).await;
    assert_eq!(
        (theirs.status, &theirs.json()["subscribers"]),
        (202, &json!(0))
    );
    let stranger = users.send("", Method::POST, hook, json!({})).await;
    assert_eq!(stranger.status, 401, "{stranger:?}");
    let secret = "a secret of ann's";
    let path = "/api/webhooks/w/secret";
    let before = users.as_ann(Method::GET, path, Value::Null).await.ok();
    assert_eq!(before["has_secret"], false);
    let set = users
        .as_ann(Method::PUT, path, json!({ "secret": secret }))
        .await
        .ok();
    assert_eq!(set, json!({ "webhook_id": "w", "has_secret": true }));
    let short = users
        .as_ann(Method::PUT, path, json!({ "secret": "short" }))
        .await;
    assert_eq!(short.status, 400, "{short:?}");
    let body = r#"{"n":1}"#;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let digits: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let signed = async |signature: &str| {
        let headers = [
            ("content-type", "application/json"),
            ("x-webhook-signature", signature),
        ];
        let call = with_headers(Method::POST, hook, &headers, body.to_owned());
        users.server.client().send(call).await
    };
    let taken = signed(&format!("sha256={digits}")).await;
    assert_eq!(
        (taken.status, &taken.json()["subscribers"]),
        (202, &json!(1))
    );
    assert_eq!(
        signed(&format!("sha256={}", "0".repeat(64))).await.status,
        401
    );
    assert_eq!(
        users.as_ann(Method::DELETE, path, Value::Null).await.status,
        204
    );
    assert_eq!(signed(&digits).await.status, 401);
}

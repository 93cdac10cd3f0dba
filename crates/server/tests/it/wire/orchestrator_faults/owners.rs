//! What is somebody's is nobody else's (orchestrator spec 8.1: S5, S6, S8 to S11, S14).

use hyper::Method;
use serde_json::{Value, json};

use super::super::access::{ANN, BOB, with_accounts};
use super::super::client::Client;
use super::super::local::with_headers;
use super::super::server::TestServer;
use super::watch::Watch;
use super::{as_user, counter};

/// A workflow of somebody with one node; their ids.
async fn made(client: &Client, token: &str, kind: &str, form: Value) -> (String, String) {
    let body = json!({ "name": "W" });
    let made = as_user(client, token, Method::POST, "/api/workflow/", Some(&body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let workflow = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/workflow/{workflow}/nodes/add/");
    let body = json!({ "nodeTemplate": kind, "form_values": form });
    let node = as_user(client, token, Method::POST, &path, Some(&body)).await;
    assert_eq!(node.status, 201, "{node:?}");
    let node = node.json()["id"].as_str().unwrap().to_owned();
    (workflow, node)
}

async fn start(client: &Client, token: &str, workflow: &str) {
    let path = format!("/api/workflow/{workflow}/start_execution/");
    as_user(client, token, Method::POST, &path, None).await.ok();
}

#[tokio::test]
async fn s5_a_socket_is_for_the_owner_of_the_workflow() {
    let server = with_accounts();
    let client = server.client();
    let (kind, form) = counter(1, 2);
    let (workflow, _) = made(&client, ANN.1, kind, form).await;
    let path = format!("/ws/workflow/{workflow}/");
    for (token, code) in [(None, 4401), (Some("junk"), 4401), (Some(BOB.1), 4404)] {
        let mut watch = Watch::open(&server, &path, token).await;
        assert_eq!(watch.next().await, Err(code), "{token:?}");
    }
    let mut watch = Watch::open(&server, &path, Some(ANN.1)).await;
    assert_eq!(watch.state().await["status"], "idle");
    let by_address = format!("{path}?token={}", ANN.1);
    let mut watch = Watch::open(&server, &by_address, None).await;
    assert_eq!(watch.state().await["status"], "idle");
    let nothing = "/ws/workflow/11111111-1111-4111-8111-111111111111/";
    let mut watch = Watch::open(&server, nothing, Some(ANN.1)).await;
    assert_eq!(watch.next().await, Err(4404));
}

#[tokio::test]
async fn s6_webhooks_of_one_name_are_of_each_owner_alone() {
    let server = with_accounts();
    let client = server.client();
    let mut watches = Vec::new();
    for who in [ANN, BOB] {
        let form = json!({ "webhook_id": "same" });
        let (workflow, node) = made(&client, who.1, "webhook-producer", form).await;
        let path = format!("/ws/workflow/{workflow}/");
        let mut watch = Watch::open(&server, &path, Some(who.1)).await;
        start(&client, who.1, &workflow).await;
        watch
            .until_state(|state| state["executing_nodes"].get(&node).is_some())
            .await;
        watches.push(watch);
    }
    for (at, who) in [ANN, BOB].into_iter().enumerate() {
        let body = json!({ "from": who.0 });
        let path = "/api/webhooks/same/";
        let reply = as_user(&client, who.1, Method::POST, path, Some(&body)).await;
        assert_eq!(
            (reply.status, &reply.json()["subscribers"]),
            (202, &json!(1)),
            "{reply:?}"
        );
        let told = watches[at].until(|m| m["type"] == "node_completed").await;
        let output = told.last().unwrap()["output_data"].as_str().unwrap();
        assert!(output.contains(who.0), "{output}");
    }
    let reply = client
        .post("/api/webhooks/same/", &json!({ "from": "nobody" }))
        .await;
    assert_eq!(reply.status, 401, "{reply:?}");
    for watch in &mut watches {
        let state = watch.until_state(|_| true).await;
        assert_eq!(state["completed_count"], 1, "each heard its own: {state}");
    }
}

#[tokio::test]
async fn s8_no_route_gives_the_credentials_of_an_account() {
    let server = with_accounts();
    let client = server.client();
    for id in ["1", "oauth", "11111111-1111-4111-8111-111111111111"] {
        let path = format!("/api/auth/google/accounts/{id}/credentials/");
        let reply = as_user(&client, ANN.1, Method::GET, &path, None).await;
        assert_eq!(reply.status, 404, "{path}");
        let said = reply.json()["error"].to_string();
        assert!(said.contains("are given to nobody"), "{said}");
    }
}

#[tokio::test]
async fn s9_the_choices_of_a_field_are_of_the_callers_own_things() {
    let server = with_accounts();
    let client = server.client();
    let key = json!({ "type": "service_account", "client_email": "secret-of-ann@a.example",
        "private_key": "-----BEGIN PRIVATE KEY-----\n", "token_uri": "https://oauth2.googleapis.com/token" });
    let secret = json!({ "value": key.to_string() });
    let path = "/api/settings/secrets/GOOGLE_SERVICE_ACCOUNT_JSON";
    let stored = as_user(&client, ANN.1, Method::PUT, path, Some(&secret)).await;
    assert!(stored.status < 300, "{stored:?}");
    for who in [ANN, BOB] {
        let body = json!({ "field_values": {} });
        let path = "/api/nodes/google-sheets-get-row/form/update/";
        let form = as_user(&client, who.1, Method::POST, path, Some(&body)).await;
        let sees = form.ok().to_string().contains("secret-of-ann");
        assert_eq!(sees, who == ANN, "{}", who.0);
    }
}

#[tokio::test]
async fn s10_sessions_of_one_name_are_of_each_user_alone() {
    let server = with_accounts();
    let client = server.client();
    let (kind, form) = counter(1, 100);
    let own = [
        made(&client, ANN.1, kind, form.clone()).await,
        made(&client, BOB.1, kind, form.clone()).await,
    ];
    for turn in 1..=3 {
        for (who, (workflow, node)) in [ANN, BOB].into_iter().zip(&own) {
            // One name for all: the direct run of a type, and a node of a workflow.
            let direct = json!({ "form_data": form, "session_id": "S" });
            let path = "/api/nodes/counter/execute/";
            let direct = as_user(&client, who.1, Method::POST, path, Some(&direct)).await;
            let saved = json!({ "node_id": node, "form_values": form, "session_id": "S" });
            let path = format!("/api/workflow/{workflow}/execute_and_save_node/");
            let saved = as_user(&client, who.1, Method::POST, &path, Some(&saved)).await;
            for answer in [direct.ok(), saved.ok()] {
                let current = &answer["output"]["data"]["counter"]["current"];
                assert_eq!(current, &json!(turn), "{}: {answer}", who.0);
            }
        }
    }
    let path = "/api/nodes/counter/reset-session/";
    let body = json!({ "session_id": "S" });
    let reset = as_user(&client, BOB.1, Method::POST, path, Some(&body)).await;
    assert_eq!(reset.ok()["cleared"], true);
    let direct = json!({ "form_data": form, "session_id": "S" });
    let path = "/api/nodes/counter/execute/";
    let direct = as_user(&client, ANN.1, Method::POST, path, Some(&direct)).await;
    let answer = direct.ok();
    assert_eq!(
        answer["output"]["data"]["counter"]["current"], 4,
        "{answer}"
    );
}

#[tokio::test]
async fn s11_keys_that_begin_alike_all_let_in() {
    let environment = [
        ("AUTH_PROVIDER", "static"),
        ("SERVER_AUTH_TOKEN", "the-token-of-the-server"),
        ("NODETOOL_REGISTRATION", "true"),
    ];
    let server = TestServer::start_in(&environment, &[]);
    let client = server.client();
    let person = json!({ "username": "ada", "email": "ada@example.org", "first_name": "A",
        "last_name": "L", "password": "analytical-engine", "password_confirm": "analytical-engine" });
    let made = client.post("/api/auth/register/", &person).await.json();
    let access = made["access"].as_str().unwrap();
    let mut keys = Vec::new();
    for name in ["a", "b", "c"] {
        let body = json!({ "name": name });
        let path = "/api/auth/api-keys/";
        let key = as_user(&client, access, Method::POST, path, Some(&body)).await;
        keys.push(key.json()["key"].as_str().unwrap().to_owned());
    }
    let db = rusqlite::Connection::open(server.folder().join("nodetool.sqlite3")).unwrap();
    let alike = db.execute("UPDATE nodetool_api_keys SET prefix = 'alike'", []);
    assert_eq!(alike.unwrap(), 3);
    for key in &keys {
        let request = with_headers(
            Method::GET,
            "/api/auth/me/",
            &[("x-api-key", key.as_str())],
            "",
        );
        assert_eq!(client.send(request).await.ok()["username"], "ada");
    }
}

#[tokio::test]
async fn s14_the_files_of_a_node_are_for_their_owner() {
    let server = with_accounts();
    let client = server.client();
    let (workflow, node) = made(&client, ANN.1, "file-writer", json!({})).await;
    let body = "--B\r\ncontent-disposition: form-data; name=\"key\"\r\n\r\nk\r\n\
        --B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f.txt\"\r\n\r\nof ann\r\n--B--\r\n";
    let bearer = format!("Bearer {}", ANN.1);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "multipart/form-data; boundary=B"),
    ];
    let path = format!("/api/workflow/{workflow}/nodes/{node}/files/upload/");
    let request = with_headers(Method::POST, &path, &headers, body);
    let uploaded = client.send(request).await;
    assert_eq!(uploaded.status, 201, "{uploaded:?}");
    let url = uploaded.json()["file"].as_str().unwrap().to_owned();
    let path = &url[url.find("/media/").expect("where the bytes are")..];
    let own = as_user(&client, ANN.1, Method::GET, path, None).await;
    assert_eq!((own.status, &own.body[..]), (200, &b"of ann"[..]));
    assert_eq!(
        as_user(&client, BOB.1, Method::GET, path, None)
            .await
            .status,
        404
    );
    assert_eq!(client.get(path).await.status, 401);
}

//! The socket of a workflow: what it says by itself, and how a run begins, ends, fails and is stopped.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::super::server::TestServer;
use super::super::ws::opened;
use super::{Flow, Watch, given, is_end, story};

#[tokio::test]
async fn case_33_a_socket_tells_the_state_answers_and_stays_open() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let idle = json!({ "workflow_id": flow.id, "status": "idle", "executing_nodes": {},
        "completed_nodes": [], "completed_count": 0 });
    for slash in ["", "/"] {
        let path = format!("/ws/workflow/{}{slash}", flow.id);
        let mut socket = opened(&server, &path).await;
        let first = socket.next().await;
        assert_eq!(
            (&first["type"], &first["state"]),
            (&json!("state_sync"), &idle)
        );
        socket.check_quiet().await;
        socket.send(&json!({ "type": "request_state" })).await;
        let asked = socket.next().await;
        assert_eq!(
            (&asked["type"], &asked["state"]),
            (&json!("state_sync"), &idle)
        );
        for (message, words) in [
            (Message::text("{no"), "Invalid JSON"),
            (Message::text(""), "Invalid JSON"),
            (Message::text("[1]"), "JSON objects"),
            (Message::binary(b"{}".as_slice()), "JSON text"),
        ] {
            socket.send_raw(message).await;
            let refused = socket.next().await;
            assert_eq!(refused["type"], "error", "{refused}");
            let said = refused["message"].as_str().unwrap();
            assert!(said.contains(words), "{said}");
        }
        // What nobody knows is no fault.
        socket.send(&json!({ "type": "nobody knows this" })).await;
        socket.check_quiet().await;
    }
}

#[tokio::test]
async fn a_message_that_is_too_large_closes_the_socket() {
    const LARGEST: usize = 64 << 10;
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let path = format!("/ws/workflow/{}/", flow.id);
    let ping = |length: usize| {
        let bare = json!({ "type": "ping", "more": "" }).to_string().len();
        let message = json!({ "type": "ping", "more": "x".repeat(length - bare) }).to_string();
        assert_eq!(message.len(), length);
        message
    };
    let mut socket = opened(&server, &path).await;
    assert_eq!(socket.next().await["type"], "state_sync");
    socket.send_raw(Message::text(ping(LARGEST))).await;
    assert_eq!(socket.next().await["type"], "pong");
    socket.send_raw(Message::text(ping(LARGEST + 1))).await;
    assert_eq!(socket.close_code().await, 1009);
    // In pieces, too.
    let mut socket = opened(&server, &path).await;
    assert_eq!(socket.next().await["type"], "state_sync");
    for piece in pieces(&ping(LARGEST + 1), 4000) {
        socket.send_raw(piece).await;
    }
    assert_eq!(socket.close_code().await, 1009);
}

#[tokio::test]
async fn whoever_says_much_is_answered_and_told_what_happens() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    flow.counter(1, 3).await;
    let mut socket = opened(&server, &format!("/ws/workflow/{}/", flow.id)).await;
    flow.start().await;
    let (pings, mut pongs, mut ended) = (500, 0, false);
    for _ in 0..pings {
        socket.send(&json!({ "type": "request_state" })).await;
        socket.send(&json!({ "type": "ping" })).await;
    }
    while pongs < pings || !ended {
        let told = socket.next().await;
        pongs += i32::from(told["type"] == "pong");
        ended |= told["type"] == "workflow_completed";
    }
}

/// A text as one message of several frames.
fn pieces(text: &str, size: usize) -> Vec<Message> {
    let mut pieces = text.as_bytes().chunks(size).enumerate().peekable();
    let mut frames = Vec::new();
    while let Some((n, piece)) = pieces.next() {
        let code = if n == 0 { Data::Text } else { Data::Continue };
        let last = pieces.peek().is_none();
        let frame = Frame::message(piece.to_vec(), OpCode::Data(code), last);
        frames.push(Message::Frame(frame));
    }
    frames
}

#[tokio::test]
async fn case_34_and_35_a_run_is_told_step_by_step_to_its_end() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let c = flow.counter(1, 2).await;
    let t = flow
        .transformer(r#"{"v": {{ data.counter.current }}}"#)
        .await;
    flow.edge(&c, &t).await;
    let mut watch = Watch::open(&server, &flow).await;
    let started = flow.start().await;
    assert_eq!(started["status"], "PENDING");
    let first = watch.next().await;
    assert_eq!(
        (&first["type"], &first["state"]["status"]),
        (&json!("state_sync"), &json!("running"))
    );
    let told = watch.ended().await;
    let words = story(&told, &[("c", &c), ("t", &t)]);
    assert_eq!(words.join(" "), "c t c t c. t. success");
    // Each began before it ended, and no two at once.
    let kinds: Vec<_> = told.iter().map(|m| m["type"].as_str().unwrap()).collect();
    assert_eq!(kinds[..12], ["node_started", "node_completed"].repeat(6));
    let made: Vec<_> = given(&told, &t)
        .iter()
        .map(|data| data["data_transformer"]["v"].clone())
        .collect();
    assert_eq!(made, [1, 2]);
    for told in &told {
        assert_eq!(told["workflow_id"], flow.id.as_str(), "{told}");
    }
    let state = watch.state().await;
    for (key, value) in [
        ("status", json!("completed")),
        ("completed_count", json!(6)),
        ("total_nodes", json!(2)),
        ("executing_nodes", json!({})),
    ] {
        assert_eq!(state[key], value, "{key}: {state}");
    }
    assert!(state["total_duration_seconds"].is_f64(), "{state}");
    assert!(
        state["completed_at"].as_str().unwrap().ends_with('Z'),
        "{state}"
    );
    assert_eq!(
        flow.task().await,
        json!({ "task_id": started["task_id"], "status": "SUCCESS" })
    );
    let object = flow.object().await;
    assert_eq!(
        (&object["status"], &object["runs_count"]),
        (&json!("inactive"), &json!(1))
    );
    // Who comes later is told how it ended.
    let late = Watch::open(&server, &flow).await.state().await;
    assert_eq!(late, state);
}

#[tokio::test]
async fn case_36_and_37_a_workflow_that_cannot_be_loaded_says_why() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    for expected in ["Workflow has no nodes", "url: This field is required."] {
        let mut watch = Watch::open(&server, &flow).await;
        let started = flow.start().await;
        assert_eq!(started["status"], "PENDING");
        let told = watch.ended().await;
        let [failed] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!(failed["type"], "workflow_failed");
        let text = failed["error"].as_str().unwrap();
        assert!(text.contains(expected), "{text}");
        let state = watch.state().await;
        assert_eq!(
            (&state["status"], &state["error"]),
            (&json!("failed"), &failed["error"])
        );
        assert_eq!(
            flow.task().await,
            json!({ "task_id": started["task_id"], "status": "FAILURE" })
        );
        assert_eq!(flow.object().await["status"], "error");
        if expected.contains("url") {
            break;
        }
        // The walkthrough: a node as the palette puts it there.
        let body = json!({ "nodeTemplate": "http-request", "position": { "x": 100, "y": 200 } });
        let added = flow.post("nodes/add", &body).await;
        assert_eq!(added.status, 201, "{added:?}");
    }
    let nodes = flow.get("nodes").await.ok();
    let state = flow.state().await;
    let error = state["error"].as_str().unwrap();
    assert!(error.contains(nodes[0]["id"].as_str().unwrap()), "{error}");
    // The same is told without a start.
    let refused = flow.post("validate", &json!({})).await;
    assert_eq!(refused.status, 422, "{refused:?}");
}

#[tokio::test]
async fn case_38_a_graph_without_a_producer_ends_well_and_runs_nothing() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    flow.transformer("{}").await;
    let mut watch = Watch::open(&server, &flow).await;
    assert_eq!(story(&watch.run(&flow).await, &[]), ["success"]);
    let state = watch.state().await;
    assert_eq!(
        (&state["status"], &state["completed_count"]),
        (&json!("completed"), &json!(0))
    );
    assert_eq!(flow.task().await["status"], "SUCCESS");
}

#[tokio::test]
async fn case_39_a_stop_is_told_and_nothing_after_it() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let c = flow.counter(1, 100).await;
    let interval = "{{ 1 if data.counter.current == 1 else 3600 }}";
    let form = json!({ "interval": interval, "unit": "seconds" });
    let d = flow.node("static-delay-node", form).await;
    flow.edge(&c, &d).await;
    let mut watch = Watch::open(&server, &flow).await;
    let started = flow.start().await;
    // The second one would take an hour.
    let told = watch.until(|told| is_begun(told, &d)).await;
    assert!(!told.iter().any(is_end), "{told:?}");
    watch.until(|told| is_begun(told, &d)).await;
    let stopped = flow.stop().await;
    assert_eq!(stopped["status"], "REVOKED");
    assert_ne!(stopped["task_id"], started["task_id"]);
    let idle = watch.next().await;
    assert_eq!(
        (&idle["type"], &idle["state"]["status"]),
        (&json!("state_sync"), &json!("idle"))
    );
    assert_eq!(idle["state"]["completed_count"], 0);
    watch.socket.check_quiet().await;
    assert_eq!(
        flow.task().await,
        json!({ "task_id": started["task_id"], "status": "REVOKED" })
    );
    assert_eq!(flow.object().await["status"], "inactive");
    // What it held was cleaned up: it begins anew, and is told of.
    flow.start().await;
    let told = watch.until(|told| super::is_done(told, &c)).await;
    assert_eq!(given(&told, &c)[0]["counter"]["current"], 1);
    assert_eq!(flow.stop().await["status"], "REVOKED");
}

/// Whether a node has begun.
fn is_begun(told: &Value, node: &str) -> bool {
    told["type"] == "node_started" && told["node_id"] == node
}

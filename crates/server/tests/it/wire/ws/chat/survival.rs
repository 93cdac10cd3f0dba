//! Threads that outlive their server, and long ones.

use nodetool_store::{MessageRow, Options, Store, ThreadRow};
use serde_json::json;

use super::super::super::server::{TestServer, folder};
use super::super::client::{Mode, open};
use super::{TEXT, listed, roles, said, scripted, text};

#[tokio::test]
async fn a_turn_that_was_killed_leaves_a_thread_that_goes_on() {
    let script = json!([
        { "contains": "hang", "turns": [
            { "text": "let me see", "tool_calls": [{ "id": "c1", "name": "ui_x", "arguments": {} }] },
        ] },
        { "contains": "wait", "turns": [{ "text": "half an ans", "hang": true }] },
    ]);
    let server = scripted(&script, &[]);
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let tool = json!({ "name": "ui_x", "parameters": { "type": "object" } });
    let manifest = json!({ "type": "client_tools_manifest", "tools": [tool] });
    socket.send(&manifest).await;
    socket.command("chat_message", said("calls", "hang")).await;
    socket.until("tool_call").await;
    socket.command("chat_message", said("talks", "wait")).await;
    let last = socket
        .until_such(|m| m["thread_id"] == "talks" && m["type"] == "chunk")
        .await;
    let folder = server.kill().await;
    let file = folder.path().join("script.json");
    let address = format!("fake={}", file.display());
    let arguments = ["--enable-fake-provider", "--provider-url", &address];
    let server = TestServer::start_over(folder, &arguments);
    let client = server.client();
    assert_eq!(roles(&client, "calls").await, ["user", "assistant"]);
    let calls = &listed(&client, "calls").await[1]["tool_calls"];
    assert_eq!(calls[0]["id"], "c1");
    assert_eq!(roles(&client, "talks").await, ["user"]);
    let mut socket = open(&server, "/ws", Mode::Text).await;
    for thread in ["calls", "talks"] {
        let messages = socket.chat(said(thread, "go on")).await;
        assert_eq!(text(&messages), TEXT);
        let number = messages[0]["chat_seq"].as_f64().unwrap();
        assert!(
            number > last["chat_seq"].as_f64().unwrap(),
            "numbers keep rising"
        );
    }
}

#[tokio::test]
async fn a_server_that_stops_keeps_what_was_said_so_far() {
    let script = json!([{ "turns": [{ "text": "half an ans", "hang": true }] }]);
    let server = scripted(&script, &["--shutdown-seconds", "0"]);
    let mut socket = open(&server, "/ws", Mode::Text).await;
    socket.command("chat_message", said("t", "hi")).await;
    let mut pieces = String::new();
    while pieces != "half an ans" {
        let chunk = socket.until("chunk").await;
        pieces.push_str(chunk["content"].as_str().unwrap());
    }
    server.terminate();
    let (status, log, folder) = server.ended().await;
    assert!(status.success(), "{log}");
    let path = folder.path().join("nodetool.sqlite3");
    let store = Store::open(&path, Options::default()).unwrap();
    let rows = store.recent_messages("1", "t", 10).await.unwrap();
    let kept: Vec<_> = rows.iter().map(|r| r.content.as_deref()).collect();
    assert_eq!(kept, [Some(r#""hi""#), Some(r#""half an ans""#)]);
}

#[tokio::test]
async fn of_ten_thousand_messages_the_newest_are_told_to_the_model() {
    const STORED: i64 = 10_000;
    let folder = folder();
    let path = folder.path().join("nodetool.sqlite3");
    let store = Store::open(&path, Options::default()).unwrap();
    let thread = ThreadRow {
        id: "long".into(),
        user_id: "1".into(),
        ..ThreadRow::default()
    };
    store.insert_thread(thread).await.unwrap();
    let rows: Vec<MessageRow> = (0..STORED)
        .map(|at| MessageRow {
            id: format!("m{at}"),
            user_id: "1".into(),
            thread_id: "long".into(),
            created_at: at,
            role: if at % 2 == 0 { "user" } else { "assistant" }.into(),
            content: Some(json!("word ".repeat(100)).to_string()),
            ..MessageRow::default()
        })
        .collect();
    store.insert_messages(rows).await.unwrap();
    store.close().await.unwrap();
    let server = TestServer::start_over(folder, &["--enable-fake-provider"]);
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let messages = socket.chat(said("long", "and now?")).await;
    assert_eq!(text(&messages), TEXT);
    // The fake provider counts the words it was told.
    let client = server.client();
    let costs = super::super::super::server::within("the cost of the call", async {
        loop {
            let costs = client.get("/api/costs").await.ok();
            if costs["calls"].as_array().is_some_and(|p| !p.is_empty()) {
                break costs;
            }
            super::super::super::server::pace().await;
        }
    })
    .await;
    let told = costs["calls"][0]["input_tokens"].as_i64().unwrap();
    assert!((5_000..30_000).contains(&told), "{told} words");
}

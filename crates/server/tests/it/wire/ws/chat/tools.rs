//! Tools of clients, and calls of tools that are none (rows 43 to 45).

use serde_json::{Value, json};

use super::super::client::{MODES, Mode, Socket, open};
use super::{TEXT, is_last, listed, of, roles, said, scripted, stored, text};

/// A model that calls a tool once and then says how it went.
fn calling(name: &str, arguments: &Value) -> Value {
    json!([{ "turns": [
        { "text": "let me", "tool_calls": [{ "id": "c1", "name": name, "arguments": arguments }] },
        { "text": "done" },
    ] }])
}

async fn offer(socket: &mut Socket, name: &str) {
    let tool = json!({ "name": name, "description": "d", "parameters": { "type": "object" } });
    let frame = json!({ "type": "client_tools_manifest", "tools": [tool] });
    socket.send(&frame).await;
}

/// Begins a turn and goes on until the client is asked to run its tool; what came before.
async fn asked(socket: &mut Socket, data: Value) -> Vec<Value> {
    socket.command("chat_message", data).await;
    let mut messages = Vec::new();
    loop {
        let message = socket.next().await;
        let asked = message["type"] == "tool_call";
        messages.push(message);
        if asked {
            return messages;
        }
    }
}

#[tokio::test]
async fn case_43_a_client_runs_its_own_tool() {
    let server = scripted(&calling("ui_x", &json!({ "x": 1 })), &[]);
    for (mode, thread) in MODES.into_iter().zip(["t1", "t2"]) {
        let mut socket = open(&server, "/ws", mode).await;
        offer(&mut socket, "ui_x").await;
        let before = asked(&mut socket, said(thread, "hi")).await;
        let update = &of(&before, "tool_call_update")[0];
        assert_eq!(
            (&update["name"], &update["tool_call_id"], &update["args"]),
            (&json!("ui_x"), &json!("c1"), &json!({ "x": 1 }))
        );
        let calls = &stored(&before)[0]["tool_calls"];
        assert_eq!(
            (&calls[0]["id"], &calls[0]["name"], &calls[0]["args"]),
            (&json!("c1"), &json!("ui_x"), &json!({ "x": 1 }))
        );
        let call = before.last().unwrap();
        assert_eq!(
            (&call["thread_id"], &call["tool_call_id"], &call["args"]),
            (&json!(thread), &json!("c1"), &json!({ "x": 1 }))
        );
        for (id, known) in [("c9", false), ("c1", true), ("c1", false)] {
            let answer = json!({
                "type": "tool_result", "thread_id": thread, "tool_call_id": id, "ok": true,
                "result": { "known": known }, "elapsed_ms": 12,
            });
            socket.send(&answer).await;
        }
        let after = socket.turn(thread).await;
        let tool = stored(&after)[0];
        assert_eq!(
            (&tool["role"], &tool["name"], &tool["tool_call_id"]),
            (&json!("tool"), &json!("ui_x"), &json!("c1"))
        );
        assert_eq!(tool["content"], r#"{"known":true}"#);
        assert_eq!(text(&after), "done");
        assert_eq!(
            roles(&server.client(), thread).await,
            ["user", "assistant", "tool", "assistant"]
        );
    }
}

#[tokio::test]
async fn case_44_a_tool_that_fails_or_is_not_answered_is_told_to_the_model() {
    let server = scripted(
        &calling("ui_x", &json!({})),
        &["--client-tool-seconds", "0.2"],
    );
    for (mode, thread) in MODES.into_iter().zip(["t1", "t2"]) {
        let mut socket = open(&server, "/ws", mode).await;
        offer(&mut socket, "ui_x").await;
        asked(&mut socket, said(thread, "hi")).await;
        let late = socket.turn(thread).await;
        assert_eq!(
            stored(&late)[0]["content"],
            r#"{"error":"Client tool timed out"}"#
        );
        assert_eq!(text(&late), "done");
    }
    let server = scripted(&calling("ui_x", &json!({})), &[]);
    let mut socket = open(&server, "/ws", Mode::Text).await;
    offer(&mut socket, "ui_x").await;
    asked(&mut socket, said("t", "hi")).await;
    let failed = json!({ "type": "tool_result", "tool_call_id": "c1", "ok": false, "error": "no such node" });
    socket.send(&failed).await;
    let after = socket.turn("t").await;
    assert_eq!(stored(&after)[0]["content"], r#"{"error":"no such node"}"#);
    assert_eq!(text(&after), "done");
}

#[tokio::test]
async fn case_45_a_tool_nobody_knows_is_told_to_the_model() {
    let server = scripted(&calling("nowhere", &json!({})), &[]);
    for (mode, thread) in MODES.into_iter().zip(["t1", "t2"]) {
        let mut socket = open(&server, "/ws", mode).await;
        let mut data = said(thread, "hi");
        data["tools"] = json!(["also_nowhere"]);
        let messages = socket.chat(data).await;
        let tool = stored(&messages)[1];
        assert_eq!(tool["content"], r#"{"error":"Unknown tool: nowhere"}"#);
        assert!(is_last(messages.last().unwrap()));
        assert_eq!(stored(&messages)[2]["content"], "done");
    }
}

#[tokio::test]
async fn arguments_that_are_none_are_told_to_the_model_and_kept_as_they_are() {
    let server = scripted(&calling("ui_x", &json!("{broken")), &[]);
    let mut socket = open(&server, "/ws", Mode::Text).await;
    offer(&mut socket, "ui_x").await;
    let messages = socket.chat(said("t", "hi")).await;
    let content = stored(&messages)[1]["content"].as_str().unwrap();
    assert!(content.contains("not JSON"), "{content}");
    let calls = &listed(&server.client(), "t").await[1]["tool_calls"];
    assert_eq!(calls[0]["arguments"], "{broken");
    // The conversation with it is read again.
    let again = socket.chat(said("t", "and?")).await;
    assert!(is_last(again.last().unwrap()));
}

#[tokio::test]
async fn a_tool_that_hangs_ends_with_a_stop_and_the_thread_goes_on() {
    let script = json!([
        { "contains": "hang", "turns": [{ "tool_calls": [{ "id": "c1", "name": "ui_x" }] }] },
    ]);
    let server = scripted(&script, &[]);
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    offer(&mut socket, "ui_x").await;
    asked(&mut socket, said("t", "hang")).await;
    socket.command("stop", json!({ "thread_id": "t" })).await;
    let rest = socket.turn("t").await;
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!(socket.next().await["message"], "Stop command processed");
    let client = server.client();
    assert_eq!(roles(&client, "t").await, ["user", "assistant"]);
    let messages = socket.chat(said("t", "go on")).await;
    assert_eq!(text(&messages), TEXT);
}

#[tokio::test]
async fn a_result_of_fifty_megabytes_is_cut_for_the_model_and_the_store() {
    let server = scripted(&calling("ui_x", &json!({})), &[]);
    let mut socket = open(&server, "/ws", Mode::Text).await;
    offer(&mut socket, "ui_x").await;
    asked(&mut socket, said("t", "hi")).await;
    let result = "x".repeat(50 << 20);
    let answer = json!({ "type": "tool_result", "tool_call_id": "c1", "result": result });
    socket.send(&answer).await;
    let after = socket.turn("t").await;
    let content = stored(&after)[0]["content"].as_str().unwrap();
    assert!(content.len() < 50_000, "{} characters", content.len());
    assert!(content.contains("truncated"));
    assert_eq!(text(&after), "done");
}

#[tokio::test]
async fn a_model_that_never_stops_calling_tools_is_stopped() {
    let turn = json!({ "tool_calls": [{ "name": "nowhere", "arguments": {} }] });
    let script = json!([{ "turns": vec![turn; 40] }]);
    let server = scripted(&script, &[]);
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let messages = socket.chat(said("t", "hi")).await;
    let last = stored(&messages).last().copied().unwrap();
    assert_eq!(
        (&last["role"], &last["content"]),
        (
            &json!("assistant"),
            &json!("Stopped: maximum tool rounds reached")
        )
    );
    assert_eq!(of(&messages, "tool_call_update").len(), 25);
}

/// Answers every question about a call so, until the turn is over; what came, without the questions, and those.
async fn through(socket: &mut Socket, decision: &str) -> (Vec<Value>, Vec<Value>) {
    let (mut messages, mut questions) = (Vec::new(), Vec::new());
    loop {
        let message = socket.next().await;
        if message["type"] == "tool_approval_request" {
            let answer = json!({ "type": "tool_approval_response", "approval_id": message["approval_id"],
                "decision": decision });
            socket.send(&answer).await;
            questions.push(message);
            continue;
        }
        let last = is_last(&message);
        messages.push(message);
        if last {
            return (messages, questions);
        }
    }
}

#[tokio::test]
async fn tools_with_effects_are_called_as_the_mode_of_the_thread_says() {
    let arguments = json!({ "name": "a.txt", "content": "x" });
    let server = scripted(&calling("save_text_asset", &arguments), &[]);
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let assets = async || {
        let listed = server.client().get("/api/assets").await.ok();
        listed["assets"].as_array().unwrap().len()
    };
    // The thread, the mode, what is said to a question, how many there are, and whether the tool was called.
    for (thread, mode, decision, questions, called) in [
        ("t1", "plan", "allow", 0, false),
        ("t2", "default", "deny", 1, false),
        ("t2", "default", "allow", 1, true),
        ("t2", "default", "allow_for_chat", 1, true),
        ("t2", "default", "deny", 0, true),
        ("t3", "auto", "deny", 0, true),
        ("t1", "default", "deny", 1, false),
    ] {
        let before = assets().await;
        let ask = json!({ "thread_id": thread, "permission_mode": mode });
        socket.ask("set_permission_mode", ask).await;
        let mut data = said(thread, "hi");
        data["tools"] = json!(["save_text_asset"]);
        socket.command("chat_message", data).await;
        let (messages, asked) = through(&mut socket, decision).await;
        let which = format!("{thread} {mode} {decision}");
        assert_eq!(asked.len(), questions, "{which}: {messages:#?}");
        assert_eq!(assets().await - before, usize::from(called), "{which}");
        if let Some(question) = asked.first() {
            assert_eq!(question["tool_name"], "save_text_asset");
            assert_eq!(
                (&question["thread_id"], &question["args"]),
                (&json!(thread), &arguments)
            );
        }
    }
}

#[tokio::test]
async fn a_message_brings_its_mode_with_it_and_tools_that_only_look_are_free() {
    let server = scripted(&calling("list_assets", &json!({})), &[]);
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let mut data = said("t", "hi");
    data["tools"] = json!(["list_assets"]);
    data["permission_mode"] = json!("default");
    socket.command("chat_message", data).await;
    let (messages, asked) = through(&mut socket, "deny").await;
    assert!(asked.is_empty(), "{asked:?}");
    let told = stored(&messages);
    let answer = told.iter().find(|m| m["role"] == "tool").unwrap();
    assert!(!answer.to_string().contains("Error"), "{answer}");
}

//! What every message is answered with, whatever it asks for (rows 1, 6 to 16).

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::super::server::TestServer;
use super::client::{Got, MODES, Mode, open, try_open};

fn unhex(text: &str) -> Vec<u8> {
    let byte = |i: usize| u8::from_str_radix(&text[i..i + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[tokio::test]
async fn case_1_the_first_message_is_how_busy_the_machine_is() {
    let server = TestServer::start();
    for path in ["/ws", "/ws/"] {
        let mut socket = open(&server, path, Mode::Binary).await;
        let Got::Message(stats, Mode::Binary) = socket.any().await else {
            panic!("no binary message")
        };
        assert_eq!(stats["type"], "system_stats");
        assert!(stats["stats"]["memory_total_gb"].as_f64() > Some(0.0));
        assert!(stats["stats"]["vram_total_gb"].is_null());
        assert!(stats["stats"]["cpu_percent"].is_f64());
    }
}

#[tokio::test]
async fn case_6_a_ping_is_answered() {
    let server = TestServer::start();
    for mode in MODES {
        for path in ["/ws", "/predict", "/ws/predict/"] {
            let mut socket = open(&server, path, mode).await;
            socket.send(&json!({ "type": "ping" })).await;
            let pong = socket.next().await;
            assert_eq!(pong["type"], "pong");
            assert!(pong["ts"].as_f64() > Some(1e9), "{pong}");
            socket.send(&json!({ "type": "pong" })).await;
            socket.check_quiet().await;
        }
    }
}

#[tokio::test]
async fn case_8_the_encoding_follows_the_client() {
    let server = TestServer::start();
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let none = json!({ "active_jobs": [] });
    socket.send(&json!({ "command": "get_status" })).await;
    assert_eq!(socket.next_as().await, (none.clone(), Mode::Text));
    let binary = super::client::encode(&json!({ "command": "get_status" }), Mode::Binary);
    socket.send_raw(binary).await;
    assert_eq!(socket.next_as().await, (none, Mode::Binary));
}

#[tokio::test]
async fn cases_9_to_11_a_chosen_encoding_stays() {
    let server = TestServer::start();
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    socket.command("set_mode", json!({ "mode": "text" })).await;
    let set = json!({ "message": "Mode set to text" });
    assert_eq!(socket.next_as().await, (set, Mode::Text));
    socket.command("get_status", json!({})).await;
    let none = json!({ "active_jobs": [] });
    assert_eq!(socket.next_as().await, (none, Mode::Text));
    for mode in [json!("xml"), json!(null), json!(3)] {
        socket.command("set_mode", json!({ "mode": mode })).await;
        let (refused, mode) = socket.next_as().await;
        assert_eq!(mode, Mode::Text);
        assert_eq!(refused["error"], "mode must be binary or text");
        assert_eq!(refused["command"], "set_mode");
    }
}

#[tokio::test]
async fn case_12_what_is_no_message_is_refused_and_the_socket_stays() {
    let server = TestServer::start();
    let deep = "[".repeat(1 << 20);
    let frames = [
        Message::binary(vec![0xc1]),
        Message::binary(Vec::new()),
        Message::binary(vec![0xdf, 0xff, 0xff, 0xff, 0xff]),
        Message::binary(vec![0xdd, 0x7f, 0xff, 0xff, 0xff, 0xc0]),
        Message::binary(vec![0xc6, 0xff, 0xff, 0xff, 0xff, 0x00]),
        Message::binary(vec![0x91; 1 << 20]),
        Message::binary(vec![0x80, 0x80]),
        Message::binary(vec![0x01]),
        Message::text("{bad"),
        Message::text(""),
        Message::text("[1,2]"),
        Message::text("7"),
        Message::text(deep),
    ];
    for frame in frames {
        let mut socket = open(&server, "/ws", Mode::Binary).await;
        socket.send_raw(frame.clone()).await;
        let (reply, _) = socket.next_as().await;
        assert_eq!(reply["error"], "invalid_frame", "{frame:?}");
        assert!(reply["message"].as_str().is_some_and(|m| !m.is_empty()));
        socket.check_quiet().await;
    }
    server.client().check_health().await;
}

#[tokio::test]
async fn an_oversize_message_is_refused_and_the_socket_stays() {
    let server = TestServer::start_with(&["--ws-max-message-bytes", "1000"]);
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        socket
            .command("get_status", json!({ "x": "x".repeat(990) }))
            .await;
        assert_eq!(socket.next().await["error"], "invalid_frame");
        socket
            .command("get_status", json!({ "x": "x".repeat(900) }))
            .await;
        assert_eq!(socket.next().await, json!({ "active_jobs": [] }));
        socket
            .command("get_status", json!({ "x": "x".repeat(2200) }))
            .await;
        assert_eq!(socket.next().await["error"], "invalid_frame");
        assert_eq!(socket.closed().await.0, 1009);
    }
}

#[tokio::test]
async fn case_13_a_message_without_a_command_is_refused() {
    let server = TestServer::start();
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        for message in [json!({ "foo": 1 }), json!({ "type": "dance" }), json!({})] {
            socket.send(&message).await;
            assert_eq!(
                socket.next().await,
                json!({
                    "error": "invalid_message",
                    "message": "All messages must include a 'command' field. Use 'chat_message' command for chat.",
                })
            );
        }
    }
}

#[tokio::test]
async fn case_14_an_unknown_command_is_named() {
    let server = TestServer::start();
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        socket
            .send(&json!({ "command": "frobnicate", "data": { "job_id": "j" }, "request_id": "r", "type": "ping" }))
            .await;
        assert_eq!(
            socket.next().await,
            json!({
                "error": "invalid_command", "message": "Unknown command", "details": "Unknown command: frobnicate",
                "command": "frobnicate", "request_id": "r", "job_id": "j",
            })
        );
    }
}

#[tokio::test]
async fn case_15_malformed_data_says_where() {
    let server = TestServer::start();
    let cases = [
        (json!({ "graph": "x" }), "graph: "),
        (
            json!({ "graph": { "nodes": [{}], "edges": [] } }),
            "graph.nodes.0.",
        ),
        (json!({ "job_id": "a b" }), "job_id: "),
        (json!({ "job_id": 3 }), "job_id: "),
        (json!({ "params": [] }), "params: "),
        (json!({ "explicit_types": "yes" }), "explicit_types: "),
        (
            json!({ "execution_options": { "event_detail": "x" } }),
            "execution_options.event_detail: ",
        ),
    ];
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        for (data, place) in &cases {
            let reply = socket.ask("run_job", data.clone()).await;
            assert_eq!(reply["error"], "invalid_command", "{data}");
            let details = reply["details"].as_str().unwrap();
            let wanted = format!("Malformed 'run_job' data: {place}");
            assert!(details.starts_with(&wanted), "{details}");
        }
        let odd = [
            json!({ "command": 3 }),
            json!({ "command": "get_status", "data": [] }),
            json!({ "command": "get_status", "request_id": 1 }),
        ];
        for message in odd {
            socket.send(&message).await;
            assert_eq!(socket.next().await["error"], "invalid_command", "{message}");
        }
        socket
            .send(&json!({ "command": "get_status", "data": null, "request_id": null }))
            .await;
        assert_eq!(socket.next().await, json!({ "active_jobs": [] }));
    }
}

#[tokio::test]
async fn case_16_the_golden_frame_is_answered() {
    let server = TestServer::start();
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let golden = unhex(
        "de0003a7636f6d6d616e64b06765745f6361706162696c6974696573aa726571756573745f6964bb73646b2d676f6c64656e2d6765745f6361706162696c6974696573a464617461de0000",
    );
    socket.send_raw(Message::binary(golden)).await;
    let reply = socket.next().await;
    assert_eq!(reply["type"], "rpc_response");
    assert_eq!(reply["request_id"], "sdk-golden-get_capabilities");
    assert_eq!(reply["command"], "get_capabilities");
    assert_eq!(reply["result"]["protocol_version"], "1");
    assert_eq!(reply["result"]["default_encoding"], "messagepack");
    assert!(reply["result"]["limits"]["max_message_bytes"].is_u64());
}

#[tokio::test]
async fn control_messages_are_checked_and_late_answers_ignored() {
    let server = TestServer::start();
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let malformed: [(Value, &str); 5] = [
            (json!({ "type": "client_tools_manifest" }), "tools: "),
            (
                json!({ "type": "client_tools_manifest", "tools": [{ "name": "a" }, {}] }),
                "tools.1.name: ",
            ),
            (
                json!({ "type": "tool_result", "ok": true }),
                "tool_call_id: ",
            ),
            (
                json!({ "type": "tool_approval_response", "approval_id": "a", "decision": "maybe" }),
                "decision: ",
            ),
            (json!({ "type": "secret_request_response" }), "status: "),
        ];
        for (message, place) in malformed {
            socket.send(&message).await;
            let reply = socket.next().await;
            assert_eq!(reply["error"], "invalid_message");
            let kind = message["type"].as_str().unwrap();
            let wanted = format!("Malformed '{kind}' frame: {place}");
            assert!(
                reply["message"].as_str().unwrap().starts_with(&wanted),
                "{reply}"
            );
        }
        for message in [
            json!({ "type": "client_tools_manifest", "tools": [{ "name": "ui_x" }] }),
            json!({ "type": "tool_result", "tool_call_id": "gone", "ok": true, "result": 1 }),
            json!({ "type": "plan_approval_response", "approval_id": "gone", "decision": "reject" }),
        ] {
            socket.send(&message).await;
        }
        socket.check_quiet().await;
    }
}

#[tokio::test]
async fn commands_that_change_nothing_say_so() {
    let server = TestServer::start();
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let cleared = socket.ask("clear_models", json!({})).await;
    assert_eq!(cleared, json!({ "message": "Unused models cleared" }));
    let data = json!({ "job_id": "j", "node_id": "n", "properties": {} });
    assert_eq!(
        socket.ask("update_node_properties", data).await["applied"],
        false
    );
    let reply = socket
        .ask("update_node_properties", json!({ "node_id": "n" }))
        .await;
    assert_eq!(reply["error"], "properties must be an object");
    let reply = socket.ask("update_node_properties", json!({})).await;
    assert_eq!(reply["error"], "node_id is required");
}

#[tokio::test]
async fn a_plain_request_for_a_socket_is_told_what_it_is() {
    let server = TestServer::start();
    let reply = server.client().get("/ws").await;
    assert!(reply.detail(426).contains("WebSocket"));
    assert_eq!(
        try_open(&server, "/ws/nothing", Mode::Text).await.err(),
        Some(404)
    );
}

#[tokio::test]
async fn case_5_a_page_of_another_site_gets_no_socket() {
    let server = TestServer::start();
    let own = format!("http://{}", server.address());
    for (origin, let_in) in [
        ("https://evil.example", false),
        ("null", false),
        ("http://localhost:3000", true),
        (&own, true),
    ] {
        let url = format!("ws://{}/ws", server.address());
        let mut request = url.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("origin", origin.parse().unwrap());
        match tokio_tungstenite::connect_async(request).await {
            Ok(_) => assert!(let_in, "{origin}"),
            Err(tokio_tungstenite::tungstenite::Error::Http(refusal)) => {
                assert!(!let_in, "{origin}");
                assert_eq!(refusal.status(), 403);
            }
            Err(e) => panic!("{origin}: {e}"),
        }
    }
}

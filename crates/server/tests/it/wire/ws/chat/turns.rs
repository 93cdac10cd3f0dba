//! Turns of a model without tools (rows 39 to 42, 46, 47, 51).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodetool_protocol::pack;
use nodetool_store::{Options, Store, ThreadRow};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::super::super::server::{TestServer, folder};
use super::super::client::{MODES, Mode, open};
use super::{
    TEXT, is_last, listed, of, plain, roles, said, scripted, stored, text, text as text_of,
};

/// A picture of one pixel.
const GIF: &str = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

#[tokio::test]
async fn case_39_a_message_needs_its_thread() {
    let server = plain();
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let data = json!({ "role": "user", "content": "hi" });
        let asked = json!({ "command": "chat_message", "data": data, "request_id": "r" });
        socket.send(&asked).await;
        let told = socket.next().await;
        assert_eq!(
            told,
            json!({
                "error": "thread_id is required for chat_message command", "command": "chat_message",
                "request_id": "r",
            })
        );
        socket.check_quiet().await;
    }
}

#[tokio::test]
async fn case_40_a_message_is_answered_piece_by_piece_and_both_are_stored() {
    let server = plain();
    let client = server.client();
    for (mode, thread) in MODES.into_iter().zip(["t1", "t2"]) {
        let mut socket = open(&server, "/ws", mode).await;
        let messages = socket.chat(said(thread, "hi")).await;
        let kinds: Vec<_> = messages
            .iter()
            .map(|m| m["type"].as_str().unwrap())
            .collect();
        assert_eq!(
            kinds,
            ["chunk", "chunk", "chunk", "chunk", "message", "chunk"]
        );
        assert_eq!(text(&messages), TEXT);
        let done: Vec<_> = of(&messages, "chunk")
            .iter()
            .map(|m| m["done"] == true)
            .collect();
        assert_eq!(done, [false, false, false, false, true]);
        let numbers: Vec<_> = messages.iter().map(|m| m["chat_seq"].as_u64()).collect();
        assert_eq!(numbers, (1..=6).map(Some).collect::<Vec<_>>());
        let answer = &messages[4];
        assert_eq!(
            (&answer["role"], &answer["content"], &answer["model"]),
            (&json!("assistant"), &json!(TEXT), &json!("fake-model-v1"))
        );
        assert!(answer["created_at"].is_string(), "{answer}");
        let path = format!("/api/messages/{}", answer["id"].as_str().unwrap());
        let read = client.get(&path).await.ok();
        for field in ["content", "created_at", "thread_id", "provider", "user_id"] {
            assert_eq!(read[field], answer[field], "{field}");
        }
        assert_eq!(roles(&client, thread).await, ["user", "assistant"]);
        let begun = client.get(&format!("/api/threads/{thread}")).await.ok();
        assert_eq!(begun["title"], "New Thread");
        // The numbers of the next turn go on.
        let messages = socket.chat(said(thread, "and?")).await;
        assert_eq!(messages[0]["chat_seq"], 7);
        assert_eq!(roles(&client, thread).await.len(), 4);
    }
}

#[tokio::test]
async fn case_41_a_bare_message_begins_a_thread_and_the_next_goes_on_in_it() {
    let server = plain();
    let mut socket = open(&server, "/chat", Mode::Text).await;
    let bare =
        json!({ "role": "user", "content": "Hello", "model": "fake-model-v1", "provider": "fake" });
    let mut threads = Vec::new();
    for _ in 0..2 {
        socket.send(&bare).await;
        let mut messages = vec![socket.next().await];
        while !messages.last().is_some_and(is_last) {
            messages.push(socket.next().await);
        }
        assert_eq!(messages[0]["type"], "chunk");
        assert_eq!(text(&messages), TEXT);
        let thread = messages[0]["thread_id"].clone();
        assert!(messages.iter().all(|m| m["thread_id"] == thread));
        threads.push(thread);
    }
    assert_eq!(threads[0], threads[1]);
    let thread = threads[0].as_str().unwrap();
    assert_eq!(roles(&server.client(), thread).await.len(), 4);
    assert!(socket.news.is_empty(), "{:?}", socket.news);
}

#[tokio::test]
async fn a_newcomer_is_answered_without_a_provider_a_key_or_a_model() {
    let server = TestServer::start();
    let mut socket = open(&server, "/chat", Mode::Text).await;
    socket
        .send(&json!({ "role": "user", "content": "Hello" }))
        .await;
    let mut messages = vec![socket.next().await];
    while !messages.last().is_some_and(is_last) {
        messages.push(socket.next().await);
    }
    assert!(text(&messages).ends_with("You said: Hello"), "{messages:?}");
}

#[tokio::test]
async fn case_42_a_picture_is_stored_as_an_asset_however_it_comes() {
    use nodetool_protocol::Value as Wire;
    let server = plain();
    let client = server.client();
    let bytes = STANDARD.decode(GIF).unwrap();
    let mut images = Vec::new();
    for (mode, thread) in MODES.into_iter().zip(["t1", "t2"]) {
        let mut socket = open(&server, "/ws", mode).await;
        let mut data = said(thread, "");
        let image = match mode {
            Mode::Binary => json!({ "type": "image", "uri": "", "data": null }),
            Mode::Text => json!({ "type": "image", "uri": format!("data:image/gif;base64,{GIF}") }),
        };
        data["content"] = json!([{ "type": "text", "text": "what is this?" }, { "type": "image_url", "image": image }]);
        if mode == Mode::Text {
            socket.chat(data).await;
        } else {
            let command = json!({ "command": "chat_message", "data": data });
            let command: Wire = serde_json::from_value(command).unwrap();
            let packed = pack::to_vec(&with_bytes(command, &bytes)).unwrap();
            socket.send_raw(Message::binary(packed)).await;
            let ack = socket.next().await;
            assert_eq!(ack["message"], "Chat message processing started", "{ack}");
            socket.turn(thread).await;
        }
        let messages = listed(&client, thread).await;
        let image = &messages[0]["content"][1]["image"];
        assert_eq!(image["data"], Value::Null);
        let id = image["asset_id"].as_str().expect("a reference").to_owned();
        let kept = client.get(&format!("/api/assets/{id}")).await.ok();
        assert_eq!(
            (&kept["content_type"], &kept["size"]),
            (&json!("image/gif"), &json!(bytes.len()))
        );
        images.push(kept["name"].clone());
    }
    assert_eq!(images[0], images[1], "named by what is in them");
}

/// The message with bytes in the place of the image's data.
fn with_bytes(value: nodetool_protocol::Value, bytes: &[u8]) -> nodetool_protocol::Value {
    use nodetool_protocol::Value as Wire;
    match value {
        Wire::List(items) => Wire::list(
            items
                .iter()
                .map(|v| with_bytes(v.clone(), bytes))
                .collect::<Vec<_>>(),
        ),
        Wire::Map(map) => {
            let is_image = map.get("type") == Some(&"image".into());
            Wire::map(map.iter().map(|(key, v)| {
                let v = match is_image && **key == *"data" {
                    true => Wire::Bytes(bytes.to_vec().into()),
                    false => with_bytes(v.clone(), bytes),
                };
                (key.clone(), v)
            }))
        }
        other => other,
    }
}

#[tokio::test]
async fn what_cannot_be_said_is_refused_by_its_field_and_nothing_is_stored() {
    let server = plain();
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let no_image = STANDARD.encode("no image");
    let image = |image: Value| json!([{ "type": "image_url", "image": image }]);
    for (content, path) in [
        (json!(7), "content: "),
        (json!([{ "type": "text" }]), "content.0.text: "),
        (
            image(json!({ "data": no_image })),
            "content.0.image: the data is no image",
        ),
        (
            image(json!({ "uri": "memory://1" })),
            "content.0.image.uri: Invalid asset reference",
        ),
        (
            image(json!({ "uri": "file:///etc/passwd" })),
            "content.0.image.uri: ",
        ),
    ] {
        let mut data = said("t", "");
        data["content"] = content;
        socket.command("chat_message", data).await;
        let told = socket.next().await;
        let details = told["details"].as_str().unwrap();
        let expected = format!("Malformed 'chat_message' data: {path}");
        assert!(details.starts_with(&expected), "{told}");
        assert_eq!(told["thread_id"], "t");
    }
    let mut data = said("t", "hi");
    data["model"] = Value::Null;
    socket.command("chat_message", data).await;
    let told = socket.next().await;
    assert_eq!(
        (&told["message"], &told["error_type"]),
        (&json!("No model selected"), &json!("NO_MODEL_SELECTED"))
    );
    let client = server.client();
    assert_eq!(client.get("/api/threads").await.ok()["threads"], json!([]));
    socket.check_quiet().await;
}

#[tokio::test]
async fn case_46_stopping_one_thread_leaves_the_other_alone_and_keeps_what_was_said() {
    let hanging = json!([{ "contains": "wait", "turns": [{ "text": "So far so", "hang": true }] }]);
    let server = scripted(&hanging, &[]);
    for mode in MODES {
        let (a, b) = (format!("a{mode:?}"), format!("b{mode:?}"));
        let mut socket = open(&server, "/ws", mode).await;
        socket.command("chat_message", said(&a, "wait")).await;
        socket.until("chunk").await;
        socket.command("chat_message", said(&b, "go")).await;
        socket.command("stop", json!({ "thread_id": a })).await;
        let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
        let mut ack = None;
        while ack.is_none() || !of_b.last().is_some_and(is_last) {
            let message = socket.next().await;
            if message["message"] == "Stop command processed" {
                assert!(of_a.last().is_some_and(is_last), "the answer comes after");
                ack = Some(message);
            } else if message["thread_id"] == json!(a) {
                of_a.push(message);
            } else if message.get("type").is_some() {
                of_b.push(message);
            }
        }
        assert_eq!(ack.unwrap()["thread_id"], json!(a));
        let stops = of(&of_a, "generation_stopped");
        assert_eq!(stops.len(), 1, "{of_a:?}");
        assert_eq!(stops[0]["message"], "Generation stopped by user");
        assert!(of(&of_a, "chunk").iter().all(|c| c["done"] == false));
        assert_eq!(text(&of_b), TEXT);
        let kept = listed(&server.client(), &a).await;
        assert_eq!(
            (&kept[1]["role"], &kept[1]["content"]),
            (&json!("assistant"), &json!("So far so"))
        );
        socket.check_quiet().await;
        // Nothing is at work there any more.
        let told = socket.ask("stop", json!({ "thread_id": a })).await;
        assert_eq!(told["message"], "Stop command processed");
    }
}

#[tokio::test]
async fn case_47_a_stop_says_what_to_stop() {
    let server = plain();
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let told = socket.ask("stop", json!({})).await;
        assert_eq!(
            told["error"],
            "job_id or thread_id is required for stop command"
        );
    }
}

#[tokio::test]
async fn a_bare_stop_ends_the_turn_of_its_socket() {
    let hanging = json!([{ "turns": [{ "text": "So far", "hang": true }] }]);
    let server = scripted(&hanging, &[]);
    let mut socket = open(&server, "/chat", Mode::Text).await;
    let bare = json!({ "content": "Hello", "model": "fake-model-v1", "provider": "fake" });
    socket.send(&bare).await;
    socket.until("chunk").await;
    socket.send(&json!({ "type": "stop" })).await;
    socket.until("generation_stopped").await;
    let ack = socket.next().await;
    assert_eq!(ack["message"], "Stop command processed");
}

#[tokio::test]
async fn case_51_the_thread_of_somebody_else_is_not_found() {
    let folder = folder();
    let path = folder.path().join("nodetool.sqlite3");
    let store = Store::open(&path, Options::default()).unwrap();
    let thread = ThreadRow {
        id: "foreign".into(),
        user_id: "2".into(),
        ..ThreadRow::default()
    };
    store.insert_thread(thread).await.unwrap();
    store.close().await.unwrap();
    let server = TestServer::start_over(folder.clone(), &["--enable-fake-provider"]);
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let mut data = said("foreign", "");
        let uri = format!("data:image/gif;base64,{GIF}");
        data["content"] = json!([{ "type": "image_url", "image": { "uri": uri } }]);
        socket.command("chat_message", data).await;
        let told = socket.next().await;
        assert_eq!(
            (&told["type"], &told["message"], &told["thread_id"]),
            (
                &json!("error"),
                &json!("Thread not found"),
                &json!("foreign")
            )
        );
        socket.check_quiet().await;
    }
    let client = server.client();
    assert_eq!(client.get("/api/assets").await.ok()["assets"], json!([]));
    server.terminate();
    server.ended().await;
    let store = Store::open(&path, Options::default()).unwrap();
    let rows = store.recent_messages("2", "foreign", 10).await.unwrap();
    assert!(rows.is_empty());
    let rows = store.recent_messages("1", "foreign", 10).await.unwrap();
    assert!(rows.is_empty());
}

#[tokio::test]
async fn a_new_message_takes_the_place_of_the_turn_before_it() {
    let hanging = json!([{ "contains": "wait", "turns": [{ "text": "So far", "hang": true }] }]);
    let server = scripted(&hanging, &[]);
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    socket.command("chat_message", said("t", "wait")).await;
    socket.until("chunk").await;
    socket.command("chat_message", said("t", "now")).await;
    let messages = socket.turn("t").await;
    assert!(
        of(&messages, "generation_stopped").is_empty(),
        "{messages:?}"
    );
    let ends = messages.iter().filter(|m| is_last(m)).count();
    assert_eq!(ends, 1, "of the second turn alone");
    let kept = listed(&server.client(), "t").await;
    let kept: Vec<_> = kept
        .iter()
        .map(|m| m["content"].as_str().unwrap())
        .collect();
    assert_eq!(kept, ["wait", "So far", "now", TEXT]);
    assert_eq!(stored(&messages).last().unwrap()["content"], TEXT);
}

#[tokio::test]
async fn two_threads_are_answered_at_once_over_one_socket() {
    let script = json!([{ "contains": "slow", "turns": [{ "text": "one two three four", "pause_ms": 20 }] }]);
    let server = scripted(&script, &[]);
    let mut socket = open(&server, "/ws", Mode::Text).await;
    socket.command("chat_message", said("slow", "slow")).await;
    socket.command("chat_message", said("quick", "go")).await;
    let mut open_turns = vec!["slow", "quick"];
    let mut texts = std::collections::BTreeMap::<String, String>::new();
    while !open_turns.is_empty() {
        let message = socket.next().await;
        let thread = message["thread_id"].as_str().unwrap_or_default().to_owned();
        if message["type"] == "chunk" {
            let piece = message["content"].as_str().unwrap();
            texts.entry(thread.clone()).or_default().push_str(piece);
        }
        if is_last(&message) {
            open_turns.retain(|t| *t != thread);
        }
    }
    assert_eq!(texts["quick"], TEXT);
    assert_eq!(texts["slow"], "one two three four");
}

#[tokio::test]
async fn reasoning_is_told_apart_from_the_answer_and_is_not_part_of_it() {
    let script = json!([{ "turns": [{ "reasoning": "let me think", "text": "yes" }] }]);
    let server = scripted(&script, &[]);
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let messages = socket.chat(said("t", "hi")).await;
    let (thoughts, words): (Vec<Value>, Vec<Value>) = of(&messages, "chunk")
        .into_iter()
        .cloned()
        .partition(|c| c["thinking"] == true);
    assert_eq!(text(&thoughts), "let me think");
    assert_eq!(text(&words), "yes");
    assert_eq!(stored(&messages)[0]["content"], "yes");
}

#[tokio::test]
async fn a_model_answers_once_without_a_thread() {
    let script = json!([
        { "contains": "call", "turns": [{ "text": "so", "tool_calls": [{ "id": "c1", "name": "x", "arguments": { "n": 1 } }] }] },
        { "contains": "fail", "turns": [{ "refuse": { "status": 400, "message": "no" } }] },
    ]);
    let server = scripted(&script, &[]);
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let ask = |text: &str| {
            json!({ "messages": [{ "role": "user", "content": text }], "provider": "fake", "model": "fake-model-v1",
                "tools": [{ "name": "x", "parameters": { "type": "object" } }] })
        };
        let ack = socket.ask("inference", ask("call")).await;
        assert_eq!(ack["message"], "Inference started");
        let (piece, call, end) = (
            socket.next().await,
            socket.next().await,
            socket.next().await,
        );
        assert_eq!(
            (&piece["content"], &piece["seq"]),
            (&json!("so"), &json!(1))
        );
        assert_eq!(
            (&call["type"], &call["id"], &call["args"], &call["seq"]),
            (
                &json!("tool_call"),
                &json!("c1"),
                &json!({ "n": 1 }),
                &json!(2)
            )
        );
        assert_eq!(end, json!({ "type": "inference_done", "seq": 3 }));
        socket.ask("inference", ask("fail")).await;
        let told = socket.next().await;
        assert_eq!(
            (&told["type"], &told["status_code"]),
            (&json!("error"), &json!(400))
        );
        let told = socket.ask("inference", json!({ "messages": [] })).await;
        assert_eq!(told["error"], "invalid_command", "{told}");
        socket.check_quiet().await;
    }
    let client = server.client();
    assert_eq!(client.get("/api/threads").await.ok()["threads"], json!([]));
}

#[tokio::test]
async fn files_that_come_along_are_in_the_workspace_and_stored_by_reference() {
    let server = plain();
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let mut data = said("t", "read this");
    let text = STANDARD.encode("a,b\n1,2\n");
    data["input_files"] = json!([{ "type": "file", "content": text, "mime_type": "text/csv" }]);
    let messages = socket.chat(data).await;
    assert_eq!(text_of(&messages), TEXT);
    let first = listed(&server.client(), "t").await.remove(0);
    let file = &first["input_files"][0];
    assert_eq!(file["mime_type"], "text/csv");
    assert!(file["content"]["asset_id"].is_string(), "{file}");
    let id = first["id"].as_str().unwrap();
    let path = format!("workspace/input_files/{id}_0.csv");
    let kept = std::fs::read_to_string(server.folder().join(path)).unwrap();
    assert_eq!(kept, "a,b\n1,2\n");
    let mut data = said("t", "and this");
    data["input_files"] = json!([{ "type": "file", "content": "??" }]);
    socket.command("chat_message", data).await;
    let told = socket.next().await;
    let details = told["details"].as_str().unwrap();
    assert!(details.contains("input_files.0.content: "), "{told}");
}

#[tokio::test]
async fn a_message_that_is_too_large_to_keep_is_refused() {
    let server = plain();
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let large = "x".repeat(17 << 20);
    socket.command("chat_message", said("t", &large)).await;
    let told = socket.next().await;
    let details = told["details"].as_str().unwrap();
    assert!(
        details.contains("content: the message is too large"),
        "{details}"
    );
    let messages = socket.chat(said("t", "hi")).await;
    assert_eq!(text_of(&messages), TEXT);
}

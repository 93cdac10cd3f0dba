//! Threads and messages (HTTP spec 6.8; conformance rows 76 to 79).

use nodetool_store::{MessageRow, Options, Store, ThreadRow};
use serde_json::{Value, json};

use super::client::Client;
use super::server::{TestServer, folder};

/// A server whose database has a thread of somebody else, with a message.
async fn with_foreign_thread() -> TestServer {
    let folder = folder();
    let path = folder.path().join("nodetool.sqlite3");
    let store = Store::open(&path, Options::default()).unwrap();
    let thread = ThreadRow {
        id: "foreign".into(),
        user_id: "2".into(),
        ..ThreadRow::default()
    };
    let message = MessageRow {
        id: "secret".into(),
        user_id: "2".into(),
        thread_id: "foreign".into(),
        ..MessageRow::default()
    };
    store.insert_message(message, Some(thread)).await.unwrap();
    store.close().await.unwrap();
    TestServer::start_over(folder, &[])
}

/// The contents of a thread, page by page.
async fn pages(client: &Client, thread: &str, query: &str) -> Vec<Vec<Value>> {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/messages/?thread_id={thread}&{query}&cursor={cursor}");
        let list = client.get(&path).await.ok();
        let messages = list["messages"].as_array().unwrap();
        pages.push(messages.iter().map(|m| m["content"].clone()).collect());
        cursor = list["next"].as_str().unwrap().to_owned();
        if cursor.is_empty() {
            return pages;
        }
    }
}

#[tokio::test]
async fn case_76_a_message_without_a_thread_begins_one_and_is_listed_in_order() {
    let server = TestServer::start();
    let client = server.client();
    let sent = json!({ "role": "user", "content": "x" });
    let first = client.post("/api/messages/", &sent).await.ok();
    let thread = first["thread_id"].as_str().unwrap();
    assert_eq!(thread.len(), 32);
    assert_eq!(first["type"], "message");
    assert_eq!(
        (&first["role"], &first["content"]),
        (&json!("user"), &json!("x"))
    );
    for field in [
        "graph",
        "tools",
        "collections",
        "input_files",
        "workflow_id",
        "provider",
        "help_mode",
    ] {
        assert_eq!(first.get(field), Some(&Value::Null), "{field}");
    }
    let begun = client.get(&format!("/api/threads/{thread}")).await.ok();
    assert_eq!(begun["title"], "New Thread");
    for n in 1..5 {
        let sent = json!({ "role": "assistant", "content": { "n": n }, "thread_id": thread });
        client.post("/api/messages", &sent).await.ok();
    }
    let forth = json!([["x", { "n": 1 }], [{ "n": 2 }, { "n": 3 }], [{ "n": 4 }]]);
    assert_eq!(json!(pages(&client, thread, "limit=2").await), forth);
    let back = json!([[{ "n": 4 }, { "n": 3 }, { "n": 2 }], [{ "n": 1 }, "x"]]);
    assert_eq!(
        json!(pages(&client, thread, "limit=3&reverse=true").await),
        back
    );
    let path = format!("/api/messages/{}", first["id"].as_str().unwrap());
    assert_eq!(client.get(&path).await.ok(), first);
}

#[tokio::test]
async fn case_77_nobody_reaches_the_thread_of_somebody_else() {
    let server = with_foreign_thread().await;
    let client = server.client();
    for thread in ["foreign", "nowhere", "", "%"] {
        let sent = json!({ "role": "user", "content": "x", "thread_id": thread });
        let refused = client.post("/api/messages/", &sent).await;
        assert_eq!(refused.detail(404), "Thread not found", "{thread}");
    }
    assert_eq!(
        client.get("/api/messages/secret").await.detail(404),
        "Message not found"
    );
    let list = client.get("/api/messages?thread_id=foreign").await.ok();
    assert_eq!(list, json!({ "next": "", "messages": [] }));
    let path = "/api/threads/foreign";
    assert_eq!(client.get(path).await.detail(404), "Thread not found");
    assert_eq!(client.delete(path).await.detail(404), "Thread not found");
    let renamed = client.put(path, &json!({ "title": "mine" })).await;
    assert_eq!(renamed.detail(404), "Thread not found");
    assert_eq!(client.get("/api/threads/").await.ok()["threads"], json!([]));
}

#[tokio::test]
async fn case_78_messages_are_listed_by_thread_only() {
    let server = TestServer::start();
    let client = server.client();
    let places = client.get("/api/messages/").await.places();
    assert_eq!(places, [("missing".into(), json!(["query", "thread_id"]))]);
    for (query, kind, name) in [
        ("limit=abc", "int_parsing", "limit"),
        ("reverse=perhaps", "bool_parsing", "reverse"),
        ("cursor=zzz", "value_error", "cursor"),
    ] {
        let refused = client
            .get(&format!("/api/messages?thread_id=t&{query}"))
            .await;
        assert_eq!(refused.places(), [(kind.into(), json!(["query", name]))]);
    }
}

#[tokio::test]
async fn case_79_a_thread_is_named_renamed_and_deleted_with_its_messages() {
    let server = TestServer::start();
    let client = server.client();
    let made = client.post("/api/threads/", &json!({})).await.ok();
    assert_eq!(made["title"], "New Thread");
    let path = format!("/api/threads/{}", made["id"].as_str().unwrap());
    let sent = json!({ "role": "user", "thread_id": made["id"] });
    let message = client.post("/api/messages", &sent).await.ok();
    let renamed = client.put(&path, &json!({ "title": "Grüße" })).await.ok();
    assert_eq!(
        (&renamed["title"], &renamed["created_at"]),
        (&json!("Grüße"), &made["created_at"])
    );
    assert_ne!(renamed["etag"], made["etag"]);
    assert_eq!(client.get(&path).await.ok(), renamed);
    let list = client.get("/api/threads").await.ok();
    assert_eq!(list, json!({ "next": "", "threads": [renamed] }));
    let gone = client.delete(&path).await;
    assert_eq!((gone.status, &gone.body[..]), (200, &b"null"[..]));
    assert_eq!(client.delete(&path).await.detail(404), "Thread not found");
    let path = format!("/api/messages/{}", message["id"].as_str().unwrap());
    assert_eq!(client.get(&path).await.detail(404), "Message not found");
}

#[tokio::test]
async fn threads_are_paged_in_both_directions() {
    let server = TestServer::start();
    let client = server.client();
    for n in 0..5 {
        client
            .post("/api/threads", &json!({ "title": format!("{n}") }))
            .await
            .ok();
    }
    for (reverse, expected) in [(false, "01234"), (true, "43210")] {
        let (mut titles, mut cursor) = (String::new(), String::new());
        loop {
            let path = format!("/api/threads?limit=2&reverse={reverse}&cursor={cursor}");
            let list = client.get(&path).await.ok();
            for thread in list["threads"].as_array().unwrap() {
                titles.push_str(thread["title"].as_str().unwrap());
            }
            cursor = list["next"].as_str().unwrap().to_owned();
            if cursor.is_empty() {
                break;
            }
        }
        assert_eq!(titles, expected);
    }
}

#[tokio::test]
async fn bodies_of_threads_are_checked_field_by_field() {
    let server = TestServer::start();
    let client = server.client();
    let missing = client.post_as("/api/threads", "application/json", "").await;
    assert_eq!(missing.places(), [("missing".into(), json!(["body"]))]);
    let path = "/api/threads/any";
    assert_eq!(
        client.put(path, &json!({})).await.places(),
        [("missing".into(), json!(["body", "title"]))]
    );
    for (title, kind) in [
        (json!(1), "string_type"),
        (json!("x".repeat(1001)), "string_too_long"),
    ] {
        let refused = client
            .post("/api/threads", &json!({ "title": title }))
            .await;
        assert_eq!(refused.places(), [(kind.into(), json!(["body", "title"]))]);
    }
}

#[tokio::test]
async fn the_content_of_a_message_is_a_text_an_object_or_known_parts() {
    let server = TestServer::start();
    let client = server.client();
    let image = json!({ "type": "image", "uri": "asset://a.png" });
    for content in [
        json!(null),
        json!("text"),
        json!({ "any": [1] }),
        json!([]),
        json!([
            { "type": "text", "text": "hi" }, { "type": "image_url", "image": image }, { "type": "audio", "audio": {} },
            { "type": "video", "video": {} }, { "type": "document", "document": {} },
            { "type": "thought", "text": "hm", "thought_signature": "s" },
        ]),
    ] {
        let sent = json!({ "role": "user", "content": content });
        assert_eq!(
            client.post("/api/messages", &sent).await.ok()["content"],
            content
        );
    }
    for (content, kind, place) in [
        (json!(1), "content_type", json!(["body", "content"])),
        (json!(["x"]), "dict_type", json!(["body", "content", 0])),
        (
            json!([{ "type": "text", "text": "" }, {}]),
            "enum",
            json!(["body", "content", 1, "type"]),
        ),
        (
            json!([{ "type": "smell" }]),
            "enum",
            json!(["body", "content", 0, "type"]),
        ),
        (
            json!([{ "type": "text" }]),
            "missing",
            json!(["body", "content", 0, "text"]),
        ),
        (
            json!([{ "type": "text", "text": 1 }]),
            "string_type",
            json!(["body", "content", 0, "text"]),
        ),
        (
            json!([{ "type": "audio", "audio": "a" }]),
            "dict_type",
            json!(["body", "content", 0, "audio"]),
        ),
    ] {
        let refused = client
            .post("/api/messages", &json!({ "content": content }))
            .await;
        assert_eq!(refused.places(), [(kind.into(), place)], "{content}");
    }
    let calls = json!([{ "id": "c1", "name": "search", "args": { "q": 1 }, "result": [2] }, {}]);
    let sent =
        json!({ "role": "assistant", "tool_calls": calls, "tool_call_id": "c0", "name": "n" });
    let made = client.post("/api/messages", &sent).await.ok();
    let empty = json!({ "id": "", "name": "", "args": {}, "result": null, "step_id": null, "message": null });
    assert_eq!(made["tool_calls"][1], empty);
    assert_eq!(made["tool_calls"][0]["args"], json!({ "q": 1 }));
    assert_eq!(
        (&made["tool_call_id"], &made["name"]),
        (&json!("c0"), &json!("n"))
    );
    let refused = client
        .post("/api/messages", &json!({ "tool_calls": [{ "id": 1 }] }))
        .await;
    assert_eq!(
        refused.places(),
        [("string_type".into(), json!(["body", "tool_calls", 0, "id"]))]
    );
}

#[tokio::test]
async fn an_agent_execution_names_its_event() {
    let server = TestServer::start();
    let client = server.client();
    let content = json!({ "type": "task_update", "n": 1 }).to_string();
    let sent = json!({ "role": "agent_execution", "content": content });
    let made = client.post("/api/messages", &sent).await.ok();
    assert_eq!(made["content"], json!({ "type": "task_update", "n": 1 }));
    assert_eq!(made["execution_event_type"], "task_update");
    assert_eq!(made["agent_execution_id"], made["id"]);
}

#[tokio::test]
async fn a_thread_is_named_by_a_model_in_a_few_words() {
    let folder = folder();
    let file = folder.path().join("script.json");
    let long = "words ".repeat(30);
    let script = json!([
        { "contains": "short", "turns": [{ "text": "\"A \u{201c}good\u{201d} plan\"\n" }] },
        { "contains": "long", "turns": [{ "text": long }] },
        { "contains": "away", "turns": [{ "refuse": { "status": 401, "message": "no" } }] },
    ]);
    std::fs::write(&file, script.to_string()).unwrap();
    let address = format!("fake={}", file.display());
    let server = TestServer::start_over(
        folder,
        &["--enable-fake-provider", "--provider-url", &address],
    );
    let client = server.client();
    let made = client.post("/api/threads", &json!({})).await.ok();
    let path = format!("/api/threads/{}/summarize", made["id"].as_str().unwrap());
    let ask = |provider: &str, content: &str| json!({ "provider": provider, "model": "fake-model-v1", "content": content });
    let named = client.post(&path, &ask("fake", "short")).await.ok();
    assert_eq!(named["title"], "A \u{201c}good\u{201d} plan");
    assert_eq!(
        (&named["id"], &named["user_id"]),
        (&made["id"], &json!("1"))
    );
    let named = client.post(&path, &ask("fake", "long")).await.ok();
    let title = named["title"].as_str().unwrap();
    assert!(title.chars().count() <= 60 && title.starts_with("words words"));
    client.post(&path, &ask("fake", "away")).await.detail(502);
    let refused = client.post(&path, &ask("nope", "c")).await;
    assert_eq!(
        refused.places(),
        [("enum".into(), json!(["body", "provider"]))]
    );
    let told = client.post(&path, &ask("huggingface_zai", "c")).await;
    assert!(matches!(told.status, 400 | 422), "{told:?}");
    let missing = client
        .post("/api/threads/none/summarize", &ask("fake", "c"))
        .await;
    assert_eq!(missing.detail(404), "Thread not found");
}

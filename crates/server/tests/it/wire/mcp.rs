//! The Model Context Protocol over HTTP, as far as bytes on the wire tell (HTTP spec 6.21, case 95). What tools do is
//! checked with the official client.

use http_body_util::Full;
use hyper::{Method, Request, body::Bytes};
use serde_json::{Value, json};

use super::client::{Reply, Stream, request as asking};
use super::hub::{File, Hub, REPO};
use super::server::TestServer;

async fn post(server: &TestServer, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("host", server.address().to_string())
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    server.client().send_unchecked(request).await
}

fn initialize() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" },
    } })
}

#[tokio::test]
async fn case_95_a_session_begins_at_both_places() {
    let server = TestServer::start_with(&["--mcp"]);
    for path in ["/mcp", "/mcp/mcp"] {
        let begun = post(&server, path, &[], &initialize()).await;
        assert_eq!(begun.status, 200, "{path}");
        assert!(begun.headers.contains_key("mcp-session-id"), "{path}");
        let told = String::from_utf8_lossy(&begun.body).into_owned();
        assert!(told.contains("\"name\":\"nodetool\""), "{path}: {told}");
    }
}

#[tokio::test]
async fn without_the_flag_there_is_nothing() {
    let server = TestServer::start();
    let refused = post(&server, "/mcp", &[], &initialize()).await;
    assert_eq!(refused.status, 404);
}

#[tokio::test]
async fn pages_of_other_sites_and_strangers_get_no_session() {
    let server = TestServer::start_with(&["--mcp"]);
    let foreign = [("origin", "http://evil.example")];
    assert_eq!(
        post(&server, "/mcp", &foreign, &initialize()).await.status,
        403
    );
    let environment = [
        ("AUTH_PROVIDER", "static"),
        ("SERVER_AUTH_TOKEN", "a-token-for-tests-of-tools"),
    ];
    let server = TestServer::start_in(&environment, &["--mcp"]);
    for path in ["/mcp", "/mcp/mcp"] {
        let nobody = post(&server, path, &[], &initialize()).await;
        assert_eq!(nobody.status, 401, "{path}");
        let wrong = [("authorization", "Bearer wrong")];
        assert_eq!(
            post(&server, path, &wrong, &initialize()).await.status,
            401,
            "{path}"
        );
    }
}

#[tokio::test]
async fn sessions_are_for_their_user_and_the_oldest_make_room() {
    let server = TestServer::start_with(&["--mcp"]);
    let begin = || async {
        let begun = post(&server, "/mcp", &[], &initialize()).await;
        begun.headers["mcp-session-id"].to_str().unwrap().to_owned()
    };
    let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
    let asked = |session: String| {
        let (server, list) = (&server, &list);
        async move {
            post(server, "/mcp", &[("mcp-session-id", &session)], list)
                .await
                .status
        }
    };
    let first = begin().await;
    assert_eq!(asked(first.clone()).await, 200);
    assert_eq!(asked("of-nobody".into()).await, 404);
    let mut last = String::new();
    for _ in 0..32 {
        last = begin().await;
    }
    assert_eq!(asked(first).await, 404);
    assert_eq!(asked(last).await, 200);
}

/// The older way: a stream, and the place it names.
async fn stream(server: &TestServer, headers: &[(&str, &str)]) -> (Stream, String) {
    let mut request = asking(Method::GET, "/mcp/sse").header("accept", "text/event-stream");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let mut stream = server.client().open_unchecked(request).await;
    assert_eq!(stream.status, 200);
    let first = stream.frame().await.unwrap();
    let place = first.strip_prefix("event: endpoint\ndata: ").unwrap();
    (stream, place.to_owned())
}

async fn answer(stream: &mut Stream) -> Value {
    loop {
        let frame = stream.frame().await.expect("the stream is over");
        if let Some(message) = frame.strip_prefix("event: message\ndata: ") {
            return serde_json::from_str(message).unwrap();
        }
    }
}

#[tokio::test]
async fn programs_of_the_older_kind_speak_over_a_stream() {
    let server = TestServer::start_with(&["--mcp"]);
    let (mut stream, place) = stream(&server, &[]).await;
    assert!(place.starts_with("/mcp/messages?session_id="), "{place}");
    let taken = post(&server, &place, &[], &initialize()).await;
    assert_eq!(taken.status, 202);
    let begun = answer(&mut stream).await;
    assert_eq!(begun["result"]["serverInfo"]["name"], "nodetool");
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(post(&server, &place, &[], &ready).await.status, 202);
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": { "name": "list_workflows", "arguments": {} } });
    assert_eq!(post(&server, &place, &[], &call).await.status, 202);
    let told = answer(&mut stream).await;
    assert_eq!(told["id"], 2);
    assert_eq!(told["result"]["isError"], false, "{told}");
    for (place, body, status) in [
        ("/mcp/messages", &call, 400),
        ("/mcp/messages?session_id=of-nobody", &call, 404),
        (place.as_str(), &json!({ "no": "message" }), 400),
    ] {
        assert_eq!(
            post(&server, place, &[], body).await.status,
            status,
            "{place}"
        );
    }
}

#[tokio::test]
async fn the_hub_is_asked_for_models() {
    let hub = Hub::start(vec![
        File::small("a.gguf", "abc"),
        File::small("b.txt", "d"),
    ])
    .await;
    let server = TestServer::start_with(&["--mcp", "--hf-endpoint", &hub.url()]);
    let (mut stream, place) = stream(&server, &[]).await;
    post(&server, &place, &[], &initialize()).await;
    answer(&mut stream).await;
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    post(&server, &place, &[], &ready).await;
    let mut asked = async |name: &str, arguments: Value| {
        let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call",
            "params": { "name": name, "arguments": arguments } });
        assert_eq!(post(&server, &place, &[], &call).await.status, 202);
        answer(&mut stream).await["result"].take()
    };
    let found = asked(
        "search_hf_hub_models",
        json!({ "query": "tiny", "limit": 3 }),
    )
    .await;
    let models = &found["structuredContent"]["models"];
    assert_eq!(models.as_array().unwrap().len(), 1, "{found}");
    assert_eq!(
        (&models[0]["id"], &models[0]["downloads"]),
        (&json!(REPO), &json!(7))
    );
    let about = asked("get_hf_model_info", json!({ "repo_id": REPO })).await;
    assert_eq!(about["structuredContent"]["gated"], true, "{about}");
    let files = json!({ "repo_id": REPO, "patterns": ["*.gguf"] });
    let files = asked("query_hf_model_files", files).await;
    let expected =
        json!({ "files": [{ "path": "a.gguf", "size": 3 }], "total": 1, "total_size": 3 });
    assert_eq!(files["structuredContent"], expected);
    let here = asked("get_hf_cache_info", json!({})).await;
    assert_eq!(here["structuredContent"]["total"], 0, "{here}");
    let none = asked("inspect_hf_cached_model", json!({ "repo_id": REPO })).await;
    assert_eq!(none["isError"], true, "{none}");
}

#[tokio::test]
async fn the_oldest_streams_make_room_for_new_ones() {
    let server = TestServer::start_with(&["--mcp"]);
    let (mut first, place) = stream(&server, &[]).await;
    let mut open = Vec::new();
    for _ in 0..32 {
        open.push(stream(&server, &[]).await);
    }
    assert_eq!(post(&server, &place, &[], &initialize()).await.status, 404);
    assert_eq!(first.frame().await, None);
    let (last, place) = open.last_mut().unwrap();
    assert_eq!(post(&server, place, &[], &initialize()).await.status, 202);
    assert!(answer(last).await["result"].is_object());
}

#[tokio::test]
async fn streams_are_for_those_the_door_lets_in_and_for_their_own_user() {
    let token = "a-token-for-tests-of-tools";
    let environment = [("AUTH_PROVIDER", "static"), ("SERVER_AUTH_TOKEN", token)];
    let server = TestServer::start_in(&environment, &["--mcp"]);
    let nobody = asking(Method::GET, "/mcp/sse").body(Full::new(Bytes::new()));
    let nobody = server.client().open_unchecked(nobody.unwrap()).await;
    assert_eq!(nobody.status, 401);
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let (_stream, place) = stream(&server, &headers).await;
    assert_eq!(post(&server, &place, &[], &initialize()).await.status, 401);
    assert_eq!(
        post(&server, &place, &headers, &initialize()).await.status,
        202
    );
    let foreign = [("origin", "http://evil.example")];
    let server = TestServer::start_with(&["--mcp"]);
    assert_eq!(
        post(
            &server,
            "/mcp/messages?session_id=x",
            &foreign,
            &initialize()
        )
        .await
        .status,
        403
    );
}

//! The Model Context Protocol over HTTP, as far as bytes on the wire tell (HTTP spec 6.21, case 95). What tools do is
//! checked with the official client.

use http_body_util::Full;
use hyper::{Method, Request, body::Bytes};
use serde_json::{Value, json};

use super::client::Reply;
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

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;

/// A server that speaks the protocol with plain JSON answers and wants a token.
async fn answer(
    State(begun): State<Arc<AtomicUsize>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let message: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    if headers.get("authorization").and_then(|v| v.to_str().ok()) != Some("Bearer t0ken") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Some(id) = message.get("id") else {
        return StatusCode::ACCEPTED.into_response();
    };
    let result = match message["method"].as_str() {
        Some("initialize") => {
            begun.fetch_add(1, Ordering::SeqCst);
            json!({"protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": "test", "version": "1"}})
        }
        Some("tools/list") => json!({"tools": [
            {"name": "add.up", "description": "Adds.", "inputSchema": {"type": "object", "required": ["a"],
                "properties": {"a": {"type": "integer"}}}, "annotations": {"readOnlyHint": true}},
            {"name": "fail", "inputSchema": {"type": "object"}},
            {"name": "draw", "inputSchema": {"type": "object"}}]}),
        Some("tools/call") => match message["params"]["name"].as_str() {
            Some("add.up") => {
                let sum = message["params"]["arguments"]["a"]
                    .as_i64()
                    .unwrap_or_default()
                    + 1;
                json!({"content": [{"type": "text", "text": "ignored"}], "structuredContent": {"sum": sum}})
            }
            Some("draw") => json!({"content": [{"type": "text", "text": "Here:"},
                {"type": "image", "data": "AAAA", "mimeType": "image/png"}]}),
            _ => json!({"content": [{"type": "text", "text": "no luck"}], "isError": true}),
        },
        _ => {
            let error = json!({"code": -32601, "message": "Method not found"});
            return written(&json!({"jsonrpc": "2.0", "id": id, "error": error}));
        }
    };
    written(&json!({"jsonrpc": "2.0", "id": id, "result": result}))
}

fn written(message: &serde_json::Value) -> Response {
    ([("content-type", "application/json")], message.to_string()).into_response()
}

/// The server's address; it lives as long as the set.
async fn serve(begun: Arc<AtomicUsize>) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let app = axum::Router::new()
        .route("/mcp", axum::routing::post(answer))
        .with_state(begun);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, tasks)
}

fn named(name: &str, server: McpServer) -> BTreeMap<String, McpServer> {
    BTreeMap::from([(name.to_owned(), server)])
}

fn at(url: String) -> McpServer {
    McpServer {
        url: Some(url),
        token_env: Some("TOKEN".into()),
        ..McpServer::default()
    }
}

fn environment(name: &str) -> Option<String> {
    (name == "TOKEN").then(|| "t0ken".to_owned())
}

#[tokio::test]
async fn tools_of_another_server_are_listed_and_called() {
    let begun = Arc::new(AtomicUsize::new(0));
    let (url, _tasks) = serve(begun.clone()).await;
    let servers = McpServers::new(&named("box", at(url)), false, environment).unwrap();
    let tools = servers.tools().await;
    let names: Vec<&str> = tools.iter().map(|t| t.spec.name.as_str()).collect();
    assert_eq!(names, ["mcp_box_add_up", "mcp_box_fail", "mcp_box_draw"]);
    assert_eq!((tools[0].effects, tools[1].effects), (false, true));
    assert!(tools[0].spec.parameters.get("properties").is_some());
    let call = async |name: &str| {
        let arguments = Map::from_iter([("a".into(), 2i64.into())]);
        servers.call(name, arguments).await
    };
    let sum = call("mcp_box_add_up").await.unwrap();
    assert_eq!(sum.get("sum"), Some(&3i64.into()));
    assert_eq!(
        call("mcp_box_draw").await,
        Ok("Here:\n<an image, image/png>".into())
    );
    assert_eq!(call("mcp_box_fail").await, Err("no luck".into()));
    assert_eq!(
        call("mcp_box_none").await,
        Err("Unknown tool: mcp_box_none".into())
    );
    assert!(servers.find("mcp_other_add_up").await.is_none());
    assert_eq!(begun.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_has_no_tools_and_is_left_alone_for_a_while() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    drop(listener);
    let servers = McpServers::new(&named("gone", at(url)), false, environment).unwrap();
    assert!(servers.tools().await.is_empty());
    assert!(servers.0[0].state.lock().await.failed.is_some());
    assert!(servers.find("mcp_gone_add_up").await.is_none());
}

#[tokio::test]
async fn a_program_that_is_none_or_does_not_speak_the_protocol_has_no_tools() {
    for command in ["/no/such/program", "/bin/true"] {
        let server = McpServer {
            command: Some(command.into()),
            ..McpServer::default()
        };
        let servers = McpServers::new(&named("odd", server), true, environment).unwrap();
        assert!(servers.tools().await.is_empty());
    }
}

#[test]
fn settings_are_checked() {
    let program = |command: &str| McpServer {
        command: Some(command.into()),
        ..McpServer::default()
    };
    for (name, server, programs, says) in [
        (
            "a",
            program("run"),
            true,
            "mcp_servers.a: command: expected an absolute path",
        ),
        (
            "a",
            program("/bin/true"),
            false,
            "only by a server on its user's own machine",
        ),
        ("a", McpServer::default(), true, "either `command` or `url`"),
        ("A b", program("/bin/true"), true, "the name 'A b'"),
        ("a", at("ftp://x".into()), true, "http or https"),
        (
            "a",
            McpServer {
                pass_env: vec!["NONE".into()],
                ..program("/bin/true")
            },
            true,
            "NONE is not set",
        ),
    ] {
        let fault = McpServers::new(&named(name, server), programs, environment).err();
        assert!(
            fault.as_ref().is_some_and(|f| f.contains(says)),
            "{fault:?}"
        );
    }
}

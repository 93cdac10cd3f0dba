//! Bodies, queries and forms beyond what is taken.

use hyper::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::client::{Client, bare};
use super::super::graphs::greeting;
use super::super::local::local;
use super::super::server::{TestServer, folder, within};

const JSON: &str = "application/json";

#[tokio::test]
async fn plain_json_has_less_room_than_graphs_and_each_refusal_names_its_setting() {
    let server = TestServer::start();
    let client = server.client();
    let title = |bytes: usize| json!({ "title": "x".repeat(bytes) });
    let told = client.post("/api/threads", &title(1 << 20)).await;
    assert_eq!(
        told.detail(413),
        "The body is larger than 1048576 bytes (setting json_limit)"
    );
    assert!(told.json()["errors"].is_null());
    let mut graph = greeting();
    graph["nodes"][0]["data"]["x"] = "x".repeat(3 << 20).into();
    let id = client.save(&graph).await;
    let params = json!({ "params": { "x": "x".repeat(3 << 20) } });
    let ran = client
        .post(&format!("/api/workflows/{id}/run"), &params)
        .await;
    assert_eq!(ran.status, 200);

    let server = TestServer::start_with(&["--json-limit", "100", "--graph-limit", "2000"]);
    let client = server.client();
    assert_eq!(client.post("/api/threads", &title(80)).await.status, 200);
    let told = client.post("/api/threads", &title(90)).await.detail(413);
    assert!(
        told.contains("larger than 100 bytes (setting json_limit)"),
        "{told}"
    );
    client.save(&greeting()).await;
    for path in [
        "/api/workflows",
        "/api/workflows/x/run",
        "/workflows/x/run",
        "/api/messages",
    ] {
        let told = client.post(path, &title(2000)).await.detail(413);
        assert!(
            told.contains("larger than 2000 bytes (setting graph_limit)"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn deep_json_is_refused_wherever_json_is_read() {
    let server = TestServer::start();
    let client = server.client();
    let thread = "/api/threads";
    let deep = |levels: usize| {
        format!(
            "{{\"title\":{}1{}}}",
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    // Deep enough for the parser, but no title.
    let told = client.post_as(thread, JSON, deep(126)).await;
    assert_eq!(
        told.places(),
        [("string_type".into(), json!(["body", "title"]))]
    );
    let open = "[".repeat(1_000_000);
    let objects = "{\"a\":".repeat(200_000);
    for body in [deep(127), deep(300_000), open, objects] {
        for path in [thread, "/api/workflows", "/api/settings", "/api/jobs"] {
            let method = if path == "/api/settings" {
                Method::PUT
            } else {
                Method::POST
            };
            let request = super::super::client::request(method, path).header("content-type", JSON);
            let body = http_body_util::Full::new(body.clone().into());
            let told = client.send(request.body(body).unwrap()).await;
            assert_eq!(
                told.places(),
                [("json_depth".into(), json!(["body"]))],
                "{path}"
            );
            assert_eq!(
                told.errors()[0]["msg"],
                "the JSON has more than 127 levels of lists and objects"
            );
        }
    }
    let told = form(&client, "/api/assets", &[("json", &deep(127))]).await;
    assert_eq!(told, (422, json!(["body", "json"])));
    client.check_health().await;
}

#[tokio::test]
async fn a_body_of_millions_of_tiny_values_is_refused_before_it_is_read() {
    let server = TestServer::start();
    let client = server.client();
    let many = format!("[{}1]", "1,".repeat(8_000_000));
    let before = server.memory();
    let told = client.post_as("/api/workflows", JSON, many).await;
    assert_eq!(told.places(), [("json_size".into(), json!(["body"]))]);
    let grown = server.memory().saturating_sub(before) >> 20;
    assert!(grown < 120, "{grown} MiB more than before");
}

#[tokio::test]
async fn compressed_bodies_are_refused_by_name() {
    let server = TestServer::start();
    let client = server.client();
    for (encoding, status) in [
        ("gzip", 422),
        ("br", 422),
        ("GZIP, deflate", 422),
        ("identity", 200),
    ] {
        let request = super::super::client::request(Method::POST, "/api/threads")
            .header("content-type", JSON)
            .header("content-encoding", encoding);
        let body = http_body_util::Full::new("{\"title\":\"x\"}".into());
        let told = client.send(request.body(body).unwrap()).await;
        assert_eq!(told.status, status, "{encoding}");
        if status == 422 {
            let place = json!(["header", "content-encoding"]);
            assert_eq!(told.places(), [("content_encoding".into(), place)]);
        }
    }
}

#[tokio::test]
async fn a_long_query_is_refused() {
    let server = TestServer::start();
    let client = server.client();
    for path in [
        "/api/workflows",
        "/api/assets",
        "/api/jobs",
        "/api/costs",
        "/api/threads",
    ] {
        for (query, msg) in [
            (
                "x".repeat(16_385),
                "the query string is longer than 16384 bytes",
            ),
            (
                format!("{}a", "a&".repeat(1000)),
                "the query has more than 1000 parameters",
            ),
        ] {
            let told = client.get(&format!("{path}?{query}")).await;
            assert_eq!(told.places(), [("query_invalid".into(), json!(["query"]))]);
            assert_eq!(told.errors()[0]["msg"], msg);
        }
        let fits = format!("{path}?{}a", "a&".repeat(999));
        assert_eq!(client.get(&fits).await.status, 200, "{path}");
    }
}

/// Sends a form; its status and the place of its first fault.
async fn form(client: &Client, path: &str, parts: &[(&str, &str)]) -> (u16, Value) {
    let mut body = String::new();
    for (name, content) in parts {
        body.push_str(&format!(
            "--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n"
        ));
    }
    body.push_str("--b--\r\n");
    let kind = "multipart/form-data; boundary=b";
    let told = client.post_as(path, kind, body).await;
    (told.status, told.json()["errors"][0]["loc"].clone())
}

/// The paths that take forms, on a server that has something behind each.
async fn form_paths(client: &Client, root: &std::path::Path) -> [String; 3] {
    let made = json!({ "name": "W", "path": root });
    let made = client.send(super::super::local::local_json(
        Method::POST,
        "/api/workspaces",
        &made,
    ));
    let workspace = made.await.json()["id"].clone();
    let body =
        json!({ "name": "W", "access": "private", "graph": greeting(), "workspace_id": workspace });
    let saved = client.post("/api/workflows", &body).await.ok();
    let id = saved["id"].as_str().unwrap();
    [
        "/api/assets".to_owned(),
        format!("/api/workspaces/workflow/{id}/upload/a.txt"),
        "/api/files/upload/b.txt".to_owned(),
    ]
}

async fn post(
    client: &Client,
    path: &str,
    kind: &str,
    body: String,
) -> super::super::client::Reply {
    let (head, _) = local(Method::POST, path, "").into_parts();
    let mut request = hyper::Request::from_parts(head, http_body_util::Full::new(body.into()));
    let headers = request.headers_mut();
    headers.remove("content-length");
    headers.insert("content-type", kind.parse().unwrap());
    client.send(request).await
}

#[tokio::test]
async fn forms_that_are_none_are_refused_at_once() {
    let root = folder();
    let server = TestServer::start_with(&["--file-root", root.path().to_str().unwrap()]);
    let client = server.client();
    let whole = "--b\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nx\r\n--b--\r\n";
    // What a server that trusts its forms would take for an upload that is on its disk already.
    let forged =
        json!({ "file": { "path": "/etc/passwd", "filename": "x" }, "json": "{}" }).to_string();
    for path in form_paths(&client, root.path()).await {
        for (kind, body) in [
            ("multipart/form-data", whole.to_owned()),
            ("multipart/form-data; boundary=", whole.to_owned()),
            ("multipart/form-data; boundary", whole.to_owned()),
            (
                "application/x-www-form-urlencoded",
                "file=/etc/passwd".to_owned(),
            ),
            (JSON, forged.clone()),
            (
                "multipart/form-data; boundary=b",
                "no boundary at all".to_owned(),
            ),
            ("multipart/form-data; boundary=b", forged.clone()),
            ("multipart/form-data; boundary=b", "-".repeat(100_000)),
            (
                "multipart/form-data; boundary=b",
                whole[..whole.len() - 9].to_owned(),
            ),
        ] {
            let told = post(&client, &path, kind, body).await;
            assert!([400, 422].contains(&told.status), "{path} {kind}: {told:?}");
        }
    }
    assert!(!root.path().join("a.txt").exists() && !root.path().join("b.txt").exists());
    let assets = client.get("/api/assets").await.ok();
    assert_eq!(assets["assets"], json!([]));
}

/// Sends a body for as long as it is taken; the status line of the answer, if the connection lives to carry it.
async fn cut_or_refused(server: &TestServer, path: &str, kind: &str, body: &str) -> String {
    within("an answer or the end", async {
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        assert!(socket.write_all(body.as_bytes()).await.is_err(), "all of it was taken");
        let mut read = Vec::new();
        // The refusal may be lost with the connection.
        let _ = socket.read_to_end(&mut read).await;
        String::from_utf8_lossy(&read).lines().next().unwrap_or_default().to_owned()
    })
    .await
}

#[tokio::test]
async fn a_form_without_parts_or_with_very_many_is_cut_and_never_held() {
    let root = folder();
    let server = TestServer::start_with(&["--file-root", root.path().to_str().unwrap()]);
    let client = server.client();
    let part = "--b\r\ncontent-disposition: form-data; name=\"x\"\r\n\r\n\r\n";
    let kind = "multipart/form-data; boundary=b";
    for path in form_paths(&client, root.path()).await {
        let told = post(
            &client,
            &path,
            kind,
            format!("{}--b--\r\n", part.repeat(65)),
        )
        .await;
        assert_eq!(
            told.detail(400),
            "The form has more than 64 parts",
            "{path}"
        );
        let before = server.memory();
        for endless in [
            "x".repeat(60 << 20),
            format!("--b\r\nx-a: {}", "y".repeat(60 << 20)),
        ] {
            let status = cut_or_refused(&server, &path, kind, &endless).await;
            assert!(
                status.is_empty() || status.starts_with("HTTP/1.1 400"),
                "{path}: {status}"
            );
        }
        let grown = server.memory().saturating_sub(before) >> 20;
        assert!(grown < 60, "{path}: {grown} MiB more than before");
    }
    client.check_health().await;
}

#[tokio::test]
async fn lists_refuse_limits_and_cursors_that_are_none_under_each_of_their_names() {
    let server = TestServer::start();
    let client = server.client();
    for (path, limits, cursors) in [
        ("/api/workflows?", &["limit"][..], &["cursor"][..]),
        ("/api/assets?", &["page_size", "limit"], &["cursor"]),
        (
            "/api/assets/search?query=abc&",
            &["page_size", "limit"],
            &["cursor"],
        ),
        ("/api/jobs?", &["limit"], &["start_key", "cursor"]),
        ("/api/costs?", &["limit"], &["start_key", "cursor"]),
        ("/api/predictions?", &["page_size", "limit"], &["cursor"]),
        ("/api/threads?", &["limit"], &["cursor"]),
        ("/api/workspaces?", &["limit"], &["cursor"]),
    ] {
        for name in limits {
            let told = client.get(&format!("{path}{name}=abc")).await;
            assert_eq!(
                told.places(),
                [("int_parsing".into(), json!(["query", name]))],
                "{path}"
            );
            let path_of = |limit: &str| bare(Method::GET, &format!("{path}{name}={limit}"));
            assert_eq!(client.send(path_of("1")).await.status, 200, "{path} {name}");
            for beyond in ["0", "-1", "99999999999999999999"] {
                let status = client.send(path_of(beyond)).await.status;
                // Limits of costs are refused, others brought into their range.
                let wanted = if path == "/api/costs?" { 422 } else { 200 };
                assert_eq!(status, wanted, "{path} {name} {beyond}");
            }
        }
        for name in cursors {
            let told = client.get(&format!("{path}{name}=zzz")).await;
            assert_eq!(
                told.places(),
                [("value_error".into(), json!(["query", name]))],
                "{path}"
            );
        }
    }
}

//! Bodies that are no workflow: what is told, and where (HTTP spec 2.1, 2.3; conformance rows 18 to 20, 99).

use hyper::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::json as request_json;
use super::graphs::greeting;
use super::server::{TestServer, within};

#[tokio::test]
async fn every_missing_or_wrong_field_is_named_at_once() {
    let server = TestServer::start();
    let client = server.client();
    let refused = client.post("/api/workflows/", &json!({})).await;
    let missing = |key: &str| ("missing".to_owned(), json!(["body", key]));
    assert_eq!(refused.places(), [missing("name"), missing("access")]);
    assert_eq!(refused.errors()[0]["msg"], "Field required");
    assert_eq!(refused.errors()[0]["input"], Value::Null);
    let wrong = json!({
        "name": 5, "access": "secret", "tags": [1], "settings": [], "description": {},
        "graph": { "nodes": [{ "type": "x" }, 7, { "id": "a", "data": [1] }], "edges": [{ "source": "a", "edge_type": "x" }] },
    });
    let refused = client.post("/api/workflows/", &wrong).await;
    let told: Vec<String> = refused
        .places()
        .iter()
        .map(|(kind, loc)| {
            let parts = loc.as_array().unwrap().iter();
            let parts: Vec<String> = parts.map(|p| p.to_string().replace('"', "")).collect();
            format!("{kind} {}", parts.join("."))
        })
        .collect();
    assert_eq!(
        told,
        [
            "string_type body.name",
            "enum body.access",
            "list_type body.tags",
            "string_type body.description",
            "dict_type body.settings",
            "missing body.graph.nodes.0.id",
            "value_error body.graph.nodes.1",
            "value_error body.graph.nodes.2.data",
            "missing body.graph.edges.0.sourceHandle",
            "missing body.graph.edges.0.target",
            "missing body.graph.edges.0.targetHandle",
            "value_error body.graph.edges.0.edge_type",
        ]
    );
    assert_eq!(
        client.get("/api/workflows").await.ok()["workflows"],
        json!([])
    );
}

#[tokio::test]
async fn the_place_of_a_json_error_is_its_offset() {
    let server = TestServer::start();
    let client = server.client();
    for (body, offset) in [
        (&b"{bad"[..], 1),
        (b"{\"a\":1,\n\"b\":}", 12),
        (b"{\"a\":\"\xff\"}", 6),
        (b"[1,", 2),
        (b"nul", 2),
    ] {
        let refused = client
            .post_as("/api/workflows/", "application/json", body.to_vec())
            .await;
        let errors = refused.errors();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0]["type"], "json_invalid");
        assert_eq!(errors[0]["msg"], "JSON decode error");
        assert_eq!(
            errors[0]["loc"],
            json!(["body", offset]),
            "{}",
            String::from_utf8_lossy(body)
        );
        assert!(
            errors[0]["ctx"]["error"].as_str().unwrap().contains("line"),
            "{errors:?}"
        );
    }
}

#[tokio::test]
async fn a_body_is_needed_and_has_to_be_an_object() {
    let server = TestServer::start();
    let client = server.client();
    for (method, path) in [
        (Method::POST, "/api/workflows/"),
        (Method::PUT, "/api/workflows/x"),
    ] {
        let empty = client.call(method.clone(), path).await;
        assert_eq!(empty.places(), [("missing".into(), json!(["body"]))]);
        assert_eq!(empty.errors()[0]["input"], Value::Null);
        for (body, kind) in [
            (json!([1]), "list"),
            (json!("x"), "str"),
            (json!(null), "null"),
            (json!(1.5), "float"),
        ] {
            let refused = client.send(request_json(method.clone(), path, &body)).await;
            assert_eq!(refused.places(), [("dict_type".into(), json!(["body"]))]);
            let msg = format!("expected an object, got {kind}");
            assert_eq!(refused.errors()[0]["msg"], msg);
        }
    }
}

#[tokio::test]
async fn json_is_taken_under_its_names_and_refused_under_others() {
    let server = TestServer::start();
    let client = server.client();
    let body = json!({ "name": "W", "access": "private", "graph": greeting() }).to_string();
    for kind in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/vnd.node+json",
        "",
    ] {
        let made = client.post_as("/api/workflows", kind, body.clone()).await;
        assert_eq!(made.status, 200, "{kind}");
    }
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "json",
        "application/jsonx",
    ] {
        let refused = client.post_as("/api/workflows", kind, body.clone()).await;
        let errors = refused.errors();
        assert_eq!(errors[0]["type"], "json_type");
        let msg = errors[0]["msg"].as_str().unwrap();
        assert!(
            msg.starts_with("expected a JSON body (application/json), got "),
            "{msg}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_its_sender_sees_the_refusal() {
    let server = TestServer::start();
    let client = server.client();
    let before = server.memory();
    for megabytes in [33, 100] {
        let large = format!("{{\"name\":\"{}\"}}", "x".repeat(megabytes << 20));
        let refused = client
            .post_as("/api/workflows", "application/json", large)
            .await;
        assert_eq!(
            refused.detail(413),
            "The body is larger than 33554432 bytes (setting graph_limit)"
        );
    }
    let grown = server.memory().saturating_sub(before) >> 20;
    // Two such bodies kept whole would be twice 133 MiB: as they came, and as text. The program itself grows as it is used.
    assert!(grown < 200, "{grown} MiB more than before");
    // A client that asks first is refused before it sends anything.
    let mut asking = TcpStream::connect(server.address()).await.unwrap();
    let head = "POST /api/workflows HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 40000000\r\nexpect: 100-continue\r\n\r\n";
    asking.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    within("the refusal", asking.read_exact(&mut answer))
        .await
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    client.check_health().await;
}

#[tokio::test]
async fn a_workflow_too_large_to_keep_is_refused_with_its_size() {
    let server = TestServer::start();
    let client = server.client();
    let mut graph = greeting();
    graph["nodes"][0]["data"]["x"] = "x".repeat(20 << 20).into();
    let body = json!({ "name": "W", "access": "private", "graph": graph });
    let told = client.post("/api/workflows", &body).await.detail(413);
    assert!(told.contains("at most 16777216 are accepted"), "{told}");
    client.check_health().await;
}

//! What holds for every route: methods, unknown paths, request ids, kept connections (HTTP spec 2.3, 2.4, 6.1, 6.5;
//! conformance rows 1, 3, 100).

use hyper::Method;
use nodetool_store::{Options, Store, WorkflowRow};
use serde_json::json;

use super::graphs::greeting;
use super::server::{TestServer, folder, pace, within};

#[tokio::test]
async fn health_and_ping_answer_at_once() {
    let server = TestServer::start();
    let client = server.client();
    for path in ["/health", "/health/"] {
        let health = client.get(path).await;
        assert_eq!((health.status, &health.body[..]), (200, &b"\"OK\""[..]));
    }
    let ping = client.get("/ping").await.ok();
    assert_eq!(ping["status"], "healthy");
    assert!(
        ping["timestamp"].as_str().unwrap().ends_with("+00:00"),
        "{ping}"
    );
    let health = client.get("/api/health").await.ok();
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert!(health["uptime"].is_u64());
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    for path in [
        "/health",
        "/ping",
        "/api/health",
        "/api/workflows",
        "/api/jobs/",
        "/api/nodes/metadata",
        &format!("/api/workflows/{id}"),
    ] {
        let (head, get) = (
            client.call(Method::HEAD, path).await,
            client.get(path).await,
        );
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"));
        assert_eq!(
            head.header("content-length"),
            get.body.len().to_string(),
            "{path}"
        );
    }
    assert_eq!(client.call(Method::HEAD, "/nope").await.status, 404);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let server = TestServer::start();
    let client = server.client();
    for (method, path, allowed) in [
        (Method::DELETE, "/health", "GET,HEAD"),
        (Method::PATCH, "/api/workflows", "GET,HEAD,POST"),
        (Method::DELETE, "/api/workflows/", "GET,HEAD,POST"),
        (Method::POST, "/api/workflows/x", "GET,HEAD,PUT,DELETE"),
        (Method::GET, "/api/workflows/x/run", "POST"),
        (Method::HEAD, "/api/workflows/x/run/stream", "POST"),
        (Method::PUT, "/api/jobs", "GET,HEAD,POST"),
        (Method::OPTIONS, "/api/workflows", "GET,HEAD,POST"),
        (Method::TRACE, "/ping", "GET,HEAD"),
    ] {
        let refused = client.call(method.clone(), path).await;
        assert_eq!(refused.status, 405, "{method} {path}");
        assert_eq!(refused.header("allow"), allowed, "{method} {path}");
        if method != Method::HEAD {
            assert_eq!(refused.detail(405), "Method Not Allowed");
        }
    }
}

#[tokio::test]
async fn unknown_paths_are_not_found_in_json() {
    let server = TestServer::start();
    let client = server.client();
    for path in [
        "/nope",
        "/api",
        "/api/",
        "/api/workflows/x/nope",
        "/HEALTH",
        "/..%2f..%2fetc/passwd",
    ] {
        assert_eq!(client.get(path).await.detail(404), "Not Found", "{path}");
    }
    assert_eq!(
        client
            .post("/api/workflows/x/run/nope", &json!({}))
            .await
            .detail(404),
        "Not Found"
    );
}

#[tokio::test]
async fn a_path_that_is_no_text_is_refused_in_json() {
    let server = TestServer::start();
    let client = server.client();
    for path in ["/api/workflows/%ff", "/workflows/%c3%28", "/api/jobs/%80"] {
        let refused = client.get(path).await;
        assert_eq!(
            refused.places(),
            [("string_unicode".into(), json!(["path"]))],
            "{path}"
        );
    }
    for path in [
        "/api/workflows/%00",
        "/api/workflows/a%2fb",
        "/api/jobs/%00",
    ] {
        assert_eq!(client.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_catalogue_of_nodes_lists_what_can_be_used() {
    let server = TestServer::start();
    let client = server.client();
    let nodes = client.get("/api/nodes/metadata?fields=full").await.ok();
    let nodes = nodes.as_array().unwrap();
    assert_eq!(
        nodes[0]["node_type"],
        "nodetool.workflows.base_node.ToolResult"
    );
    let types: Vec<&str> = nodes
        .iter()
        .map(|n| n["node_type"].as_str().unwrap())
        .collect();
    assert!(types.contains(&"nodetool.input.StringInput") && types.contains(&"lib.math.Add"));
    for key in [
        "title",
        "description",
        "namespace",
        "layout",
        "properties",
        "outputs",
        "basic_fields",
        "is_dynamic",
        "is_streaming_output",
        "expose_as_tool",
        "supports_dynamic_outputs",
        "recommended_models",
        "required_settings",
        "the_model_info",
        "model_packs",
    ] {
        assert!(nodes.iter().all(|n| n.get(key).is_some()), "{key}");
    }
}

#[tokio::test]
async fn a_fault_of_the_server_is_told_by_an_id_that_its_log_explains() {
    let folder = folder();
    let store = Store::open(&folder.path().join("nodetool.sqlite3"), Options::default()).unwrap();
    let row = WorkflowRow {
        id: "broken".into(),
        user_id: "1".into(),
        name: "W".into(),
        access: "private".into(),
        graph: "{\"secret\": ".into(),
        tags: "[]".into(),
        updated_at: 1,
        ..WorkflowRow::default()
    };
    store.insert_workflow(row).await.unwrap();
    store.close().await.unwrap();
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    for path in ["/api/workflows/broken", "/api/workflows"] {
        let failed = client.get(path).await;
        assert_eq!(failed.detail(500), "Internal Server Error");
        let id = failed.header("x-request-id").to_owned();
        assert_eq!(id.len(), 32);
        let line = within("the cause in the log", async {
            loop {
                let log = server.log();
                if let Some(line) = log.lines().find(|l| l.contains(&id)) {
                    break line.to_owned();
                }
                pace().await;
            }
        })
        .await;
        assert!(
            line.contains("a stored graph cannot be read") && !line.contains("secret"),
            "{line}"
        );
    }
    assert_eq!(
        client.run("broken", json!({})).await.detail(500),
        "Internal Server Error"
    );
    client.delete("/api/workflows/broken").await.ok();
    client.check_health().await;
}

#[tokio::test]
async fn many_requests_share_one_connection() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    for i in 0..50 {
        let name = json!({ "name": i.to_string() });
        assert_eq!(
            client.run(&id, name).await.ok(),
            json!({ "out": i.to_string() })
        );
        client.get("/nope").await.detail(404);
        client.post("/api/workflows", &json!({})).await.detail(422);
    }
    assert_eq!(client.connections(), 1);
}

#[tokio::test]
async fn requests_are_logged_without_bodies_or_queries() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    client
        .run(&id, json!({ "name": "my-secret-word" }))
        .await
        .ok();
    client
        .get("/api/workflows?run_mode=my-secret-word")
        .await
        .ok();
    client.get("/health").await.ok();
    client.get("/nope").await.detail(404);
    let (_, log, _) = {
        server.terminate();
        server.ended().await
    };
    assert!(!log.contains("my-secret-word"), "{log}");
    let requests: Vec<&str> = log.lines().filter(|l| l.contains("http.method")).collect();
    assert_eq!(requests.len(), 4, "health is not logged: {log}");
    assert!(
        requests[1].contains("http.path=/api/workflows/{id}/run http.status=200"),
        "{log}"
    );
}

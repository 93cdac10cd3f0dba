//! Apps, exports, the catalogue of nodes (HTTP spec 6.2, 6.5; conformance rows 40, 41).

use std::io::Read;
use std::sync::Arc;

use flate2::read::GzDecoder;
use http_body_util::Full;
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::{Client, Reply, request};
use super::graphs::greeting;
use super::server::TestServer;

async fn save_app(client: &Client, id: &str, html: &str) {
    let body = json!({ "name": "W", "access": "private", "graph": greeting(), "html_app": html });
    client
        .put(&format!("/api/workflows/{id}"), &body)
        .await
        .ok();
}

async fn get_with(client: &Client, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request.body(Full::default()).unwrap()).await
}

#[tokio::test]
async fn case_40_an_app_is_told_where_it_is_and_kept_in_a_sandbox() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let told = client
        .get(&format!("/api/workflows/{id}/app"))
        .await
        .detail(404);
    assert_eq!(told, "No HTML app configured for this workflow");
    let told = client.get("/api/workflows/none/app").await.detail(404);
    assert_eq!(told, "Workflow not found");
    save_app(
        &client,
        "w:1",
        "<html><head><title>ä</title></head><body></body></html>",
    )
    .await;
    let app = client.get("/api/workflows/w:1/app").await;
    assert_eq!(
        (app.status, app.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    let policy = app.header("content-security-policy");
    assert_eq!(policy, "sandbox allow-scripts allow-forms");
    let page = String::from_utf8(app.body.to_vec()).unwrap();
    let (head, _) = page.split_once("</head>").unwrap();
    for wanted in [
        "window.NODETOOL_API_URL=\"http://localhost/api\";",
        "window.NODETOOL_WS_URL=\"ws://localhost/ws\";",
        "window.NODETOOL_WORKFLOW_ID=\"w:1\";",
        "<title>ä</title>",
    ] {
        assert!(head.contains(wanted), "{page}");
    }
    save_app(&client, "w2", "<body class=x>hi").await;
    let app = client.get("/api/workflows/w2/app").await;
    assert!(app.body.starts_with(b"<body class=x><script>window."));
    save_app(&client, "w2", "").await;
    assert_eq!(client.get("/api/workflows/w2/app").await.status, 404);
    let configured = TestServer::start_with(&["--api-url", "https://tool.example/"]);
    let client = configured.client();
    save_app(&client, "w", "hi").await;
    let app = client.get("/api/workflows/w/app").await;
    let page = String::from_utf8(app.body.to_vec()).unwrap();
    assert!(
        page.contains("\"https://tool.example/api\"") && page.contains("\"wss://tool.example/ws\"")
    );
}

#[tokio::test]
async fn case_41_exports_are_refused_with_the_reason() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let of = |id: &str, what: &str| format!("/api/workflows/{id}/{what}");
    assert_eq!(
        client.get(&of("none", "dsl-export")).await.detail(404),
        "Workflow not found"
    );
    assert!(
        client
            .get(&of(&id, "dsl-export"))
            .await
            .detail(501)
            .contains("Python")
    );
    let gradio = json!({ "app_title": "t", "queue": false });
    let none = client.post(&of("none", "gradio-export"), &gradio).await;
    assert_eq!(none.detail(404), "Workflow not found");
    let told = client
        .post(&of(&id, "gradio-export"), &gradio)
        .await
        .detail(501);
    assert!(told.contains("Gradio"), "{told}");
    let refused = client
        .post(
            &of(&id, "gradio-export"),
            &json!({ "queue": 1, "theme": 2 }),
        )
        .await;
    let place = |kind: &str, key: &str| (kind.to_owned(), json!(["body", key]));
    assert_eq!(
        refused.places(),
        [place("string_type", "theme"), place("bool_type", "queue")]
    );
    let name = of(&id, "generate-name");
    let refused = client.post(&name, &json!({ "provider": "nope" })).await;
    assert_eq!(
        refused.places(),
        [place("enum", "provider"), place("missing", "model")]
    );
    let body = json!({ "provider": "openai", "model": "m" });
    let none = client.post(&of("none", "generate-name"), &body).await;
    assert_eq!(none.detail(404), "Workflow not found");
    // The provider is known and its key is not.
    let told = client.post(&name, &body).await;
    assert!(matches!(told.status, 400 | 422), "{told:?}");
}

#[tokio::test]
async fn a_workflow_is_named_by_a_model_and_stays_as_it_is() {
    let folder = Arc::new(TempDir::new().unwrap());
    let file = folder.path().join("script.json");
    let script = json!([{ "contains": "Nodes:", "turns": [{ "text": "\"Loud words.\"\n" }] }]);
    std::fs::write(&file, script.to_string()).unwrap();
    let address = format!("fake={}", file.display());
    let arguments = ["--enable-fake-provider", "--provider-url", &address];
    let server = TestServer::start_over(folder, &arguments);
    let client = server.client();
    let graph = json!({ "nodes": [{ "id": "a", "type": "nodetool.text.ToUppercase", "data": {} }], "edges": [] });
    let id = client.save(&graph).await;
    let path = format!("/api/workflows/{id}");
    let before = client.get(&path).await.ok();
    let ask = json!({ "provider": "fake", "model": "fake-model-v1" });
    let named = client
        .post(&format!("{path}/generate-name"), &ask)
        .await
        .ok();
    assert_eq!(named["name"], "Loud words.");
    let after = client.get(&path).await.ok();
    assert_eq!(after["name"], "Loud words.");
    assert_eq!(after["graph"], before["graph"]);
    assert_eq!(after["created_at"], before["created_at"]);
}

#[tokio::test]
async fn the_catalogue_comes_zipped_and_only_when_it_is_new() {
    let server = TestServer::start();
    let client = server.client();
    let path = "/api/nodes/metadata";
    let plain = client.get(path).await;
    let zipped = get_with(
        &client,
        &format!("{path}/?fields=full"),
        &[("accept-encoding", "br, gzip")],
    )
    .await;
    assert_eq!(
        (
            plain.header("content-encoding"),
            zipped.header("content-encoding")
        ),
        ("", "gzip")
    );
    for reply in [&plain, &zipped] {
        assert_eq!(reply.header("vary"), "accept-encoding");
        assert_eq!(reply.header("content-type"), "application/json");
    }
    assert!(zipped.body.len() * 4 < plain.body.len());
    let mut text = Vec::new();
    GzDecoder::new(&zipped.body[..])
        .read_to_end(&mut text)
        .unwrap();
    assert_eq!(text, plain.body);
    assert_ne!(plain.header("etag"), zipped.header("etag"));
    for etag in [plain.header("etag"), zipped.header("etag")] {
        for accepted in ["gzip", "identity"] {
            let headers = [("if-none-match", etag), ("accept-encoding", accepted)];
            let known = get_with(&client, path, &headers).await;
            assert_eq!((known.status, known.body.len()), (304, 0));
        }
    }
    let other = get_with(&client, path, &[("if-none-match", "\"x\"")]).await;
    assert_eq!(other.body, plain.body);
    let again = TestServer::start();
    assert_eq!(
        again.client().get(path).await.header("etag"),
        plain.header("etag")
    );
    assert_eq!(
        client.get("/api/nodes/dummy").await.ok(),
        json!({ "hello": "world" })
    );
}

#[tokio::test]
async fn what_needs_a_provider_is_refused_with_the_reason() {
    let server = TestServer::start();
    let client = server.client();
    let status = "/api/nodes/replicate_status";
    let refused = client.get(status).await;
    assert_eq!(
        refused.places(),
        [("missing".into(), json!(["query", "node_type"]))]
    );
    let told = client
        .get(&format!("{status}?node_type=none"))
        .await
        .detail(404);
    assert_eq!(told, "Node type not found");
    let told = client
        .get(&format!("{status}?node_type=nodetool.text.Concat"))
        .await
        .detail(501);
    assert!(told.contains("Replicate"), "{told}");
    for provider in ["fal", "kie", "replicate"] {
        let path = format!("/api/{provider}/resolve-dynamic-schema");
        for body in [json!({}), json!({ "model_info": null })] {
            let refused = client.post(&path, &body).await;
            assert_eq!(
                refused.places(),
                [("missing".into(), json!(["body", "model_info"]))]
            );
        }
        client
            .post(&path, &json!({ "model_info": " \n" }))
            .await
            .detail(400);
        let refused = client.post(&path, &json!({ "model_info": 1 })).await;
        assert_eq!(
            refused.places(),
            [("string_type".into(), json!(["body", "model_info"]))]
        );
        let told = client
            .post(&path, &json!({ "model_info": "a/b" }))
            .await
            .detail(501);
        assert!(told.to_lowercase().contains(provider), "{told}");
    }
    let described = client.get("/openapi.json").await.ok();
    for (path, method, id) in [
        (
            "/api/workflows/{id}/versions/{version}",
            "delete",
            "delete_version",
        ),
        ("/api/workflows/{id}/autosave", "post", "autosave_workflow"),
        (
            "/api/workflows/examples/{package_name}/{example_name}",
            "get",
            "get_example",
        ),
    ] {
        let operation = &described["paths"][path][method];
        assert_eq!(operation["operationId"], Value::from(id));
    }
}

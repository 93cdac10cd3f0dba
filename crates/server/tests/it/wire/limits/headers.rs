//! Headers that keep answers to what they are.

use hyper::Method;
use serde_json::json;

use super::super::client::bare;
use super::super::graphs::greeting;
use super::super::local::local;
use super::super::server::TestServer;

#[tokio::test]
async fn every_answer_says_what_a_browser_may_not_do_with_it() {
    let server = TestServer::start();
    let client = server.client();
    client.save(&greeting()).await;
    for (method, path) in [
        (Method::GET, "/health"),
        (Method::GET, "/api/workflows"),
        (Method::GET, "/api/nodes/metadata"),
        (Method::GET, "/api/workflows/none"),
        (Method::GET, "/nowhere"),
        (Method::PATCH, "/health"),
        (Method::POST, "/api/workflows"),
        (Method::GET, "/"),
        (Method::GET, "/docs"),
        (Method::GET, "/redoc"),
        (Method::GET, "/api-demo.html"),
        (Method::GET, "/openapi.json"),
        (Method::GET, "/approve/x/y"),
        (Method::GET, "/ws"),
    ] {
        let got = client.send(bare(method, path)).await;
        assert_eq!(got.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(got.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(got.header("x-frame-options"), "DENY", "{path}");
        let policy = got.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert_eq!(
            got.headers
                .get_all("content-security-policy")
                .iter()
                .count(),
            1
        );
        let kept = got.header("cache-control");
        assert!(
            kept.contains("no-cache") || kept.contains("no-store"),
            "{path}: {kept}"
        );
    }
    let list = client.get("/api/workflows").await;
    assert_eq!(list.header("cache-control"), "private, no-cache");
}

#[tokio::test]
async fn an_app_and_stored_files_may_be_shown_within_pages_but_cannot_act_there() {
    let server = TestServer::start();
    let client = server.client();
    let body = json!({ "name": "W", "access": "private", "graph": greeting(), "html_app": "<p>" });
    let id = client.post("/api/workflows", &body).await.ok()["id"].clone();
    let app = client
        .get(&format!("/api/workflows/{}/app", id.as_str().unwrap()))
        .await;
    assert_eq!(
        app.header("content-security-policy"),
        "sandbox allow-scripts allow-forms"
    );
    assert_eq!(app.header("x-frame-options"), "");
    for (name, policy) in [
        ("a.pdf", ""),
        ("a.png", ""),
        ("a.svg", "sandbox"),
        ("a.html", "sandbox"),
    ] {
        let path = format!("/api/storage/{name}");
        let stored = client.send(local(Method::PUT, &path, "<script>")).await;
        assert_eq!(stored.status, 200, "{stored:?}");
        let file = client.send(local(Method::GET, &path, "")).await;
        assert_eq!(file.header("content-security-policy"), policy, "{name}");
        assert_eq!(file.header("x-frame-options"), "", "{name}");
        assert_eq!(file.header("x-content-type-options"), "nosniff");
        assert_eq!(file.header("cache-control"), "private, no-cache");
    }
}

#[tokio::test]
async fn a_web_ui_may_only_be_wrapped_by_itself() {
    let ui = tempfile::tempdir().unwrap();
    std::fs::write(ui.path().join("index.html"), "<script>1</script>").unwrap();
    let server = TestServer::start_with(&["--static-folder", ui.path().to_str().unwrap()]);
    let page = server.client().get("/").await;
    assert_eq!(
        page.header("content-security-policy"),
        "frame-ancestors 'self'; base-uri 'self'"
    );
    assert_eq!(page.header("x-frame-options"), "SAMEORIGIN");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
}

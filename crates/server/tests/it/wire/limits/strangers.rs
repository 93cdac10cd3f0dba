//! What a server that strangers use tells of a refused request (HTTP spec 2.3).

use serde_json::{Value, json};

use super::super::client::Client;
use super::super::server::TestServer;

/// The errors of a refusal, each with its message and its kind and nothing else.
async fn errors(client: &Client, path: &str, kind: &str, body: &str) -> Vec<Value> {
    let refused = client.post_as(path, kind, body.to_owned()).await;
    let length: usize = refused.header("content-length").parse().unwrap();
    assert_eq!(length, refused.body.len());
    let errors = refused.errors();
    for error in &errors {
        let keys: Vec<&String> = error.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["msg", "type"], "{error}");
    }
    errors
}

#[tokio::test]
async fn case_21_in_production_a_fault_is_told_without_its_place_and_what_was_sent() {
    let server = TestServer::start_with(&["--environment", "production"]);
    let client = server.client();
    let json = "application/json";
    let missing = json!({ "msg": "Field required", "type": "missing" });
    let told = errors(&client, "/api/workflows/", json, "{}").await;
    assert_eq!(told, [missing.clone(), missing]);
    let secret = "sk-secret-1234";
    for (kind, body) in [
        (json, format!("{{\"{secret}\"")),
        (
            json,
            format!("{{\"name\":[\"{secret}\"],\"access\":\"{secret}\",\"tags\":\"{secret}\"}}"),
        ),
        (json, format!("\"{secret}\"")),
        ("text/plain", secret.to_owned()),
    ] {
        let told = errors(&client, "/api/workflows/", kind, &body).await;
        assert!(
            !told.is_empty() && !json!(told).to_string().contains(secret),
            "{told:?}"
        );
    }
    let told = client.get(&format!("/api/jobs?limit={secret}")).await;
    assert_eq!(told.status, 422);
    assert!(!String::from_utf8_lossy(&told.body).contains(secret));
    // Other answers are as they are.
    assert_eq!(
        client.get("/api/workflows/none").await.detail(404),
        "Workflow not found"
    );
}

#[tokio::test]
async fn elsewhere_the_place_and_the_input_help() {
    let server = TestServer::start();
    let told = server.client().get("/api/jobs?limit=abc").await.errors();
    assert_eq!(told[0]["loc"], json!(["query", "limit"]));
    assert_eq!(told[0]["input"], "abc");
    let long = "x".repeat(5000);
    let told = server
        .client()
        .get(&format!("/api/jobs?limit={long}"))
        .await
        .errors();
    assert_eq!(told[0]["input"].as_str().unwrap().len(), 256);
}

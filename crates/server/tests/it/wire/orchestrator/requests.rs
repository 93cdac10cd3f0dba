//! What requests may look like, whatever they ask for.

use hyper::Method;
use serde_json::json;

use super::super::local::with_headers;
use super::super::server::TestServer;
use super::{refusal, some};

#[tokio::test]
async fn case_8_the_last_slash_makes_no_difference() {
    let server = TestServer::start();
    let client = server.client();
    for path in ["/api/workflow", "/api/workflow/"] {
        assert_eq!(client.post(path, &json!({ "name": "W" })).await.status, 201);
    }
    let both = client.get("/api/workflow").await.ok();
    assert_eq!(client.get("/api/workflow/").await.ok(), both);
    assert_eq!(both.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn case_11_bodies_that_are_none_and_methods_that_are_not_there() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    let broken = client
        .post_as("/api/workflow/", "application/json", "{\"name\":")
        .await;
    let broken = refusal(&broken, 400, "INVALID_REQUEST");
    assert!(
        broken["error"]
            .as_str()
            .unwrap()
            .starts_with("JSON parse error - ")
    );
    let list = client
        .post_as("/api/workflow/", "application/json", "[1]")
        .await;
    refusal(&list, 400, "INVALID_REQUEST");
    let deep = format!("{}1{}", "[".repeat(1000), "]".repeat(1000));
    let deep = client
        .post_as("/api/workflow/", "application/json", deep)
        .await;
    refusal(&deep, 400, "INVALID_REQUEST");
    let text = client
        .post_as("/api/workflow/", "text/plain", "name=W")
        .await;
    let text = refusal(&text, 415, "UNSUPPORTED_MEDIA_TYPE");
    assert_eq!(
        text["error"],
        "Unsupported media type \"text/plain\" in request."
    );
    let post = client.post(&path, &json!({})).await;
    let refused = refusal(&post, 405, "METHOD_NOT_ALLOWED");
    assert_eq!(refused["error"], "Method \"POST\" not allowed.");
    let mut allowed: Vec<_> = post.header("allow").split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["DELETE", "GET", "HEAD", "PATCH", "PUT"]);
    let large = vec![b' '; (10 << 20) + 1];
    let large = client
        .post_as("/api/workflow/", "application/json", large)
        .await;
    refusal(&large, 413, "PAYLOAD_TOO_LARGE");
    client.check_health().await;
}

#[tokio::test]
async fn forms_say_the_same_as_json() {
    let server = TestServer::start();
    let client = server.client();
    let form = "name=N&tags=%5B%22t%22%5D&env=%7B%22a%22%3A1%7D";
    let kind = "application/x-www-form-urlencoded";
    let made = client.post_as("/api/workflow/", kind, form).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    assert_eq!(
        (&made["tags"], &made["env"]),
        (&json!(["t"]), &json!({ "a": 1 }))
    );
    let form = "--B\r\ncontent-disposition: form-data; name=\"name\"\r\n\r\nM\r\n--B--\r\n";
    let made = client
        .post_as("/api/workflow/", "multipart/form-data; boundary=B", form)
        .await;
    assert_eq!((made.status, &made.json()["name"]), (201, &json!("M")));
    let cut = client
        .post_as(
            "/api/workflow/",
            "multipart/form-data; boundary=B",
            "--B\r\nx",
        )
        .await;
    refusal(&cut, 400, "INVALID_REQUEST");
    let bad = client
        .post_as("/api/workflow/", kind, "name=N&env=%7B")
        .await;
    let bad = refusal(&bad, 400, "INVALID_REQUEST");
    assert_eq!(
        bad["errors"],
        json!({ "env": ["Value must be valid JSON."] })
    );
}

#[tokio::test]
async fn paths_that_no_route_has_are_not_found_in_the_same_words() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    for path in [
        format!("{path}/nope"),
        "/media/x".into(),
        "/api/webhooks".into(),
    ] {
        refusal(&client.get(&path).await, 404, "NOT_FOUND");
    }
    let other = client.get("/api/nope").await;
    assert_eq!(other.json(), json!({ "detail": "Not Found" }));
    let foreign = with_headers(
        Method::POST,
        "/api/workflow/",
        &[
            ("origin", "https://evil.example"),
            ("content-type", "application/json"),
        ],
        "{\"name\":\"W\"}",
    );
    refusal(&client.send(foreign).await, 403, "FORBIDDEN");
}

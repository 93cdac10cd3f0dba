//! Who gets in, and what they see of others.

use hyper::Method;
use serde_json::json;

use super::super::access::{ANN, BOB, with_accounts};
use super::super::client::Reply;
use super::super::local::with_headers;
use super::super::server::TestServer;
use super::{id_of, refusal};

async fn send(server: &TestServer, headers: &[(&str, &str)], path: &str) -> Reply {
    let request = with_headers(Method::GET, path, headers, "");
    server.client().send(request).await
}

#[tokio::test]
async fn case_9_whoever_is_not_known_is_told_what_is_missing() {
    let server = with_accounts();
    for (headers, words) in [
        (&[][..], "Authentication credentials were not provided."),
        (
            &[("authorization", "Bearer junk")],
            "Given token not valid for any token type",
        ),
        (
            &[("authorization", "Api-Key junk")],
            "Invalid or unknown API key.",
        ),
        (&[("x-api-key", "junk")], "Invalid or unknown API key."),
    ] {
        for path in [
            "/api/workflow/",
            "/api/nodes/flat/",
            "/media/node_files/n/k/f",
        ] {
            let reply = send(&server, headers, path).await;
            let body = refusal(&reply, 401, "UNAUTHORIZED");
            assert_eq!(body["error"], words, "{path}");
            assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"api\"");
        }
    }
    // Pictures are for everybody, and the other API keeps its own words.
    assert_eq!(
        send(&server, &[], "/node-icons/default.png").await.status,
        200
    );
    let other = send(&server, &[], "/api/workflows").await;
    assert!(other.json().get("code").is_none());
}

#[tokio::test]
async fn case_10_what_is_somebody_elses_is_not_found() {
    let server = with_accounts();
    let client = server.client();
    let ask = |who: (&str, &str), method: Method, path: &str, body: serde_json::Value| {
        let bearer = format!("Bearer {}", who.1);
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = with_headers(method, path, &headers, body);
        let client = &client;
        async move { client.send(request).await }
    };
    let nothing = || serde_json::Value::Null;
    let made = ask(ANN, Method::POST, "/api/workflow/", json!({ "name": "W" })).await;
    let path = format!("/api/workflow/{}", id_of(&made.json()));
    let node = ask(ANN, Method::POST, &format!("{path}/nodes/add/"), json!({})).await;
    let node = id_of(&node.json());
    // What is public in the other API is still hers alone here.
    let flow = path.replace("/api/workflow/", "/api/workflows/");
    let mut saved = ask(ANN, Method::GET, &flow, nothing()).await.ok();
    saved["access"] = "public".into();
    ask(ANN, Method::PUT, &flow, saved).await.ok();
    for below in [
        String::new(),
        "/canvas_data/".into(),
        "/rawconfig/".into(),
        "/nodes/".into(),
        "/connections/".into(),
        format!("/nodes/{node}/"),
        format!("/nodes/{node}/input/"),
        format!("/nodes/{node}/output/"),
        format!("/nodes/{node}/files/"),
    ] {
        let path = format!("{path}{below}");
        let foreign = ask(BOB, Method::GET, &path, nothing()).await;
        refusal(&foreign, 404, "NOT_FOUND");
        assert_eq!(
            ask(ANN, Method::GET, &path, nothing()).await.status,
            200,
            "{path}"
        );
    }
    for (method, below) in [
        (Method::PATCH, ""),
        (Method::DELETE, ""),
        (Method::POST, "/duplicate"),
        (Method::POST, "/activate"),
        (Method::POST, "/nodes/add"),
        (Method::POST, "/validate"),
    ] {
        let path = format!("{path}{below}");
        let foreign = ask(BOB, method.clone(), &path, json!({ "name": "x" })).await;
        assert_eq!(foreign.status, 404, "{method} {path}");
    }
    let list = ask(BOB, Method::GET, "/api/workflow/", nothing()).await;
    assert_eq!(list.ok(), json!([]));
}

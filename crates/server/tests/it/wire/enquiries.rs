//! Requests for a demo and messages: anybody may write, administrators read (orchestrator spec 3.10, other routes; S16).

use hyper::Method;
use serde_json::{Value, json};

use super::access::{ANN, ROOT, with_accounts};
use super::client::Reply;
use super::local::with_headers;
use super::server::{TestServer, within};

const DEMOS: &str = "/api/demo-requests/";
const MESSAGES: &str = "/api/contact/submissions/";

/// Sends as somebody with this token, or as nobody.
async fn send(
    server: &TestServer,
    token: Option<&str>,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Reply {
    let bearer = format!("Bearer {}", token.unwrap_or_default());
    let mut headers = Vec::new();
    if token.is_some() {
        headers.push(("authorization", bearer.as_str()));
    }
    if body.is_some() {
        headers.push(("content-type", "application/json"));
    }
    let body = body.map(|b| b.to_string()).unwrap_or_default();
    let request = with_headers(method, path, &headers, body);
    server.client().send(request).await
}

/// Writes as somebody nobody knows.
async fn written(server: &TestServer, path: &str, body: Value) -> Value {
    let reply = send(server, None, Method::POST, path, Some(body)).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()
}

#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str) -> Value {
    assert_eq!(reply.status, status, "{reply:?}");
    let body = reply.json();
    assert_eq!(body["code"], code, "{body}");
    body
}

#[tokio::test]
async fn s16_anybody_may_write_and_only_administrators_read() {
    let server = with_accounts();
    let ada = json!({ "name": " Ada ", "email": "ada@example.org", "status": "completed" });
    let demo = written(&server, DEMOS, ada).await;
    assert_eq!(
        (&demo["name"], &demo["status"], &demo["company"]),
        (&json!("Ada"), &json!("new"), &json!(""))
    );
    let bob = json!({ "name": "Bob", "email": "b@example.org", "company": "B", "message": "When?\nWhere?" });
    let message = written(&server, MESSAGES, bob).await;
    let one = |path: &str, row: &Value| format!("{path}{}/", row["id"].as_str().unwrap());
    let status = json!({ "status": "scheduled" });
    for (path, row) in [(DEMOS, &demo), (MESSAGES, &message)] {
        let one = one(path, row);
        for (method, path, body) in [
            (Method::GET, path, None),
            (Method::GET, &one, None),
            (Method::PATCH, &one, Some(&status)),
            (Method::DELETE, &one, None),
        ] {
            let ask = |token| send(&server, token, method.clone(), path, body.cloned());
            refused(&ask(None).await, 401, "UNAUTHORIZED");
            refused(&ask(Some(ANN.1)).await, 403, "FORBIDDEN");
        }
        let root = Some(ROOT.1);
        let list = send(&server, root, Method::GET, path, None).await.ok();
        assert_eq!(list, json!([row]));
        let read = send(&server, root, Method::GET, &one, None).await.ok();
        assert_eq!(read, *row);
    }
    let path = format!("{}update_status", one(DEMOS, &demo));
    let by_ann = send(&server, Some(ANN.1), Method::POST, &path, Some(status)).await;
    refused(&by_ann, 403, "FORBIDDEN");
}

#[tokio::test]
async fn administrators_change_list_and_delete_what_came() {
    let server = TestServer::start();
    let client = server.client();
    let mut made = Vec::new();
    for name in ["a", "b", "c"] {
        let body = json!({ "name": name, "email": "x@example.org" });
        made.push(written(&server, DEMOS, body).await);
    }
    let path = format!("{DEMOS}{}", made[1]["id"].as_str().unwrap());
    let change = |method: Method, path: &str, body: Value| {
        let path = path.to_owned();
        let server = &server;
        async move { send(server, None, method, &path, Some(body)).await }
    };
    let status = format!("{path}/update_status/");
    let told = change(
        Method::POST,
        &status,
        json!({ "status": "contacted", "name": "z" }),
    )
    .await
    .ok();
    assert_eq!(
        (&told["status"], &told["name"]),
        (&json!("contacted"), &json!("b"))
    );
    assert!(told["updated_at"].as_str() > told["created_at"].as_str());
    for (body, why) in [
        (json!({}), "This field is required."),
        (
            json!({ "status": "lost" }),
            "\"lost\" is not a valid choice.",
        ),
    ] {
        let told = change(Method::POST, &status, body).await;
        let told = refused(&told, 400, "INVALID_REQUEST");
        assert_eq!(told["errors"]["status"], json!([why]));
    }
    let told = change(Method::PATCH, &path, json!({ "company": "B" }))
        .await
        .ok();
    assert_eq!(
        (&told["company"], &told["status"]),
        (&json!("B"), &json!("contacted"))
    );
    let told = change(Method::PUT, &path, json!({ "name": "b" })).await;
    let told = refused(&told, 400, "INVALID_REQUEST");
    assert_eq!(
        told["errors"],
        json!({ "email": ["This field is required."] })
    );
    let whole = json!({ "name": "B", "email": "b@example.org", "message": "m" });
    let told = change(Method::PUT, &path, whole).await.ok();
    assert_eq!(
        (&told["name"], &told["message"]),
        (&json!("B"), &json!("m"))
    );

    let names = async |query: &str| {
        let list = client.get(&format!("{DEMOS}?{query}")).await.ok();
        let rows = list.as_array().unwrap();
        let names = rows.iter().map(|row| row["name"].as_str().unwrap());
        names.collect::<Vec<_>>().concat()
    };
    assert_eq!(names("").await, "cBa");
    assert_eq!(names("limit=1&offset=1").await, "B");
    assert_eq!(names("status=new").await, "ca");
    let lost = client.get(&format!("{DEMOS}?status=lost")).await;
    refused(&lost, 400, "INVALID_REQUEST");

    assert_eq!(client.delete(&path).await.status, 204);
    for gone in [&path, "/api/demo-requests/none"] {
        let told = refused(&client.get(gone).await, 404, "NOT_FOUND");
        assert_eq!(told["resource_type"], "DemoRequest");
        refused(&client.delete(gone).await, 404, "NOT_FOUND");
    }
    // The kinds know nothing of each other.
    let other = format!("{MESSAGES}{}", made[0]["id"].as_str().unwrap());
    refused(&client.get(&other).await, 404, "NOT_FOUND");
    assert_eq!(names("").await, "ca");
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_by_field() {
    let server = TestServer::start();
    let client = server.client();
    let told = client.post(MESSAGES, &json!({})).await;
    let told = refused(&told, 400, "INVALID_REQUEST");
    let required = json!(["This field is required."]);
    for field in ["name", "email", "message"] {
        assert_eq!(told["errors"][field], required, "{told}");
    }
    let long = "x".repeat(4001);
    for (field, value, why) in [
        ("name", json!(" "), "This field may not be blank."),
        (
            "name",
            json!("x".repeat(101)),
            "Ensure this field has no more than 100 characters.",
        ),
        ("email", json!("nowhere"), "Enter a valid email address."),
        (
            "email",
            json!("a b@example.org"),
            "Enter a valid email address.",
        ),
        (
            "email",
            json!("a@example.org\r\nbcc: b@example.org"),
            "Enter a valid email address.",
        ),
        ("company", json!([]), "Not a valid string."),
        (
            "message",
            json!(long),
            "Ensure this field has no more than 4000 characters.",
        ),
        ("message", json!(null), "This field may not be null."),
    ] {
        let mut body = json!({ "name": "n", "email": "e@example.org", "message": "m" });
        body[field] = value;
        let told = client.post(MESSAGES, &body).await;
        let told = refused(&told, 400, "INVALID_REQUEST");
        assert_eq!(told["errors"], json!({ field: [why] }));
    }
    let large = json!({ "name": "n", "email": "e@example.org", "more": "x".repeat(64 << 10) });
    refused(&client.post(DEMOS, &large).await, 413, "PAYLOAD_TOO_LARGE");
    let form = "name=Ada&email=ada%40example.org&message=Hello";
    let kind = "application/x-www-form-urlencoded";
    let sent = client.post_as(MESSAGES, kind, form).await;
    assert_eq!(sent.status, 201, "{sent:?}");
    assert_eq!(client.get(MESSAGES).await.ok(), json!([sent.json()]));
}

#[tokio::test]
async fn nobody_writes_without_end() {
    let server = TestServer::start();
    let client = server.client();
    let body = json!({ "name": "n", "email": "e@example.org" });
    within("a minute with too many", async {
        loop {
            let reply = client.post(DEMOS, &body).await;
            if reply.status != 201 {
                let told = refused(&reply, 429, "RATE_LIMITED");
                let text = told["error"].as_str().unwrap();
                assert!(text.contains("More than 10"), "{told}");
                return;
            }
        }
    })
    .await;
    let kept = client.get(DEMOS).await.ok();
    assert!(kept.as_array().unwrap().len() >= 10, "{kept}");
}

//! Approval by the API and through a link that works once.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;
use serde_json::{Value, json};

use super::super::client::{Client, Reply, request};
use super::super::graphs::{INPUT, OUTPUT, graph, node};
use super::super::server::TestServer;
use super::{APPROVAL, begin_one, order, outputs, until};

/// Asks whether what comes in may go on.
fn asking() -> Value {
    let input = node("i", INPUT, json!({ "name": "draft" }));
    let ask = node("h", APPROVAL, json!({ "message": "Send <b>it</b>?" }));
    let out = |id: &str, name: &str| node(id, OUTPUT, json!({ "name": name }));
    graph(
        &[
            input,
            ask,
            out("y", "yes"),
            out("n", "no"),
            out("c", "comment"),
        ],
        &[
            "i.output -> h.value",
            "h.approved -> y.value",
            "h.rejected -> n.value",
            "h.comment -> c.value",
        ],
    )
}

/// A job that waits for an approval.
async fn asked(client: &Client) -> String {
    let workflow = client.save(&asking()).await;
    let id = begin_one(
        client,
        &workflow,
        json!({ "draft": "Dear \"all\" & <i>sundry</i>" }),
    )
    .await;
    until(client, &id, "suspended").await;
    id
}

async fn link(client: &Client, id: &str) -> String {
    let made = order(client, id, "approval-link", &json!({})).await.ok();
    assert!(made["expires_at"].is_string(), "{made}");
    made["url"].as_str().expect("a path").to_owned()
}

async fn answer(client: &Client, path: &str, form: &'static str) -> Reply {
    let request = request(Method::POST, path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from_static(form.as_bytes())));
    client.send(request.unwrap()).await
}

#[tokio::test]
async fn whoever_may_use_the_api_approves_with_other_data_and_a_comment() {
    let server = TestServer::start();
    let client = server.client();
    let id = asked(&client).await;
    let nothing = order(&client, &id, "approve", &json!({})).await;
    assert_eq!(nothing.places()[0].1, json!(["body", "approved"]));
    let decision = json!({ "approved": true, "data": { "text": "better" }, "comment": "fine" });
    order(&client, &id, "approve", &decision).await.ok();
    until(&client, &id, "completed").await;
    let given = outputs(&client, &id).await;
    assert_eq!(
        (&given["yes"], &given["comment"]),
        (&json!([{ "text": "better" }]), &json!(["fine"]))
    );
    order(&client, &id, "approve", &decision).await.detail(409);
    order(&client, "nobody", "approve", &decision)
        .await
        .detail(404);
}

#[tokio::test]
async fn a_link_shows_what_is_asked_and_works_once_even_after_a_restart() {
    let server = TestServer::start();
    let client = server.client();
    let id = asked(&client).await;
    let path = link(&client, &id).await;
    let token = path.rsplit('/').next().unwrap().to_owned();
    assert_eq!(path, format!("/approve/{id}/{token}"));
    assert_eq!(token.len(), 43);
    let folder = server.kill().await;
    let stored = std::fs::read(folder.path().join("nodetool.sqlite3")).unwrap();
    let log = std::fs::read(folder.path().join("nodetool.sqlite3-wal")).unwrap_or_default();
    for bytes in [stored, log] {
        assert!(!bytes.windows(token.len()).any(|w| w == token.as_bytes()));
    }
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    let page = client.get(&path).await;
    let html = String::from_utf8(page.body.to_vec()).unwrap();
    assert_eq!(
        (page.status, page.header("cache-control")),
        (200, "no-store")
    );
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(html.contains("Send &lt;b&gt;it&lt;/b&gt;?"), "{html}");
    assert!(
        html.contains("Dear &quot;all&quot; &amp; &lt;i&gt;sundry"),
        "{html}"
    );
    assert_eq!(answer(&client, &path, "comment=x").await.status, 422);
    let thanks = answer(&client, &path, "decision=reject&comment=not+now").await;
    assert_eq!(thanks.status, 200, "{thanks:?}");
    until(&client, &id, "completed").await;
    let given = outputs(&client, &id).await;
    assert_eq!(given["comment"], json!(["not now"]));
    assert_eq!(given["no"], json!(["Dear \"all\" & <i>sundry</i>"]));
    assert_eq!(answer(&client, &path, "decision=approve").await.status, 410);
    assert_eq!(client.get(&path).await.status, 410);
    assert!(!server.log().contains(&token), "{}", server.log());
}

#[tokio::test]
async fn a_link_that_was_replaced_guessed_or_is_too_old_does_nothing() {
    let server = TestServer::start();
    let client = server.client();
    let id = asked(&client).await;
    let old = link(&client, &id).await;
    let new = link(&client, &id).await;
    let none = format!("/approve/{id}/{}", "A".repeat(43));
    let nobody = new.replace(&id, "nobody");
    for wrong in [
        &old,
        &none,
        &nobody,
        &format!("/approve/{id}/%ff"),
        &format!("/approve/{id}/x"),
    ] {
        assert_eq!(client.get(wrong).await.status, 404, "{wrong}");
        assert_eq!(
            answer(&client, wrong, "decision=approve").await.status,
            404,
            "{wrong}"
        );
    }
    assert_eq!(client.get(&new).await.status, 200);
    for bad in [json!(0), json!(-1), json!("7"), json!(90_000_000)] {
        let refused = order(
            &client,
            &id,
            "approval-link",
            &json!({ "expires_in_seconds": bad }),
        )
        .await;
        assert_eq!(refused.places()[0].1, json!(["body", "expires_in_seconds"]));
    }
    let folder = server.kill().await;
    let db = rusqlite::Connection::open(folder.path().join("nodetool.sqlite3")).unwrap();
    let past = "UPDATE nodetool_jobs SET suspension_metadata_json = \
                json_set(suspension_metadata_json, '$.approval.expires_at', 1)";
    assert_eq!(db.execute(past, []).unwrap(), 1);
    db.close().unwrap();
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    assert_eq!(client.get(&new).await.status, 410);
    assert_eq!(answer(&client, &new, "decision=approve").await.status, 410);
    until(&client, &id, "suspended").await;
}

#[tokio::test]
async fn only_a_job_that_waits_gets_a_link() {
    let server = TestServer::start();
    let client = server.client();
    let id = asked(&client).await;
    let path = link(&client, &id).await;
    order(&client, &id, "cancel", &json!({})).await.ok();
    until(&client, &id, "cancelled").await;
    assert_eq!(client.get(&path).await.status, 410);
    order(&client, &id, "approval-link", &json!({}))
        .await
        .detail(409);
    order(&client, "nobody", "approval-link", &json!({}))
        .await
        .detail(404);
}

//! Optimistic saves and conditional reads of workflows (HTTP spec 2.1, etag; conformance row 23).

use http_body_util::Full;
use hyper::Method;
use serde_json::{Value, json};

use super::client::{Client, Reply, request};
use super::graphs::greeting;
use super::server::TestServer;

fn named(name: &str) -> Value {
    json!({ "name": name, "access": "private", "graph": greeting() })
}

async fn when(
    client: &Client,
    method: Method,
    path: &str,
    header: (&str, &str),
    body: Option<&Value>,
) -> Reply {
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = request(method, path)
        .header(header.0, header.1)
        .header("content-type", "application/json");
    client
        .send(request.body(Full::new(body.into())).unwrap())
        .await
}

#[tokio::test]
async fn case_23_the_etag_of_body_header_and_list_is_one() {
    let server = TestServer::start();
    let client = server.client();
    let made = client.post("/api/workflows", &named("a")).await;
    let path = format!("/api/workflows/{}", made.ok()["id"].as_str().unwrap());
    let saved = client.put(&path, &named("b")).await;
    let got = client.get(&path).await;
    assert_ne!(made.ok()["etag"], saved.ok()["etag"]);
    for reply in [&made, &saved, &got] {
        let etag = reply.ok()["etag"].as_str().unwrap().to_owned();
        assert_eq!(reply.header("etag"), format!("\"{etag}\""));
    }
    assert_eq!(got.ok(), saved.ok());
    for list in ["/api/workflows", "/workflows"] {
        assert_eq!(
            client.get(list).await.ok()["workflows"][0],
            got.ok(),
            "{list}"
        );
    }
}

#[tokio::test]
async fn a_save_of_what_somebody_else_has_changed_is_refused() {
    let server = TestServer::start();
    let client = server.client();
    let first = client.put("/api/workflows/w", &named("first")).await.ok();
    let etag = first["etag"].as_str().unwrap().to_owned();
    let put = async |tags: &str, name: &str| {
        let header = ("if-match", tags);
        when(
            &client,
            Method::PUT,
            "/api/workflows/w",
            header,
            Some(&named(name)),
        )
        .await
    };
    let second = put(&format!("\"{etag}\""), "second").await.ok();
    for stale in [
        format!("\"{etag}\""),
        etag.clone(),
        format!("W/\"{etag}\", \"x\""),
        String::new(),
    ] {
        let told = put(&stale, "third").await.detail(412);
        assert!(told.contains("If-Match"), "{told}");
    }
    let got = client.get("/api/workflows/w").await.ok();
    assert_eq!(got, second, "nothing has changed");
    let mut etag = second["etag"].as_str().unwrap().to_owned();
    for spelled in ["*", "{}", "\"{}\"", "W/\"{}\"", "\"x\", \"{}\""] {
        let saved = put(&spelled.replace("{}", &etag), spelled).await.ok();
        assert_eq!(saved["name"], spelled);
        etag = saved["etag"].as_str().unwrap().to_owned();
    }
    // Bodies are looked at first: a client with two faults hears of its own.
    let header = ("if-match", "\"x\"");
    let refused = when(
        &client,
        Method::PUT,
        "/api/workflows/w",
        header,
        Some(&json!({})),
    )
    .await;
    assert_eq!(refused.status, 422);
}

#[tokio::test]
async fn a_save_of_what_is_no_longer_there_is_refused() {
    let server = TestServer::start();
    let client = server.client();
    for tags in ["*", "\"x\""] {
        for path in ["/api/workflows/w", "/workflows/w"] {
            let header = ("if-match", tags);
            let refused = when(&client, Method::PUT, path, header, Some(&named("n"))).await;
            refused.detail(412);
            assert_eq!(client.get(path).await.status, 404);
        }
    }
}

#[tokio::test]
async fn of_saves_that_saw_the_same_one_wins() {
    let server = TestServer::start();
    let client = server.client();
    let made = client.put("/api/workflows/w", &named("first")).await.ok();
    let tag = format!("\"{}\"", made["etag"].as_str().unwrap());
    let clients: Vec<Client> = (0..8).map(|_| server.client()).collect();
    let saves = clients.iter().enumerate().map(|(i, client)| {
        let (tag, body) = (tag.clone(), named(&i.to_string()));
        async move {
            let header = ("if-match", tag.as_str());
            when(client, Method::PUT, "/api/workflows/w", header, Some(&body))
                .await
                .status
        }
    });
    let mut statuses = futures_util::future::join_all(saves).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
}

#[tokio::test]
async fn a_delete_may_name_what_it_means() {
    let server = TestServer::start();
    let client = server.client();
    for path in ["/api/workflows/w", "/workflows/w"] {
        let made = client.put("/api/workflows/w", &named("n")).await.ok();
        let delete =
            async |tags: &str| when(&client, Method::DELETE, path, ("if-match", tags), None).await;
        delete("\"x\"").await.detail(412);
        assert_eq!(client.get(path).await.ok(), made);
        delete(made["etag"].as_str().unwrap()).await.ok();
        assert_eq!(delete("\"x\"").await.detail(404), "Workflow not found");
        assert_eq!(delete("*").await.detail(404), "Workflow not found");
    }
}

#[tokio::test]
async fn a_client_that_has_it_is_told_so_without_a_body() {
    let server = TestServer::start();
    let client = server.client();
    let public = json!({ "name": "n", "access": "public", "graph": greeting() });
    let made = client.put("/api/workflows/w", &public).await.ok();
    let tag = format!("\"{}\"", made["etag"].as_str().unwrap());
    for path in [
        "/api/workflows/w",
        "/workflows/w",
        "/api/workflows/public/w",
    ] {
        for tags in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let known = when(&client, Method::GET, path, ("if-none-match", &tags), None).await;
            assert_eq!((known.status, known.body.len()), (304, 0), "{path} {tags}");
            assert_eq!(known.header("etag"), tag);
        }
        let other = when(&client, Method::GET, path, ("if-none-match", "\"x\""), None).await;
        assert_eq!(other.ok(), made);
    }
    client.put("/api/workflows/w", &named("changed")).await.ok();
    let changed = when(
        &client,
        Method::GET,
        "/api/workflows/w",
        ("if-none-match", &tag),
        None,
    );
    assert_eq!(changed.await.ok()["name"], "changed");
}

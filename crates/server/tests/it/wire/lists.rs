//! Lists of workflows: pages, columns, what a query may say (HTTP spec 2.6; conformance rows 28, 29).

use serde_json::{Value, json};

use super::client::Client;
use super::graphs::greeting;
use super::server::TestServer;

async fn save_named(client: &Client, name: &str) -> String {
    let body = json!({ "name": name, "access": "private", "graph": greeting() });
    let made = client.post("/api/workflows/", &body).await.ok();
    made["id"].as_str().unwrap().to_owned()
}

/// Names on a page, and where the next one begins.
async fn page(client: &Client, limit: usize, cursor: &str) -> (Vec<String>, String) {
    let path = format!("/api/workflows/?limit={limit}&cursor={cursor}");
    let list = client.get(&path).await.ok();
    let names = list["workflows"].as_array().unwrap().iter();
    let names = names
        .map(|w| w["name"].as_str().unwrap().to_owned())
        .collect();
    (names, list["next"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn five_workflows_in_pages_of_two_come_newest_first_and_each_once() {
    let server = TestServer::start();
    let client = server.client();
    for i in 0..5 {
        save_named(&client, &i.to_string()).await;
    }
    let (first, next) = page(&client, 2, "").await;
    let (second, next_after) = page(&client, 2, &next).await;
    let (third, end) = page(&client, 2, &next_after).await;
    assert_eq!(
        [first, second, third],
        [vec!["4", "3"], vec!["2", "1"], vec!["0"]]
    );
    assert_eq!(end, "");
    let (all, end) = page(&client, 5, "").await;
    assert_eq!(
        (all.len(), end.as_str()),
        (5, ""),
        "a page that is exactly full is the last"
    );
    let (most, next) = page(&client, 4, "").await;
    assert_eq!((most.len(), next.is_empty()), (4, false));
}

#[tokio::test]
async fn pages_stay_exact_while_workflows_come_change_and_go() {
    let server = TestServer::start();
    let client = server.client();
    let mut ids = Vec::new();
    for i in 0..5 {
        ids.push(save_named(&client, &i.to_string()).await);
    }
    let (first, next) = page(&client, 2, "").await;
    assert_eq!(first, ["4", "3"]);
    save_named(&client, "new").await;
    client
        .delete(&format!("/api/workflows/{}", ids[3]))
        .await
        .ok();
    let (second, next) = page(&client, 2, &next).await;
    assert_eq!(second, ["2", "1"], "neither repeated nor skipped");
    // A change moves a workflow to the front, so it is no longer ahead of this cursor.
    let renamed = json!({ "name": "renamed", "access": "private", "graph": greeting() });
    client
        .put(&format!("/api/workflows/{}", ids[0]), &renamed)
        .await
        .ok();
    let (third, end) = page(&client, 2, &next).await;
    assert_eq!((third.len(), end.as_str()), (0, ""));
    let (all, _) = page(&client, 100, "").await;
    assert_eq!(all, ["renamed", "new", "4", "2", "1"]);
}

#[tokio::test]
async fn a_limit_is_a_number_that_is_brought_into_bounds() {
    let server = TestServer::start();
    let client = server.client();
    for i in 0..2 {
        save_named(&client, &i.to_string()).await;
    }
    for (limit, count) in [
        ("0", 1),
        ("-5", 1),
        ("1", 1),
        ("1000000", 2),
        ("99999999999999999999", 2),
        ("", 2),
    ] {
        let list = client
            .get(&format!("/api/workflows/?limit={limit}"))
            .await
            .ok();
        assert_eq!(
            list["workflows"].as_array().unwrap().len(),
            count,
            "limit={limit}"
        );
    }
    for limit in ["abc", "1.5", "-", "+", "%20", "1_0", "%ff", "0x10", "--1"] {
        for path in ["/api/workflows", "/api/jobs"] {
            let refused = client.get(&format!("{path}?limit={limit}")).await;
            assert_eq!(
                refused.places(),
                [("int_parsing".into(), json!(["query", "limit"]))],
                "{path} {limit}"
            );
        }
    }
}

#[tokio::test]
async fn a_cursor_of_nobody_is_refused_by_the_name_of_its_parameter() {
    let server = TestServer::start();
    let client = server.client();
    for (path, parameter) in [("/api/workflows", "cursor"), ("/api/jobs", "start_key")] {
        for cursor in ["zzz", "%00", "AAAA", &"A".repeat(4000)] {
            let refused = client.get(&format!("{path}?{parameter}={cursor}")).await;
            assert_eq!(
                refused.places(),
                [("value_error".into(), json!(["query", parameter]))]
            );
        }
    }
}

#[tokio::test]
async fn columns_limit_what_a_list_holds() {
    let server = TestServer::start();
    let client = server.client();
    let id = save_named(&client, "one").await;
    let list = client.get("/api/workflows?columns=id,%20name").await.ok();
    assert_eq!(
        list,
        json!({ "next": "", "workflows": [{ "id": id, "name": "one" }] })
    );
    let all = client.get("/api/workflows?columns=").await.ok();
    assert!(all["workflows"][0]["graph"]["nodes"].is_array());
    for columns in ["id,zip", "user", "ID", ","] {
        let told = client
            .get(&format!("/api/workflows?columns={columns}"))
            .await
            .detail(400);
        assert!(
            told.starts_with("Unknown column '") && told.contains("expected some of id, name"),
            "{told}"
        );
    }
    let long = client
        .get(&format!("/api/workflows?columns={}", "x".repeat(5000)))
        .await
        .detail(400);
    assert!(long.len() < 300, "{long}");
}

#[tokio::test]
async fn a_list_may_be_narrowed_by_run_mode() {
    let server = TestServer::start();
    let client = server.client();
    save_named(&client, "plain").await;
    let tool =
        json!({ "name": "tool", "access": "private", "graph": greeting(), "run_mode": "tool" });
    client.post("/api/workflows", &tool).await.ok();
    let list = client
        .get("/api/workflows?run_mode=tool&columns=name")
        .await
        .ok();
    assert_eq!(list["workflows"], json!([{ "name": "tool" }]));
    let none = client.get("/api/workflows?run_mode=%00").await.ok();
    assert_eq!(none["workflows"], json!([]));
}

#[tokio::test]
async fn parameters_nobody_asked_for_are_passed_over() {
    let server = TestServer::start();
    let client = server.client();
    save_named(&client, "one").await;
    for query in [
        "?fields=full&x",
        "?&&&=&%zz",
        "?limit=1&limit=1",
        "?%F0%9F=1",
    ] {
        let list = client.get(&format!("/api/workflows{query}")).await.ok();
        assert_eq!(
            list["workflows"].as_array().map(Vec::len),
            Some(1),
            "{query}"
        );
    }
    let last_wins = client.get("/api/workflows?limit=5&limit=x").await;
    assert_eq!(last_wins.errors()[0]["input"], Value::from("x"));
}

//! Which way tokens go, and what becomes of those that fail.

use chrono::DateTime;
use serde_json::{Value, json};

use super::super::server::TestServer;
use super::{Flow, Watch, given, sorted, story};

#[tokio::test]
async fn case_43_each_token_goes_one_way_and_the_sentinel_both() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let c = flow.counter(1, 2).await;
    let form = json!({ "condition_expression": "data['counter']['current'] > 1" });
    let i = flow.node("if-condition", form).await;
    let (y, n) = (flow.transformer("{}").await, flow.transformer("{}").await);
    flow.edge(&c, &i).await;
    flow.edge_from(&i, "yes", &y).await;
    flow.edge_from(&i, "no", &n).await;
    let mut watch = Watch::open(&server, &flow).await;
    let told = watch.run(&flow).await;
    let words = story(&told, &[("c", &c), ("i", &i), ("y", &y), ("n", &n)]);
    assert_eq!(words[..6].join(" "), "c i:no n c i:yes y");
    assert_eq!(words[6..8].join(" "), "c. i.");
    assert_eq!(sorted(&words[8..10]), ["n.", "y."]);
    assert_eq!(words[10..].join(" "), "success");
    let told: Vec<_> = given(&told, &i)
        .iter()
        .map(|data| data["if_condition"]["result"].clone())
        .collect();
    assert_eq!(told, [false, true]);
}

#[tokio::test]
async fn case_44_e11_a_failure_ends_its_path_and_its_token_is_kept() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let c = flow.counter(1, 2).await;
    let t = flow.transformer("no JSON").await;
    let z = flow.transformer("{}").await;
    flow.edge(&c, &t).await;
    flow.edge(&t, &z).await;
    let mut watch = Watch::open(&server, &flow).await;
    let told = watch.run(&flow).await;
    let words = story(&told, &[("c", &c), ("t", &t), ("z", &z)]);
    assert_eq!(words.join(" "), "c t! c t! c. t. z. success");
    let failed = told.iter().filter(|m| m["type"] == "node_failed");
    for failed in failed {
        let text = failed["error"].as_str().unwrap();
        assert!(text.contains("Invalid JSON"), "{text}");
    }
    // Those that failed are neither listed nor at work.
    let state = watch.state().await;
    assert_eq!(
        (&state["completed_count"], &state["executing_nodes"]),
        (&json!(5), &json!({}))
    );
    let letters = flow.get("dead_letters").await.ok();
    assert_eq!(letters.as_array().unwrap().len(), 2, "{letters}");
}

#[tokio::test]
async fn case_45_e7_a_producer_that_fails_is_told_of_and_rests_before_it_tries_again() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let form =
        json!({ "min_value": "{{ nope.x }}", "max_value": 2, "direction": "increment", "step": 1 });
    let c = flow.node("counter", form).await;
    let mut watch = Watch::open(&server, &flow).await;
    flow.start().await;
    let is_failed = |told: &Value| told["type"] == "node_failed" && told["node_id"] == c.as_str();
    let mut told = watch.until(is_failed).await;
    told.extend(watch.until(is_failed).await);
    let began = told.iter().filter(|m| m["type"] == "node_started");
    let began: Vec<_> = began
        .map(|m| DateTime::parse_from_rfc3339(m["started_at"].as_str().unwrap()).unwrap())
        .collect();
    let rest = (began[1] - began[0]).as_seconds_f64();
    assert!(rest > 0.99, "{rest} s");
    assert_eq!(flow.stop().await["status"], "REVOKED");
    assert_eq!(watch.next().await["state"]["status"], "idle");
    watch.socket.check_quiet().await;
}

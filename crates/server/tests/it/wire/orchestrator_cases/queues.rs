//! Loops that are joined by queues, and loops that share a node.

use serde_json::{Value, json};

use super::super::server::TestServer;
use super::{Flow, Watch, about, given, is_done, story};

/// A loop that reads a queue: the reader, and a step behind it.
async fn reading(flow: &Flow<'_>) -> (String, String) {
    let r = flow.node("queue-reader", json!({})).await;
    let t = flow.transformer("{}").await;
    flow.edge(&r, &t).await;
    (r, t)
}

/// A loop that writes: a counter, and a writer behind it.
async fn writing(flow: &Flow<'_>, min: i64, max: i64) -> (String, String) {
    let c = flow.counter(min, max).await;
    let w = flow.node("queue-writer", json!({})).await;
    flow.edge(&c, &w).await;
    (c, w)
}

/// The numbers a node was given.
fn numbers(told: &[Value], node: &str) -> Vec<i64> {
    let data = given(told, node);
    let numbers = data.iter().map(|data| data["counter"]["current"].as_i64());
    numbers.map(|n| n.expect("a number")).collect()
}

#[tokio::test]
async fn case_47_e5_tokens_cross_in_order_and_so_does_the_end_in_each_run() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let (c, w) = writing(&flow, 1, 2).await;
    let (r, t) = reading(&flow).await;
    flow.edge(&w, &r).await;
    let mut watch = Watch::open(&server, &flow).await;
    // Nothing of a run is left for the next one.
    for _ in 0..2 {
        let told = watch.run(&flow).await;
        let names: [(&str, &str); 4] = [("c", &c), ("w", &w), ("r", &r), ("t", &t)];
        let of = |nodes: &[&str]| story(&about(&told, nodes), &names).join(" ");
        assert_eq!(of(&[&c, &w]), "c w c w c. w.");
        assert_eq!(of(&[&r, &t]), "r t r t r. t.");
        assert_eq!(numbers(&told, &t), [1, 2]);
        assert_eq!(story(&told, &names).pop().unwrap(), "success");
    }
}

#[tokio::test]
async fn case_48_every_reader_of_a_writer_gets_all_and_ends() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let (_, w) = writing(&flow, 1, 2).await;
    let readers = [reading(&flow).await, reading(&flow).await];
    for (r, _) in &readers {
        flow.edge(&w, r).await;
    }
    let mut watch = Watch::open(&server, &flow).await;
    let told = watch.run(&flow).await;
    for (r, t) in &readers {
        let mine = about(&told, &[r, t]);
        let words = story(&mine, &[("r", r), ("t", t)]).join(" ");
        assert_eq!(words, "r t r t r. t.");
        assert_eq!(numbers(&told, t), [1, 2]);
    }
    assert_eq!(told.last().unwrap()["status"], "success");
}

#[tokio::test]
async fn case_49_a_reader_ends_after_the_last_of_its_writers() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let (r, t) = reading(&flow).await;
    for first in [1, 3] {
        let (_, w) = writing(&flow, first, first + 1).await;
        flow.edge(&w, &r).await;
    }
    let mut watch = Watch::open(&server, &flow).await;
    let told = watch.run(&flow).await;
    let words = story(&about(&told, &[&r, &t]), &[("r", &r), ("t", &t)]);
    assert_eq!(words.join(" "), "r t r t r t r t r. t.");
    let mut read = numbers(&told, &t);
    read.sort_unstable();
    assert_eq!(read, [1, 2, 3, 4]);
    assert_eq!(told.last().unwrap()["status"], "success");
}

#[tokio::test]
async fn case_50_a_reader_of_nothing_is_a_fault_of_its_queue_name() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let (r, _) = reading(&flow).await;
    let mut watch = Watch::open(&server, &flow).await;
    let told = watch.run(&flow).await;
    let [failed] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(failed["type"], "workflow_failed");
    let text = failed["error"].as_str().unwrap();
    let named = format!("Node '{r}': queue_name: This field is required.");
    assert!(text.contains(&named), "{text}");
    let refused = flow.post("validate", &json!({})).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    let body = refused.json();
    let faults = &body["details"][&r]["queue_name"];
    assert_eq!(faults, &json!(["This field is required."]), "{body}");
}

#[tokio::test]
async fn e6_each_loop_has_a_node_they_share_for_itself() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let c = flow.counter(1, 2).await;
    let p = json!({ "webhook_id": "w" });
    let p = flow.node("webhook-producer", p).await;
    let t = flow.transformer("{}").await;
    flow.edge(&c, &t).await;
    flow.edge(&p, &t).await;
    let mut watch = Watch::open(&server, &flow).await;
    flow.start().await;
    // The sentinel of one loop has passed the node, which was cleaned up then.
    let passed = |told: &Value| is_done(told, &t) && told.get("output_data").is_none();
    watch.until(passed).await;
    watch.until_at_work(&p).await;
    let call = client.post("/api/webhooks/w/", &json!({ "n": 7 })).await;
    assert_eq!(call.json()["subscribers"], 1, "{call:?}");
    let told = watch.until(|told| is_done(told, &t)).await;
    let data = given(&told, &t).remove(0);
    assert_eq!(data["webhook"]["data"]["body"], json!({ "n": 7 }), "{data}");
    assert_eq!(flow.stop().await["status"], "REVOKED");
}

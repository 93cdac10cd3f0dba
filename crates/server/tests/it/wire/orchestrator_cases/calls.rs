//! Calls from outside, as those who watch see them.

use serde_json::{Value, json};

use super::super::server::TestServer;
use super::{Flow, Watch, given, is_done, story};

#[tokio::test]
async fn case_55_a_call_is_told_like_a_run() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::api(&client).await;
    let w = json!({ "webhook_id": "w" });
    let w = flow.node("webhook-producer", w).await;
    let t = flow.transformer(r#"{"twice": {{ data.n * 2 }}}"#).await;
    flow.edge(&w, &t).await;
    let mut watch = Watch::open(&server, &flow).await;
    for n in [4, 5] {
        let body = json!({ "input": { "n": n } });
        let answer = flow.post("execute", &body).await.ok();
        let output = &answer["output"];
        assert_eq!(output["data_transformer"], json!({ "twice": 2 * n }));
        assert_eq!(output["n"], n);
        let told = watch.ended().await;
        let words = story(&told, &[("w", &w), ("t", &t)]);
        assert_eq!(words.join(" "), "w t success");
        assert_eq!(given(&told, &t)[0]["data_transformer"]["twice"], 2 * n);
    }
    let state = watch.state().await;
    assert_eq!(
        (&state["status"], &state["completed_count"]),
        (&json!("completed"), &json!(2))
    );
}

#[tokio::test]
async fn case_61_a_node_that_listens_fires_with_the_body() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let w = json!({ "webhook_id": "w" });
    let w = flow.node("webhook-producer", w).await;
    let mut watch = Watch::open(&server, &flow).await;
    let path = "/api/webhooks/w/";
    let unheard = client.post(path, &json!({ "n": 0 })).await;
    assert_eq!(
        (unheard.status, &unheard.json()["subscribers"]),
        (202, &json!(0))
    );
    flow.start().await;
    watch.until_at_work(&w).await;
    for (sent, body) in [
        (r#"{"n": 1}"#, json!({ "n": 1 })),
        (r#"{"input": {"n": 2}}"#, json!({ "n": 2 })),
        ("{no", json!({})),
    ] {
        let call = client.post_as(path, "application/json", sent).await;
        assert_eq!(
            (call.status, &call.json()["subscribers"]),
            (202, &json!(1)),
            "{call:?}"
        );
        let told = watch.until(|told| is_done(told, &w)).await;
        let webhook = &given(&told, &w)[0]["webhook"];
        assert_eq!(webhook["data"]["body"], body, "{sent}");
        assert_eq!(
            (&webhook["webhook_id"], &webhook["data"]["method"]),
            (&json!("w"), &json!("POST"))
        );
        assert!(
            webhook["timestamp"].as_str().unwrap().ends_with('Z'),
            "{webhook}"
        );
    }
    flow.stop().await;
    let after = client.post(path, &json!({})).await;
    assert_eq!(after.json()["subscribers"], 0);
}

#[tokio::test]
async fn case_62_e8_calls_that_come_while_the_loop_is_busy_are_worked_on_in_order() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let w = json!({ "webhook_id": "w" });
    let w = flow.node("webhook-producer", w).await;
    let form = json!({ "condition_expression": "data['webhook']['data']['body']['n'] == 0" });
    let i = flow.node("if-condition", form).await;
    let delay = json!({ "interval": 1, "unit": "seconds" });
    let d = flow.node("static-delay-node", delay).await;
    let t = flow
        .node(
            "data-transformer",
            super::only(r#"{"n": {{ data.webhook.data.body.n }}}"#),
        )
        .await;
    flow.edge(&w, &i).await;
    flow.edge_from(&i, "yes", &d).await;
    flow.edge_from(&i, "no", &t).await;
    let mut watch = Watch::open(&server, &flow).await;
    flow.start().await;
    watch.until_at_work(&w).await;
    let call = |n: usize| {
        let client = &client;
        async move {
            let reply = client.post("/api/webhooks/w/", &json!({ "n": n })).await;
            assert_eq!(reply.json()["subscribers"], 1, "{reply:?}");
        }
    };
    call(0).await;
    let busy = |told: &Value| told["type"] == "node_started" && told["node_id"] == d.as_str();
    watch.until(busy).await;
    call(1).await;
    call(2).await;
    let mut told = watch.until(|told| is_done(told, &t)).await;
    told.extend(watch.until(|told| is_done(told, &t)).await);
    assert_eq!(given(&told, &t), [json!({ "n": 1 }), json!({ "n": 2 })]);
    flow.stop().await;
}

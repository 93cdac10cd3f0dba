//! Templates and conditions that would never end, or never stop growing: bounded, told, and of no harm to others.

use serde_json::json;

use super::super::server::TestServer;
use super::{Flow, counter, delay};

const ENDLESS: [&str; 5] = [
    "{% for a in range(1000000000) %}{% for b in range(1000000000) %}x{% endfor %}{% endfor %}",
    "{{ 'x' * 1000000000000 }}",
    "{% set n = namespace(t='x') %}{% for i in range(100) %}{% set n.t = n.t ~ n.t %}{% endfor %}{{ n.t }}",
    "{{ range(1000000000000)|list|length }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
];

#[tokio::test]
async fn a_template_that_never_ends_fails_its_node_alone() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let node = flow.node("data-transformer", json!({})).await;
    for template in ENDLESS {
        let form = json!({ "overwrite": false, "output_template": format!("[\"{template}\"]") });
        let before = server.memory();
        let answer = flow.try_node(&node, form, json!({})).await.ok();
        assert_eq!(answer["success"], false, "{template}: {answer}");
        let error = answer["error"].as_str().unwrap();
        assert!(
            !error.is_empty() && error.len() < 4096,
            "{template}: {error}"
        );
        let grown = server.memory().saturating_sub(before);
        assert!(grown < 256 << 20, "{template}: {grown} bytes more");
    }
    client.check_health().await;
}

#[tokio::test]
async fn a_template_of_a_hundred_thousand_brackets_fails_its_node_alone() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let node = flow.node("data-transformer", json!({})).await;
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("not ", ""),
        ("-", ""),
        ("1+(", ")"),
    ] {
        let depth = 100_000;
        let expression = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        let form = json!({ "output_template": format!("{{{{ {expression} }}}}") });
        let answer = flow.try_node(&node, form, json!({})).await.ok();
        assert_eq!(answer["success"], false, "{open}: {answer}");
        let node = flow.node("if-condition", json!({})).await;
        let form = json!({ "condition_expression": expression });
        let answer = flow.try_node(&node, form, json!({})).await.ok();
        assert_eq!(answer["success"], false, "{open}: {answer}");
    }
    client.check_health().await;
}

#[tokio::test]
async fn a_condition_that_never_ends_fails_its_node_alone() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let node = flow.node("if-condition", json!({})).await;
    for condition in [
        "'x' * 1000000000000 == ''",
        "[0] * 1000000000000 == []",
        "('x' * 1000000 * 1000000) in data",
        "9 ** 9 ** 9 ** 9 > 1",
        "data.get('a').split('a').split('a')",
    ] {
        let form = json!({ "condition_expression": condition });
        let before = server.memory();
        let answer = flow.try_node(&node, form, json!({ "a": "x" })).await.ok();
        assert_eq!(answer["success"], false, "{condition}: {answer}");
        let grown = server.memory().saturating_sub(before);
        assert!(grown < 256 << 20, "{condition}: {grown} bytes more");
    }
    client.check_health().await;
}

#[tokio::test]
async fn a_loop_whose_steps_never_end_does_not_hold_up_another_and_is_stopped() {
    let server = TestServer::start();
    let client = server.client();
    let bad = Flow::new(&client).await;
    let form = json!({ "overwrite": false, "output_template": ENDLESS[0] });
    let ids = bad
        .chain(&[counter(1, i64::MAX), ("data-transformer", form)])
        .await;
    bad.start().await;
    let mut watch = bad.watch(&server).await;
    let good = Flow::new(&client).await;
    good.chain(&[counter(1, 3), delay(1, "seconds")]).await;
    good.start().await;
    watch
        .until(|m| m["type"] == "node_failed" && m["node_id"] == ids[1])
        .await;
    good.comes_to("SUCCESS").await;
    assert_eq!(bad.stop().await["status"], "REVOKED");
    client.check_health().await;
}

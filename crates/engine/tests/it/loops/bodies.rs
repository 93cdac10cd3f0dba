//! Loop nodes: the body runs for each item, then what follows runs once.

use nodetool_sdk::protocol::JobStatus;
use nodetool_sdk::steps::{Mode, Token};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::fixtures::{Flow, map, plain, value};

fn one() -> (&'static str, serde_json::Value) {
    ("c counter", json!({"to": 1}))
}

async fn completed(flow: &Flow) {
    let outcome = flow.produce().await;
    assert_eq!(outcome.status, JobStatus::Completed, "{outcome:?}");
}

#[tokio::test]
async fn the_body_runs_for_each_item_and_what_follows_gets_the_results() {
    let nodes = [
        one(),
        ("l each", json!({"items": [1, 2]})),
        ("s add", json!({})),
        ("s2 add", json!({})),
        ("z add", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> l, l -subdag-> s -> s2, l -> z");
    completed(&flow).await;
    assert_eq!(flow.record.completed(), "c l s s2 s s2 z c. l. s. s2. z.");
    let second = plain(flow.record.data("s")[1].clone());
    assert_eq!(second["forEachNode"]["input"], json!([1, 2]));
    assert_eq!(
        second["forEachNode"]["state"],
        json!({"index": 1, "item": 2})
    );
    assert_eq!(
        second["forEachNode"]["results"].as_array().map(Vec::len),
        Some(1)
    );
    let after = plain(flow.record.data("z")[0].clone());
    let results = after["loop_results"].as_array().expect("results");
    assert_eq!(results.len(), 2);
    assert_eq!(results[0]["added_2"], "s2");
    assert_eq!(
        after["forEachNode"]["state"],
        json!({"index": 1, "item": 2})
    );
    assert_eq!(after["forEachNode"]["results"], after["loop_results"]);
    assert_eq!(after["counter"], 1);
}

#[tokio::test]
async fn a_body_of_one_node_runs_and_its_outputs_are_the_results() {
    let nodes = [
        one(),
        ("l each", json!({"items": ["x", "y", "z"]})),
        ("s replace", json!({"data": {"n": 1}})),
        ("z add", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> l, l -subdag-> s, l -> z");
    completed(&flow).await;
    assert_eq!(flow.log.count("run s"), 3);
    let after = plain(flow.record.data("z")[0].clone());
    assert_eq!(after["loop_results"], json!([{"n": 1}, {"n": 1}, {"n": 1}]));
}

#[tokio::test]
async fn results_do_not_hold_the_results_before_them() {
    let items: Vec<i64> = (0..200).collect();
    let nodes = [
        one(),
        ("l each", json!({"items": items})),
        ("s add", json!({})),
        ("z add", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> l, l -subdag-> s, l -> z");
    completed(&flow).await;
    let after = plain(flow.record.data("z")[0].clone());
    let results = after["loop_results"].as_array().expect("results");
    assert_eq!(results.len(), 200);
    let told = &results[199]["forEachNode"];
    assert_eq!(*told, json!({"state": {"index": 199, "item": 199}}));
}

#[tokio::test]
async fn several_sinks_give_a_list_in_the_order_of_the_edges_and_none_gives_null() {
    let nodes = [
        one(),
        ("l each", json!({"items": [1]})),
        ("s add", json!({})),
        ("a replace", json!({"data": {"a": 1}, "turns": 4})),
        ("b replace", json!({"data": {"b": 1}})),
        ("m each", json!({"items": [1]})),
        ("w apart", json!({})),
        ("z add", json!({})),
    ];
    let edges = "c -> l, l -subdag-> s -> a, s -> b, l -> m, m -subdag-> w, m -> z";
    let flow = Flow::new(&nodes, edges);
    completed(&flow).await;
    let between = plain(flow.record.data("w")[0].clone());
    assert_eq!(between["loop_results"], json!([[{"a": 1}, {"b": 1}]]));
    let after = plain(flow.record.data("z")[0].clone());
    assert_eq!(after["loop_results"], json!([null]));
}

#[tokio::test]
async fn without_items_or_without_a_body_there_are_no_results() {
    for (items, edges) in [
        (json!([]), "c -> l, l -subdag-> s, l -> z"),
        (json!([1, 2]), "c -> l, l -> z, c -> s"),
    ] {
        let nodes = [
            one(),
            ("l each", json!({"items": items})),
            ("s add", json!({})),
            ("z add", json!({})),
        ];
        let flow = Flow::new(&nodes, edges);
        completed(&flow).await;
        let after = plain(flow.record.data("z")[0].clone());
        assert_eq!(after["loop_results"], json!([]));
        let told = json!({"input": items, "results": [], "state": {"index": 0, "item": null}});
        assert_eq!(after["forEachNode"], told);
    }
}

#[tokio::test]
async fn a_body_may_be_a_condition_a_loop_node_and_lead_back() {
    let nodes = [
        one(),
        ("l each", json!({"items": [1, 2]})),
        ("m each", json!({"items": ["x", "y", "z"]})),
        ("i if", json!({"above": 0})),
        ("y add", json!({})),
        ("n add", json!({})),
        ("z add", json!({})),
    ];
    let edges =
        "c -> l, l -subdag-> m, m -subdag-> i, i -yes-> y -> m, i -no-> n -> m, m -> l, l -> z";
    let flow = Flow::new(&nodes, edges);
    completed(&flow).await;
    assert_eq!(flow.log.count("run m"), 2);
    assert_eq!(flow.log.count("run y"), 6);
    assert_eq!(flow.log.count("run n"), 0);
    let after = plain(flow.record.data("z")[0].clone());
    assert_eq!(after["loop_results"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        after["loop_results"][0]["loop_results"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    assert_eq!(flow.log.count("cleanup-sentinel"), 7);
}

#[tokio::test]
async fn a_failure_in_a_body_ends_the_loop_node_and_the_next_iteration_comes() {
    let nodes = [
        ("c counter", json!({})),
        ("l each", json!({"items": [1, 2]})),
        ("s fail-first", json!({})),
        ("z add", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> l, l -subdag-> s, l -> z");
    completed(&flow).await;
    assert_eq!(flow.record.completed(), "c l c l s s z c. l. s. z.");
    assert_eq!(flow.record.errors("s").len(), 1);
}

#[tokio::test]
async fn while_it_is_built_a_loop_node_gives_its_results_and_nothing_follows() {
    let nodes = [
        ("l each", json!({})),
        ("s add", json!({})),
        ("z add", json!({})),
    ];
    let flow = Flow::new(&nodes, "l -subdag-> s, l -> z");
    let token = flow.each(json!([3, 4])).await.expect("results");
    let data = plain(token.data);
    assert_eq!(
        data["forEachNode"]["results"].as_array().map(Vec::len),
        Some(2)
    );
    assert_eq!(data["forEachNode"]["state"], json!({"index": 1, "item": 4}));
    assert_eq!(data.get("loop_results"), None);
    assert_eq!(data["given"], true);
    assert_eq!(flow.log.lines(), ["setup s", "run s", "run s", "cleanup s"]);
}

#[tokio::test]
async fn while_it_is_built_any_error_of_a_body_is_the_answer() {
    let flow = Flow::new(
        &[("l each", json!({})), ("s fail", json!({}))],
        "l -subdag-> s",
    );
    assert_eq!(
        flow.each(json!([3])).await.expect_err("an error"),
        "it went wrong"
    );
    assert_eq!(flow.log.count("cleanup s"), 1);
    let flow = Flow::new(&[("s add", json!({}))], "");
    let error = flow.each(json!([3])).await.expect_err("an error");
    assert_eq!(error, "Node s is not a LoopNode (for-each)");
}

#[tokio::test]
async fn single_items_of_a_loop_node_follow_on_each_other() {
    let nodes = [
        ("l each", json!({})),
        ("s add", json!({})),
        ("b add", json!({})),
    ];
    let flow = Flow::new(&nodes, "l -subdag-> s, s -> b");
    let mut results = Vec::new();
    let items = [value(json!("x")), value(json!("y"))];
    for index in 0..2 {
        let run = flow.run(Mode::Development);
        let token = Token::new("dev", map(json!({"given": index})));
        let cancel = CancellationToken::new();
        let done = run.each_one("l", items.to_vec(), index, results, token, cancel);
        let (sunk, token) = done.await.expect("an item");
        assert_eq!(sunk.len(), 1);
        assert_eq!(plain(sunk[0].clone())["added_2"], "b");
        let each = plain(token.data["forEachNode"].clone());
        assert_eq!(each["state"], json!({"index": index, "item": items[index]}));
        assert_eq!(each["results"].as_array().map(Vec::len), Some(index + 1));
        results = token.data["forEachNode"]
            .get("results")
            .and_then(|r| r.as_list())
            .expect("results")
            .to_vec();
    }
    let run = flow.run(Mode::Development);
    let done = run.each_one(
        "l",
        items.to_vec(),
        2,
        results,
        Token::default(),
        CancellationToken::new(),
    );
    assert_eq!(
        done.await.expect_err("a refusal"),
        "iteration_index 2 out of range [0, 2)"
    );
}

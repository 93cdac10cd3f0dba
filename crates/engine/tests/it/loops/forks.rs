//! Branches side by side, and where they come together.

use std::sync::Arc;

use nodetool_engine::LoopOutcome;
use nodetool_sdk::protocol::JobStatus;
use serde_json::json;
use tokio::time::{Duration, Instant};

use super::fixtures::{Flow, Told, plain};

fn one() -> (&'static str, serde_json::Value) {
    ("c counter", json!({"to": 1}))
}

async fn completed(flow: &Flow) -> LoopOutcome {
    let outcome = flow.produce().await;
    assert_eq!(outcome.status, JobStatus::Completed, "{outcome:?}");
    outcome
}

#[tokio::test]
async fn a_join_runs_once_with_what_each_branch_added_and_inherited_keys_once() {
    let nodes = [
        one(),
        ("a add", json!({"turns": 3})),
        ("b add", json!({})),
        ("j replace", json!({"data": {"joined": true}})),
        ("z add", json!({})),
    ];
    let mut flow = Flow::new(&nodes, "c -> a -> j, c -> b -> j, j -> z");
    flow.graph.nodes[3].node_type = "orchestrator.add".into();
    completed(&flow).await;
    // `b` is done first, and yet the branches count in the order of the edges.
    assert_eq!(flow.record.completed(), "c b a j z c. a. b. j. z.");
    let data = plain(flow.record.data("j")[0].clone());
    let expected = json!({"counter": 1, "added": "a", "added_2": "b", "added_3": "j"});
    assert_eq!(data, expected);
    assert_eq!(flow.log.count("cleanup-sentinel"), 5);
}

#[tokio::test]
async fn conditions_forks_and_ends_inside_branches_are_followed() {
    let nodes = [
        one(),
        ("i if", json!({"above": 5})),
        ("y add", json!({})),
        ("n add", json!({})),
        ("d add", json!({})),
        ("e add", json!({})),
        ("k add", json!({})),
        ("j add", json!({})),
        ("w apart", json!({})),
    ];
    let edges = "c -> i, c -> d, c -> w, i -yes-> y -> j, i -no-> n -> j, d -> e -> k, d -> k, k -> j, w -> j";
    let flow = Flow::new(&nodes, edges);
    completed(&flow).await;
    for (node, runs) in [
        ("i", 1),
        ("y", 0),
        ("n", 1),
        ("d", 1),
        ("e", 1),
        ("k", 1),
        ("j", 1),
        ("w", 1),
    ] {
        assert_eq!(flow.log.count(&format!("run {node}")), runs, "{node}");
    }
    let data = plain(flow.record.data("j")[0].clone());
    // `k` joins `e` with the token of `d` itself; what `d` added is inherited there.
    let expected = json!({
        "counter": 1, "if": "no", "added": "n", "added_2": "d", "added_3": "e", "added_4": "k",
        "added_5": "j",
    });
    assert_eq!(
        data.as_object().map(|d| d.len()),
        expected.as_object().map(|d| d.len()),
        "{data}"
    );
    assert_eq!(data["if"], "no");
}

#[tokio::test]
async fn a_loop_node_inside_a_branch_runs_its_body_there() {
    let nodes = [
        one(),
        ("l each", json!({"items": [7, 8]})),
        ("s add", json!({})),
        ("b add", json!({})),
        ("j add", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> l, c -> b, l -subdag-> s, l -> j, b -> j");
    completed(&flow).await;
    assert_eq!(flow.log.count("run s"), 2);
    assert_eq!(flow.log.count("run j"), 1);
    let data = plain(flow.record.data("j")[0].clone());
    assert_eq!(data["loop_results"].as_array().map(Vec::len), Some(2));
    assert_eq!(data["added"], "b");
    assert_eq!(flow.log.count("cleanup-sentinel"), 5);
}

#[tokio::test]
async fn joins_behind_joins_wait_for_all_that_lead_to_them() {
    let nodes = [
        one(),
        ("a add", json!({})),
        ("b add", json!({"turns": 5})),
        ("d add", json!({})),
        ("j add", json!({})),
        ("k add", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> a -> j, c -> b -> j, c -> d -> k, j -> k");
    completed(&flow).await;
    assert_eq!(flow.record.completed(), "c a d b j k c. a. b. j. d. k.");
}

#[tokio::test]
async fn a_target_of_the_fork_that_another_branch_leads_to_is_a_join() {
    let nodes = [one(), ("a add", json!({})), ("b add", json!({}))];
    let flow = Flow::new(&nodes, "c -> a -> b, c -> b");
    completed(&flow).await;
    assert_eq!(flow.record.completed(), "c a b c. a. b.");
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_a_branch_ends_the_iteration_at_once_and_is_followed_by_a_rest() {
    let nodes = [
        ("c counter", json!({})),
        ("a fail-first", json!({"turns": 2})),
        ("h fail-first", json!({"until": 0})),
        ("j add", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> a -> j, c -> h -> j");
    let began = Instant::now();
    completed(&flow).await;
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(flow.record.errors("a"), ["not yet"]);
    assert_eq!(flow.log.count("run j"), 1);
}

#[tokio::test(start_paused = true)]
async fn steps_that_are_cut_off_by_a_failure_beside_them_are_told_of_as_failed() {
    let nodes = [
        ("c counter", json!({})),
        ("a fail", json!({"turns": 2})),
        ("h hang", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> a, c -> h");
    completed(&flow).await;
    let error = "Stopped, because a node in another branch failed";
    assert_eq!(flow.record.errors("h"), [error, error]);
    assert_eq!(flow.record.errors("a").len(), 2);
    let started = flow
        .record
        .told()
        .iter()
        .filter(|(_, t)| *t == Told::Started)
        .count();
    let rest = flow.record.told().len() - started;
    assert_eq!(started, rest, "whatever starts ends");
    assert_eq!(flow.log.count("cleanup-sentinel h"), 1);
}

#[tokio::test]
async fn ten_thousand_forks_one_after_the_other_do_not_pile_up() {
    let rounds = 2_000;
    let mut nodes = vec![("j0 counter".to_owned(), json!({"to": 1}))];
    let mut edges = Vec::new();
    for n in 1..=rounds {
        let before = n - 1;
        for branch in ["a", "b"] {
            nodes.push((format!("{branch}{n} replace"), json!({})));
            edges.push(format!("j{before} -> {branch}{n} -> j{n}"));
        }
        nodes.push((format!("j{n} replace"), json!({})));
    }
    let nodes: Vec<_> = nodes.iter().map(|(n, f)| (n.as_str(), f.clone())).collect();
    let flow = Flow::new(&nodes, &edges.join(","));
    completed(&flow).await;
    assert_eq!(flow.log.count("run "), 2 + 3 * rounds);
}

#[tokio::test(start_paused = true)]
async fn forks_nested_too_deep_are_refused_with_a_sentence() {
    let mut nodes = vec![("n0 counter".to_owned(), json!({"to": 1}))];
    let mut edges = Vec::new();
    for n in 1..1_100 {
        let before = n - 1;
        nodes.push((format!("n{n} replace"), json!({})));
        nodes.push((format!("x{n} replace"), json!({})));
        edges.push(format!("n{before} -> n{n}, n{before} -> x{n}"));
    }
    let nodes: Vec<_> = nodes.iter().map(|(n, f)| (n.as_str(), f.clone())).collect();
    let flow = Flow::new(&nodes, &edges.join(","));
    completed(&flow).await;
    let errors = flow.record.errors("n1000");
    assert_eq!(
        errors,
        ["Forks and loop nodes are nested more than 1000 deep"]
    );
}

#[tokio::test]
async fn branches_do_not_share_what_they_work_on() {
    let nodes = [one(), ("a add", json!({})), ("b add", json!({}))];
    let flow = Flow::new(&nodes, "c -> a, c -> b");
    completed(&flow).await;
    let data = |node| plain(flow.record.data(node)[0].clone());
    assert_eq!(data("a"), json!({"counter": 1, "added": "a"}));
    assert_eq!(data("b"), json!({"counter": 1, "added": "b"}));
    assert_eq!(
        Arc::strong_count(&flow.log),
        1,
        "nothing of the run is left"
    );
}

//! Which steps run, in which order, and what is told of it.

use nodetool_sdk::protocol::JobStatus;
use serde_json::json;
use tokio::time::{Duration, Instant};

use super::fixtures::{Flow, Told, plain};

#[tokio::test]
async fn a_counter_and_a_step_tell_each_pass_and_that_of_the_sentinel_in_order() {
    let flow = Flow::new(&[("c counter", json!({})), ("t add", json!({}))], "c -> t");
    let outcome = flow.produce().await;
    assert_eq!(outcome.status, JobStatus::Completed);
    assert_eq!(outcome.error, None);
    assert_eq!(flow.record.completed(), "c t c t c. t.");
    let told = flow.record.told();
    assert_eq!(told.len(), 12, "each completion has its start: {told:#?}");
    assert!(
        told.chunks(2)
            .all(|two| two[0].0 == two[1].0 && two[0].1 == Told::Started)
    );
    let lines = flow.log.lines();
    assert_eq!(lines[..2], ["setup c", "setup t"]);
    assert_eq!(
        lines[lines.len() - 2..],
        ["cleanup-sentinel c", "cleanup-sentinel t"]
    );
    assert_eq!(
        plain(flow.record.data("t")[1].clone()),
        json!({"counter": 2, "added": "t"})
    );
}

#[tokio::test]
async fn a_graph_without_a_producer_ends_well_and_runs_nothing() {
    let flow = Flow::new(&[("a add", json!({})), ("b add", json!({}))], "a -> b");
    let outcome = flow.produce().await;
    assert_eq!(outcome.status, JobStatus::Completed);
    assert!(flow.record.told().is_empty());
    assert!(flow.log.lines().is_empty());
}

#[tokio::test]
async fn a_condition_takes_one_way_and_the_sentinel_takes_both() {
    let nodes = [
        ("c counter", json!({})),
        ("i if", json!({"above": 1})),
        ("y add", json!({})),
        ("n add", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> i, i -Yes-> y, i -no-> n");
    flow.produce().await;
    assert_eq!(flow.record.completed(), "c i n c i y c. i. y. n.");
    let routes = flow.record.told().into_iter();
    let routes: Vec<String> = routes
        .filter_map(|(id, told)| match told {
            Told::Completed(route, _) if id == "i" => Some(route),
            _ => None,
        })
        .collect();
    assert_eq!(routes, ["no", "yes", "default"]);
}

#[tokio::test]
async fn two_ways_that_meet_again_run_the_node_behind_them_once_with_what_it_was_given() {
    let nodes = [
        ("c counter", json!({})),
        ("i if", json!({"above": 1})),
        ("y add", json!({})),
        ("n add", json!({})),
        ("m add", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> i, i -yes-> y -> m, i -no-> n -> m");
    flow.produce().await;
    assert_eq!(flow.record.completed(), "c i n m c i y m c. i. y. n. m.");
    let data = plain(flow.record.data("m")[0].clone());
    assert_eq!(
        data,
        json!({"counter": 1, "if": "no", "added": "n", "added_2": "m"})
    );
}

#[tokio::test]
async fn a_step_that_fails_ends_its_path_and_the_loop_goes_on() {
    let nodes = [
        ("c counter", json!({})),
        ("t fail", json!({})),
        ("z add", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> t -> z");
    let outcome = flow.produce().await;
    assert_eq!(outcome.status, JobStatus::Completed);
    assert_eq!(flow.record.errors("t"), ["it went wrong", "it went wrong"]);
    assert_eq!(flow.record.completed(), "c c c. t. z.");
    let given = flow
        .record
        .told()
        .into_iter()
        .find_map(|(_, told)| match told {
            Told::Failed(_, token) => Some(token.data),
            _ => None,
        });
    assert_eq!(plain(given.expect("a failure")), json!({"counter": 1}));
}

#[tokio::test(start_paused = true)]
async fn a_producer_that_fails_is_told_of_and_rests_longer_each_time() {
    let nodes = [("c counter", json!({"fails": 7})), ("t add", json!({}))];
    let flow = Flow::new(&nodes, "c -> t");
    let began = Instant::now();
    let outcome = flow.produce().await;
    assert_eq!(outcome.status, JobStatus::Completed);
    assert_eq!(flow.record.errors("c").len(), 7);
    let rests = 1 + 2 + 4 + 8 + 16 + 30 + 30;
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(rests), "{took:?}");
    assert!(took < Duration::from_secs(rests + 1), "{took:?}");
    assert_eq!(flow.record.completed(), "c t c t c. t.");
}

#[tokio::test]
async fn what_does_not_block_ends_its_path() {
    let nodes = [
        ("c counter", json!({"to": 1})),
        ("a apart", json!({})),
        ("z add", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> a -> z");
    flow.produce().await;
    assert_eq!(flow.record.completed(), "c a c. a.");
    assert_eq!(flow.log.count("setup z"), 0);
}

#[tokio::test]
async fn a_panic_is_a_failure_of_its_node() {
    let flow = Flow::new(
        &[("c counter", json!({})), ("p panic", json!({}))],
        "c -> p",
    );
    let outcome = flow.produce().await;
    assert_eq!(outcome.status, JobStatus::Completed);
    let error = "Execution failed: The node panicked: out of order";
    assert_eq!(flow.record.errors("p"), [error, error]);
}

#[tokio::test]
async fn only_the_first_step_can_end_a_loop() {
    let nodes = [("c counter", json!({})), ("e end", json!({}))];
    let flow = Flow::new(&nodes, "c -> e");
    assert_eq!(flow.produce().await.status, JobStatus::Completed);
    let error = "Only the first node of a loop can end it";
    assert_eq!(flow.record.errors("e"), [error, error]);
    assert_eq!(flow.record.completed(), "c c c. e.");
}

#[tokio::test]
async fn a_unit_of_work_keeps_its_id_and_its_notes() {
    let nodes = [
        ("c counter", json!({"to": 2})),
        ("a add", json!({})),
        ("r replace", json!({"data": {"n": 1}})),
        ("f fail", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> a -> r -> f");
    flow.produce().await;
    let given: Vec<_> = flow
        .record
        .told()
        .into_iter()
        .filter_map(|(_, told)| match told {
            Told::Failed(_, token) => Some(token),
            _ => None,
        })
        .collect();
    assert_eq!(given.len(), 2);
    assert!(
        given
            .iter()
            .all(|t| t.id.len() == 36 && t.metadata.contains_key("a"))
    );
    assert_ne!(given[0].id, given[1].id);
    assert_eq!(plain(given[0].data.clone()), json!({"n": 1}));
}

#[tokio::test]
async fn every_loop_has_steps_of_its_own() {
    let nodes = [
        ("a counter", json!({})),
        ("b counter", json!({"to": 3})),
        ("t add", json!({})),
    ];
    let flow = Flow::new(&nodes, "a -> t, b -> t");
    assert_eq!(flow.produce().await.status, JobStatus::Completed);
    assert_eq!(flow.log.count("setup t"), 2);
    assert_eq!(flow.log.count("cleanup-sentinel t"), 2);
    assert_eq!(flow.log.count("cleanup t"), 0);
    assert_eq!(flow.log.count("run t"), 5);
}

#[tokio::test]
async fn a_chain_of_ten_thousand_steps_is_only_long() {
    let mut nodes = vec![("n0 counter".to_owned(), json!({"to": 1}))];
    nodes.extend((1..10_000).map(|n| (format!("n{n} replace"), json!({}))));
    let nodes: Vec<_> = nodes.iter().map(|(n, f)| (n.as_str(), f.clone())).collect();
    let chain: Vec<String> = (0..10_000).map(|n| format!("n{n}")).collect();
    let flow = Flow::new(&nodes, &chain.join(" -> "));
    assert_eq!(flow.produce().await.status, JobStatus::Completed);
    assert_eq!(flow.log.count("run "), 1 + 10_000);
    assert_eq!(flow.log.count("cleanup-sentinel "), 10_000);
}

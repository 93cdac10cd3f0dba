//! How runs end: stopped in the middle, refused at the start, or held up by a step that cleans up badly.

use nodetool_sdk::protocol::JobStatus;
use serde_json::json;
use tokio::time::{Duration, Instant};

use super::fixtures::{Flow, ended};

#[tokio::test]
async fn a_run_is_stopped_during_a_step_that_never_returns_and_tells_nothing_more() {
    let nodes = [
        ("c counter", json!({})),
        ("a add", json!({})),
        ("h hang", json!({})),
        ("z add", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> a -> h -> z");
    let (run, cancel) = flow.start();
    flow.record.until_started("h", 1).await;
    let told = flow.record.told().len();
    cancel.cancel();
    assert_eq!(ended(run).await.status, JobStatus::Cancelled);
    assert_eq!(flow.record.told().len(), told);
    assert_eq!(flow.log.count("setup"), 4);
    assert_eq!(flow.log.count("cleanup "), 4);
    assert_eq!(flow.log.count("cleanup-sentinel"), 0);
}

#[tokio::test]
async fn steps_side_by_side_are_stopped_without_being_told_of_as_failed() {
    let nodes = [
        ("c counter", json!({})),
        ("g hang", json!({})),
        ("h hang", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> g, c -> h");
    let (run, cancel) = flow.start();
    flow.record.until_started("h", 1).await;
    cancel.cancel();
    assert_eq!(ended(run).await.status, JobStatus::Cancelled);
    assert!(flow.record.errors("g").is_empty() && flow.record.errors("h").is_empty());
    assert_eq!(flow.log.count("cleanup "), 3);
}

#[tokio::test]
async fn a_loop_whose_steps_never_wait_hears_a_stop() {
    let nodes = [
        ("c counter", json!({"to": i64::MAX})),
        ("r replace", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> r");
    let (run, cancel) = flow.start();
    flow.record.until_started("r", 10).await;
    cancel.cancel();
    assert_eq!(ended(run).await.status, JobStatus::Cancelled);
}

#[tokio::test]
async fn a_body_over_many_items_hears_a_stop() {
    let items = vec![0; 1_000_000];
    let nodes = [
        ("c counter", json!({"to": 1})),
        ("l each", json!({"items": items})),
        ("s replace", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> l, l -subdag-> s");
    let (run, cancel) = flow.start();
    flow.record.until_started("s", 10).await;
    cancel.cancel();
    assert_eq!(ended(run).await.status, JobStatus::Cancelled);
    assert!(flow.log.count("run s") < 1_000_000);
}

#[tokio::test(start_paused = true)]
async fn cleaning_up_has_five_seconds_for_all_and_one_that_hangs_keeps_nobody_from_it() {
    let nodes = [
        ("c idle", json!({"cleanup_hangs": true})),
        ("a add", json!({"cleanup_hangs": true})),
        ("b add", json!({"cleanup_panics": true})),
        ("d idle", json!({"cleanup_hangs": true})),
        ("e add", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> a -> b, d -> e");
    let (run, cancel) = flow.start();
    flow.record.until_started("c", 1).await;
    flow.record.until_started("d", 1).await;
    let began = Instant::now();
    cancel.cancel();
    assert_eq!(ended(run).await.status, JobStatus::Cancelled);
    let took = began.elapsed();
    assert!(
        took >= Duration::from_secs(5) && took < Duration::from_millis(5100),
        "{took:?}"
    );
    assert_eq!(flow.log.count("cleanup "), 5);
}

#[tokio::test]
async fn a_step_that_cannot_be_set_up_fails_the_run_before_anything_has_run() {
    let nodes = [
        ("c counter", json!({})),
        ("a add", json!({})),
        ("d counter", json!({})),
        ("b add", json!({"unset": true})),
    ];
    let flow = Flow::new(&nodes, "c -> a, d -> b");
    let outcome = flow.produce().await;
    assert_eq!(outcome.status, JobStatus::Failed);
    let error = "Node 'b': test needs a browser, which is not available";
    assert_eq!(outcome.error.as_deref(), Some(error));
    assert!(flow.record.told().is_empty());
    assert_eq!(flow.log.count("setup"), flow.log.count("cleanup "));
    assert_eq!(flow.log.count("run"), 0);
}

#[tokio::test]
async fn a_step_whose_set_up_hangs_can_be_stopped() {
    let nodes = [
        ("c counter", json!({})),
        ("a add", json!({"setup_hangs": true})),
    ];
    let flow = Flow::new(&nodes, "c -> a");
    let (run, cancel) = flow.start();
    while flow.log.count("setup c") == 0 {
        tokio::task::yield_now().await;
    }
    cancel.cancel();
    assert_eq!(ended(run).await.status, JobStatus::Cancelled);
    assert_eq!(flow.log.lines(), ["setup c", "cleanup c"]);
}

#[tokio::test]
async fn a_run_that_is_stopped_before_it_begins_does_nothing() {
    let flow = Flow::new(&[("c counter", json!({}))], "");
    let (run, cancel) = flow.start();
    cancel.cancel();
    assert_eq!(ended(run).await.status, JobStatus::Cancelled);
    assert!(flow.log.lines().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_loops_that_wait_are_not_woken() {
    let names: Vec<String> = (0..1000).map(|n| format!("p{n} idle")).collect();
    let nodes: Vec<_> = names.iter().map(|n| (n.as_str(), json!({}))).collect();
    let flow = Flow::new(&nodes, "");
    let (run, cancel) = flow.start();
    flow.record.until(|told| told.len() == 1000).await;
    let polls = flow.log.count("poll ");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(flow.log.count("poll "), polls);
    assert!(polls < 3000, "{polls}");
    assert_eq!(flow.record.told().len(), 1000);
    cancel.cancel();
    assert_eq!(ended(run).await.status, JobStatus::Cancelled);
    assert_eq!(flow.log.count("cleanup "), 1000);
}

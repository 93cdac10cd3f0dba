//! Queues between loops.

use std::sync::{Arc, Mutex};

use nodetool_sdk::protocol::JobStatus;
use nodetool_sdk::steps::{Mode, QueueJournal, Token};
use nodetool_sdk::{BoxFuture, NodeError};
use serde_json::json;

use super::fixtures::{Flow, Told, ended, map, plain};

fn counters(flow: &Flow, node: &str) -> Vec<i64> {
    let data = flow.record.data(node).into_iter();
    data.filter_map(|d| d.get("counter")?.as_i64()).collect()
}

#[tokio::test]
async fn tokens_cross_from_loop_to_loop_in_order_and_so_does_the_end() {
    let nodes = [
        ("c counter", json!({})),
        ("w writer", json!({})),
        ("r reader", json!({})),
        ("t add", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> w -> r -> t");
    let run = flow.run(Mode::Production);
    assert_eq!(
        run.plan.queue_names().map(|n| &**n).collect::<Vec<_>>(),
        ["queue_r"]
    );
    assert_eq!(
        plain(run.plan.config_of("w").expect("w").config.clone()),
        json!({"queue_name": "queue_r"})
    );
    let (run, _) = flow.start_as(run);
    assert_eq!(ended(run).await.status, JobStatus::Completed);
    assert_eq!(counters(&flow, "t"), [1, 2]);
    assert_eq!(flow.log.count("cleanup-sentinel"), 4);
}

#[tokio::test]
async fn one_writer_fills_the_queue_of_every_reader() {
    let nodes = [
        ("c counter", json!({"to": 3})),
        ("w writer", json!({})),
        ("r reader", json!({})),
        ("s reader", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> w -> r, w -> s");
    assert_eq!(flow.produce().await.status, JobStatus::Completed);
    assert_eq!(counters(&flow, "r"), [1, 2, 3]);
    assert_eq!(counters(&flow, "s"), [1, 2, 3]);
}

#[tokio::test]
async fn a_reader_ends_after_the_last_of_its_writers() {
    let nodes = [
        ("a counter", json!({"to": 1})),
        ("b counter", json!({"from": 10, "to": 40, "turns": 3})),
        ("v writer", json!({})),
        ("w writer", json!({})),
        ("r reader", json!({})),
    ];
    let flow = Flow::new(&nodes, "a -> v -> r, b -> w -> r");
    assert_eq!(flow.produce().await.status, JobStatus::Completed);
    let mut seen = counters(&flow, "r");
    seen.sort_unstable();
    let expected: Vec<i64> = std::iter::once(1).chain(10..=40).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_writer_that_two_loops_lead_to_ends_twice() {
    let nodes = [
        ("a counter", json!({"to": 1})),
        ("b counter", json!({"from": 10, "to": 20, "turns": 3})),
        ("w writer", json!({})),
        ("r reader", json!({})),
    ];
    let flow = Flow::new(&nodes, "a -> w -> r, b -> w");
    assert_eq!(flow.produce().await.status, JobStatus::Completed);
    assert_eq!(counters(&flow, "r").len(), 12);
}

#[tokio::test]
async fn a_reader_that_is_connected_to_nothing_is_refused_unless_it_names_its_queue() {
    let nodes = [("r reader", json!({})), ("t add", json!({}))];
    let flow = Flow::new(&nodes, "r -> t");
    let text = "Workflow validation failed:\nNode 'r': queue_name: This field is required.";
    assert_eq!(flow.fault(Mode::Production), text);

    let nodes = [
        ("c counter", json!({})),
        ("w writer", json!({"queue_name": "mine"})),
        ("r reader", json!({"queue_name": "mine"})),
    ];
    let flow = Flow::new(&nodes, "c -> w");
    assert_eq!(flow.produce().await.status, JobStatus::Completed);
    assert_eq!(counters(&flow, "r"), [1, 2]);
}

#[tokio::test]
async fn a_queue_has_one_reader_and_at_least_one() {
    let nodes = [
        ("r reader", json!({"queue_name": "x"})),
        ("s reader", json!({"queue_name": "x"})),
        ("w writer", json!({"queue_name": "y"})),
    ];
    let fault = Flow::new(&nodes, "").fault(Mode::Production);
    assert!(
        fault.contains("Node 's': queue_name: Node 'r' already reads the queue 'x'."),
        "{fault}"
    );
    assert!(
        fault.contains("Node 'w': queue_name: No node of this workflow reads the queue 'y'."),
        "{fault}"
    );
}

#[tokio::test]
async fn a_loop_that_writes_to_itself_ends_when_nobody_else_writes() {
    let nodes = [
        ("c counter", json!({})),
        ("w writer", json!({})),
        ("r reader", json!({})),
        ("i if", json!({"above": 1})),
        ("v writer", json!({})),
        ("n replace", json!({"data": {"counter": 9}})),
    ];
    // What is not above 1 comes back as 9.
    let flow = Flow::new(&nodes, "c -> w -> r -> i, i -no-> n -> v -> r");
    assert_eq!(flow.produce().await.status, JobStatus::Completed);
    let mut seen = counters(&flow, "r");
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 9]);
}

#[derive(Default)]
struct Journal {
    lines: Mutex<Vec<String>>,
}

impl Journal {
    fn add(&self, line: String) {
        self.lines.lock().expect("a lock").push(line);
    }
}

impl QueueJournal for Journal {
    fn pushed<'a>(
        &'a self,
        queue: &'a str,
        number: u64,
        token: &'a Token,
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            assert!(!token.id.is_empty());
            self.add(format!("+{queue} {number}"));
            Ok(())
        })
    }
    fn done(&self, queue: &str, number: u64) {
        self.add(format!("-{queue} {number}"));
    }
}

#[tokio::test]
async fn what_an_earlier_process_left_comes_first_and_is_done_with_after_its_iteration() {
    let nodes = [
        ("c counter", json!({"from": 5, "to": 5})),
        ("w writer", json!({})),
        ("r reader", json!({})),
        ("f fail", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> w -> r -> f");
    let journal = Arc::new(Journal::default());
    let mut run = flow.run(Mode::Production);
    run.journal = Some(journal.clone());
    let left = Token::new("old", map(json!({"counter": 3})));
    run.left.insert("queue_r".into(), vec![(7, left)]);
    let (run, _) = flow.start_as(run);
    assert_eq!(ended(run).await.status, JobStatus::Completed);
    assert_eq!(counters(&flow, "r"), [3, 5]);
    assert_eq!(flow.record.errors("f").len(), 2);
    let mut lines = journal.lines.lock().expect("a lock").clone();
    lines.sort();
    assert_eq!(lines, ["+queue_r 8", "-queue_r 7", "-queue_r 8"]);
}

#[tokio::test]
async fn a_token_at_work_when_the_run_is_stopped_is_not_done_with() {
    let nodes = [
        ("c counter", json!({"to": 1})),
        ("w writer", json!({})),
        ("r reader", json!({})),
        ("h hang", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> w -> r -> h");
    let journal = Arc::new(Journal::default());
    let mut run = flow.run(Mode::Production);
    run.journal = Some(journal.clone());
    let (run, cancel) = flow.start_as(run);
    flow.record.until_started("h", 1).await;
    cancel.cancel();
    assert_eq!(ended(run).await.status, JobStatus::Cancelled);
    assert_eq!(*journal.lines.lock().expect("a lock"), ["+queue_r 0"]);
}

#[tokio::test]
async fn a_full_queue_holds_its_writer_back() {
    let nodes = [
        ("c counter", json!({"to": 1100})),
        ("w writer", json!({})),
        ("r reader", json!({})),
        ("h hang", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> w -> r -> h");
    let (run, cancel) = flow.start();
    // One is at work, a thousand wait, and the writer holds the next one.
    flow.record.until_started("w", 1002).await;
    flow.record.until_started("h", 1).await;
    cancel.cancel();
    assert_eq!(ended(run).await.status, JobStatus::Cancelled);
    let told = flow.record.told();
    let written = told
        .iter()
        .filter(|(id, t)| id == "w" && matches!(t, Told::Completed(..)));
    assert_eq!(written.count(), 1001);
}

//! The checker itself: a transcript that breaks a promise is refused.

use nodetool_sdk::Node;

use super::*;
use crate::fixtures::*;

fn mul() -> Flow {
    Flow::new()
        .input("in1", 5)
        .input("in2", 3)
        .node("mul", Mul::TYPE, [])
        .output("result")
        .edges(
            "in1 -> mul.a
             in2 -> mul.b
             mul -> result.value",
        )
}

fn stream() -> Flow {
    Flow::new()
        .node("gen", Gen::TYPE, [("k", 3.into())])
        .output("out")
        .edges("gen -> out.value")
}

/// Runs a graph, changes its transcript and tells what the checker says of it.
async fn after(flow: &Flow, change: impl FnOnce(&mut Vec<JobEvent>)) -> String {
    let ran = run(flow, []).await.completed();
    let mut events = ran.events.clone();
    change(&mut events);
    faults(&flow.graph, &registry(), false, &ran.outcome, &events).join("\n")
}

fn at(events: &[JobEvent], wanted: impl Fn(&JobEvent) -> bool) -> usize {
    events.iter().position(wanted).expect("such a message")
}

fn is(event: &JobEvent, node: &str, status: NodeStatus) -> bool {
    matches!(event, JobEvent::NodeUpdate(u) if *u.node_id == *node && u.status == status)
}

fn sent(event: &JobEvent, edge: &str) -> bool {
    matches!(event, JobEvent::EdgeUpdate { edge_id, counter: Some(_), .. } if **edge_id == *edge)
}

/// Moves the first message that fits in front of another.
fn move_before(
    events: &mut Vec<JobEvent>,
    what: impl Fn(&JobEvent) -> bool,
    before: impl Fn(&JobEvent) -> bool,
) {
    let event = events.remove(at(events, what));
    let to = at(events, before);
    events.insert(to, event);
}

#[tokio::test]
async fn case_86_an_unchanged_transcript_is_accepted() {
    assert_eq!(after(&mul(), |_| {}).await, "");
    assert_eq!(after(&stream(), |_| {}).await, "");
}

#[tokio::test]
async fn a_run_that_does_not_begin_with_running_is_refused() {
    let said = after(&mul(), |e| e.swap(0, 1)).await;
    assert!(said.contains("G1"), "{said}");
}

#[tokio::test]
async fn an_execution_without_an_end_is_refused() {
    let drop_end = |e: &mut Vec<JobEvent>| {
        e.remove(at(e, |e| is(e, "mul", NodeStatus::Completed)));
    };
    let said = after(&mul(), drop_end).await;
    assert!(
        said.contains("G2: the last execution of mul has no end"),
        "{said}"
    );
    let twice = |e: &mut Vec<JobEvent>| {
        let i = at(e, |e| is(e, "mul", NodeStatus::Completed));
        e.insert(i, e[i].clone());
    };
    let said = after(&mul(), twice).await;
    assert!(said.contains("completed without running"), "{said}");
}

#[tokio::test]
async fn a_buffered_item_before_completed_and_a_streamed_one_after_it_are_refused() {
    let early = |e: &mut Vec<JobEvent>| {
        move_before(
            e,
            |e| sent(e, "e3"),
            |e| is(e, "mul", NodeStatus::Completed),
        );
    };
    let said = after(&mul(), early).await;
    assert!(said.contains("G3: item 1 of mul before"), "{said}");
    let late = |e: &mut Vec<JobEvent>| {
        move_before(
            e,
            |e| is(e, "gen", NodeStatus::Completed),
            |e| sent(e, "e1"),
        );
    };
    let said = after(&stream(), late).await;
    assert!(said.contains("G3: item 1 of gen after"), "{said}");
}

#[tokio::test]
async fn a_value_shown_before_its_item_was_told_is_refused() {
    let early = |e: &mut Vec<JobEvent>| {
        let second = |e: &JobEvent| {
            matches!(
                e,
                JobEvent::EdgeUpdate {
                    counter: Some(2),
                    ..
                }
            )
        };
        for value in [1, 2] {
            let update = |e: &JobEvent| matches!(e, JobEvent::OutputUpdate(u) if u.value.as_i64() == Some(value));
            move_before(e, update, second);
        }
    };
    let said = after(&stream(), early).await;
    assert!(said.contains("G4: value 2 of out"), "{said}");
}

#[tokio::test]
async fn an_execution_before_its_first_item_was_told_is_refused() {
    let early = |e: &mut Vec<JobEvent>| {
        move_before(e, |e| is(e, "mul", NodeStatus::Running), |e| sent(e, "e1"));
    };
    let said = after(&mul(), early).await;
    assert!(said.contains("G4: mul executed before"), "{said}");
}

#[tokio::test]
async fn a_gap_in_the_counters_and_an_item_after_drained_are_refused() {
    let gap = |e: &mut Vec<JobEvent>| {
        e.remove(at(e, |e| sent(e, "e1")));
    };
    let said = after(&stream(), gap).await;
    assert!(said.contains("G5: edge e1: counter 2 after 0"), "{said}");
    let late = |e: &mut Vec<JobEvent>| {
        let drained = |e: &JobEvent| matches!(e, JobEvent::EdgeUpdate { counter: None, .. });
        move_before(e, drained, |e| sent(e, "e1"));
    };
    let said = after(&stream(), late).await;
    assert!(
        said.contains("G5: edge e1: an item after the end"),
        "{said}"
    );
}

#[tokio::test]
async fn values_announced_in_another_order_than_kept_are_refused() {
    let swapped = |e: &mut Vec<JobEvent>| {
        let values: Vec<usize> = (0..e.len())
            .filter(|&i| matches!(e[i], JobEvent::OutputUpdate(_)))
            .collect();
        e.swap(values[0], values[1]);
    };
    let said = after(&stream(), swapped).await;
    assert!(said.contains("G6"), "{said}");
}

#[tokio::test]
async fn a_message_after_the_closing_one_is_refused() {
    let late = |e: &mut Vec<JobEvent>| {
        let event = e.remove(1);
        e.push(event);
    };
    let said = after(&mul(), late).await;
    assert!(said.contains("G7"), "{said}");
}

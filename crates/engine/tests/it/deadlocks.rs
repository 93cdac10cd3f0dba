//! Shapes in which bounded handles wait for each other in a circle: none may hang (engine spec FIX-4).

use nodetool_sdk::protocol::NodeStatus;
use nodetool_sdk::{Node, Value};

use crate::fixtures::*;

fn source(k: i64) -> Flow {
    Flow::new().node("gen", Gen::TYPE, [("k", k.into())])
}

fn list(numbers: impl IntoIterator<Item = i64>) -> Value {
    Value::list(ints(numbers))
}

#[test]
fn a_source_zipped_with_its_own_collected_stream() {
    on_both_runtimes(async || {
        let flow = source(500)
            .node("collect", Collect::TYPE, [])
            .node("pair", Pair::TYPE, [])
            .zip()
            .edges(
                "gen -> collect.input_item
                 collect -> pair.a
                 gen -> pair.b",
            );
        let ran = run(&flow, []).await.completed();
        let want = Value::list([list(1..=500), 1.into()]);
        assert_eq!(ran.slot("pair", "output"), [want]);
    });
}

#[test]
fn a_diamond_of_unequal_rates() {
    on_both_runtimes(async || {
        let flow = source(300)
            .node("tenth", Tenth::TYPE, [])
            .node("fewer", Pair::TYPE, [])
            .zip()
            .node("more", Gen::TYPE, [])
            .node("zip", Pair::TYPE, [])
            .zip()
            .edges(
                "gen -> fewer.a
                 gen -> tenth.value
                 tenth -> fewer.b
                 tenth -> more.k
                 more -> zip.a
                 tenth -> zip.b",
            );
        let ran = run(&flow, []).await.completed();
        let want: Vec<_> = (1..=30).map(|i| list([i, 10 * i])).collect();
        assert_eq!(ran.slot("fewer", "output"), want);
        let zipped = ran.slot("zip", "output");
        assert_eq!(zipped.len(), 30);
        assert_eq!(zipped[29], list([20, 300]));
    });
}

#[test]
fn a_pipe_that_reads_one_handle_to_its_end_before_the_other() {
    on_both_runtimes(async || {
        let flow = source(500)
            .node("pipe", InOrder::TYPE, [])
            .output("out")
            .edges(
                "gen -> pipe.b
                 gen -> pipe.a
                 pipe -> out.value",
            );
        let ran = run(&flow, []).await.completed();
        let twice: Vec<_> = (1..=500).chain(1..=500).collect();
        assert_eq!(ran.values("out"), ints(twice));
    });
}

#[test]
fn a_chain_of_pipes_that_read_in_order() {
    on_both_runtimes(async || {
        let flow = source(100)
            .node("collect", Collect::TYPE, [])
            .node("one", InOrder::TYPE, [])
            .node("two", InOrder::TYPE, [])
            .output("out")
            .edges(
                "gen -> one.b
                 gen -> two.b
                 gen -> collect.input_item
                 collect -> one.a
                 one -> two.a
                 two -> out.value",
            );
        let ran = run(&flow, []).await.completed();
        let values = ran.values("out");
        assert_eq!(values.len(), 201);
        assert_eq!(values[0], list(1..=100));
        assert_eq!(values[1..101], ints(1..=100));
    });
}

#[test]
fn a_controller_that_reads_to_the_end_before_it_controls_a_consumer_of_the_same_source() {
    on_both_runtimes(async || {
        let flow = source(50)
            .node("controller", RunAtEnd::TYPE, [])
            .node("thr", Thr::TYPE, [])
            .edges(
                "gen -> thr.value
                 gen -> controller.x",
            )
            .control("controller", "thr");
        let ran = run(&flow, []).await.completed();
        assert_eq!(ran.count("thr", NodeStatus::Completed), 50);
    });
}

#[test]
fn a_controller_that_awaits_a_consumer_of_the_source_it_reads() {
    on_both_runtimes(async || {
        let flow = source(50)
            .node("controller", AskFirst::TYPE, [])
            .node("thr", Thr::TYPE, [])
            .output("out")
            .edges(
                "gen -> controller.x
                 gen -> thr.value
                 controller -> out.value",
            )
            .control("controller", "thr");
        let ran = run(&flow, []).await.completed();
        assert_eq!(ran.count("thr", NodeStatus::Completed), 50);
        let answer = Value::map([("output", "50 0.5 normal".into())]);
        assert_eq!(ran.values("out"), [answer]);
    });
}

#[test]
fn a_controller_of_many_events_whose_data_comes_last() {
    on_both_runtimes(async || {
        let flow = Flow::new()
            .node("many", ManyEvents::TYPE, [("events", 300.into())])
            .node("thr", Thr::TYPE, [])
            .edges("many -> thr.value")
            .control("many", "thr");
        let ran = run(&flow, []).await.completed();
        assert_eq!(ran.count("thr", NodeStatus::Completed), 300);
    });
}

/// A pipe that waits for `a`, which the given node will never feed, while the source waits for room on `b`.
fn waiting_for(node_type: &str) -> Flow {
    let line = (0..20).map(|i| format!("b{i} ")).collect::<String>() + "a7";
    Flow::new()
        .node("seq", Seq::TYPE, [("script", script(&line))])
        .node("other", node_type, [])
        .node("pipe", InOrder::TYPE, [])
        .output("out")
        .edges(
            "seq.a -> pipe.a
             seq.b -> pipe.b
             other -> pipe.a
             pipe -> out.value",
        )
}

#[tokio::test(start_paused = true)]
async fn a_producer_that_ends_without_a_word_leaves_nobody_waiting() {
    // The clock stands still until everybody waits; then the sleeper is the last to go.
    let mut flow = waiting_for(Sleep::TYPE);
    flow.graph.nodes[1].data = [("seconds".into(), 5.0.into())].into_iter().collect();
    let ran = run(&flow, []).await.completed();
    let want: Vec<_> = [7].into_iter().chain(0..20).collect();
    assert_eq!(ran.values("out"), ints(want));
}

#[tokio::test]
async fn a_producer_that_closed_its_slot_is_waited_for_no_more() {
    let flow = waiting_for(Closed::TYPE);
    let live = start(&flow, options([]));
    let all = |e: &nodetool_sdk::protocol::JobEvent| matches!(e, nodetool_sdk::protocol::JobEvent::OutputUpdate(u) if u.value.as_i64() == Some(19));
    live.recorder.until("the last value", all).await;
    live.handle().cancel();
    live.end().await;
}

//! In which order items and messages come: arrival order across handles, results before and after their items.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nodetool_engine::{Plan, Runner, Unheard};
use nodetool_sdk::protocol::{JobEvent, NodeStatus};
use nodetool_sdk::{
    Behaviour, BoxFuture, Emitted, EventSink, Map, Node, NodeDef, NodeMetadata, OutputSlot,
    TypeMetadata,
};
use tokio::sync::Notify;

use crate::fixtures::*;

#[tokio::test]
async fn reading_one_handle_first_does_not_change_the_order_of_the_rest() {
    let flow = Flow::new()
        .node("seq", Seq::TYPE, [("script", script("a1 b2 a3 b4 a5 b6"))])
        .node("merge", Merge::TYPE, [])
        .output("out")
        .edges(
            "seq.a -> merge.a
             seq.b -> merge.b
             merge -> out.value",
        );
    let mut options = options([]);
    options.inbox_limit = 64;
    let ran = run_with(&flow, options).await.completed();
    assert_eq!(ran.values("out"), ints(1..=6));
}

#[test]
fn a_long_stream_tells_its_last_counter_before_it_is_completed() {
    on_both_runtimes(async || {
        let flow = Flow::new()
            .node("gen", Gen::TYPE, [("k", 1000.into())])
            .node("echo", Echo::TYPE, [])
            .output("out")
            .edges(
                "gen -> echo.value
                 echo -> out.value",
            );
        let ran = run(&flow, []).await.completed();
        assert_eq!(ran.values("out"), ints(1..=1000));
        for edge in ["e1", "e2"] {
            let counters = ran.edge(edge);
            assert_eq!(counters.iter().flatten().last(), Some(&1000));
            assert!(counters.len() < 500, "{}", counters.len());
        }
    });
}

/// A buffered node that emits on a slot it does not have.
fn stray() -> NodeDef {
    let mut metadata = NodeMetadata::new("test.Stray");
    metadata.outputs = vec![OutputSlot::new("output", TypeMetadata::any())];
    let work = Behaviour::Process(Box::new(|_, _| {
        let map: Map = [("nowhere".into(), 1.into())].into_iter().collect();
        Box::pin(async { Ok(Emitted::Named(map)) })
    }));
    NodeDef::new(metadata, work)
}

#[tokio::test]
async fn a_node_that_emits_on_an_unknown_slot_fails_and_is_not_completed() {
    let mut registry = registry();
    registry.add_def(stray());
    let flow = Flow::new()
        .node("stray", "test.Stray", [])
        .output("out")
        .edges("stray -> out.value");
    let ran = start_in(Arc::new(registry), &flow, options([])).end().await;
    let text = "Node Stray (stray) tried to emit to unknown output 'nowhere'";
    assert_eq!(ran.failed(), text);
    let statuses: Vec<_> = ran.updates("stray").iter().map(|u| u.status).collect();
    assert_eq!(statuses, [NodeStatus::Running, NodeStatus::Error]);
}

#[tokio::test]
async fn messages_of_a_run_without_a_listener_are_not_built() {
    let quiet = context(Arc::new(Unheard));
    let flow = Flow::new()
        .node("gen", Gen::TYPE, [("k", 4.into())])
        .node("id", Id::TYPE, [])
        .output("out")
        .edges(
            "gen -> id.x
             id -> out.value",
        );
    let plan = Plan::build(&flow.graph, &registry()).expect("a plan");
    let runner = Runner::new(Arc::new(plan), quiet, options([]));
    let outcome = runner.execute().await;
    assert_eq!(outcome.outputs, [("out".into(), ints(1..=4))]);
    assert_eq!(outcome.last.get("out"), Some(&4.into()));
}

/// A listener that says it is behind while it has more than fifty messages to read.
#[derive(Default)]
struct Slow {
    unread: AtomicUsize,
    most: AtomicUsize,
    read: Notify,
}

impl EventSink for Slow {
    fn emit(&self, _: JobEvent) {
        let unread = self.unread.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(unread, Ordering::SeqCst);
    }
    fn listening(&self) -> bool {
        true
    }
    fn behind(&self) -> bool {
        self.unread.load(Ordering::SeqCst) > 50
    }
    fn caught_up<'a>(&'a self) -> BoxFuture<'a, ()> {
        Box::pin(async {
            while self.behind() {
                self.read.notified().await;
            }
        })
    }
}

#[tokio::test]
async fn a_slow_listener_holds_the_nodes_back() {
    let slow = Arc::new(Slow::default());
    let flow = Flow::new()
        .node("gen", Gen::TYPE, [("k", 2000.into())])
        .node("id", Id::TYPE, [])
        .output("out")
        .edges(
            "gen -> id.x
             id -> out.value",
        );
    let plan = Plan::build(&flow.graph, &registry()).expect("a plan");
    let runner = Runner::new(Arc::new(plan), context(slow.clone()), options([]));
    let mut run = std::pin::pin!(runner.execute());
    let outcome = loop {
        tokio::select! {
            outcome = &mut run => break outcome,
            () = tokio::task::yield_now() => {
                let read = slow.unread.load(Ordering::SeqCst).min(10);
                slow.unread.fetch_sub(read, Ordering::SeqCst);
                slow.read.notify_waiters();
            }
        }
    };
    assert_eq!(outcome.outputs[0].1.len(), 2000);
    // Each of three nodes may say a few more words before it looks up.
    let most = slow.most.load(Ordering::SeqCst);
    assert!((50..80).contains(&most), "{most}");
}

#[tokio::test]
async fn a_result_of_an_unwired_named_node_is_announced_once() {
    let mut flow = Flow::new().node("five", Int::TYPE, [("value", 5.into())]);
    flow.graph.nodes[0]
        .extra
        .insert("name".into(), "answer".into());
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.values("answer"), ints([5]));
    let shown = |e: &&JobEvent| matches!(e, JobEvent::OutputUpdate(_));
    assert_eq!(ran.events.iter().filter(shown).count(), 1);
}

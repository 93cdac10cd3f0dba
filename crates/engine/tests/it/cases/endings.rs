//! Cases 44 to 55: bounds, ends and failures.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use nodetool_sdk::protocol::{JobEvent, JobStatus, NodeStatus};
use nodetool_sdk::{
    Behaviour, Emitted, Node, NodeDef, NodeError, NodeMetadata, OutputSlot, Process, Property,
    Registry, TypeMetadata, Value,
};

use crate::fixtures::*;

/// Where the first message that fits stands.
fn at(ran: &Ran, wanted: impl Fn(&JobEvent) -> bool) -> usize {
    ran.events.iter().position(wanted).expect("such a message")
}

fn is(event: &JobEvent, node: &str, status: NodeStatus) -> bool {
    matches!(event, JobEvent::NodeUpdate(u) if *u.node_id == *node && u.status == status)
}

#[tokio::test]
async fn a_producer_is_never_further_ahead_than_the_bound_and_one_item() {
    let ahead = Arc::new(AtomicI64::new(0));
    let most = Arc::new(AtomicI64::new(0));
    let mut registry = Registry::new();
    let (up, top) = (ahead.clone(), most.clone());
    let mut metadata = NodeMetadata::new("test.Producer");
    metadata.is_streaming_output = true;
    metadata.outputs = vec![OutputSlot::new("output", TypeMetadata::new("int"))];
    let produce = Behaviour::Generate(Box::new(move |_, out, _| {
        let (up, top) = (up.clone(), top.clone());
        Box::pin(async move {
            for i in 0..20 {
                let now = up.fetch_add(1, Ordering::SeqCst) + 1;
                top.fetch_max(now, Ordering::SeqCst);
                if !out.put(Emitted::one(0, i.into()))? {
                    out.ready().await?;
                }
            }
            Ok(())
        })
    }));
    registry.add_def(NodeDef::new(metadata, produce));
    let mut metadata = NodeMetadata::new("test.Consumer");
    metadata.properties = vec![Property::new("x", TypeMetadata::any(), Value::Null)];
    let consume = Behaviour::Process(Box::new(move |_, _| {
        ahead.fetch_sub(1, Ordering::SeqCst);
        Box::pin(async { Ok(Emitted::nothing()) })
    }));
    registry.add_def(NodeDef::new(metadata, consume));
    let flow = Flow::new()
        .node("producer", "test.Producer", [])
        .node("consumer", "test.Consumer", [])
        .edges("producer -> consumer.x");
    let mut options = options([]);
    options.inbox_limit = 2;
    let ran = start_in(Arc::new(registry), &flow, options).end().await;
    assert_eq!(ran.completed().count("consumer", NodeStatus::Completed), 20);
    // Two that fit, one that lands and waits; what the consumer has taken but not yet counted is at most that again.
    assert!(most.load(Ordering::SeqCst) <= 6, "{most:?}");
}

#[tokio::test]
async fn case_49_a_producer_of_a_failed_consumer_ends_and_the_run_fails() {
    let flow = Flow::new()
        .node("gen", Gen::TYPE, [("k", 10.into())])
        .node("fail", Fail::TYPE, [])
        .edges("gen -> fail.x");
    let ran = run(&flow, []).await;
    assert_eq!(ran.failed(), "it broke");
    assert_eq!(ran.edge("e1").last(), Some(&None));
}

#[tokio::test]
async fn case_50_a_producer_outlives_a_consumer_that_has_had_enough() {
    let flow = Flow::new()
        .node("gen", Gen::TYPE, [("k", 10.into())])
        .node("take", Take1::TYPE, [])
        .output("out")
        .edges(
            "gen -> take.value
             take -> out.value",
        );
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.values("out"), ints([1]));
    assert_eq!(ran.slot("gen", "output"), ints([10]));
}

#[tokio::test]
async fn case_51_a_failing_node_fails_the_run_with_its_text() {
    let ran = run(&Flow::new().node("fail", Fail::TYPE, []), []).await;
    assert_eq!(ran.failed(), "it broke");
    let update = at(&ran, |e| is(e, "fail", NodeStatus::Error));
    let error = at(
        &ran,
        |e| matches!(e, JobEvent::Error { message, .. } if message == "it broke"),
    );
    assert!(update < error && error + 2 == ran.events.len());
}

#[tokio::test]
async fn case_52_a_failure_leaves_other_branches_to_finish() {
    let flow = Flow::new()
        .node("fail", Fail::TYPE, [])
        .input("in", 5)
        .node("id", Id::TYPE, [])
        .output("out")
        .edges(
            "in -> id.x
             id -> out.value",
        );
    let ran = run(&flow, []).await;
    assert_eq!(ran.failed(), "it broke");
    assert_eq!(ran.announced("out"), [(5.into(), "int".into())]);
}

#[tokio::test]
async fn a_failure_leaves_a_branch_that_begins_with_a_constant_to_finish() {
    let flow = Flow::new()
        .node("fail", Fail::TYPE, [])
        .node("five", Int::TYPE, [("value", 5.into())])
        .output("out")
        .edges("five -> out.value");
    let ran = run(&flow, []).await;
    assert_eq!(ran.failed(), "it broke");
    assert_eq!(ran.announced("out"), [(5.into(), "int".into())]);
}

#[tokio::test]
async fn a_failure_stops_endless_sources_but_not_what_is_controlled() {
    let flow = Flow::new()
        .node("fail", Fail::TYPE, [])
        .node("endless", Gen::TYPE, [("k", i64::MAX.into())])
        .node("ask", Ask::TYPE, [])
        .node("gen", Gen::TYPE, [("k", 20.into())])
        .output("out")
        .edges("gen -> out.value")
        .control("ask", "gen");
    let ran = run(&flow, []).await;
    assert_eq!(ran.failed(), "it broke");
    assert_eq!(ran.values("out"), ints(1..=20));
    assert_eq!(ran.count("gen", NodeStatus::Completed), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_in_time_is_the_error_of_the_run() {
    let flow = Flow::new()
        .input("word", "x")
        .node("slow", Sleep::TYPE, [])
        .node("late", Fail::TYPE, [("message", "late".into())])
        .node("early", Fail::TYPE, [("message", "early".into())])
        .edges(
            "word -> slow.x
             slow -> late.x",
        );
    let ran = run(&flow, []).await;
    assert_eq!(ran.count("late", NodeStatus::Error), 1);
    assert_eq!(ran.failed(), "early");
}

#[tokio::test]
async fn case_53_a_cancelled_run_lets_go_of_a_sleeping_node_within_a_second() {
    let flow = Flow::new()
        .node("sleep", Sleep::TYPE, [])
        .output("out")
        .edges("sleep -> out.value");
    let live = start(&flow, options([]));
    live.recorder.until_running("sleep").await;
    let asked = Instant::now();
    live.handle().cancel();
    let ran = live.end().await;
    assert!(asked.elapsed() < Duration::from_secs(1));
    assert_eq!(ran.outcome.status, JobStatus::Cancelled);
    assert!(ran.outcome.error.is_none());
    assert_eq!(ran.updates("sleep").len(), 1);
    assert_eq!(ran.edge("e1"), [None]);
    // Nothing is left that could still say something.
    assert!(ran.cx.upgrade().is_none());
    assert_eq!(ran.recorder.events().len(), ran.events.len());
}

#[tokio::test]
async fn case_54_a_node_of_any_shape_that_takes_too_long_fails_once() {
    for (node_type, handle) in [
        (TIMED_PROCESS, Some("x")),
        (TIMED_GENERATE, None),
        (TIMED_PIPE, Some("seconds")),
    ] {
        let flow = Flow::new()
            .input("in", 10.0)
            .node("slow", node_type, [])
            .output("out")
            .edges("slow -> out.value");
        let flow = match handle {
            Some(handle) => flow.edges(&format!("in -> slow.{handle}")),
            None => flow,
        };
        let ran = run(&flow, []).await;
        assert_eq!(ran.failed(), "Node timed out after 0.05s");
        assert_eq!(ran.count("slow", NodeStatus::Error), 1);
        assert_eq!(ran.edge("e1").last(), Some(&None), "{node_type}");
    }
}

#[tokio::test]
async fn case_55_an_input_that_cannot_start_fails_the_run_before_any_node_runs() {
    let mut def = NodeDef::process::<Fail>();
    def.metadata.node_type = "test.FailingIn".into();
    def.role = nodetool_sdk::Role::Input;
    let mut registry = registry();
    registry.add_def(def);
    let flow = Flow::new()
        .node(
            "in",
            "test.FailingIn",
            [("name", "in".into()), ("x", 1.into())],
        )
        .node("other", Int::TYPE, []);
    let ran = start_in(Arc::new(registry), &flow, options([("in", 1.into())]))
        .end()
        .await;
    assert_eq!(ran.failed(), "it broke");
    assert_eq!(ran.count("in", NodeStatus::Error), 1);
    assert!(ran.updates("other").is_empty());
}

#[tokio::test]
async fn all_slots_of_an_input_are_fed() {
    let mut registry = registry();
    let mut wide = NodeDef::process::<TwoSlots>();
    wide.role = nodetool_sdk::Role::Input;
    registry.add_def(wide);
    let flow = Flow::new()
        .node(
            "in",
            TwoSlots::TYPE,
            [("name", "in".into()), ("value", 4.into())],
        )
        .output("half")
        .output("twice")
        .edges(
            "in.half -> half.value
             in.twice -> twice.value",
        );
    let ran = start_in(Arc::new(registry), &flow, options([])).end().await;
    let ran = ran.completed();
    assert_eq!(ran.values("half"), ints([2]));
    assert_eq!(ran.values("twice"), ints([8]));
}

#[tokio::test]
async fn a_run_that_was_begun_at_one_trigger_leaves_the_others_silent() {
    let mut registry = registry();
    let mut begins = NodeDef::process::<TwoSlots>();
    begins.begins_runs = true;
    registry.add_def(begins);
    let flow = Flow::new()
        .node("a", TwoSlots::TYPE, [("value", 4.into())])
        .node("b", TwoSlots::TYPE, [("value", 6.into())])
        .output("half")
        .output("other")
        .edges(
            "a.half -> half.value
             b.half -> other.value",
        );
    let registry = Arc::new(registry);
    let mut event = options([]);
    event.trigger_event = Some(("a".into(), nodetool_sdk::Value::Null));
    let ran = start_in(registry.clone(), &flow, event).end().await;
    assert_eq!(ran.values("half"), ints([2]));
    assert!(ran.updates("b").is_empty());
    let ran = start_in(registry, &flow, options([])).end().await;
    assert!(!ran.updates("b").is_empty(), "nothing was delivered");
}

/// Two things of one value. test
#[derive(Node)]
#[node(namespace = "test")]
struct TwoSlots {
    value: i64,
}

#[derive(nodetool_sdk::Outputs)]
struct HalfAndTwice {
    half: i64,
    twice: i64,
}

impl Process for TwoSlots {
    type Output = HalfAndTwice;
    async fn process(self, _: &nodetool_sdk::NodeCx) -> Result<HalfAndTwice, NodeError> {
        Ok(HalfAndTwice {
            half: self.value / 2,
            twice: self.value * 2,
        })
    }
}

#[tokio::test]
async fn a_panicking_node_fails_its_run_only_and_is_named() {
    let flow = Flow::new()
        .node("panic", Panic::TYPE, [])
        .input("in", 5)
        .output("out")
        .edges("in -> out.value");
    let ran = run(&flow, []).await;
    assert_eq!(ran.failed(), "The node panicked: out of cheese");
    let updates = ran.updates("panic");
    let error = updates.last().expect("an update");
    assert_eq!(
        (&*error.node_id, error.status),
        ("panic", NodeStatus::Error)
    );
    assert_eq!(ran.values("out"), ints([5]));
    let next = Flow::new()
        .input("in", 6)
        .output("out")
        .edges("in -> out.value");
    assert_eq!(run(&next, []).await.completed().values("out"), ints([6]));
}

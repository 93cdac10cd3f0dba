//! Cases 71 to 73: streams of the client, inputs without a value, handles nothing routes to.

use std::sync::Arc;

use nodetool_engine::{Plan, Runner, Unheard};
use nodetool_sdk::protocol::{JobEvent, JobStatus, NodeStatus};
use nodetool_sdk::{Node, NodeDef, Value};

use crate::fixtures::*;

fn streaming(to: &str) -> Flow {
    Flow::new()
        .node("in", STREAM_IN, [("name", "in".into())])
        .output("out")
        .edges(to)
}

#[tokio::test]
async fn case_71_a_client_feeds_a_streaming_input_until_it_ends_it() {
    let live = start(&streaming("in -> out.value"), options([]));
    live.recorder.until_running("out").await;
    let handle = live.handle().clone();
    assert!(handle.push_input("in", "", 1.into()).await);
    let shown = |v: i64| move |e: &JobEvent| matches!(e, JobEvent::OutputUpdate(u) if u.value.as_i64() == Some(v));
    live.recorder.until("the first value", shown(1)).await;
    assert!(handle.push_input("in", "output", 2.into()).await);
    live.recorder.until("the second value", shown(2)).await;
    let closed = live
        .recorder
        .events()
        .iter()
        .any(|e| matches!(e, JobEvent::JobUpdate(u) if u.status != JobStatus::Running));
    assert!(!closed);
    assert!(handle.end_input("in").await);
    assert!(!handle.push_input("in", "", 3.into()).await);
    assert!(!handle.end_input("in").await);
    let ran = live.end().await.completed();
    assert_eq!(ran.values("out"), ints([1, 2]));
    assert_eq!(ran.edge("e1"), [Some(1), Some(2), None]);
}

#[tokio::test]
async fn a_parameter_of_a_streaming_input_comes_first_and_leaves_it_open() {
    let live = start(&streaming("in -> out.value"), options([("in", 7.into())]));
    live.recorder
        .until("a value", |e| matches!(e, JobEvent::OutputUpdate(_)))
        .await;
    assert!(live.handle().push_input("in", "", 8.into()).await);
    assert!(!live.handle().push_input("nobody", "", 8.into()).await);
    live.handle().end_input("in").await;
    assert_eq!(live.end().await.completed().values("out"), ints([7, 8]));
}

#[tokio::test]
async fn a_configured_value_of_a_streaming_input_comes_first() {
    let flow = Flow::new()
        .node(
            "in",
            STREAM_IN,
            [("name", "in".into()), ("value", 7.into())],
        )
        .output("out")
        .edges("in -> out.value");
    let live = start(&flow, options([]));
    live.recorder.until_running("out").await;
    live.handle().end_input("in").await;
    assert_eq!(live.end().await.completed().values("out"), ints([7]));
}

#[tokio::test]
async fn a_client_may_push_before_the_run_begins() {
    let flow = streaming("in -> out.value");
    let plan = Plan::build(&flow.graph, &registry()).expect("a plan");
    let quiet = context(Arc::new(Unheard));
    let runner = Runner::new(Arc::new(plan), quiet, options([("in", 7.into())]));
    let handle = runner.handle();
    assert!(handle.push_input("in", "", 8.into()).await);
    assert!(handle.end_input("in").await);
    let outcome = runner.execute().await;
    assert_eq!(outcome.outputs, [("out".into(), ints([7, 8]))]);
}

#[tokio::test]
async fn a_failure_ends_the_streams_of_the_client() {
    let flow = streaming("in -> out.value").node("fail", Fail::TYPE, []);
    let ran = run(&flow, []).await;
    assert_eq!(ran.failed(), "it broke");
}

#[tokio::test]
async fn a_parameter_that_does_not_fit_fails_the_run_beside_a_streaming_input() {
    let mut def = NodeDef::process::<Int>();
    def.metadata.node_type = "test.IntIn".into();
    def.role = nodetool_sdk::Role::Input;
    let mut registry = registry();
    registry.add_def(def);
    let flow = streaming("in -> out.value").node("int", "test.IntIn", [("name", "int".into())]);
    let params = [("in", 1.into()), ("int", "x".into())];
    let ran = start_in(Arc::new(registry), &flow, options(params))
        .end()
        .await;
    assert!(ran.failed().contains("expected int"), "{}", ran.failed());
}

#[tokio::test]
async fn many_streaming_inputs_may_fill_one_handle_before_anybody_reads() {
    let mut flow = Flow::new().node("items", Items::TYPE, []).output("out");
    let names: Vec<String> = (0..6).map(|i| format!("in{i}")).collect();
    for name in &names {
        flow = flow
            .node(name, STREAM_IN, [("name", name.as_str().into())])
            .edges(&format!("{name} -> items.values"));
    }
    let flow = flow.edges("items -> out.value");
    let params = names.iter().map(|n| (n.as_str(), Value::from(n.as_str())));
    let live = start(&flow, options(params));
    live.recorder.until_running("out").await;
    for name in &names {
        live.handle().end_input(name).await;
    }
    let want = Value::list(names.iter().map(|n| n.as_str().into()));
    assert_eq!(live.end().await.completed().values("out"), [want]);
}

#[tokio::test]
async fn case_72_an_input_without_a_value_gives_null() {
    let flow = Flow::new()
        .input("in", Value::Null)
        .node("id", Id::TYPE, [])
        .output("out")
        .edges(
            "in -> id.x
             id -> out.value",
        );
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.edge("e1"), [Some(1), None]);
    assert_eq!(ran.count("id", NodeStatus::Completed), 1);
}

#[tokio::test]
async fn case_73_a_node_that_does_not_route_feeds_nobody() {
    let flow = Flow::new()
        .node("nr", NR, [("value", 5.into())])
        .node("id", Id::TYPE, [])
        .output("r")
        .edges(
            "nr -> id.x
             id -> r.value",
        );
    let ran = run(&flow, []).await.completed();
    assert!(ran.updates("id").is_empty());
    assert_eq!(ran.edge("e2"), [None]);
    assert!(ran.values("r").is_empty());
}

#[tokio::test]
async fn a_handle_that_nothing_routes_to_is_as_if_not_connected() {
    for zip in [false, true] {
        let flow = Flow::new()
            .node("nr", NR, [("value", 5.into())])
            .input("in", 9)
            .node("pair", Pair::TYPE, []);
        let flow = if zip { flow.zip() } else { flow }.output("r").edges(
            "nr -> pair.a
             in -> pair.b
             pair -> r.value",
        );
        let ran = run(&flow, []).await.completed();
        assert_eq!(ran.values("r"), [Value::list([Value::Null, 9.into()])]);
    }
}

//! Cases 74 to 85: cache, assets, suspension, bypass, annotations, edge ids.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nodetool_engine::{AssetMode, ResultCache};
use nodetool_sdk::protocol::{JobEvent, JobStatus, NodeStatus};
use nodetool_sdk::{
    Behaviour, Emitted, Node, NodeDef, NodeMetadata, OutputSlot, Property, TypeMetadata, Value,
};

use crate::fixtures::*;

/// A cacheable node that counts how often its code runs.
fn counting(runs: &Arc<AtomicUsize>) -> NodeDef {
    let mut metadata = NodeMetadata::new("test.Counting");
    metadata.properties = vec![Property::new("x", TypeMetadata::any(), Value::Null)];
    metadata.outputs = vec![OutputSlot::new("output", TypeMetadata::any())];
    let runs = runs.clone();
    let work = Behaviour::Process(Box::new(move |mut props, _| {
        runs.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { Ok(Emitted::one(0, props.take(0, "x")?)) })
    }));
    NodeDef::new(metadata, work)
}

/// Runs a graph twice over one cache; how often the counting node worked.
async fn twice(flow: &Flow) -> (usize, Vec<Ran>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let mut registry = registry();
    registry.add_def(counting(&runs));
    let (registry, cache) = (Arc::new(registry), Arc::new(ResultCache::default()));
    let mut ended = Vec::new();
    for _ in 0..2 {
        let mut options = options([]);
        options.cache = Some(cache.clone());
        let ran = start_in(registry.clone(), flow, options).end().await;
        ended.push(ran.completed());
    }
    (runs.load(Ordering::SeqCst), ended)
}

#[tokio::test]
async fn case_74_a_result_is_reused_by_the_next_run() {
    let flow = Flow::new()
        .input("in", 5)
        .node("counting", "test.Counting", [])
        .output("out")
        .edges(
            "in -> counting.x
             counting -> out.value",
        );
    let (runs, ended) = twice(&flow).await;
    assert_eq!(runs, 1);
    for ran in &ended {
        assert_eq!(ran.values("out"), ints([5]));
        assert_eq!(ran.count("counting", NodeStatus::Completed), 1);
    }
    assert_eq!(ended[1].count("counting", NodeStatus::Running), 0);
}

#[tokio::test]
async fn case_75_results_downstream_of_a_stream_are_not_kept() {
    let flow = Flow::new()
        .node("gen", Gen::TYPE, [("k", 2.into())])
        .node("counting", "test.Counting", [])
        .edges("gen -> counting.x");
    assert_eq!(twice(&flow).await.0, 4);
}

fn image(bytes: usize, uri: &str) -> Value {
    Value::map([
        ("type", "image".into()),
        ("uri", uri.into()),
        ("asset_id", Value::Null),
        ("data", Value::Bytes(vec![7; bytes].into())),
    ])
}

#[tokio::test]
async fn case_77_an_image_in_memory_leaves_as_bytes_in_binary_mode() {
    let flow = Flow::new()
        .input("in", image(3, "memory://1"))
        .node("id", Id::TYPE, [])
        .output("out")
        .node("pre", PRE, [])
        .edges(
            "in -> id.x
             id -> out.value
             id -> pre.value",
        );
    let mut options = options([]);
    options.assets = AssetMode::Raw;
    let ran = run_with(&flow, options).await.completed();
    let value = &ran.values("out")[0];
    assert_eq!(
        value.get("data").and_then(Value::as_bytes).map(|b| b.len()),
        Some(3)
    );
    for event in &ran.events {
        assert!(!format!("{event:?}").contains("memory://"), "{event:?}");
    }
}

#[tokio::test]
async fn case_78_a_large_payload_is_described_in_a_node_update() {
    let flow = Flow::new()
        .input("in", image(5 << 20, ""))
        .node("id", Id::TYPE, [])
        .edges("in -> id.x");
    let ran = run(&flow, []).await.completed();
    let result = &ran.slot("id", "output")[0];
    assert_eq!(result.get("data"), Some(&Value::Null));
    let metadata = result.get("metadata").expect("metadata");
    assert_eq!(metadata.get("inlined_data"), Some(&Value::Bool(false)));
    let payloads = ran
        .events
        .iter()
        .filter(|e| matches!(e, JobEvent::NodeUpdate(u) if format!("{u:?}").contains("bytes>")));
    assert_eq!(payloads.count(), 0);
}

#[tokio::test]
async fn a_suspension_ends_the_run_and_tells_nobody_that_the_streams_ended() {
    let flow = Flow::new()
        .node(
            "susp",
            Susp::TYPE,
            [("state", Value::map([("a", 1.into())]))],
        )
        .output("after")
        .node("sleep", Sleep::TYPE, [])
        .output("beside")
        .edges(
            "susp -> after.value
             sleep -> beside.value",
        );
    let ran = run(&flow, []).await;
    assert_eq!(ran.outcome.status, JobStatus::Suspended);
    let (node, reason, state) = ran.outcome.suspended.clone().expect("where it waits");
    assert_eq!((&*node, &*reason), ("susp", "waiting for a word"));
    assert_eq!(state, Value::map([("a", 1.into())]));
    let update = ran
        .updates("susp")
        .last()
        .copied()
        .cloned()
        .expect("an update");
    assert_eq!(update.status, NodeStatus::Suspended);
    assert_eq!(update.properties.map(|p| p.len()), Some(0));
    let Some(JobEvent::JobUpdate(closing)) = ran.events.last() else {
        panic!("no closing update");
    };
    let text = "Workflow suspended at node susp: waiting for a word";
    assert_eq!(closing.message.as_deref(), Some(text));
    // No end of stream leaves the waiting node; its siblings are cut off.
    assert!(ran.edge("e1").is_empty());
    assert_eq!(ran.edge("e2"), [None]);
    assert!(ran.announced("after").is_empty());
    assert_eq!(ran.count("after", NodeStatus::Completed), 0);
}

#[tokio::test]
async fn case_82_a_bypassed_node_hands_its_input_on() {
    let flow = Flow::new()
        .input("a", 5)
        .node("b", Mul::TYPE, [("b", 2.into())])
        .bypassed()
        .node("c", Id::TYPE, [])
        .output("out")
        .edges(
            "a -> b.a
             b -> c.x
             c -> out.value",
        );
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.values("out"), ints([5]));
    assert!(ran.updates("b").is_empty());
    assert!(ran.edge("e1").is_empty());
    assert_eq!(ran.edge("e2")[0], Some(1));
}

#[tokio::test]
async fn case_83_without_a_fitting_input_the_default_stays() {
    let flow = Flow::new()
        .node("text", Text::TYPE, [("value", "x".into())])
        .node("b", Fmt::TYPE, [])
        .bypassed()
        .node("c", Mul::TYPE, [("b", 2.into())])
        .output("out")
        .edges(
            "text -> b.template
             b -> c.a
             c -> out.value",
        );
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.values("out"), [Value::Float(0.0)]);
    assert!(ran.edge("e2").is_empty());
}

#[tokio::test]
async fn case_84_annotations_say_nothing() {
    let flow = |more: bool| {
        let flow = Flow::new()
            .input("in1", 5)
            .input("in2", 3)
            .node("mul", Mul::TYPE, [])
            .output("result")
            .edges(
                "in1 -> mul.a
                 in2 -> mul.b
                 mul -> result.value",
            );
        if more {
            flow.node("note", COMMENT, []).node("group", COMMENT, [])
        } else {
            flow
        }
    };
    let (plain, noted) = (run(&flow(false), []).await, run(&flow(true), []).await);
    // All but the closing one, which carries how long it took.
    let but_last = |ran: &Ran| ran.events[..ran.events.len() - 1].to_vec();
    assert_eq!(but_last(&plain.completed()), but_last(&noted.completed()));
}

#[tokio::test]
async fn case_85_edges_without_ids_get_ids_of_their_own() {
    let flow = Flow::new()
        .node("gen", Gen::TYPE, [("k", 2.into())])
        .node("sum", Sum::TYPE, [])
        .output("out")
        .edges(
            "gen -> sum.values
             gen -> sum.factor
             gen -> out.value",
        )
        .without_edge_ids();
    let ran = run(&flow, []).await.completed();
    let mut ids: Vec<String> = Vec::new();
    for event in &ran.events {
        if let JobEvent::EdgeUpdate {
            edge_id,
            counter: Some(1),
            ..
        } = event
        {
            assert!(!edge_id.is_empty() && !ids.contains(&edge_id.to_string()));
            ids.push(edge_id.to_string());
        }
    }
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn edges_of_one_id_are_counted_apart() {
    let mut flow = Flow::new()
        .node("gen", Gen::TYPE, [("k", 2.into())])
        .node("x", Id::TYPE, [])
        .node("y", Id::TYPE, [])
        .edges(
            "gen -> x.x
             gen -> y.x",
        );
    flow.graph.edges[1].id = Some("e1".into());
    let ran = run(&flow, []).await.completed();
    for edge in ["e1", "gen:output->y:x"] {
        assert_eq!(ran.edge(edge)[..2], [Some(1), Some(2)]);
    }
}

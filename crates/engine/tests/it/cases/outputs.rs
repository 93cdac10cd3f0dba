//! Cases 35 to 43: streams, branches and outputs.

use nodetool_sdk::protocol::{EdgeStatus, JobEvent, NodeStatus};
use nodetool_sdk::{Node, Value};

use crate::fixtures::*;

#[tokio::test]
async fn case_35_a_stream_into_an_output() {
    let flow = Flow::new()
        .node("gen", Gen::TYPE, [("k", 4.into())])
        .output("out")
        .edges("gen -> out.value");
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.values("out"), ints(1..=4));
    assert_eq!(ran.announced("out").len(), 4);
    assert_eq!(ran.count("out", NodeStatus::Completed), 1);
    assert_eq!(ran.count("gen", NodeStatus::Completed), 1);
    assert_eq!(ran.slot("gen", "output"), ints([4]));
}

#[tokio::test]
async fn case_36_counters_of_a_streaming_edge() {
    let flow = Flow::new()
        .node("gen", Gen::TYPE, [("k", 3.into())])
        .node("id", Id::TYPE, [])
        .output("out")
        .edges(
            "gen -> id.x
             id -> out.value",
        );
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.count("id", NodeStatus::Completed), 3);
    for edge in ["e1", "e2"] {
        assert_eq!(ran.edge(edge)[..3], [Some(1), Some(2), Some(3)]);
    }
}

#[tokio::test]
async fn case_37_a_collected_stream_is_one_list() {
    let flow = Flow::new()
        .node("gen", Gen::TYPE, [("k", 3.into())])
        .node("collect", Collect::TYPE, [])
        .output("out")
        .edges(
            "gen -> collect.input_item
             collect -> out.value",
        );
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.values("out"), [Value::list(ints(1..=3))]);
}

#[tokio::test]
async fn case_38_a_pipe_passes_a_stream_on() {
    let flow = Flow::new()
        .node("gen", Gen::TYPE, [("k", 3.into())])
        .node("echo", Echo::TYPE, [])
        .output("out")
        .edges(
            "gen -> echo.value
             echo -> out.value",
        );
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.values("out"), ints(1..=3));
    assert_eq!(ran.count("echo", NodeStatus::Completed), 1);
}

#[tokio::test]
async fn case_39_an_output_nothing_is_wired_to_gives_its_own_value() {
    let flow = Flow::new().node("out", OUT, [("name", "r".into()), ("value", "v".into())]);
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.announced("r"), [("v".into(), "str".into())]);
    assert_eq!(ran.values("r"), [Value::from("v")]);
    let ran = run(&Flow::new().output("r"), []).await.completed();
    assert_eq!(ran.announced("r"), [(Value::Null, "none".into())]);
    assert!(ran.outcome.outputs.is_empty());
}

#[tokio::test]
async fn case_40_a_preview_nothing_is_wired_to_shows_its_value_if_it_has_one() {
    let shown = async |value: Value| {
        let ran = run(&Flow::new().node("pre", PRE, [("value", value)]), []).await;
        let updates = ran.completed().events.into_iter();
        updates
            .filter_map(|e| match e {
                JobEvent::PreviewUpdate { value, .. } => Some(value),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    assert!(shown(Value::Null).await.is_empty());
    assert_eq!(shown("v".into()).await, [Value::from("v")]);
}

#[tokio::test]
async fn case_41_the_branch_not_taken_never_executes() {
    let flow = Flow::new()
        .node(
            "if",
            If::TYPE,
            [("condition", true.into()), ("value", 7.into())],
        )
        .node("id", Id::TYPE, [])
        .output("t")
        .output("f")
        .edges(
            "if.if_true -> t.value
             if.if_false -> id.x
             id -> f.value",
        );
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.values("t"), ints([7]));
    assert!(ran.updates("id").is_empty());
    assert_eq!(ran.announced("f"), [(Value::Null, "none".into())]);
    assert!(ran.values("f").is_empty());
}

#[tokio::test]
async fn case_42_equal_values_are_all_kept() {
    let flow = Flow::new()
        .node("seq", Seq::TYPE, [("script", script("a1 a1 a2"))])
        .output("out")
        .edges("seq.a -> out.value");
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.values("out"), ints([1, 1, 2]));
    assert_eq!(ran.announced("out").len(), 3);
}

#[tokio::test]
async fn case_43_outputs_of_one_name_share_their_list() {
    let flow = Flow::new()
        .input("one", 1)
        .input("two", 2)
        .node("x", OUT, [("name", "r".into())])
        .node("y", OUT, [("name", "r".into())])
        .edges(
            "one -> x.value
             two -> y.value",
        );
    let ran = run(&flow, []).await.completed();
    let mut values: Vec<_> = ran.values("r").iter().filter_map(Value::as_i64).collect();
    values.sort_unstable();
    assert_eq!(values, [1, 2]);
    let drained = |e: &&JobEvent| {
        matches!(
            e,
            JobEvent::EdgeUpdate {
                status: EdgeStatus::Drained,
                ..
            }
        )
    };
    assert_eq!(ran.events.iter().filter(drained).count(), 2);
}

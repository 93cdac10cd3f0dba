//! Cases 1 to 19: parameters, loading, validation.

use nodetool_sdk::protocol::{NodeStatus, Severity};
use nodetool_sdk::{Node, Value};

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

#[tokio::test]
async fn case_1_two_inputs_are_multiplied() {
    let ran = run(&mul(), []).await.completed();
    assert_eq!(ran.values("result"), [Value::Float(15.0)]);
    assert_eq!(ran.announced("result"), [(15.0.into(), "float".into())]);
    assert_eq!(ran.count("mul", NodeStatus::Completed), 1);
    assert!(ran.updates("in1").is_empty());
    assert_eq!(ran.slot("result", "output"), [Value::Float(15.0)]);
}

#[tokio::test]
async fn case_2_a_parameter_replaces_the_value_of_its_input_only() {
    let ran = run(&mul(), [("in1", 2.into())]).await.completed();
    assert_eq!(ran.values("result"), [Value::Float(6.0)]);
}

#[tokio::test]
async fn case_3_an_unknown_parameter_is_ignored() {
    let ran = run(&mul(), [("nobody", 2.into())]).await.completed();
    assert_eq!(ran.values("result"), [Value::Float(15.0)]);
}

#[tokio::test]
async fn case_4_an_empty_graph_completes_with_an_empty_result() {
    let ran = run(&Flow::new(), []).await.completed();
    assert_eq!(ran.events.len(), 2);
    assert!(ran.outcome.outputs.is_empty());
}

#[tokio::test]
async fn case_5_inputs_of_one_name_are_refused() {
    let twin = [("name", "in1".into())];
    let ran = run(&mul().node("twin", IN, twin), []).await;
    assert!(
        ran.failed()
            .contains("Multiple InputNode(s) have the same name")
    );
}

#[tokio::test]
async fn case_6_an_input_without_a_name_is_refused() {
    let ran = run(&mul().node("blank", IN, [("name", "".into())]), []).await;
    assert!(ran.failed().contains("must have a non-empty name"));
}

#[tokio::test]
async fn case_7_an_unknown_node_type_is_refused() {
    let ran = run(&mul().node("what", "test.What", []), []).await;
    assert!(ran.failed().contains("Invalid node type: test.What"));
}

#[tokio::test]
async fn case_8_a_static_value_of_the_wrong_type_is_refused() {
    let ran = run(&mul().node("int", Int::TYPE, [("value", "x".into())]), []).await;
    assert!(
        ran.failed()
            .contains("Error setting property 'value' on node 'int'")
    );
    assert!(ran.updates("mul").is_empty());
}

#[tokio::test]
async fn case_9_an_undeclared_static_value_is_ignored() {
    let flow = mul().node("int", Int::TYPE, [("nope", "x".into())]);
    run(&flow, []).await.completed();
}

#[tokio::test]
async fn case_10_an_edge_to_an_unknown_handle_is_dropped() {
    let flow = Flow::new()
        .input("in", 9)
        .node("thr", Thr::TYPE, [("mode", "loud".into())])
        .output("out")
        .edges(
            "in -> thr.nope
             thr -> out.value",
        );
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.values("out"), [Value::from("0 0.5 loud")]);
    assert!(ran.edge("e1").is_empty());
}

#[tokio::test]
async fn a_static_value_survives_when_the_edge_to_it_is_dropped() {
    let flow = Flow::new()
        .node("int", Int::TYPE, [])
        .node("thr", Thr::TYPE, [("mode", "loud".into())])
        .output("out")
        .edges(
            "int.nope -> thr.mode
             thr -> out.value",
        );
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.values("out"), [Value::from("0 0.5 loud")]);
}

#[tokio::test]
async fn case_11_an_edge_from_a_missing_node_is_dropped() {
    let flow = mul().edges("ghost -> result.value");
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.values("result"), [Value::Float(15.0)]);
}

#[tokio::test]
async fn case_12_an_edge_of_the_wrong_type_is_refused_at_its_target() {
    let flow = Flow::new()
        .node("text", Text::TYPE, [])
        .node("int", Int::TYPE, [])
        .edges("text -> int.value");
    let ran = run(&flow, []).await;
    let text =
        "Type mismatch for property 'value' - text.output outputs str but int.value expects int";
    assert!(ran.failed().starts_with("Graph contains errors: "));
    assert!(ran.failed().contains(text), "{}", ran.failed());
    assert_eq!(ran.count("int", NodeStatus::Error), 1);
    assert!(ran.updates("text").is_empty());
}

#[tokio::test]
async fn case_13_whole_floats_become_ints_and_others_are_refused() {
    let flow = |value: f64| {
        Flow::new()
            .node("int", Int::TYPE, [("value", 3.into())])
            .node("mul", Mul::TYPE, [("b", value.into())])
            .node("gen", Gen::TYPE, [])
            .output("out")
            .edges(
                "int -> mul.a
                 mul -> gen.k
                 gen -> out.value",
            )
    };
    let ran = run(&flow(1.0), []).await.completed();
    assert_eq!(ran.values("out"), ints(1..=3));
    let ran = run(&flow(1.5), []).await;
    assert!(ran.failed().contains("Invalid value for property `k`"));
    assert_eq!(ran.count("gen", NodeStatus::Error), 1);
}

#[tokio::test]
async fn case_14_two_edges_into_one_value_are_refused() {
    let flow = mul().edges("in2 -> mul.a");
    let ran = run(&flow, []).await;
    assert!(
        ran.failed()
            .contains("mul: Multiple edges target non-list property 'a'")
    );
    let flow = mul().edges("in2 -> result.value");
    let ran = run(&flow, []).await;
    assert!(
        ran.failed()
            .contains("Multiple edges target non-list property")
    );
}

#[tokio::test]
async fn case_15_an_element_of_the_wrong_type_is_refused() {
    let flow = Flow::new()
        .node("int", Int::TYPE, [])
        .node("text", Text::TYPE, [])
        .node("texts", Texts::TYPE, [])
        .edges(
            "int -> texts.values
             text -> texts.values",
        );
    let ran = run(&flow, []).await;
    let text = "incompatible type 'int' for list element type 'str' on property 'values'";
    assert!(ran.failed().contains(text), "{}", ran.failed());
}

#[tokio::test]
async fn case_16_a_required_input_without_an_edge_is_refused() {
    let ran = run(&Flow::new().node("req", Req::TYPE, []), []).await;
    assert_eq!(ran.failed(), "Graph contains errors: Missing inputs: x");
    assert_eq!(ran.count("req", NodeStatus::Error), 1);
}

#[tokio::test]
async fn case_17_a_cycle_of_data_is_refused_before_any_node_runs() {
    let flow = Flow::new()
        .node("a", Id::TYPE, [])
        .node("b", Id::TYPE, [])
        .node("other", Int::TYPE, [])
        .edges(
            "a -> b.x
             b -> a.x",
        );
    let ran = run(&flow, []).await;
    assert!(ran.failed().contains("a -> b -> a"), "{}", ran.failed());
    assert!(ran.updates("other").is_empty());
}

#[tokio::test]
async fn a_cycle_over_data_and_control_edges_is_refused() {
    let flow = Flow::new()
        .node("a", Id::TYPE, [])
        .node("b", Ctl::TYPE, [])
        .edges("a -> b.value")
        .control("b", "a");
    let ran = run(&flow, []).await;
    assert!(ran.failed().contains("a -> b -> a"), "{}", ran.failed());
}

#[tokio::test]
async fn case_18_a_cycle_of_control_is_refused() {
    let two = Flow::new()
        .node("a", Ctl::TYPE, [])
        .node("b", Ctl::TYPE, [])
        .control("a", "b")
        .control("b", "a");
    let own = Flow::new().node("a", Ctl::TYPE, []).control("a", "a");
    for flow in [two, own] {
        let ran = run(&flow, []).await;
        assert!(
            ran.failed()
                .contains("Circular control dependency detected")
        );
    }
}

#[tokio::test]
async fn case_19_a_control_edge_into_a_property_is_refused() {
    let mut flow = Flow::new()
        .node("ctl", Ctl::TYPE, [])
        .node("id", Id::TYPE, [])
        .control("ctl", "id");
    flow.graph.edges[0].target_handle = "x".into();
    let ran = run(&flow, []).await;
    assert!(
        ran.failed()
            .contains("must use '__control__' as targetHandle, got 'x'")
    );
}

#[tokio::test]
async fn more_inputs_than_can_be_numbered_are_refused() {
    let mut flow = Flow::new()
        .node("int", Int::TYPE, [])
        .node("dyn", Dyn::TYPE, []);
    for i in 0..70_000 {
        flow = flow.edges(&format!("int -> dyn.h{i}"));
    }
    let ran = run(&flow, []).await;
    assert!(
        ran.failed().contains("dyn: 70000 inputs are connected"),
        "{}",
        ran.failed()
    );
}

#[tokio::test]
async fn items_without_a_partner_are_told_in_the_log() {
    let flow = Flow::new()
        .node("seq", Seq::TYPE, [("script", script("a1 b10 b20"))])
        .node("pair", Pair::TYPE, [])
        .zip()
        .edges(
            "seq.a -> pair.a
             seq.b -> pair.b",
        );
    let ran = run(&flow, []).await.completed();
    let warned = ran.events.iter().any(|e| {
        matches!(e, nodetool_sdk::protocol::JobEvent::LogUpdate { severity: Severity::Warning, content, .. } if content.contains("'b'"))
    });
    assert!(warned, "{:#?}", ran.events);
}

//! Cases 56 to 70: controllers and what they control.

use nodetool_sdk::protocol::NodeStatus;
use nodetool_sdk::{Node, Value};

use crate::fixtures::*;

/// The properties of one run event for each entry.
fn events<const N: usize>(entries: [&[(&str, Value)]; N]) -> Value {
    Value::list(entries.map(|e| Value::map(e.iter().cloned())))
}

/// A controller of the given events over a [`Thr`].
fn controlled(list: Value) -> Flow {
    Flow::new()
        .node("ctl", Ctl::TYPE, [("events", list)])
        .node("thr", Thr::TYPE, [])
        .output("out")
        .edges("thr -> out.value")
        .control("ctl", "thr")
}

/// What the output of a controlled node shows.
async fn results(flow: &Flow) -> Vec<String> {
    let ran = run(flow, []).await.completed();
    let values = ran.values("out");
    values
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn case_56_an_event_sets_properties_beside_the_data() {
    let list = events([&[("threshold", 0.85.into()), ("mode", "strict".into())]]);
    let flow = controlled(list).input("in", 0.9).edges("in -> thr.value");
    assert_eq!(results(&flow).await, ["0.9 0.85 strict"]);
}

#[tokio::test]
async fn case_57_every_event_is_one_execution_in_order() {
    let one = |t: f64| [("threshold", Value::from(t))];
    let flow = controlled(events([&one(0.2), &one(0.4), &one(0.6)]));
    let want = ["0 0.2 normal", "0 0.4 normal", "0 0.6 normal"];
    assert_eq!(results(&flow).await, want);
}

#[tokio::test]
async fn case_58_an_empty_event_runs_with_what_is_configured() {
    assert_eq!(results(&controlled(events([&[]]))).await, ["0 0.5 normal"]);
}

#[tokio::test]
async fn case_59_every_event_starts_from_the_configured_values() {
    let flow = controlled(events([
        &[("threshold", 0.2.into())],
        &[("mode", "strict".into())],
    ]));
    assert_eq!(results(&flow).await, ["0 0.2 normal", "0 0.5 strict"]);
}

#[tokio::test]
async fn case_60_data_comes_back_when_an_event_leaves_it_alone() {
    let flow = controlled(events([&[("threshold", 0.8.into())], &[]]))
        .input("in", 0.3)
        .edges("in -> thr.threshold");
    assert_eq!(results(&flow).await, ["0 0.8 normal", "0 0.3 normal"]);
}

#[tokio::test]
async fn case_61_events_of_several_controllers_are_not_merged() {
    let flow = controlled(events([&[]]))
        .node("second", Ctl::TYPE, [("events", events([&[]]))])
        .node("third", Ctl::TYPE, [("events", events([&[]]))])
        .control("second", "thr")
        .control("third", "thr");
    assert_eq!(results(&flow).await.len(), 3);
}

#[tokio::test]
async fn case_62_one_controller_runs_all_its_targets() {
    let mut flow = Flow::new().node("ctl", Ctl::TYPE, [("events", events([&[]]))]);
    for id in ["x", "y", "z"] {
        flow = flow.node(id, Thr::TYPE, []).control("ctl", id);
    }
    let ran = run(&flow, []).await.completed();
    for id in ["x", "y", "z"] {
        assert_eq!(ran.count(id, NodeStatus::Completed), 1);
    }
}

#[tokio::test]
async fn an_event_for_one_target_reaches_that_one_only() {
    let run_event = Value::map([("event_type", "run".into())]);
    let to = |id: &str| Value::map([("target_node_id", id.into()), ("event", run_event.clone())]);
    let list = Value::list([to("y"), to("nobody")]);
    let mut flow = Flow::new().node("ctl", Ctl::TYPE, [("events", list)]);
    for id in ["x", "y"] {
        flow = flow.node(id, Thr::TYPE, []).control("ctl", id);
    }
    let ran = run(&flow, []).await.completed();
    assert!(ran.updates("x").is_empty());
    assert_eq!(ran.count("y", NodeStatus::Completed), 1);
}

#[tokio::test]
async fn case_63_an_event_with_an_unknown_or_wrong_property_fails_the_run() {
    for (name, value) in [("nope", Value::from(1)), ("threshold", Value::from("x"))] {
        let ran = run(&controlled(events([&[(name, value)]])), []).await;
        let text = format!("Control property {name} failed: ");
        assert!(ran.failed().starts_with(&text), "{}", ran.failed());
        assert_eq!(ran.count("thr", NodeStatus::Error), 1);
    }
}

#[tokio::test]
async fn case_64_every_event_is_one_run_of_a_generator() {
    let flow = Flow::new()
        .node("ctl", Ctl::TYPE, [("events", events([&[], &[]]))])
        .node("gen", Gen::TYPE, [("k", 2.into())])
        .output("out")
        .edges("gen -> out.value")
        .control("ctl", "gen");
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.values("out"), ints([1, 2, 1, 2]));
    assert_eq!(ran.count("gen", NodeStatus::Completed), 2);
}

#[tokio::test]
async fn case_65_a_controlled_output_shows_its_data_and_no_event() {
    let flow = Flow::new()
        .node("ctl", Ctl::TYPE, [("events", events([&[]]))])
        .input("in", "42.0")
        .output("r")
        .edges("in -> r.value")
        .control("ctl", "r");
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.values("r"), [Value::from("42.0")]);
    assert_eq!(ran.announced("r").len(), 1);
}

#[tokio::test]
async fn case_66_a_controller_gives_events_and_data() {
    let flow = Flow::new()
        .node(
            "ctl",
            Ctl::TYPE,
            [("events", events([&[], &[]])), ("value", "done".into())],
        )
        .node("thr", Thr::TYPE, [])
        .output("out")
        .output("result")
        .edges(
            "thr -> out.value
             ctl -> result.value",
        )
        .control("ctl", "thr");
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.values("out").len(), 2);
    assert_eq!(ran.values("result"), [Value::from("done")]);
    // Events are no values: they are neither counted on an edge nor part of a result.
    assert_eq!(ran.edge("e3"), [None]);
    let completed = ran.results("ctl");
    assert_eq!(completed.len(), 1);
    assert!(completed[0].keys().all(|k| &**k == "output"));
}

#[tokio::test]
async fn case_67_a_controller_gets_the_answer_of_a_target_with_data() {
    let flow = Flow::new()
        .node("ask", Ask::TYPE, [])
        .input("in", 0.25)
        .node("thr", Thr::TYPE, [])
        .output("out")
        .edges(
            "in -> thr.value
             ask -> out.value",
        )
        .control("ask", "thr");
    let asked = std::time::Instant::now();
    let ran = run(&flow, []).await.completed();
    assert!(asked.elapsed() < std::time::Duration::from_secs(1));
    let answer = Value::map([("output", "0.25 0.5 normal".into())]);
    assert_eq!(ran.values("out"), [answer]);
}

#[tokio::test]
async fn a_controller_hears_of_the_failure_it_caused_and_the_cause_is_the_error() {
    let flow = Flow::new()
        .node("ask", Ask::TYPE, [])
        .node("fail", Fail::TYPE, [])
        .control("ask", "fail");
    let ran = run(&flow, []).await;
    assert_eq!(ran.failed(), "it broke");
    assert_eq!(ran.count("fail", NodeStatus::Error), 1);
    assert_eq!(ran.count("ask", NodeStatus::Error), 1);
    let first = ran.events.iter().find_map(|e| match e {
        nodetool_sdk::protocol::JobEvent::NodeUpdate(u) if u.error.is_some() => Some(u),
        _ => None,
    });
    assert_eq!(first.map(|u| &*u.node_id), Some("fail"));
}

#[tokio::test]
async fn a_controller_hears_that_its_target_panicked() {
    let flow = Flow::new()
        .node("ask", Ask::TYPE, [])
        .node("panic", Panic::TYPE, [])
        .control("ask", "panic");
    let ran = run(&flow, []).await;
    assert_eq!(ran.failed(), "The node panicked: out of cheese");
    let heard = ran.updates("ask").last().and_then(|u| u.error.clone());
    assert!(heard.is_some_and(|e| e.contains("out of cheese")));
}

#[tokio::test]
async fn a_controller_that_asks_nobody_gets_an_error() {
    let ran = run(&Flow::new().node("ask", Ask::TYPE, []), []).await;
    assert!(
        ran.failed().contains("ended without a result"),
        "{}",
        ran.failed()
    );
}

#[tokio::test]
async fn case_68_a_stop_event_ends_the_loop() {
    let stop = Value::map([("event_type", "stop".into())]);
    let list = Value::list([
        Value::map([("mode", "strict".into())]),
        stop,
        Value::map([("mode", "late".into())]),
    ]);
    let flow = controlled(list);
    assert_eq!(results(&flow).await, ["0 0.5 strict"]);
}

#[tokio::test]
async fn case_69_a_controlled_node_without_events_never_executes() {
    let ran = run(&controlled(Value::list([])), []).await.completed();
    assert!(ran.updates("thr").is_empty());
    assert_eq!(ran.edge("e1"), [None]);
}

#[tokio::test]
async fn case_70_events_after_a_failed_one_are_not_run() {
    let ran = run(&controlled(events([&[("nope", 1.into())], &[]])), []).await;
    assert!(ran.failed().contains("nope"));
    assert_eq!(ran.count("thr", NodeStatus::Completed), 0);
    assert_eq!(ran.count("thr", NodeStatus::Error), 1);
}

#[tokio::test]
async fn the_first_event_runs_over_the_stream_and_later_ones_over_its_last_item() {
    let flow = controlled(events([&[], &[("mode", "again".into())]]))
        .node("gen", Gen::TYPE, [("k", 3.into())])
        .edges("gen -> thr.value");
    let want = [
        "1 0.5 normal",
        "2 0.5 normal",
        "3 0.5 normal",
        "3 0.5 again",
    ];
    assert_eq!(results(&flow).await, want);
}

#[tokio::test]
async fn the_older_form_of_an_event_runs_all_targets() {
    let event = Value::map([("properties", Value::map([("mode", "old".into())]))]);
    let entry = Value::list(["__control_output__".into(), event]);
    let flow = Flow::new()
        .node("seq", Seq::TYPE, [("script", Value::list([entry]))])
        .node("thr", Thr::TYPE, [])
        .output("out")
        .edges("thr -> out.value")
        .control("seq", "thr");
    assert_eq!(results(&flow).await, ["0 0.5 old"]);
}

#[tokio::test]
async fn events_for_an_input_go_nowhere() {
    let over = |controller: &str| {
        Flow::new()
            .node("controller", controller, [("events", 200.into())])
            .input("in", 1)
            .output("out")
            .edges("in -> out.value")
            .control("controller", "in")
    };
    let ran = run(&over(ManyEvents::TYPE), []).await.completed();
    assert_eq!(ran.values("out"), ints([1]));
    assert!(ran.edge("e2").is_empty());
    let ran = run(&over(Ask::TYPE), []).await;
    let text = "The controlled node ended without a result";
    assert_eq!(ran.failed(), text);
}

#[tokio::test]
async fn a_controller_is_told_what_it_controls_by_the_titles_people_gave() {
    let mut flow = Flow::new()
        .node("whom", Whom::TYPE, [])
        .node("a", Thr::TYPE, [("threshold", 0.25.into())])
        .node("b", Thr::TYPE, [])
        .output("out")
        .edges("whom -> out.value")
        .control("whom", "b")
        .control("whom", "a")
        .control("whom", "b");
    let a = flow.graph.nodes.iter_mut().find(|n| &*n.id == "a");
    let given = Value::map([("title", Value::from(" ")), ("label", "Gate A".into())]);
    a.expect("the flow has it").ui_properties = given;
    let ran = run(&flow, []).await.completed();
    let told = Value::list(["b Thr 0.5".into(), "a Gate A 0.25".into()]);
    assert_eq!(ran.values("out"), [told]);
}

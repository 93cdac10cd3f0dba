//! Graphs that cannot run as loops, and everything that is said of them.

use nodetool_engine::{LoopPlan, LoopPlanError};
use nodetool_sdk::protocol::{EdgeKind, Graph, Node};
use nodetool_sdk::steps::Mode;
use serde_json::json;

use super::fixtures::{Flow, edge, graph};

#[test]
fn a_workflow_without_nodes_is_refused() {
    let fault = Flow::of(Graph::default()).fault(Mode::Production);
    assert_eq!(fault, "Workflow has no nodes");
}

#[test]
fn every_fault_of_a_graph_is_told() {
    let mut graph = graph(
        &[("c counter", json!({})), ("r respond", json!({}))],
        "c -> r",
    );
    graph.nodes.push(Node::new("x", "orchestrator.custom-node"));
    graph.nodes.push(Node::new("x", "nodetool.text.Concat"));
    graph.edges.push(edge("c", "default", "gone"));
    graph.edges.push(edge("r", "default", "c"));
    let mut control = edge("c", "__control__", "r");
    control.kind = EdgeKind::Control;
    graph.edges.push(control);
    let Err(LoopPlanError::Graph(faults)) = Flow::of(graph).plan(Mode::Production) else {
        panic!("it can be planned");
    };
    assert_eq!(
        faults[0],
        "Node 'r': 'respond' cannot be part of production workflows, only of: api"
    );
    assert!(
        faults[1].starts_with(
            "Unknown node type 'custom-node' for node id 'x'. Available types: ['counter', 'add', "
        ),
        "{}",
        faults[1]
    );
    assert!(
        faults[2].starts_with("Unknown node type 'nodetool.text.Concat' for node id 'x'."),
        "{}",
        faults[2]
    );
    assert_eq!(faults[3], "Node id 'x' is used more than once");
    assert_eq!(
        faults[4],
        "The connection from 'c' to 'gone' names node 'gone', which does not exist"
    );
    assert_eq!(
        faults[5],
        "Node 'c' (counter) begins a loop and takes no input; the connection from 'r' has to go"
    );
    assert!(faults[6].contains("control edge"), "{}", faults[6]);
    assert_eq!(faults.len(), 7);
}

#[test]
fn forms_that_cannot_be_used_are_told_with_their_nodes() {
    let nodes = [
        ("c counter", json!({"unready": true})),
        ("t add", json!({"unready": true})),
    ];
    let fault = Flow::new(&nodes, "c -> t").fault(Mode::Production);
    let text = "Workflow validation failed:\nNode 'c': url: This field is required.\nNode 't': url: This field is required.";
    assert_eq!(fault, text);
}

#[test]
fn only_the_part_that_is_tried_out_has_to_be_in_order() {
    let nodes = [
        ("c counter", json!({"unready": true})),
        ("l each", json!({})),
        ("s add", json!({})),
        ("r respond", json!({})),
    ];
    let flow = Flow::new(&nodes, "c -> l, l -subdag-> s, l -> r");
    let plan = LoopPlan::scoped(&flow.graph, &flow.steps(), "l").expect("a plan");
    assert_eq!(
        plan.nodes().map(|n| &*n.id).collect::<Vec<_>>(),
        ["l", "s", "r"]
    );
    assert!(LoopPlan::scoped(&flow.graph, &flow.steps(), "c").is_err());
    let unknown = LoopPlan::scoped(&flow.graph, &flow.steps(), "x");
    let fault = unknown.map(|_| ()).map_err(|e| e.to_string());
    assert_eq!(fault, Err("Node not found: x".to_owned()));
}

#[test]
fn circles_are_refused_unless_a_body_leads_back_to_its_loop_node() {
    let circle = |edges| {
        let nodes = [
            ("c counter", json!({})),
            ("a add", json!({})),
            ("b add", json!({})),
            ("l each", json!({})),
        ];
        Flow::new(&nodes, edges)
            .plan(Mode::Production)
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    let fault = circle("c -> a -> b -> a").expect_err("a circle");
    let rest = "lead in a circle; only the body of a loop node may lead back to it";
    assert!(
        fault == format!("The connections a → b → a {rest}")
            || fault == format!("The connections b → a → b {rest}"),
        "{fault}"
    );
    assert!(circle("c -> a -> a").is_err());
    assert!(circle("c -> l, l -subdag-> l").is_err());
    assert!(
        circle("c -> l -> a -> l").is_err(),
        "what follows is no body"
    );
    assert!(
        circle("c -> l, l -subdag-> a -> b -> a").is_err(),
        "a circle within a body"
    );
    assert_eq!(circle("c -> l, l -subdag-> a -> b -> l"), Ok(()));
    assert_eq!(circle("c -> l, l -subdag-> a -> l, l -> b"), Ok(()));
}

#[test]
fn queues_belong_to_production() {
    let nodes = [("h hook", json!({})), ("w writer", json!({}))];
    let fault = Flow::new(&nodes, "h -> w").fault(Mode::Api);
    assert_eq!(
        fault,
        "Node 'w': 'writer' cannot be part of api workflows, only of: production"
    );
}

#[test]
fn a_graph_whose_forks_never_join_is_refused_before_it_takes_long() {
    let mut nodes = vec![("n0 counter".to_owned(), json!({}))];
    let mut edges = Vec::new();
    for n in 1..3_000 {
        let before = n - 1;
        nodes.push((format!("n{n} add"), json!({})));
        nodes.push((format!("x{n} add"), json!({})));
        edges.push(format!("n{before} -> n{n}, n{before} -> x{n}"));
    }
    let nodes: Vec<_> = nodes.iter().map(|(n, f)| (n.as_str(), f.clone())).collect();
    let fault = Flow::new(&nodes, &edges.join(",")).fault(Mode::Production);
    assert!(
        fault.starts_with("This workflow branches too much to be checked"),
        "{fault}"
    );
}

#[test]
fn loops_that_share_too_many_nodes_are_refused() {
    let mut nodes = Vec::new();
    let mut edges = Vec::new();
    for n in 0..210 {
        nodes.push((format!("p{n} counter"), json!({})));
        edges.push(format!("p{n} -> a0"));
    }
    for n in 0..1_000 {
        nodes.push((format!("a{n} add"), json!({})));
    }
    let chain: Vec<String> = (0..1_000).map(|n| format!("a{n}")).collect();
    edges.push(chain.join(" -> "));
    let nodes: Vec<_> = nodes.iter().map(|(n, f)| (n.as_str(), f.clone())).collect();
    let fault = Flow::new(&nodes, &edges.join(",")).fault(Mode::Production);
    assert!(fault.contains("more than 200000 steps together"), "{fault}");
}

//! `nodetool validate`.

use serde_json::{Value, json};

use super::files::Files;
use super::process::{nodetool, nodetool_reading};
use crate::wire::graphs::{graph, greeting, node, output};

#[test]
fn a_good_file_is_ready_to_run() {
    let files = Files::new();
    let path = files.json(
        "w.json",
        &json!({ "name": "Greeting", "graph": greeting() }),
    );
    let checked = nodetool(&["validate", &path]);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));
    assert_eq!(checked.stdout, "Greeting: 2 nodes, ready to run\n");
    let wanted =
        json!({ "valid": true, "nodes": 2, "inputs": ["name"], "faults": [], "warnings": [] });
    assert_eq!(nodetool(&["validate", &path, "--json"]).json(), wanted);
    assert_eq!(
        nodetool_reading(
            &["validate", "-", "--json"],
            greeting().to_string().as_bytes()
        )
        .json(),
        wanted
    );
}

#[test]
fn every_fault_is_listed_with_its_place() {
    let files = Files::new();
    let nodes = [
        node("a", "nodetool.control.Colect", json!({})),
        node("m", "lib.math.Add", json!({ "a": "x" })),
        node("i", "nodetool.input.StringInput", json!({ "name": "name" })),
        node("n", "lib.math.Add", json!({})),
    ];
    let path = files.json("w.json", &graph(&nodes, &["i.output -> n.b"]));
    let told = nodetool(&["validate", &path]);
    let lines: Vec<&str> = told.refused().lines().collect();
    assert_eq!(lines.len(), 4, "{told:?}");
    assert_eq!(lines[0], "workflow cannot run:");
    assert!(
        lines[1].contains(
            "Invalid node type: nodetool.control.Colect; did you mean nodetool.control.Collect"
        ),
        "{told:?}"
    );
    assert!(lines[2].contains("property 'a' on node 'm'"), "{told:?}");
    assert!(
        lines[3].contains("n: Type mismatch for property 'b'"),
        "{told:?}"
    );
    let told = nodetool(&["validate", &path, "--json"]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(2), ""));
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told["valid"], false);
    let places: Vec<(&Value, &Value)> = told["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (&f["node_id"], &f["handle"]))
        .collect();
    assert_eq!(
        places,
        [
            (&json!("a"), &json!(null)),
            (&json!("m"), &json!("a")),
            (&json!("n"), &json!("b"))
        ]
    );
}

#[test]
fn an_edge_that_leads_nowhere_is_a_warning() {
    let files = Files::new();
    let constant = node("c", "nodetool.constant.Integer", json!({ "value": 7 }));
    let path = files.json(
        "w.json",
        &graph(&[constant, output()], &["c.nope -> o.value"]),
    );
    let told = nodetool(&["validate", &path]);
    assert_eq!(told.code, Some(0));
    assert!(
        told.stderr
            .starts_with("warning: The edge from c.nope to o.value is ignored: c"),
        "{told:?}"
    );
    let told = nodetool(&["validate", &path, "--json"]).json();
    assert_eq!(
        (
            &told["warnings"][0]["node_id"],
            &told["warnings"][0]["handle"]
        ),
        (&json!("c"), &json!("nope"))
    );
}

#[test]
fn a_file_that_is_no_workflow_says_what_it_is() {
    let files = Files::new();
    let shown = |path: &str, wanted: &str| {
        for command in ["validate", "run"] {
            let told = nodetool(&[command, path]);
            assert!(told.refused().contains(wanted), "{wanted}\n{told:?}");
        }
    };
    shown(
        "/nope.json",
        "cannot open /nope.json: No such file or directory",
    );
    shown("/", "cannot read /: Is a directory");
    shown(
        &files.bytes("empty.json", ""),
        "empty.json is not valid JSON: EOF while parsing a value at line 1 column 0",
    );
    shown(
        &files.bytes("text.json", "hello"),
        "text.json is not valid JSON: expected value at line 1 column 1",
    );
    shown(
        &files.bytes("list.json", "[1]"),
        "list.json: expected an object with `graph`, or with `nodes` and `edges`; got list",
    );
    shown(
        &files.bytes("object.json", "{}"),
        "object.json is not a workflow:\n  nodes: Field required\n  edges: Field required",
    );
    shown(
        &files.bytes("params.json", r#"{"nodes":[],"edges":[],"params":[1]}"#),
        "params.json: params: expected an object, got list",
    );
    let faults = r#"{"graph":{"nodes":[{"type":"x"},5],"edges":[{"source":"a","edge_type":"x"}]}}"#;
    shown(
        &files.bytes("faults.json", faults),
        "faults.json is not a workflow:\n  nodes.0.id: Field required\n  nodes.1: expected an object, got int\n  \
         edges.0.sourceHandle: Field required\n  edges.0.target: Field required\n  edges.0.targetHandle: Field required\n  \
         edges.0.edge_type: expected 'data' or 'control', got 'x'",
    );
    let told = nodetool(&[
        "validate",
        &files.path("text.json").display().to_string(),
        "--json",
    ]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(2), ""));
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told["faults"][0]["node_id"], Value::Null);
    assert!(
        told["faults"][0]["message"]
            .as_str()
            .unwrap()
            .contains("not valid JSON"),
        "{told}"
    );
}

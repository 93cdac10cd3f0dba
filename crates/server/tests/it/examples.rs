//! The example workflows: every one runs, gives what it promises, and is fit to be shown to newcomers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::wire::server::program;

/// Namespaces without an example, and why.
const WITHOUT_EXAMPLE: [(&str, &str); 13] = [
    (
        "lib.http",
        "its nodes call other servers, and examples run offline",
    ),
    ("lib.mail", NEEDS_AN_ACCOUNT),
    (
        "lib.rss",
        "its nodes read feeds of other servers, and examples run offline",
    ),
    ("search.duckduckgo", NEEDS_AN_ACCOUNT),
    ("search.google", NEEDS_AN_ACCOUNT),
    ("search.google_extra", NEEDS_AN_ACCOUNT),
    ("anthropic.agents", NEEDS_A_MODEL),
    ("fal.text_to_image", NEEDS_A_MODEL),
    ("nodetool.generators", NEEDS_A_MODEL),
    (
        "lib.pymupdf",
        "its nodes read a PDF file, and examples bring none",
    ),
    ("nodetool.audio", NEEDS_A_MODEL),
    (
        "nodetool.video",
        "its nodes need a model or the program ffmpeg",
    ),
    (
        "vector.faiss",
        "its arrays come from nodes that are not built in",
    ),
];
const NEEDS_AN_ACCOUNT: &str = "its nodes need an account with a service";
const NEEDS_A_MODEL: &str = "its nodes need a model that does more than the demonstration";

/// Nodes outside of `lib.http` that reach the network.
const NETWORKED: [&str; 2] = [
    "nodetool.data.LoadCSVURL",
    "nodetool.triggers.WebhookTrigger",
];

fn examples() -> Vec<(PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut found: Vec<(PathBuf, Value)> = std::fs::read_dir(&folder)
        .expect("the folder of examples")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("an example");
            let value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            (path, value)
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn nodes(example: &Value) -> impl Iterator<Item = &Value> {
    example["graph"]["nodes"].as_array().expect("nodes").iter()
}

fn node_types(example: &Value) -> impl Iterator<Item = &str> {
    nodes(example).map(|n| n["type"].as_str().expect("a node type"))
}

fn namespace(node_type: &str) -> &str {
    node_type.rsplit_once('.').map_or("", |(space, _)| space)
}

/// Standard output of a command that succeeds and has nothing to say beside it.
#[track_caller]
fn output_of(arguments: &[&str]) -> Value {
    let ran = program().args(arguments).output().expect("the program");
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(
        ran.status.success() && told.is_empty(),
        "{arguments:?}: {told}"
    );
    serde_json::from_slice(&ran.stdout).expect("JSON on standard output")
}

/// The values of an output as a person thinks of them: the value itself where there is one, else all of them.
fn plain(values: Value) -> Value {
    match values {
        Value::Array(mut all) if all.len() == 1 => all.remove(0),
        other => other,
    }
}

#[test]
fn every_example_gives_what_it_promises() {
    let mut wrong = Vec::new();
    for (path, example) in examples() {
        let workspace = tempfile::tempdir().expect("a temporary folder");
        let ran = output_of(&[
            "run",
            path.to_str().expect("a readable path"),
            "--json",
            "--workspace",
            workspace.path().to_str().expect("a readable path"),
            "--params",
            &example["test"]["params"].to_string(),
        ]);
        let outputs: Map<String, Value> = serde_json::from_value(ran).expect("an object");
        let got: Map<String, Value> = outputs.into_iter().map(|(k, v)| (k, plain(v))).collect();
        if Value::from(got.clone()) != example["test"]["expect"] {
            let want = &example["test"]["expect"];
            wrong.push(format!("{path:?}\n  got  {got:?}\n  want {want}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_example_tells_what_it_is() {
    let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
    for (path, example) in examples() {
        let text = |key: &str| {
            example[key]
                .as_str()
                .unwrap_or_else(|| panic!("{path:?}: {key}"))
        };
        let file = path.file_stem().and_then(|s| s.to_str());
        assert_eq!(Some(text("id")), file, "an example is found by its id");
        assert!(ids.insert(text("id").to_owned()), "{path:?}: id");
        assert!(
            names.insert(text("name").to_owned()) && !text("name").contains(['/', '\\', '%']),
            "{path:?}: a name of its own that fits into an address"
        );
        assert!(text("description").len() >= 40, "{path:?}: description");
        assert_eq!(text("access"), "public", "{path:?}");
        assert_eq!(text("package_name"), "nodetool", "{path:?}");
        let tags = example["tags"].as_array().expect("tags");
        assert!(
            tags.len() >= 2 && tags.iter().all(Value::is_string),
            "{path:?}: tags"
        );
        let expected = example["test"]["expect"].as_object().expect("expect");
        let outputs = nodes(&example).filter(|n| n["type"] == "nodetool.output.Output");
        let outputs: BTreeSet<&str> = outputs.filter_map(|n| n["data"]["name"].as_str()).collect();
        let told: BTreeSet<&str> = expected.keys().map(String::as_str).collect();
        assert_eq!(told, outputs, "{path:?}: every output is expected");
    }
    assert!(ids.len() >= 26, "{}", ids.len());
}

#[test]
fn every_example_is_laid_out_from_left_to_right() {
    for (path, example) in examples() {
        let mut places = BTreeMap::new();
        for node in nodes(&example) {
            let position = &node["ui_properties"]["position"];
            let at = |axis: &str| {
                position[axis]
                    .as_i64()
                    .unwrap_or_else(|| panic!("{path:?}: {node}"))
            };
            let id = node["id"].as_str().expect("an id");
            let taken = places.insert(id, (at("x"), at("y")));
            assert_eq!(taken, None, "{path:?}: {id} comes twice");
        }
        let distinct: BTreeSet<_> = places.values().collect();
        assert_eq!(
            distinct.len(),
            places.len(),
            "{path:?}: nodes on top of each other"
        );
        for edge in example["graph"]["edges"].as_array().expect("edges") {
            let x = |end: &str| places[edge[end].as_str().expect("an end")].0;
            assert!(x("source") < x("target"), "{path:?}: {edge}");
        }
    }
}

#[test]
fn every_namespace_has_an_example_or_a_reason() {
    let listed = output_of(&["nodes", "list", "--json"]);
    let listed: BTreeSet<&str> = listed
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|n| n["namespace"].as_str())
        .collect();
    let examples = examples();
    let used: BTreeSet<&str> = examples
        .iter()
        .flat_map(|(_, e)| node_types(e))
        .map(namespace)
        .collect();
    let excused: BTreeSet<&str> = WITHOUT_EXAMPLE.iter().map(|(space, _)| *space).collect();
    let missing: Vec<_> = listed
        .iter()
        .filter(|n| !used.contains(*n) && !excused.contains(*n))
        .collect();
    assert!(missing.is_empty(), "no example uses {missing:?}");
    for (space, reason) in WITHOUT_EXAMPLE {
        assert!(
            listed.contains(space) && !used.contains(space) && !reason.is_empty(),
            "{space} needs no excuse"
        );
    }
}

#[test]
fn no_example_reads_the_network() {
    for (path, example) in examples() {
        for node_type in node_types(&example) {
            assert!(
                !node_type.starts_with("lib.http.") && !NETWORKED.contains(&node_type),
                "{path:?}: {node_type}"
            );
        }
        for node in nodes(&example) {
            let code = node["data"]["code"].as_str().unwrap_or_default();
            assert!(!code.contains("fetch"), "{path:?}: {code}");
            let remote = |v: &Value| {
                let uri = v["uri"].as_str().unwrap_or_default();
                uri.starts_with("http")
            };
            let data = node["data"].as_object().expect("data");
            assert!(!data.values().any(remote), "{path:?}: {node}");
        }
    }
}

//! Compares every registered node type with the public reference metadata, where it knows the type.
//!
//! The reference lies outside the project: `NODETOOL_SHARED_DATA` names its folder. Where it is absent, the comparison
//! is skipped and says so. Differences that are meant stand in `differences.txt`, one per line, as
//! `type | what | ours | reference | reason`; one that is not there fails, and so does a line that no longer holds.
//! Not compared: descriptions, instructions for models, which are defaults of several lines, and the `required` mark,
//! which the reference also puts on properties that have a default. An enum's type name is compared where we give one.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use nodetool_sdk::{NodeDef, Registry};
use serde_json::{Value, json};

const REVIEWED: &str = include_str!("differences.txt");

fn registry() -> Registry {
    let mut r = Registry::new();
    nodetool_nodes::register(&mut r);
    r
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests have no Config; this names a folder of test data"
)]
fn shared_data() -> PathBuf {
    match std::env::var("NODETOOL_SHARED_DATA") {
        Ok(folder) => folder.into(),
        Err(_) => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    }
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn every_type_is_as_the_reference_says_or_differs_as_reviewed() {
    let folder = shared_data().join("node-metadata");
    let registry = registry();
    if !folder.exists() {
        let skipped = registry.len();
        println!(
            "SKIPPED {skipped} comparisons: there is no {}",
            folder.display()
        );
        return;
    }
    let reference = read(&folder.join("nodetool-base.json"));
    let flags = read(&folder.join("runtime-flags.json"));
    let reference: HashMap<&str, &Value> = list(&reference["nodes"])
        .iter()
        .map(|n| (text(&n["node_type"]), n))
        .collect();

    let mut found = Vec::new();
    let mut compared = 0;
    for def in registry.iter() {
        if let Some(theirs) = reference.get(&*def.metadata.node_type) {
            compared += 1;
            compare(def, theirs, &flags[&def.metadata.node_type], &mut found);
        }
    }
    print_namespaces(&registry, &reference);
    println!("compared {compared} of {} types", registry.len());

    let faults = faults(&found, REVIEWED);
    assert!(
        faults.is_empty(),
        "{} faults\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn the_tool_result_is_listed_first_and_types_only_clients_know_are_not_listed() {
    let registry = registry();
    let mut listed = registry
        .iter()
        .filter(|d| !d.hidden)
        .map(|d| &*d.metadata.node_type);
    assert_eq!(
        listed.next(),
        Some("nodetool.workflows.base_node.ToolResult")
    );
    let engine: Vec<&str> = listed
        .filter(|n| n.starts_with("nodetool.workflows."))
        .collect();
    assert!(engine.is_empty(), "{engine:?}");
}

#[test]
fn a_difference_needs_its_line_and_a_line_its_difference() {
    let found = ["a.B | title | \"x\" | \"y\"".to_owned()];
    let of = |table: &str| faults(&found, table);
    assert!(of("# why\n\na.B | title | \"x\" | \"y\" | ours reads better").is_empty());
    assert_eq!(of("").len(), 1, "a difference that nobody reviewed");
    assert_eq!(of("a.B | title | \"x\" | \"y\" | ").len(), 2, "no reason");
    let stale = "a.B | title | \"x\" | \"y\" | r\na.C | title | \"x\" | \"y\" | r";
    assert_eq!(of(stale).len(), 1, "a line without a difference");
}

#[test]
fn what_differs_is_found() {
    let registry = registry();
    let def = registry
        .get("lib.math.Add")
        .expect("lib.math.Add is registered");
    let ours = serde_json::to_value(&def.metadata).expect("metadata is JSON");
    let flags = json!({"streaming_input": false, "cacheable": true});
    let against = |path: &str, value: Value| {
        let mut theirs = ours.clone();
        *theirs.pointer_mut(path).expect("the entry has this member") = value;
        let mut found = Vec::new();
        compare(def, &theirs, &flags, &mut found);
        found
    };
    assert!(against("/title", json!("Add")).is_empty());
    for (path, value) in [
        ("/title", json!("Plus")),
        ("/layout", json!("default")),
        ("/properties/0/name", json!("x")),
        ("/properties/0/type/type", json!("str")),
        ("/properties/0/type/optional", json!(true)),
        ("/properties/0/default", json!(1)),
        ("/properties/0/min", json!(0)),
        ("/properties/0/title", json!("x")),
        ("/properties/0/json_schema_extra", json!({"type": "x"})),
        ("/outputs/0/name", json!("x")),
        ("/basic_fields", json!(["a"])),
        ("/required_settings", json!(["KEY"])),
        ("/is_dynamic", json!(true)),
        ("/is_streaming_output", json!(true)),
        ("/expose_as_tool", json!(false)),
        ("/supports_dynamic_outputs", json!(true)),
    ] {
        assert!(!against(path, value).is_empty(), "{path}");
    }
    let instruction = json!("Sum it up.\nBe brief.");
    assert!(is_instruction(&instruction) && !is_instruction(&json!("You are friendly")));
    assert!(!against("/properties/0/default", instruction).is_empty());
    let mut found = Vec::new();
    let flags = json!({"streaming_input": true, "cacheable": false});
    compare(def, &ours, &flags, &mut found);
    assert_eq!(found.len(), 2, "{found:?}");
}

/// Adds each difference as `type | what | ours | reference`.
fn compare(def: &NodeDef, theirs: &Value, flags: &Value, found: &mut Vec<String>) {
    let name = &def.metadata.node_type;
    let ours = serde_json::to_value(&def.metadata).expect("metadata is JSON");
    let mut check = |what: &str, ours: &Value, theirs: &Value| {
        if !same(ours, theirs) {
            found.push(format!("{name} | {what} | {ours} | {theirs}"));
        }
    };
    check("title", &ours["title"], &theirs["title"]);
    check(
        "layout",
        &ours["layout"],
        &or(&theirs["layout"], json!("default")),
    );
    let names = |of: &Value| {
        list(of)
            .iter()
            .map(|p| p["name"].clone())
            .collect::<Value>()
    };
    let (mine, other) = (&ours["properties"], &theirs["properties"]);
    check("properties", &names(mine), &names(other));
    for p in list(mine) {
        let property = text(&p["name"]);
        let Some(q) = list(other).iter().find(|q| q["name"] == p["name"]) else {
            continue;
        };
        check_type(
            &format!("{property}.type"),
            &p["type"],
            &q["type"],
            &mut check,
        );
        for key in ["default", "min", "max", "title", "json_schema_extra"] {
            if key == "default" && is_instruction(&p[key]) && is_instruction(&q[key]) {
                continue;
            }
            check(&format!("{property}.{key}"), &p[key], &q[key]);
        }
    }
    let (mine, other) = (&ours["outputs"], &theirs["outputs"]);
    check("outputs", &names(mine), &names(other));
    for (o, p) in list(mine).iter().zip(list(other)) {
        check_type(
            &format!("{} (output)", text(&o["name"])),
            &o["type"],
            &p["type"],
            &mut check,
        );
    }
    for key in ["basic_fields", "required_settings"] {
        check(key, &ours[key], &or(&theirs[key], json!([])));
    }
    for key in [
        "is_dynamic",
        "is_streaming_output",
        "expose_as_tool",
        "supports_dynamic_outputs",
    ] {
        check(key, &ours[key], &or(&theirs[key], json!(false)));
    }
    if !flags.is_null() {
        check(
            "streaming_input",
            &def.is_streaming_input().into(),
            &flags["streaming_input"],
        );
        check("cacheable", &def.cacheable.into(), &flags["cacheable"]);
    }
}

/// Whether it tells a model what to do: such texts are written in our own words.
fn is_instruction(default: &Value) -> bool {
    default.as_str().is_some_and(|text| text.contains('\n'))
}

fn check_type(
    what: &str,
    ours: &Value,
    theirs: &Value,
    check: &mut impl FnMut(&str, &Value, &Value),
) {
    check(what, &written(ours), &written(theirs));
    if !ours["type_name"].is_null() {
        check(
            &format!("{what}_name"),
            &ours["type_name"],
            &theirs["type_name"],
        );
    }
}

/// A type as text: `list[str]?`, `enum[a,b]`.
fn written(ty: &Value) -> Value {
    let args = list(&ty["type_args"])
        .iter()
        .map(|t| text(&written(t)).to_owned());
    let members = list(&ty["values"])
        .iter()
        .map(|v| v.as_str().map_or(v.to_string(), str::to_owned));
    let inner: Vec<String> = args.chain(members).collect();
    let inner = if inner.is_empty() {
        String::new()
    } else {
        format!("[{}]", inner.join(","))
    };
    let mark = if ty["optional"] == true { "?" } else { "" };
    format!("{}{inner}{mark}", text(&ty["type"])).into()
}

/// Equality of JSON where 1 and 1.0 are one number.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        _ => a == b,
    }
}

/// Differences without a reviewed line, and lines without a difference.
fn faults(found: &[String], table: &str) -> Vec<String> {
    let mut lines: Vec<&str> = table
        .lines()
        .map(str::trim_end)
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
        .collect();
    let mut faults = Vec::new();
    for difference in found {
        let reviewed = lines.iter().position(|line| {
            let reason = line
                .strip_prefix(&**difference)
                .and_then(|rest| rest.strip_prefix(" | "));
            reason.is_some_and(|r| !r.trim().is_empty())
        });
        match reviewed {
            Some(at) => {
                lines.swap_remove(at);
            }
            None => faults.push(format!("not reviewed: {difference} | reason")),
        }
    }
    faults.extend(lines.iter().map(|line| format!("no longer so: {line}")));
    faults
}

fn print_namespaces(registry: &Registry, reference: &HashMap<&str, &Value>) {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for def in registry.iter() {
        counts.entry(&def.metadata.namespace).or_default().0 += 1;
    }
    for node in reference.values() {
        counts.entry(text(&node["namespace"])).or_default().1 += 1;
    }
    println!("native / in the reference, by namespace");
    for (namespace, (native, known)) in counts {
        println!("{native:4} /{known:4}  {namespace}");
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn or(value: &Value, default: Value) -> Value {
    if value.is_null() {
        default
    } else {
        value.clone()
    }
}

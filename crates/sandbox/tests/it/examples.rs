//! The scripts of the example workflows, with the outputs expected of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use nodetool_protocol::{Map, Value};
use nodetool_sandbox::{CallResult, SandboxPool};

use super::{Desk, ignore, limits, pool};

/// The folder of the examples, named by a variable of the environment.
fn folder() -> Option<PathBuf> {
    let data = std::env::var_os("NODETOOL_SHARED_DATA")?;
    // The variable may name a folder that is not there.
    Some(Path::new(&data).join("ts-examples")).filter(|folder| folder.is_dir())
}

fn load(path: &Path) -> Option<Value> {
    Some(serde_json::from_slice(&std::fs::read(path).ok()?).expect("an example is JSON"))
}

/// Runs a graph of constants, code and outputs, in the order of its nodes.
async fn run(pool: &SandboxPool, graph: &Value) -> HashMap<String, Vec<Value>> {
    let list = |name: &str| {
        graph
            .get(name)
            .and_then(Value::as_list)
            .expect("a graph has nodes and edges")
            .to_vec()
    };
    let text = |value: &Value, key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let edges = list("edges");
    let mut made: HashMap<(String, String), Value> = HashMap::new();
    let mut outputs: HashMap<String, Vec<Value>> = HashMap::new();
    for node in list("nodes") {
        let id = text(&node, "id");
        let data = node.get("data").expect("a node has data");
        let arrived: Map = edges
            .iter()
            .filter(|edge| text(edge, "target") == id)
            .filter_map(|edge| {
                let value = made.get(&(text(edge, "source"), text(edge, "sourceHandle")))?;
                Some((text(edge, "targetHandle").into(), value.clone()))
            })
            .collect();
        match text(&node, "type").as_str() {
            "nodetool.constant.String" => {
                made.insert(
                    (id, "output".into()),
                    data.get("value").expect("a constant has a value").clone(),
                );
            }
            "nodetool.code.Code" => {
                let packages = data
                    .get("packages")
                    .and_then(Value::as_list)
                    .unwrap_or_default();
                let packages = packages
                    .iter()
                    .map(|package| text(package, "specifier"))
                    .collect();
                let mut inputs = node
                    .get("dynamic_properties")
                    .and_then(Value::as_map)
                    .cloned()
                    .unwrap_or_default();
                inputs.extend(arrived);
                let mut session = pool
                    .session(&text(data, "code"), packages, limits())
                    .await
                    .expect("the code is right");
                let CallResult::Outputs(results) = session
                    .call(inputs, &Desk::default(), ignore)
                    .await
                    .expect("it runs")
                else {
                    panic!("{id} gave no object")
                };
                made.extend(
                    results
                        .into_iter()
                        .map(|(key, value)| ((id.clone(), key.to_string()), value)),
                );
            }
            "nodetool.output.Output" => {
                outputs
                    .entry(text(data, "name"))
                    .or_default()
                    .extend(arrived.into_values());
            }
            other => panic!("no such node here: {other}"),
        }
    }
    outputs
}

#[tokio::test]
async fn the_code_examples_give_the_outputs_expected_of_them() {
    let Some(folder) = folder() else {
        println!("0 examples: NODETOOL_SHARED_DATA names no folder with them");
        return;
    };
    let expected = load(&folder.join("expected.json")).expect("the data is there");
    let pool = pool();
    let mut count = 0;
    for entry in expected.as_list().expect("a list of expectations") {
        let file = entry
            .get("file")
            .and_then(Value::as_str)
            .expect("a file name");
        let features = entry
            .get("features")
            .and_then(Value::as_list)
            .unwrap_or_default();
        if !features.contains(&Value::from("js")) {
            continue;
        }
        let document = load(&folder.join(file)).expect("the example exists");
        let outputs = run(
            &pool,
            document.get("graph").expect("an example has a graph"),
        )
        .await;
        for case in entry.get("cases").and_then(Value::as_list).expect("cases") {
            let wanted = case
                .get("expect")
                .and_then(|e| e.get("outputs"))
                .and_then(Value::as_map)
                .expect("outputs");
            for (name, values) in wanted {
                assert_eq!(
                    outputs
                        .get(&**name)
                        .map(|list| Value::from(list.clone()))
                        .as_ref(),
                    Some(values),
                    "{file}: {name}"
                );
            }
        }
        count += 1;
    }
    println!("{count} examples");
    assert!(count >= 3, "only {count} examples were found");
}

#[tokio::test]
async fn the_predicates_of_the_node_cases_hold_for_the_items_expected() {
    let Some(folder) = folder() else {
        println!("0 examples: NODETOOL_SHARED_DATA names no folder with them");
        return;
    };
    let cases = load(&folder.join("node-cases.json")).expect("the data is there");
    let pool = pool();
    let mut count = 0;
    for case in cases.as_list().expect("a list of cases") {
        if case.get("node_type") != Some(&Value::from("nodetool.control.FilterCode")) {
            continue;
        }
        let predicate = case
            .get("data")
            .and_then(|data| data.get("predicate"))
            .and_then(Value::as_str)
            .unwrap();
        let stream = case
            .get("inputs")
            .and_then(|i| i.get("input_item"))
            .and_then(|i| i.get("$stream"))
            .unwrap();
        let items = stream.as_list().unwrap().to_vec();
        let results = pool
            .expression(predicate)
            .eval(items.clone())
            .await
            .unwrap();
        let holds =
            |result: &Result<Value, String>| result.as_ref().is_ok_and(nodetool_sandbox::truthy);
        let passed: Vec<Value> = items
            .into_iter()
            .zip(&results)
            .filter(|(_, r)| holds(r))
            .map(|(item, _)| item)
            .collect();
        let expect = case.get("expect").unwrap();
        let wanted: Vec<Value> = expect
            .get("$stream")
            .and_then(Value::as_list)
            .unwrap_or_default()
            .iter()
            .map(|step| step.get("output").unwrap().clone())
            .collect();
        assert_eq!(passed, wanted, "{predicate}");
        count += 1;
    }
    println!("{count} predicates");
    assert!(count >= 3, "only {count} predicates were found");
}

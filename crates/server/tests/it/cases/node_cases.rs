//! One node between sources and a sink: the cases of `node-cases.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nodetool_protocol::{Map, Value};

use super::compare::{Compare, items, shown};
use super::fixtures::{SINK, SOURCE, TICKS};
use super::house::{House, Order, Ran};
use super::ledger::Verdict;

/// Id of the node that is looked at.
const NODE: &str = "node";

/// One case of the table.
pub(super) struct NodeCase {
    pub(super) id: String,
    node_type: String,
    case: Value,
}

impl NodeCase {
    pub(super) fn all(table: &Value) -> Vec<NodeCase> {
        let read = |case: &Value| {
            let text = |key| case.get(key).and_then(Value::as_str).map(str::to_owned);
            NodeCase {
                id: text("id").unwrap_or_else(|| panic!("a case without an id: {}", shown(case))),
                node_type: text("node_type").unwrap_or_default(),
                case: case.clone(),
            }
        };
        items(table).iter().map(read).collect()
    }

    /// The namespace, which is what cases are counted by.
    pub(super) fn family(&self) -> &str {
        self.node_type
            .rsplit_once('.')
            .map_or("", |(namespace, _)| namespace)
    }

    /// Runs the case and says how it ended.
    pub(super) async fn run(&self, house: &House) -> Verdict {
        if house.registry.get(&self.node_type).is_none() {
            return Verdict::Failed(format!("there is no type {}", self.node_type));
        }
        let ran = house.run(self.order(house)).await;
        let expected = self.map("expect").unwrap_or_default();
        let Err(how) = holds(&expected, &ran) else {
            return Verdict::Passed;
        };
        let strict = self.case.get("strict") == Some(&Value::Bool(true));
        let python = self.case.get("python").filter(|_| !strict);
        if python.is_some_and(|python| as_python(python, &ran)) {
            Verdict::Compatible(how)
        } else {
            Verdict::Failed(how)
        }
    }

    fn map(&self, key: &str) -> Option<Map> {
        self.case.get(key).and_then(Value::as_map).cloned()
    }

    fn order(&self, house: &House) -> Order {
        let data = self.map("data").unwrap_or_default();
        let mut params = Map::new();
        if let Some(param) = self.case.get("param") {
            let name = data.get("name").and_then(Value::as_str).unwrap_or_default();
            params.insert(name.into(), param.clone());
        }
        let mut nodes = Vec::new();
        let mut edges = Vec::new();
        for (handle, input) in self.map("inputs").unwrap_or_default() {
            let source = format!("source {handle}");
            edges.push(edge(&source, "output", NODE, &handle));
            match input.get("$stream") {
                None => nodes.push(node(&source, SOURCE, [("items", Value::list([input]))])),
                Some(stream) => {
                    let ticks = format!("ticks {handle}");
                    let count = items(stream).len() as i64;
                    nodes.push(node(&ticks, TICKS, [("count", count.into())]));
                    nodes.push(node(&source, SOURCE, [("items", stream.clone())]));
                    edges.push(edge(&ticks, "output", &source, "index"));
                }
            }
        }
        let declared: Vec<String> =
            house
                .registry
                .get(&self.node_type)
                .map_or_else(Vec::new, |def| {
                    def.metadata
                        .outputs
                        .iter()
                        .map(|s| s.name.clone())
                        .collect()
                });
        let handles: BTreeSet<String> = declared
            .iter()
            .cloned()
            .chain(self.expected_handles())
            .collect();
        let of_instance = handles.iter().filter(|h| !declared.contains(h));
        let of_instance = Value::map(of_instance.map(|h| (h.as_str(), "any".into())));
        nodes.push(Value::map([
            ("id", NODE.into()),
            ("type", self.node_type.as_str().into()),
            ("data", data.into()),
            ("dynamic_outputs", of_instance),
        ]));
        nodes.push(node("sink", SINK, []));
        edges.extend(handles.iter().map(|h| edge(NODE, h, "sink", h)));
        let event = self.case.get("trigger_event");
        Order {
            graph: Value::map([("nodes", Value::from(nodes)), ("edges", edges.into())]),
            params,
            trigger_event: event.map(|payload| (NODE.into(), payload.clone())),
        }
    }

    /// Handles the expectation names.
    fn expected_handles(&self) -> Vec<String> {
        let expected = self.map("expect").unwrap_or_default();
        match Form::of(&expected) {
            Form::Handles => expected.keys().map(|k| k.to_string()).collect(),
            Form::Stream(emissions) => streams(emissions)
                .into_keys()
                .map(|k| k.to_string())
                .collect(),
            Form::Error(_) | Form::Nothing | Form::Last(_) => Vec::new(),
        }
    }
}

fn node<const N: usize>(id: &str, node_type: &str, data: [(&str, Value); N]) -> Value {
    Value::map([
        ("id", id.into()),
        ("type", node_type.into()),
        ("data", Value::map(data)),
    ])
}

fn edge(source: &str, source_handle: &str, target: &str, target_handle: &str) -> Value {
    Value::map([
        ("source", source.into()),
        ("sourceHandle", source_handle.into()),
        ("target", target.into()),
        ("targetHandle", target_handle.into()),
    ])
}

/// The forms an expectation may have.
enum Form<'a> {
    Error(&'a str),
    Nothing,
    Last(&'a Value),
    Stream(&'a Value),
    Handles,
}

impl Form<'_> {
    fn of(expected: &Map) -> Form<'_> {
        // A handle may be called `error` too; it never stands alone.
        match expected.get_index(0).filter(|_| expected.len() == 1) {
            Some((k, Value::Str(text))) if &**k == "error" => Form::Error(text),
            Some((k, _)) if &**k == "$none" => Form::Nothing,
            Some((k, value)) if &**k == "$lastOutput" => Form::Last(value),
            Some((k, value)) if &**k == "$stream" => Form::Stream(value),
            _ => Form::Handles,
        }
    }
}

/// The values of each handle that a list of emissions names.
fn streams(emissions: &Value) -> BTreeMap<Arc<str>, Vec<Value>> {
    let mut streams: BTreeMap<Arc<str>, Vec<Value>> = BTreeMap::new();
    for emission in items(emissions).iter().filter_map(Value::as_map) {
        for (handle, value) in emission {
            streams
                .entry(handle.clone())
                .or_default()
                .push(value.clone());
        }
    }
    streams
}

fn holds(expected: &Map, ran: &Ran) -> Result<(), String> {
    let compare = Compare::default();
    let form = Form::of(expected);
    if let Form::Error(text) = form {
        if ran.status != "failed" {
            return Err(format!(
                "expected a failure with {text:?}, got {:?}",
                ran.received
            ));
        }
        let said = ran.error.to_lowercase().contains(&text.to_lowercase());
        return if said {
            Ok(())
        } else {
            Err(format!(
                "expected a failure with {text:?}, got {:?}",
                ran.error
            ))
        };
    }
    if ran.status != "completed" {
        return Err(format!("{}: {}", ran.status, ran.error));
    }
    let none = Vec::new();
    let got = |handle: &str| ran.received.get(handle).unwrap_or(&none);
    match form {
        Form::Error(_) => Ok(()),
        Form::Nothing if ran.received.is_empty() => Ok(()),
        Form::Nothing => Err(format!("expected nothing, got {:?}", ran.received)),
        Form::Last(value) => match got("output").last() {
            Some(last) => compare.fits(value, last),
            None => Err(format!("expected {} on output, got nothing", shown(value))),
        },
        Form::Stream(emissions) => streams(emissions)
            .into_iter()
            .try_for_each(|(handle, want)| {
                let got = Value::from(got(&handle).clone());
                compare
                    .fits(&want.into(), &got)
                    .map_err(|e| format!("{handle}: {e}"))
            }),
        Form::Handles => expected.iter().try_for_each(|(handle, want)| {
            let got = got(handle);
            let fit = match &got[..] {
                _ if want.get("$noneOrNull").is_some() => compare.fits(want, &got.clone().into()),
                [value] => compare.fits(want, value),
                _ => Err(format!(
                    "expected the one value {}, got {got:?}",
                    shown(want)
                )),
            };
            fit.map_err(|e| format!("{handle}: {e}"))
        }),
    }
}

/// Whether the run ended as the Python class does.
fn as_python(python: &Value, ran: &Ran) -> bool {
    if let Some(text) = python.get("error").and_then(Value::as_str) {
        return ran.status == "failed" && ran.error.to_lowercase().contains(&text.to_lowercase());
    }
    let Some(emitted) = python.get("emitted").and_then(Value::as_map) else {
        return false;
    };
    let silent = |handle: &Arc<str>, values: &[Value]| {
        emitted.contains_key(handle) || values.iter().all(Value::is_null)
    };
    ran.status == "completed"
        && ran
            .received
            .iter()
            .all(|(handle, values)| silent(handle, values))
        && emitted.iter().all(|(handle, want)| {
            let got = ran.received.get(handle).cloned().unwrap_or_default();
            Compare::default().fits(want, &got.into()).is_ok()
        })
}

//! Whole graphs: the workflow files with expected runs, and the small graphs of `graph-cases.json`.

use std::path::PathBuf;

use nodetool_protocol::{Map, Value};

use super::compare::{Compare, items, shown};
use super::house::{House, Order, Ran};
use super::ledger::Verdict;
use super::{media, models, tables};

/// Where the graph of a case is.
enum Source {
    Inline(Value),
    File(PathBuf),
}

/// One expected run.
pub(super) struct WorkflowCase {
    pub(super) id: String,
    /// What it is counted by.
    pub(super) family: &'static str,
    source: Source,
    /// The run's parameters, over those of the file.
    pub(super) params: Map,
    expect: Value,
    error: Option<Value>,
    trigger_event: Option<Value>,
    pub(super) live: Option<Value>,
    soft: Vec<Value>,
    compare: Compare,
    /// Tables and pictures are expected in summary.
    summed_up: bool,
    informational: bool,
}

impl WorkflowCase {
    fn new(id: String, family: &'static str, source: Source, run: &Value) -> Self {
        let expect = run.get("expect").cloned().unwrap_or_default();
        let params = run
            .get("params")
            .and_then(Value::as_map)
            .cloned()
            .unwrap_or_default();
        WorkflowCase {
            id,
            family,
            source,
            params: params
                .iter()
                .map(|(k, v)| (k.clone(), media::parameter(v)))
                .collect(),
            expect,
            error: run.get("error").cloned(),
            trigger_event: run.get("trigger_event").cloned(),
            live: run.get("live").cloned(),
            soft: run
                .get("soft")
                .map(|s| items(s).to_vec())
                .unwrap_or_default(),
            compare: Compare {
                more_fields: run.get("superset_ok") == Some(&Value::Bool(true)),
            },
            summed_up: false,
            informational: false,
        }
    }

    /// Every case of every table.
    pub(super) fn all() -> Vec<WorkflowCase> {
        let mut cases = Vec::new();
        for case in items(&tables::read(&tables::own("graph-cases.json"))) {
            let id = case.get("id").and_then(Value::as_str).unwrap_or_default();
            let graph = case.get("graph").cloned().unwrap_or_default();
            cases.push(Self::new(
                format!("graph:{id}"),
                "small graphs",
                Source::Inline(graph),
                case,
            ));
        }
        for file in items(&tables::read(&tables::own("expected.json"))) {
            Self::of_file(file, &mut cases);
        }
        for stem in tables::stems("authored", ".expected.json") {
            let path = tables::own(&format!("authored/{stem}.json"));
            cases.push(Self::summed_up(
                "authored",
                &stem,
                "authored workflows",
                path,
            ));
        }
        for stem in tables::stems("workflows", ".expected.json") {
            let path = tables::shared(&format!("workflows/{stem}.json"));
            cases.push(Self::summed_up(
                "workflows",
                &stem,
                "shipped workflows",
                path,
            ));
        }
        cases
    }

    /// The runs of one entry of `expected.json`.
    fn of_file(file: &Value, cases: &mut Vec<WorkflowCase>) {
        let name = file.get("file").and_then(Value::as_str).unwrap_or_default();
        let stem = name.strip_suffix(".json").unwrap_or(name);
        let path = tables::shared(&format!("ts-examples/{name}"));
        let informational = file.get("informational") == Some(&Value::Bool(true));
        let runs = file.get("cases").map(items).unwrap_or_default();
        let nothing = [Value::Null];
        // A file without runs should still load.
        let runs = if runs.is_empty() { &nothing } else { runs };
        for (i, run) in runs.iter().enumerate() {
            let id = format!("file:{stem}#{}", i + 1);
            let mut case = Self::new(id, "example workflows", Source::File(path.clone()), run);
            case.informational = informational;
            cases.push(case);
        }
    }

    /// The run of one `X.expected.json`.
    fn summed_up(folder: &'static str, stem: &str, family: &'static str, path: PathBuf) -> Self {
        let table = tables::read(&tables::own(&format!("{folder}/{stem}.expected.json")));
        let outputs = media::with_distance(&table.get("outputs").cloned().unwrap_or_default());
        let expect = Value::map([("status", "completed".into()), ("outputs", outputs)]);
        let params = table.get("params").cloned().unwrap_or_default();
        let run = Value::map([("expect", expect), ("params", params)]);
        let mut case = Self::new(format!("{folder}:{stem}"), family, Source::File(path), &run);
        case.summed_up = true;
        case
    }

    /// The workflow file, if it is one and it is there.
    pub(super) fn file(&self) -> Option<&PathBuf> {
        match &self.source {
            Source::File(path) if path.exists() => Some(path),
            _ => None,
        }
    }

    /// Whether the command line can run it and something is expected: it cannot deliver events.
    pub(super) fn is_for_the_command_line(&self) -> bool {
        let expected = !self.expect.is_null();
        let file = self.file();
        // The files name models that only the house of these tests has.
        let asks_models = file.is_some_and(|file| models::asked_in(&tables::read(file)));
        expected
            && file.is_some()
            && !asks_models
            && self.trigger_event.is_none()
            && self.live.is_none()
    }

    /// The run to make; nothing when the file is not here.
    pub(super) fn order(&self) -> Option<Order> {
        let document = match &self.source {
            Source::Inline(graph) => graph.clone(),
            Source::File(path) if path.exists() => tables::read(path),
            Source::File(_) => return None,
        };
        let mut params = document
            .get("params")
            .and_then(Value::as_map)
            .cloned()
            .unwrap_or_default();
        params.extend(self.params.clone());
        let event = self.trigger_event.as_ref();
        Some(Order {
            graph: document.get("graph").cloned().unwrap_or(document),
            params,
            trigger_event: event.and_then(|event| {
                let node = event.get("node_id")?.as_str()?;
                Some((node.into(), event.get("payload").cloned()?))
            }),
        })
    }

    /// Runs the case and says how it ended; nothing when the file is not here.
    pub(super) async fn run(&self, house: &House) -> Option<Verdict> {
        let order = self.order()?;
        if self.expect.is_null() {
            let loads = house
                .check(order.graph)
                .err()
                .unwrap_or_else(|| "loads".into());
            return Some(Verdict::Informational(loads));
        }
        Some(self.judge(&house.run(order).await))
    }

    /// How a run of this case ended.
    pub(super) fn judge(&self, ran: &Ran) -> Verdict {
        let verdict = self.holds(ran);
        match verdict {
            _ if self.informational => {
                Verdict::Informational(verdict.err().unwrap_or_else(|| "as expected".into()))
            }
            Ok(None) => Verdict::Passed,
            Ok(Some(soft)) => Verdict::Soft(soft),
            Err(how) => Verdict::Failed(how),
        }
    }

    fn holds(&self, ran: &Ran) -> Result<Option<String>, String> {
        let status = self.expect.get("status").cloned().unwrap_or_default();
        let ended = || format!("{}: {}", ran.status, ran.error);
        self.compare
            .fits(&status, &ran.status.as_str().into())
            .map_err(|_| format!("expected {}, got {}", shown(&status), ended()))?;
        if let Some(error) = &self.error {
            self.compare.fits(error, &ran.error.as_str().into())?;
        }
        let mut soft = None;
        for (name, want) in self.expected("outputs") {
            let got = Value::from(ran.outputs.get(&name).cloned().unwrap_or_default());
            let got = if self.summed_up {
                media::summary(&got)
            } else {
                got
            };
            if let Err(how) = self.compare.fits(&want, &got) {
                let how = format!("{name} {how}");
                if !self.soft.contains(&Value::Str(name)) {
                    return Err(how);
                }
                soft = Some(how);
            }
        }
        if let Some(updates) = &ran.updates {
            for (node, want) in self.expected("output_updates") {
                let got = Value::from(updates.get(&node).cloned().unwrap_or_default());
                self.compare
                    .fits(&want, &got)
                    .map_err(|e| format!("updates of {node} {e}"))?;
            }
        }
        Ok(soft)
    }

    fn expected(&self, key: &str) -> Map {
        self.expect
            .get(key)
            .and_then(Value::as_map)
            .cloned()
            .unwrap_or_default()
    }

    /// The same case with `$TMP` standing for a folder.
    pub(super) fn with_folder(&self, folder: &str) -> WorkflowCase {
        let mut run = Map::new();
        run.insert("expect".into(), filled(&self.expect, folder));
        if let Some(live) = &self.live {
            run.insert("live".into(), filled(live, folder));
        }
        let source = match &self.source {
            Source::Inline(graph) => Source::Inline(graph.clone()),
            Source::File(path) => Source::File(path.clone()),
        };
        Self::new(self.id.clone(), self.family, source, &run.into())
    }
}

fn filled(value: &Value, folder: &str) -> Value {
    match value {
        Value::Str(text) => text.replace("$TMP", folder).into(),
        Value::List(list) => Value::list(list.iter().map(|v| filled(v, folder))),
        Value::Map(map) => map
            .iter()
            .map(|(k, v)| (k.clone(), filled(v, folder)))
            .collect::<Map>()
            .into(),
        other => other.clone(),
    }
}

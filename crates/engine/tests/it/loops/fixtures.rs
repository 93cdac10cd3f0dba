//! Small steps, graphs in a few words, and runs whose every event is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nodetool_engine::{LoopOutcome, LoopPlan, LoopPlanError, LoopRun, Unheard};
use nodetool_sdk::protocol::{Edge, Graph, Node};
use nodetool_sdk::steps::{FlowCx, LoopSink, Mode, Runtime, StepDone, StepNode, Steps, Token};
use nodetool_sdk::{Map, Value};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::fixtures::context;

mod steps;

pub(super) use steps::Log;

/// How long anything may take before a test calls it a hang; more than all rests of a test whose clock is paused.
pub(super) const PATIENCE: Duration = Duration::from_secs(200);

/// A value of a JSON literal.
pub(super) fn value(json: serde_json::Value) -> Value {
    serde_json::from_value(json).expect("a value")
}

/// An object of a JSON literal.
pub(super) fn map(json: serde_json::Value) -> Map {
    value(json).as_map().expect("an object").clone()
}

/// A value as JSON, for comparison.
pub(super) fn plain(value: impl Into<Value>) -> serde_json::Value {
    serde_json::to_value(value.into()).expect("JSON")
}

/// A graph in words: nodes are `id type`, with a form; edges are `a -> b` or `a -yes-> b`, several by commas.
pub(super) fn graph(nodes: &[(&str, serde_json::Value)], edges: &str) -> Graph {
    let mut graph = Graph::default();
    for (words, form) in nodes {
        let (id, step) = words.split_once(' ').expect("id and type");
        let mut node = Node::new(id, &format!("orchestrator.{step}"));
        node.data = map(form.clone());
        if let Some(name) = node.data.shift_remove("queue_name") {
            let config = Value::map([("queue_name", name)]);
            node.extra.insert("config".into(), config);
        }
        graph.nodes.push(node);
    }
    for words in edges.split(',').map(str::trim).filter(|e| !e.is_empty()) {
        let words: Vec<&str> = words.split_whitespace().collect();
        for pair in words.windows(3).step_by(2) {
            let handle = pair[1].trim_start_matches('-').trim_end_matches("->");
            let handle = handle.trim_end_matches('-').trim_end_matches('>');
            graph.edges.push(edge(pair[0], handle, pair[2]));
        }
    }
    graph
}

pub(super) fn edge(source: &str, handle: &str, target: &str) -> Edge {
    Edge {
        id: None,
        source: source.into(),
        source_handle: handle.into(),
        target: target.into(),
        target_handle: "data".into(),
        ui_properties: Value::Null,
        kind: Default::default(),
        extra: Map::new(),
    }
}

/// What was told of a step.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    Started,
    /// By this route, with this data.
    Completed(String, Map),
    /// With this error, given this token.
    Failed(String, Token),
}

/// Keeps everything that is told.
#[derive(Default)]
pub(super) struct Record {
    told: Mutex<Vec<(String, Told)>>,
    count: watch::Sender<usize>,
}

impl Record {
    fn add(&self, node: &StepNode, told: Told) {
        let mut all = self.lock();
        all.push((node.id.to_string(), told));
        let count = all.len();
        drop(all);
        self.count.send_replace(count);
    }

    pub(super) fn told(&self) -> Vec<(String, Told)> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Told)>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nodes that completed, in order; an empty one is marked with `.`.
    pub(super) fn completed(&self) -> String {
        let nodes = self.told().into_iter().filter_map(|(id, told)| match told {
            Told::Completed(_, data) if data.is_empty() => Some(format!("{id}.")),
            Told::Completed(..) => Some(id),
            _ => None,
        });
        nodes.collect::<Vec<_>>().join(" ")
    }

    /// The data a node completed with, passes of sentinels left out.
    pub(super) fn data(&self, node: &str) -> Vec<Map> {
        let told = self.told().into_iter();
        told.filter_map(|(id, told)| match told {
            Told::Completed(_, data) if id == node && !data.is_empty() => Some(data),
            _ => None,
        })
        .collect()
    }

    /// The errors of a node.
    pub(super) fn errors(&self, node: &str) -> Vec<String> {
        let told = self.told().into_iter();
        told.filter_map(|(id, told)| match told {
            Told::Failed(error, _) if id == node => Some(error),
            _ => None,
        })
        .collect()
    }

    /// Waits until something has been told.
    pub(super) async fn until(&self, wanted: impl Fn(&[(String, Told)]) -> bool) {
        let mut count = self.count.subscribe();
        let seen = count.wait_for(|_| wanted(&self.lock()));
        let seen = tokio::time::timeout(PATIENCE, seen).await;
        assert!(seen.is_ok(), "never seen: {:#?}", self.told());
    }

    /// Waits until a node has started so often.
    pub(super) async fn until_started(&self, node: &str, times: usize) {
        self.until(|told| {
            let mine = told.iter();
            mine.filter(|(id, t)| id == node && *t == Told::Started)
                .count()
                >= times
        })
        .await;
    }
}

impl LoopSink for Record {
    fn started(&self, node: &StepNode) {
        self.add(node, Told::Started);
    }
    fn completed(&self, node: &StepNode, done: StepDone<'_>) {
        self.add(
            node,
            Told::Completed(done.route.to_owned(), done.data.clone()),
        );
    }
    fn failed(&self, node: &StepNode, error: &str, input: &Token) {
        self.add(node, Told::Failed(error.to_owned(), input.clone()));
    }
}

/// A workflow with what its steps do and what it tells.
#[derive(Clone)]
pub(super) struct Flow {
    pub(super) graph: Graph,
    pub(super) log: Arc<Log>,
    pub(super) record: Arc<Record>,
}

impl Flow {
    pub(super) fn new(nodes: &[(&str, serde_json::Value)], edges: &str) -> Self {
        Self::of(graph(nodes, edges))
    }

    pub(super) fn of(graph: Graph) -> Self {
        Flow {
            graph,
            log: Arc::default(),
            record: Arc::default(),
        }
    }

    pub(super) fn steps(&self) -> Steps {
        steps::all(&self.log)
    }

    pub(super) fn plan(&self, mode: Mode) -> Result<LoopPlan, LoopPlanError> {
        LoopPlan::build(&self.graph, &self.steps(), mode)
    }

    /// The faults of a graph that cannot be planned.
    pub(super) fn fault(&self, mode: Mode) -> String {
        match self.plan(mode) {
            Ok(_) => panic!("it can be planned"),
            Err(error) => error.to_string(),
        }
    }

    pub(super) fn run(&self, mode: Mode) -> LoopRun {
        let plan = match mode {
            Mode::Development => {
                let node = &self.graph.nodes[0].id;
                LoopPlan::scoped(&self.graph, &self.steps(), node)
            }
            _ => self.plan(mode),
        };
        LoopRun {
            plan: Arc::new(plan.expect("a plan")),
            run: context(Arc::new(Unheard)),
            flow: Arc::new(FlowCx {
                mode,
                env: Arc::default(),
                runtime: Arc::new(Runtime::default()),
                request: None,
                webhooks: None,
            }),
            sink: self.record.clone(),
            journal: None,
            left: HashMap::new(),
        }
    }

    /// Starts its loops.
    pub(super) fn start(&self) -> (JoinHandle<LoopOutcome>, CancellationToken) {
        self.start_as(self.run(Mode::Production))
    }

    #[expect(clippy::disallowed_methods, reason = "the test waits for its end")]
    pub(super) fn start_as(&self, run: LoopRun) -> (JoinHandle<LoopOutcome>, CancellationToken) {
        let cancel = CancellationToken::new();
        (tokio::spawn(run.produce(cancel.clone())), cancel)
    }

    /// Runs its loops to their end.
    pub(super) async fn produce(&self) -> LoopOutcome {
        let (run, _) = self.start();
        ended(run).await
    }

    /// Calls it like a function.
    #[expect(clippy::disallowed_methods, reason = "the test waits for its end")]
    pub(super) async fn call(&self, input: serde_json::Value) -> Result<Token, String> {
        let token = Token::new("call", map(input));
        let run = self.run(Mode::Api).once(token, CancellationToken::new());
        ended(tokio::spawn(run)).await
    }

    /// Runs the body of its first node over items.
    #[expect(clippy::disallowed_methods, reason = "the test waits for its end")]
    pub(super) async fn each(&self, items: serde_json::Value) -> Result<Token, String> {
        let node = self.graph.nodes[0].id.clone();
        let items = value(items).as_list().expect("a list").to_vec();
        let token = Token::new("dev", map(json!({"given": true})));
        let run = self.run(Mode::Development);
        let work = async move {
            run.each(&node, items, token, CancellationToken::new())
                .await
        };
        ended(tokio::spawn(work)).await
    }
}

/// What a task comes to.
pub(super) async fn ended<T>(task: JoinHandle<T>) -> T {
    let ended = tokio::time::timeout(PATIENCE, task).await;
    ended.expect("an end").expect("no panic")
}

//! How fast loops are: a counter of 100,000 iterations through three blocking steps, with a sink that counts.
//!
//! ```text
//! cargo run --release -p nodetool-engine --example loops [ITERATIONS] [WORKERS]
//! ```

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use nodetool_engine::{LoopPlan, LoopRun, Unheard};
use nodetool_sdk::protocol::{Edge, Graph, Node};
use nodetool_sdk::services::Services;
use nodetool_sdk::steps::{
    Flow, FlowCx, FormFaults, LoopSink, Mode, Pool, Runtime, Step, StepConfig, StepCx, StepDef,
    StepDone, StepError, StepKind, StepNode, StepRole, Steps, Token,
};
use nodetool_sdk::{BoxFuture, Map, RunCx, Value, Variables};
use tokio_util::sync::CancellationToken;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Counts what is told.
#[derive(Default)]
struct Count {
    started: AtomicU64,
    completed: AtomicU64,
}

impl LoopSink for Count {
    fn started(&self, _: &StepNode) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }
    fn completed(&self, _: &StepNode, _: StepDone<'_>) {
        self.completed.fetch_add(1, Ordering::Relaxed);
    }
    fn failed(&self, node: &StepNode, error: &str, _: &Token) {
        eprintln!("{}: {error}", node.id);
    }
}

/// Counts to its limit, or sets a key of its own.
struct Bench {
    config: StepConfig,
    left: Option<i64>,
}

impl Step for Bench {
    fn ready(&self) -> std::result::Result<(), Box<FormFaults>> {
        Ok(())
    }

    fn run<'a>(
        &'a mut self,
        mut token: Token,
        _: &'a StepCx,
    ) -> BoxFuture<'a, std::result::Result<Flow, StepError>> {
        Box::pin(async move {
            let key = self.config.id.clone();
            match &mut self.left {
                Some(0) => return Ok(Flow::Completed(token)),
                Some(left) => {
                    *left -= 1;
                    token.data.insert(key, Value::Int(*left));
                }
                None => {
                    token.data.insert(key, Value::Bool(true));
                }
            }
            Ok(Flow::Go(token))
        })
    }
}

fn define(name: &str, kind: StepKind, iterations: Option<i64>) -> StepDef {
    StepDef {
        identifier: name.into(),
        class: name.into(),
        label: None,
        description: None,
        category: "Bench".into(),
        icon: None,
        kind,
        role: StepRole::Plain,
        pool: Pool::Async,
        form: None,
        supports: &["production"],
        effects: false,
        make: Box::new(move |config| {
            Box::new(Bench {
                config,
                left: iterations,
            })
        }),
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let iterations: i64 = arguments.next().map_or(Ok(100_000), |n| n.parse())?;
    let workers: usize = arguments.next().map_or(Ok(2), |n| n.parse())?;

    let mut steps = Steps::default();
    steps.add(define("counter", StepKind::Producer, Some(iterations)));
    steps.add(define("step", StepKind::Blocking, None));
    let mut graph = Graph::default();
    graph.nodes.push(Node::new("c", "orchestrator.counter"));
    for (from, to) in [("c", "s1"), ("s1", "s2"), ("s2", "s3")] {
        graph.nodes.push(Node::new(to, "orchestrator.step"));
        graph.edges.push(Edge {
            id: None,
            source: from.into(),
            source_handle: "default".into(),
            target: to.into(),
            target_handle: "data".into(),
            ui_properties: Value::Null,
            kind: Default::default(),
            extra: Map::new(),
        });
    }
    let sink = Arc::new(Count::default());
    let run = LoopRun {
        plan: Arc::new(LoopPlan::build(&graph, &steps, Mode::Production)?),
        run: Arc::new(RunCx {
            job_id: "bench".into(),
            workflow_id: "bench".into(),
            user_id: "1".into(),
            depth: 0,
            services: Services::none(),
            variables: Variables::default(),
            workspace: None,
            events: Arc::new(Unheard),
        }),
        flow: Arc::new(FlowCx {
            mode: Mode::Production,
            env: Arc::default(),
            runtime: Arc::new(Runtime::default()),
            request: None,
            webhooks: None,
        }),
        sink: sink.clone(),
        journal: None,
        left: HashMap::new(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()?;
    let began = Instant::now();
    let outcome = runtime.block_on(run.produce(CancellationToken::new()));
    let took = began.elapsed();
    let steps = sink.completed.load(Ordering::Relaxed);
    println!(
        "{:?}: {steps} steps in {took:?}, {:.0} steps/s",
        outcome.status,
        steps as f64 / took.as_secs_f64()
    );
    Ok(())
}

//! The real engine, registry, services and sandbox, ready for one run after another.
//!
//! It must not know cases or what they expect.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nodetool_engine::{AssetMode, Plan, RunOptions, RunOutcome, Runner};
use nodetool_protocol::{Graph, JobEvent, Map, Value};
use nodetool_sdk::services::{Assets, Services};
use nodetool_sdk::testing::Recorder;
use nodetool_sdk::{Registry, RunCx, Variables};
use nodetool_server::NodeServices;
use tempfile::TempDir;

use super::fixtures::{self, Received, Streams};
use super::models;

/// A run that takes longer is a failed case, not a hanging suite.
const LIMIT: Duration = Duration::from_secs(60);

/// A run to make.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    /// The graph document.
    pub(super) graph: Value,
    /// Values of inputs by name.
    pub(super) params: Map,
    /// Event for a trigger node: its id and the payload.
    pub(super) trigger_event: Option<(Arc<str>, Value)>,
}

/// What a run gave.
#[derive(Clone, Debug)]
pub(super) struct Ran {
    /// The word of its status.
    pub(super) status: String,
    /// Why it failed; empty when it did not.
    pub(super) error: String,
    /// Output name to all its values.
    pub(super) outputs: Streams,
    /// Output node to the values it announced; nothing where the way of running does not tell.
    pub(super) updates: Option<Streams>,
    /// What the sink got, by handle.
    pub(super) received: Streams,
    /// Everything that was told meanwhile; nothing where the way of running does not tell.
    pub(super) told: Vec<JobEvent>,
}

impl Ran {
    /// A run that came to no end of its own.
    pub(super) fn failed(error: impl Into<String>) -> Self {
        Ran {
            status: "failed".into(),
            error: error.into(),
            outputs: Streams::new(),
            updates: None,
            received: Streams::new(),
            told: Vec::new(),
        }
    }
}

/// What runs are made in.
pub(super) struct House {
    pub(super) registry: Registry,
    services: Services,
    received: Received,
    folder: TempDir,
    runs: AtomicU64,
}

impl House {
    pub(super) fn open() -> Self {
        Self::furnished(Vec::new(), |_| {})
    }

    /// One whose nodes may call these private hosts, and with other services.
    pub(super) fn furnished(allow_hosts: Vec<String>, furnish: impl FnOnce(&mut Services)) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("no folder for a run: {e}"));
        let received = Received::default();
        let mut registry = nodetool_server::registry();
        fixtures::register(&mut registry, &received);
        let services = NodeServices {
            program: env!("CARGO_BIN_EXE_nodetool").into(),
            assets: folder.path().join("assets"),
            allow_hosts,
            search_path: std::env::var_os("PATH").unwrap_or_default(),
        };
        let mut services = services
            .build()
            .unwrap_or_else(|e| panic!("services: {e:#}"));
        (services.models, services.conversations) = models::services();
        furnish(&mut services);
        House {
            registry,
            services,
            received,
            runs: AtomicU64::new(0),
            folder,
        }
    }

    /// The assets of its runs.
    pub(super) fn assets(&self) -> Arc<dyn Assets> {
        self.services.assets.clone()
    }

    /// A fresh folder, gone with the house.
    pub(super) fn fresh_folder(&self) -> PathBuf {
        let n = self.runs.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.path().join(format!("run-{n}"));
        std::fs::create_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        path
    }

    /// Whether a graph could run, or why not.
    pub(super) fn check(&self, graph: Value) -> Result<(), String> {
        self.plan(graph).map(drop)
    }

    /// Edges that do not count, each with the reason; fails where the graph could not run at all.
    pub(super) fn ignored(&self, graph: Value) -> Result<Vec<String>, String> {
        let plan = self.plan(graph)?;
        let edges = plan.ignored_edges().iter();
        Ok(edges.map(|fault| fault.message.clone()).collect())
    }

    fn plan(&self, graph: Value) -> Result<Arc<Plan>, String> {
        let graph = Graph::from_value(models::filled(graph)).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            faults.join("; ")
        })?;
        let plan = Plan::build(&graph, &self.registry).map_err(|e| e.to_string())?;
        Ok(Arc::new(plan))
    }

    /// Makes a run in a workspace of its own.
    pub(super) async fn run(&self, order: Order) -> Ran {
        self.run_in(self.fresh_folder(), order).await
    }

    /// Makes a run in the given workspace.
    pub(super) async fn run_in(&self, workspace: PathBuf, order: Order) -> Ran {
        self.run_heard(workspace, order, Arc::default()).await
    }

    /// The same while somebody listens.
    pub(super) async fn run_heard(
        &self,
        workspace: PathBuf,
        order: Order,
        events: Arc<Recorder>,
    ) -> Ran {
        let plan = match self.plan(order.graph) {
            Ok(plan) => plan,
            Err(e) => return Ran::failed(e),
        };
        let job_id: Arc<str> = workspace.to_string_lossy().into();
        let cx = Arc::new(RunCx {
            job_id: job_id.clone(),
            workflow_id: "cases".into(),
            user_id: "1".into(),
            depth: 0,
            services: self.services.clone(),
            variables: Variables::default(),
            workspace: Some(workspace),
            events: events.clone(),
        });
        let options = RunOptions {
            params: order.params,
            assets: AssetMode::DataUri,
            trigger_event: order.trigger_event,
            ..RunOptions::default()
        };
        let runner = Runner::new(plan, cx, options);
        match tokio::time::timeout(LIMIT, runner.execute()).await {
            Ok(outcome) => ran(outcome, &events, self.received.take(&job_id)),
            Err(_) => Ran::failed(format!("the run did not end within {} s", LIMIT.as_secs())),
        }
    }
}

fn ran(outcome: RunOutcome, events: &Recorder, received: Streams) -> Ran {
    let mut updates = Streams::new();
    let told = events.events();
    for event in &told {
        if let JobEvent::OutputUpdate(update) = event {
            updates
                .entry(update.node_id.clone())
                .or_default()
                .push(update.value.clone());
        }
    }
    Ran {
        status: outcome.status.as_str().into(),
        error: outcome.error.unwrap_or_default(),
        outputs: outcome.outputs.into_iter().collect(),
        updates: Some(updates),
        received,
        told,
    }
}

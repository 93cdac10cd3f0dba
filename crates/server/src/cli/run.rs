//! `nodetool run FILE`: runs a workflow file in this process.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use nodetool_engine::{AssetMode, Plan, RunOptions, RunOutcome, Runner};
use nodetool_protocol::{JobEvent, JobStatus, JobUpdate, Map, Value};
use nodetool_sdk::{BoxFuture, EventSink, RunCx, Variables};

use super::params::Params;
use super::progress::Progress;
use super::{EXIT_USAGE, document, environment, faults, show};
use crate::config::{ChatArgs, Config, Overrides};
use crate::node_services::{self, NodeServices};
use tokio::sync::Notify;

use crate::services::{
    Begin, Caller, Feed, Kept, Keys, Ledger, ModelParts, ModelService, Subject, Taken,
};

/// The run was ended by Ctrl-C.
const EXIT_CANCELLED: u8 = 130;
/// Seconds no run takes: a century.
const NO_LIMIT: f64 = 3.2e9;

/// Run a workflow file
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 completed, 1 failed, 2 bad usage or a graph that cannot run, 130 cancelled by Ctrl-C."
)]
pub(super) struct Run {
    /// Workflow file, or - for standard input
    file: PathBuf,
    #[command(flatten)]
    params: Params,
    /// Print the outputs as one JSON object: output name to the list of its values
    #[arg(long, conflicts_with = "jsonl")]
    json: bool,
    /// Print every message of the run as a JSON line, as it comes
    #[arg(long)]
    jsonl: bool,
    /// Folder the workflow may read and write; without one, nodes that need files fail
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Cancel the run after this many seconds
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    timeout: Option<f64>,
    /// Host or network that nodes may call although it is private (repeatable)
    #[arg(long = "allow-host", value_name = "HOST")]
    allow_hosts: Vec<String>,
    #[command(flatten)]
    chat: ChatArgs,
}

enum End {
    Finished,
    Interrupted,
    TimedOut(f64),
}

impl Run {
    pub(super) fn main(self) -> anyhow::Result<ExitCode> {
        let usage = |e: anyhow::Error| {
            eprintln!("error: {e:#}");
            Ok(ExitCode::from(EXIT_USAGE))
        };
        let document = match document::read(&self.file) {
            Ok(document) => document,
            Err(e) => return usage(e),
        };
        let params = match self.params.over(document.params) {
            Ok(params) => params,
            Err(e) => return usage(e),
        };
        let registry = node_services::registry();
        let plan = match Plan::build(&document.graph, &registry) {
            Ok(plan) => Arc::new(plan),
            Err(e) => {
                let faults = faults::lines(&e, &document.graph, &registry);
                return usage(anyhow::anyhow!("{} cannot run:\n{faults}", document.name));
            }
        };
        for fault in plan.ignored_edges().iter().take(faults::TOLD) {
            eprintln!("warning: {}", fault.message);
        }
        for name in params
            .keys()
            .filter(|name| !plan.input_names().any(|i| i == &***name))
        {
            let known: Vec<&str> = plan.input_names().collect();
            eprintln!(
                "warning: the workflow has no input '{name}'; it has {}",
                list(&known)
            );
        }
        if self.timeout.is_some_and(|t| !t.is_finite() || t <= 0.0) {
            return usage(anyhow::anyhow!(
                "--timeout: expected a number of seconds greater than 0"
            ));
        }
        if let Some(dir) = &self.workspace
            && !dir.is_dir()
        {
            return usage(anyhow::anyhow!(
                "--workspace: {} is no folder",
                dir.display()
            ));
        }
        let runtime = super::runtime()?;
        let code = runtime.block_on(self.run(plan, params));
        // Whatever ignores its cancellation must not hold the process.
        runtime.shutdown_timeout(Duration::from_millis(100));
        code
    }

    /// Models with the keys of the environment; nothing is noted of what they cost.
    fn models(&self, folder: &Path) -> anyhow::Result<ModelService> {
        let config = Config::load(Overrides {
            chat: self.chat.clone(),
            data_dir: Some(folder.to_owned()),
            ..Overrides::of_environment()?
        })?;
        let settings = config.model_settings()?;
        let secrets = environment::with_own_keys(&environment::secrets(), &settings);
        let models = ModelService::new(ModelParts {
            settings,
            keys: Keys::Given(Arc::new(secrets)),
            chosen: None,
            ledger: Ledger::default(),
        });
        models.context("cannot set up the client of model providers")
    }

    async fn run(&self, plan: Arc<Plan>, params: Map) -> anyhow::Result<ExitCode> {
        let folder =
            std::env::temp_dir().join(format!("nodetool-run-{}", nodetool_store::new_id()));
        let node_services = NodeServices {
            program: std::env::current_exe()?,
            assets: folder.join("assets"),
            allow_hosts: self.allow_hosts.clone(),
            search_path: super::environment::search_path(),
        };
        let mut services = node_services.build()?;
        services.models = self.models(&folder)?.of(&Caller::local());
        let job_id: Arc<str> = nodetool_store::new_id().into();
        let subject = Subject {
            job_id: job_id.clone(),
            workflow_id: "".into(),
            user_id: "1".into(),
        };
        let feed = Arc::new(Feed::new(subject, 1, u64::MAX, Kept::default()));
        let wake = Arc::new(Notify::new());
        let mut watch = feed.watch(Begin::Lossless, wake.clone());
        let cx = Arc::new(RunCx {
            job_id: job_id.clone(),
            workflow_id: "".into(),
            user_id: "1".into(),
            depth: 0,
            services,
            variables: Variables::default(),
            workspace: self.workspace.clone(),
            events: feed.clone(),
        });
        let total = plan.len();
        let options = RunOptions {
            params,
            assets: AssetMode::DataUri,
            pushes: false,
            ..RunOptions::default()
        };
        let runner = Runner::new(plan, cx, options);
        let handle = runner.handle();
        feed.emit(JobEvent::JobUpdate(JobUpdate::new(
            JobStatus::Running,
            job_id.clone(),
            "".into(),
        )));
        let mut end: BoxFuture<'_, (End, RunOutcome)> = Box::pin(async {
            let run = runner.execute();
            tokio::pin!(run);
            let limit = self.timeout.unwrap_or(NO_LIMIT).min(NO_LIMIT);
            tokio::select! {
                outcome = &mut run => (End::Finished, outcome),
                _ = tokio::signal::ctrl_c() => { handle.cancel(); (End::Interrupted, run.await) }
                () = tokio::time::sleep(Duration::from_secs_f64(limit)) => {
                    handle.cancel();
                    (End::TimedOut(self.timeout.unwrap_or_default()), run.await)
                }
            }
        });
        let interactive = std::io::stdout().is_terminal() && !self.json && !self.jsonl;
        let mut progress =
            (std::io::stderr().is_terminal() && interactive).then(|| Progress::new(total));
        let mut outcome = None;
        loop {
            tokio::select! {
                ended = &mut end, if outcome.is_none() => {
                    let (how, result) = ended;
                    let update = result.closing_update(job_id.clone(), "".into());
                    feed.emit(JobEvent::JobUpdate(update));
                    outcome = Some((how, result));
                    end = Box::pin(std::future::pending());
                }
                taken = watch.next(&wake, 256) => match taken {
                    Taken::Frames(frames) => for frame in frames {
                        let event = &frame.event;
                        self.tell(event, progress.as_mut())?;
                        if matches!(event, JobEvent::JobUpdate(u) if u.status != JobStatus::Running) {
                            let _ = std::fs::remove_dir_all(&folder);
                            let (how, result) = outcome.take().context("the run ended without an outcome")?;
                            if let Some(p) = &mut progress {
                                p.finish();
                            }
                            return self.finish(how, &result, interactive);
                        }
                    },
                    Taken::Snapshot(_) | Taken::Ended | Taken::Nothing => bail!("the run ended without its closing message"),
                },
            }
        }
    }

    fn tell(&self, event: &JobEvent, progress: Option<&mut Progress>) -> anyhow::Result<()> {
        if self.jsonl {
            let mut out = std::io::stdout().lock();
            serde_json::to_writer(&mut out, event)?;
            out.write_all(b"\n")?;
            out.flush()?;
        }
        match (progress, event) {
            (Some(p), event) => p.show(event),
            (None, JobEvent::NodeUpdate(u)) => {
                if let Some(error) = &u.error {
                    eprintln!("{} ({}): {error}", u.node_name, u.node_id);
                }
            }
            (
                None,
                JobEvent::LogUpdate {
                    node_name, content, ..
                },
            ) => eprintln!("{node_name}: {content}"),
            (None, _) => {}
        }
        Ok(())
    }

    fn finish(
        &self,
        how: End,
        outcome: &RunOutcome,
        interactive: bool,
    ) -> anyhow::Result<ExitCode> {
        let mut out = std::io::stdout().lock();
        if !self.jsonl {
            let outputs = outcome.outputs.iter().cloned();
            let outputs: Map = outputs.map(|(k, v)| (k, Value::from(v))).collect();
            show::outputs(&mut out, &outputs, interactive)?;
        }
        let seconds = outcome.duration.as_secs_f64();
        match (how, outcome.status) {
            (End::Interrupted, _) => {
                eprintln!("cancelled");
                Ok(ExitCode::from(EXIT_CANCELLED))
            }
            (End::TimedOut(limit), _) => {
                eprintln!("error: cancelled after {limit} s (--timeout)");
                Ok(ExitCode::FAILURE)
            }
            (_, JobStatus::Completed) => {
                if interactive {
                    eprintln!("completed in {seconds:.2} s");
                }
                Ok(ExitCode::SUCCESS)
            }
            (_, JobStatus::Suspended) => {
                let (node, reason, _) = outcome
                    .suspended
                    .clone()
                    .context("a suspended run names its node")?;
                eprintln!("suspended at node {node}: {reason}; only the server can resume a run");
                Ok(ExitCode::FAILURE)
            }
            _ => {
                eprintln!(
                    "error: {}",
                    outcome.error.as_deref().unwrap_or("the run failed")
                );
                Ok(ExitCode::FAILURE)
            }
        }
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}

//! `nodetool loop`: workflows that go on, started and stopped like services and watched at work.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};
use nodetool_protocol::Value;
use reqwest::{Method, StatusCode};

use self::watch::{Watch, Way};
use super::client::{Ask, Client, Refused, plain};
use super::reach::Reach;
use super::table;
use crate::extensions::Extension;

mod board;
mod watch;

/// Start, stop and watch workflows that go on: loops
#[derive(Debug, clap::Args)]
pub(super) struct Loops {
    #[command(subcommand)]
    command: LoopCommand,
    /// Print what the server answers, as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, clap::Subcommand)]
enum LoopCommand {
    /// List loops, newest first
    List,
    /// Start the loops of a workflow; one that runs goes on
    Start {
        /// The workflow
        id: String,
        /// Watch it until it ends
        #[arg(long, short)]
        watch: bool,
    },
    /// Stop a workflow's loops
    Stop {
        /// The workflow
        id: String,
    },
    /// Show how a workflow stands
    Status {
        /// The workflow
        id: String,
    },
    /// Watch the nodes of a workflow at work until it ends
    #[command(
        after_help = "Ends with 0 when the workflow has completed, with 1 when it has failed or was stopped.\nOn a terminal a table that is drawn anew, in a pipe one line per event, with --json one JSON message per line."
    )]
    Watch {
        /// The workflow
        id: String,
    },
}

impl Loops {
    pub(super) fn main(self, extensions: Vec<Extension>) -> anyhow::Result<ExitCode> {
        let Loops {
            command,
            reach,
            json,
        } = self;
        reach.run(extensions, async |client| match command {
            LoopCommand::List => list(client, json).await,
            LoopCommand::Start { id, watch } => start(client, &id, watch, json).await,
            LoopCommand::Stop { id } => {
                let answer = order(client, &id, "stop_execution").await?;
                if json {
                    table::json(&mut std::io::stdout().lock(), &answer)?;
                } else if table::cell(&answer, "status") == "REVOKED" {
                    eprintln!("{} is stopped", plain(&id));
                } else {
                    eprintln!("{} does not run", plain(&id));
                }
                Ok(ExitCode::SUCCESS)
            }
            LoopCommand::Status { id } => status(client, &id, json).await,
            LoopCommand::Watch { id } => {
                let watch = Watch::open(client, &id, Way::of(json)).await?;
                if watch.is_idle() {
                    bail!("{id} does not run; `nodetool loop start {id}` starts it");
                }
                watch.follow().await
            }
        })
    }
}

async fn list(client: &Client, json: bool) -> anyhow::Result<ExitCode> {
    let query = [("dialect", "loop".to_owned())];
    let loops = client.get(&["api", "workflow"], &query).await?;
    let mut out = std::io::stdout().lock();
    if json {
        table::json(&mut out, &loops)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = loops.as_list();
    let rows = rows.context("the server's answer is no list of workflows")?;
    let row = |workflow: &Value| {
        vec![
            table::cell(workflow, "id"),
            table::cell(workflow, "name"),
            table::cell(workflow, "workflow_type"),
            table::cell(workflow, "status"),
            table::cell(workflow, "runs_count"),
            table::time(workflow, "last_run"),
        ]
    };
    let header = ["ID", "NAME", "TYPE", "STATUS", "RUNS", "LAST RUN"];
    table::print(&mut out, &header, rows.iter().map(row).collect())?;
    out.flush()?;
    eprintln!("{} loops", rows.len());
    Ok(ExitCode::SUCCESS)
}

/// Starts a workflow. A server inside this command would take the run with it, so it is watched to its end.
async fn start(client: &Client, id: &str, watch: bool, json: bool) -> anyhow::Result<ExitCode> {
    if !watch && !client.here {
        let answer = order(client, id, "start_execution").await?;
        let mut out = std::io::stdout().lock();
        if json {
            table::json(&mut out, &answer)?;
        } else {
            table::record(&mut out, &task(&answer))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    // There before the run is: nothing of it is missed.
    let mut watch = Watch::open(client, id, Way::of(json)).await?;
    order(client, id, "start_execution").await?;
    if client.here {
        eprintln!("no server has the data folder; the workflow runs in this command");
    }
    watch.expect_new();
    watch.follow().await
}

async fn order(client: &Client, id: &str, what: &str) -> anyhow::Result<Value> {
    let path = ["api", "workflow", id, what];
    client.ask(Ask::new(Method::POST, &path)).await
}

fn task(answer: &Value) -> [(&'static str, String); 2] {
    [
        ("task", table::cell(answer, "task_id")),
        ("status", table::cell(answer, "status")),
    ]
}

async fn status(client: &Client, id: &str, json: bool) -> anyhow::Result<ExitCode> {
    let workflow = client.get(&["api", "workflow", id], &[]).await?;
    let task = match client
        .get(&["api", "workflow", id, "task_status"], &[])
        .await
    {
        Ok(task) => task,
        // What never ran has none.
        Err(e)
            if e.downcast_ref::<Refused>()
                .is_some_and(|r| r.status == StatusCode::BAD_REQUEST) =>
        {
            Value::Null
        }
        Err(e) => return Err(e),
    };
    let state = watch::state(client, id).await?;
    let mut out = std::io::stdout().lock();
    if json {
        let all = Value::map([("workflow", workflow), ("task", task), ("state", state)]);
        table::json(&mut out, &all)?;
        return Ok(ExitCode::SUCCESS);
    }
    let nothing = Value::Null;
    let executing = state.get("executing_nodes").unwrap_or(&nothing).as_map();
    let at_work: Vec<String> = executing
        .into_iter()
        .flat_map(|nodes| nodes.iter())
        .map(|(id, node)| format!("{} ({id})", table::cell(node, "node_type")))
        .collect();
    let fields = [
        ("id", table::cell(&workflow, "id")),
        ("name", table::cell(&workflow, "name")),
        ("type", table::cell(&workflow, "workflow_type")),
        ("status", table::cell(&workflow, "status")),
        ("task", table::cell(&task, "task_id")),
        ("task status", table::cell(&task, "status")),
        ("run", table::cell(&state, "status")),
        ("started", table::time(&state, "started_at")),
        ("finished", table::time(&state, "completed_at")),
        ("steps done", table::cell(&state, "completed_count")),
        ("at work", at_work.join(", ")),
        ("error", table::cell(&state, "error")),
        ("runs", table::cell(&workflow, "runs_count")),
        ("last run", table::time(&workflow, "last_run")),
    ];
    table::record(&mut out, &fields)?;
    Ok(ExitCode::SUCCESS)
}

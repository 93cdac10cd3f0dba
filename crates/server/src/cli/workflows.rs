//! `nodetool workflows`: the saved workflows of a server.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use nodetool_protocol::{Map, Value};
use reqwest::Method;

use super::client::{Ask, Client};
use super::follow::{self, Telling};
use super::params::Params;
use super::reach::Reach;
use super::{document, table, validate};
use crate::extensions::Extension;

mod files;

/// Workflows on one page of the API.
const PAGE: usize = 1000;

/// List, run, import, export and delete saved workflows
#[derive(Debug, clap::Args)]
pub(super) struct Workflows {
    #[command(subcommand)]
    command: WorkflowsCommand,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Whose workflows are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Whose {
    /// Your own
    User,
    /// The examples of the server
    Example,
    /// Both
    All,
}

#[derive(Debug, clap::Subcommand)]
enum WorkflowsCommand {
    /// List workflows, last saved first
    List {
        /// Whose workflows
        #[arg(long = "type", value_name = "TYPE", default_value = "user")]
        whose: Whose,
        /// Only workflows with this in their name, description or tags
        #[arg(long, value_name = "TEXT")]
        query: Option<String>,
        /// Workflows to list
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show a workflow: what it takes and what it gives
    Get {
        /// The workflow
        id: String,
    },
    /// Run a workflow, watch it and print its outputs
    #[command(after_help = "Exit codes: 0 completed, 1 failed, 130 cancelled by Ctrl-C.")]
    Run {
        /// The workflow
        id: String,
        #[command(flatten)]
        params: Params,
        /// Print every message of the run as a JSON line, as it comes
        #[arg(long)]
        jsonl: bool,
    },
    /// Save workflow files: exported ones, examples, bare graphs
    Import {
        /// Workflow files, or - for standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Name to save under, in place of the file's own
        #[arg(long)]
        name: Option<String>,
        /// Keep the id of the file; a workflow of yours with that id is overwritten
        #[arg(long)]
        keep_id: bool,
    },
    /// Print a workflow as a file that can be imported and run
    Export {
        /// The workflow
        id: String,
        /// File to write, in place of standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Delete a workflow
    Delete {
        /// The workflow
        id: String,
    },
    /// Check a workflow, or a workflow file, without running it
    Validate {
        /// The workflow or the file; - for standard input
        #[arg(value_name = "ID|FILE")]
        what: String,
    },
}

impl Workflows {
    pub(super) fn main(self, extensions: Vec<Extension>) -> anyhow::Result<ExitCode> {
        let Workflows {
            command,
            reach,
            json,
        } = self;
        if let WorkflowsCommand::Validate { what } = &command
            && is_file(what)
        {
            return validate::report(document::read(Path::new(what)), json);
        }
        reach.run(extensions, async |client| match command {
            WorkflowsCommand::List {
                whose,
                query,
                limit,
            } => list(client, whose, query.as_deref(), limit as usize, json).await,
            WorkflowsCommand::Get { id } => {
                let workflow = one(client, &id).await?;
                show(&workflow, json)
            }
            WorkflowsCommand::Run { id, params, jsonl } => {
                run(client, &id, &params, Telling::of(json, jsonl)).await
            }
            WorkflowsCommand::Import {
                files,
                name,
                keep_id,
            } => files::import(client, &files, name.as_deref(), keep_id, json).await,
            WorkflowsCommand::Export { id, output } => {
                let workflow = one(client, &id).await?;
                files::export(&workflow, output.as_deref())
            }
            WorkflowsCommand::Delete { id } => {
                let path = ["api", "workflows", &id];
                client.ask(Ask::new(Method::DELETE, &path)).await?;
                if json {
                    let told = Value::map([("deleted", Value::list([id.as_str().into()]))]);
                    table::json(&mut std::io::stdout().lock(), &told)?;
                } else {
                    eprintln!("{id} is deleted");
                }
                Ok(ExitCode::SUCCESS)
            }
            WorkflowsCommand::Validate { what } => {
                let workflow = one(client, &what).await?;
                validate::report(document::of(&what, workflow), json)
            }
        })
    }
}

/// Whether a word means a file; ids have neither slashes nor this ending.
fn is_file(what: &str) -> bool {
    let path = Path::new(what);
    what == "-" || what.contains('/') || what.ends_with(".json") || path.is_file()
}

async fn one(client: &Client, id: &str) -> anyhow::Result<Value> {
    client.get(&["api", "workflows", id], &[]).await
}

async fn list(
    client: &Client,
    whose: Whose,
    query: Option<&str>,
    limit: usize,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let wanted = query.unwrap_or_default().to_lowercase();
    let mut found: Vec<Value> = Vec::new();
    let mut more = false;
    if whose != Whose::Example {
        let mut cursor = String::new();
        loop {
            // What is filtered here has to be asked for in full.
            let size = if wanted.is_empty() {
                limit - found.len()
            } else {
                PAGE
            };
            let mut query = vec![("limit", size.min(PAGE).to_string())];
            if !json {
                let columns = "id,name,description,tags,access,run_mode,updated_at";
                query.push(("columns", columns.into()));
            }
            if !cursor.is_empty() {
                query.push(("cursor", cursor));
            }
            let page = client.get(&["api", "workflows"], &query).await?;
            let rows = rows(&page)?;
            found.extend(rows.iter().filter(|w| matches(w, &wanted)).cloned());
            cursor = table::cell(&page, "next");
            if cursor.is_empty() || rows.is_empty() || found.len() >= limit {
                more = !cursor.is_empty();
                break;
            }
        }
    }
    if whose != Whose::User && found.len() < limit {
        let page = client.get(&["api", "workflows", "examples"], &[]).await;
        let page = page.context("cannot list the examples of this server")?;
        let rows = rows(&page)?;
        found.extend(rows.iter().filter(|w| matches(w, &wanted)).cloned());
    }
    more |= found.len() > limit;
    found.truncate(limit);
    let mut out = std::io::stdout().lock();
    if json {
        table::json(&mut out, &Value::list(found))?;
        return Ok(ExitCode::SUCCESS);
    }
    let row = |w: &Value| {
        vec![
            table::cell(w, "id"),
            table::cell(w, "name"),
            table::cell(w, "access"),
            table::time(w, "updated_at"),
            table::cell(w, "tags"),
            table::cell(w, "description"),
        ]
    };
    let header = ["ID", "NAME", "ACCESS", "SAVED", "TAGS", "DESCRIPTION"];
    table::print(&mut out, &header, found.iter().map(row).collect())?;
    out.flush()?;
    let end = if more { "; --limit shows more" } else { "" };
    eprintln!("{} workflows{end}", found.len());
    Ok(ExitCode::SUCCESS)
}

fn rows(page: &Value) -> anyhow::Result<&[Value]> {
    let rows = page.get("workflows").and_then(Value::as_list);
    rows.context("the server's answer has no workflows")
}

fn matches(workflow: &Value, wanted: &str) -> bool {
    ["name", "description", "tags"]
        .iter()
        .any(|key| table::cell(workflow, key).to_lowercase().contains(wanted))
}

fn show(workflow: &Value, json: bool) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if json {
        table::json(&mut out, workflow)?;
        return Ok(ExitCode::SUCCESS);
    }
    let graph = workflow.get("graph");
    let count = |key: &str| {
        let list = graph.and_then(|g| g.get(key)).and_then(Value::as_list);
        list.map_or(0, <[Value]>::len)
    };
    let fields = [
        ("id", table::cell(workflow, "id")),
        ("name", table::cell(workflow, "name")),
        ("description", table::cell(workflow, "description")),
        ("tags", table::cell(workflow, "tags")),
        ("access", table::cell(workflow, "access")),
        ("run mode", table::cell(workflow, "run_mode")),
        ("tool name", table::cell(workflow, "tool_name")),
        ("created", table::time(workflow, "created_at")),
        ("saved", table::time(workflow, "updated_at")),
        (
            "graph",
            format!("{} nodes, {} edges", count("nodes"), count("edges")),
        ),
        ("takes", names(workflow, "input_schema")),
        ("gives", names(workflow, "output_schema")),
    ];
    table::record(&mut out, &fields)?;
    Ok(ExitCode::SUCCESS)
}

/// `name: type` of each property of a schema.
fn names(workflow: &Value, schema: &str) -> String {
    let properties = workflow.get(schema).and_then(|s| s.get("properties"));
    let Some(properties) = properties.and_then(Value::as_map) else {
        return String::new();
    };
    let named = properties.iter().map(|(name, p)| match p.get("type") {
        Some(Value::Str(kind)) if &**kind != "any" => format!("{name}: {kind}"),
        _ => name.to_string(),
    });
    named.collect::<Vec<_>>().join(", ")
}

async fn run(
    client: &Client,
    id: &str,
    params: &Params,
    telling: Telling,
) -> anyhow::Result<ExitCode> {
    let params = params.over(Map::new())?;
    let nodes = if telling.shows_progress() {
        let workflow = one(client, id).await?;
        let nodes = workflow
            .get("graph")
            .and_then(|g| g.get("nodes")?.as_list());
        nodes.map_or(0, <[Value]>::len)
    } else {
        0
    };
    let body = Value::map([("params", Value::from(params))]);
    let path = ["api", "workflows", id, "run"];
    let ask = Ask {
        query: &[("stream", "true".to_owned())],
        ..Ask::new(Method::POST, &path)
    };
    let response = client.open(ask.json(&body)?).await?;
    follow::run(response, nodes, telling).await
}

/// The id of a workflow in an answer.
fn id_of(workflow: &Value) -> anyhow::Result<String> {
    let id = table::cell(workflow, "id");
    if id.is_empty() {
        bail!("the server's answer names no workflow");
    }
    Ok(id)
}

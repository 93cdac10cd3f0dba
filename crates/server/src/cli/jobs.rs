//! `nodetool jobs`: what runs on a server, what ran, and the grip on it.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};
use nodetool_protocol::{Map, Value};
use reqwest::Method;

use super::client::{Ask, Client, plain};
use super::follow::{self, Telling};
use super::params::Params;
use super::reach::Reach;
use super::{show, table};
use crate::extensions::Extension;

/// Jobs on one page of the API.
const PAGE: usize = 1000;
/// Lines of a log that can be looked at.
const LOG_LINES: usize = 1000;

/// Start jobs, look at them and keep a grip on them
#[derive(Debug, clap::Args)]
pub(super) struct Jobs {
    #[command(subcommand)]
    command: JobsCommand,
    /// Print what the server answers, as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, clap::Subcommand)]
enum JobsCommand {
    /// List jobs, last started first
    List {
        /// Only jobs of this workflow
        #[arg(long, value_name = "ID")]
        workflow_id: Option<String>,
        /// Jobs to list
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// Go on where a list ended that said so
        #[arg(long, value_name = "KEY")]
        start_key: Option<String>,
    },
    /// Show a job
    Get {
        /// The job
        id: String,
    },
    /// Print the log of a job
    Logs {
        /// The job
        id: String,
        /// The last so many lines
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        /// Print further lines as they come, until the job rests
        #[arg(long, short)]
        follow: bool,
    },
    /// Print the outputs of a completed job
    Outputs {
        /// The job
        id: String,
    },
    /// Start a job that runs on the server by itself
    Start {
        /// The workflow
        workflow_id: String,
        #[command(flatten)]
        params: Params,
        /// Wait for the job and print its outputs
        #[arg(long, short)]
        wait: bool,
        /// It may run beside other runs of its workflow
        #[arg(long)]
        concurrent: bool,
    },
    /// End a job
    Cancel {
        /// The job
        id: String,
    },
    /// Let a job begin no more nodes
    Pause {
        /// The job
        id: String,
    },
    /// Let a suspended or paused job go on
    Resume {
        /// The job
        id: String,
        /// What the node that waits gets, as JSON, e.g. '{"approved": true}'
        #[arg(long, value_name = "JSON")]
        data: Option<String>,
        /// Wait for the job and print its outputs
        #[arg(long, short)]
        wait: bool,
    },
    /// Start a new job that does again what an ended one did
    Retry {
        /// The ended job
        id: String,
        /// Wait for the new job and print its outputs
        #[arg(long, short)]
        wait: bool,
    },
}

impl Jobs {
    pub(super) fn main(self, extensions: Vec<Extension>) -> anyhow::Result<ExitCode> {
        let Jobs {
            command,
            reach,
            json,
        } = self;
        reach.run(extensions, async |client| match command {
            JobsCommand::List {
                workflow_id,
                limit,
                start_key,
            } => list(client, workflow_id, limit as usize, start_key, json).await,
            JobsCommand::Get { id } => {
                let job = client.get(&["api", "jobs", &id], &[]).await?;
                show_job(&job, json)
            }
            JobsCommand::Logs { id, limit, follow } => {
                logs(client, &id, limit.into(), follow, json).await
            }
            JobsCommand::Outputs { id } => {
                let outputs = client.get(&["api", "jobs", &id, "outputs"], &[]).await?;
                let people = Telling::of(json, false).for_people();
                let empty = Map::new();
                let mut out = std::io::stdout().lock();
                show::outputs(&mut out, outputs.as_map().unwrap_or(&empty), people)?;
                Ok(ExitCode::SUCCESS)
            }
            JobsCommand::Start {
                workflow_id,
                params,
                wait,
                concurrent,
            } => {
                let body = Value::map([
                    ("workflow_id", Value::from(workflow_id.as_str())),
                    ("params", params.over(Map::new())?.into()),
                    ("concurrent", concurrent.into()),
                ]);
                let ask = Ask::new(Method::POST, &["api", "jobs"]).json(&body)?;
                let about = &workflow_id;
                begun(client, Ask { about, ..ask }, wait, json).await
            }
            JobsCommand::Cancel { id } => {
                let answer = follow::cancel(client, &id).await?;
                if json {
                    table::json(&mut std::io::stdout().lock(), &answer)?;
                } else if table::cell(&answer, "status") == "cancelled" {
                    eprintln!("{id} is being cancelled");
                } else {
                    eprintln!("{id} had ended already");
                }
                Ok(ExitCode::SUCCESS)
            }
            JobsCommand::Pause { id } => {
                let path = ["api", "jobs", &id, "pause"];
                let job = client.ask(Ask::new(Method::POST, &path)).await?;
                show_job(&job, json)
            }
            JobsCommand::Resume { id, data, wait } => {
                let data = data.as_deref().map(serde_json::from_str::<Value>);
                let data = data.transpose().context("--data: not valid JSON")?;
                let body = data.map(|data| Value::map([("data", data)]));
                let path = ["api", "jobs", &id, "resume"];
                let ask = Ask::new(Method::POST, &path);
                let ask = ask.json(&body.unwrap_or_else(|| Map::new().into()))?;
                begun(client, ask, wait, json).await
            }
            JobsCommand::Retry { id, wait } => {
                let path = ["api", "jobs", &id, "retry"];
                begun(client, Ask::new(Method::POST, &path), wait, json).await
            }
        })
    }
}

async fn list(
    client: &Client,
    workflow_id: Option<String>,
    limit: usize,
    start_key: Option<String>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let mut jobs: Vec<Value> = Vec::new();
    let mut key = start_key.unwrap_or_default();
    loop {
        let more = (limit - jobs.len()).min(PAGE);
        let mut query = vec![("limit", more.to_string())];
        query.extend(workflow_id.clone().map(|id| ("workflow_id", id)));
        if !key.is_empty() {
            query.push(("start_key", key));
        }
        let page = client.get(&["api", "jobs"], &query).await?;
        let rows = page.get("jobs").and_then(Value::as_list);
        let rows = rows.context("the server's answer has no jobs")?;
        jobs.extend(rows.iter().cloned());
        key = table::cell(&page, "next_start_key");
        if key.is_empty() || rows.is_empty() || jobs.len() >= limit {
            break;
        }
    }
    let mut out = std::io::stdout().lock();
    if json {
        let all = Value::map([
            ("jobs", Value::list(jobs)),
            ("next_start_key", key.as_str().into()),
        ]);
        table::json(&mut out, &all)?;
        return Ok(ExitCode::SUCCESS);
    }
    let row = |job: &Value| {
        vec![
            table::cell(job, "id"),
            table::cell(job, "status"),
            table::cell(job, "workflow_id"),
            table::time(job, "started_at"),
            table::time(job, "finished_at"),
            table::cell(job, "error"),
        ]
    };
    let header = ["ID", "STATUS", "WORKFLOW", "STARTED", "FINISHED", "ERROR"];
    table::print(&mut out, &header, jobs.iter().map(row).collect())?;
    out.flush()?;
    eprintln!("{} jobs", jobs.len());
    if !key.is_empty() {
        eprintln!("more with --start-key {}", plain(&key));
    }
    Ok(ExitCode::SUCCESS)
}

fn show_job(job: &Value, json: bool) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if json {
        table::json(&mut out, job)?;
        return Ok(ExitCode::SUCCESS);
    }
    let fields = [
        ("id", table::cell(job, "id")),
        ("status", table::cell(job, "status")),
        ("workflow", table::cell(job, "workflow_id")),
        ("started", table::time(job, "started_at")),
        ("finished", table::time(job, "finished_at")),
        ("error", table::cell(job, "error")),
        ("waits at", table::cell(job, "suspended_node_id")),
        ("waits for", table::cell(job, "suspension_reason")),
        ("cost", table::cell(job, "cost")),
    ];
    table::record(&mut out, &fields)?;
    Ok(ExitCode::SUCCESS)
}

/// Sends a request that gets a job going. A server inside this command would take the job with it, so it is waited for.
async fn begun(client: &Client, ask: Ask<'_>, wait: bool, json: bool) -> anyhow::Result<ExitCode> {
    let job = client.ask(ask).await?;
    let id = table::cell(&job, "id");
    if id.is_empty() {
        bail!("the server's answer names no job");
    }
    if wait {
        eprintln!("job {}", plain(&id));
        return follow::job(client, &id, Telling::of(json, false)).await;
    }
    if !client.here {
        return show_job(&job, json);
    }
    eprintln!("no server has the data folder; the job runs in this command");
    show_job(&follow::at_rest(client, &id).await?, json)
}

async fn logs(
    client: &Client,
    id: &str,
    limit: usize,
    follow: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let path = ["api", "jobs", id, "logs"];
    let mut known: Vec<Value> = Vec::new();
    let mut asked = limit;
    loop {
        // Asked before its log: what a job wrote before it ended is in the log that is read after.
        let ended = !follow || follow::rests(&client.get(&["api", "jobs", id], &[]).await?);
        let answer = client.get(&path, &[("limit", asked.to_string())]).await?;
        let lines = answer.get("logs").and_then(Value::as_list);
        let lines = lines.context("the server's answer has no logs")?;
        if json && !follow {
            table::json(&mut std::io::stdout().lock(), &answer)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut out = std::io::stdout().lock();
        for line in &lines[overlap(&known, lines)..] {
            if json {
                table::json(&mut out, line)?;
            } else {
                writeln!(out, "{}", log_line(line))?;
            }
        }
        out.flush()?;
        drop(out);
        known = lines.to_vec();
        asked = LOG_LINES;
        if ended {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(follow::LOOK).await;
    }
}

/// How many lines of a new look were seen at the look before, which may have begun later or earlier.
fn overlap(known: &[Value], lines: &[Value]) -> usize {
    let Some(last) = known.last() else {
        return 0;
    };
    // The longest stretch that ends with the last known line and reads the same in both looks.
    (0..lines.len())
        .rev()
        .find(|i| {
            let same = known.len().min(i + 1);
            lines[*i] == *last && lines[i + 1 - same..=*i] == known[known.len() - same..]
        })
        .map_or(0, |i| i + 1)
}

fn log_line(line: &Value) -> String {
    format!(
        "{}  {:7}  {}: {}",
        table::time(line, "timestamp"),
        table::cell(line, "level"),
        plain(&table::cell(line, "logger")),
        plain(&table::cell(line, "message")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_log_are_printed_once_whatever_part_of_it_is_looked_at() {
        let lines = |range: std::ops::Range<i64>| range.map(Value::Int).collect::<Vec<_>>();
        for (known, seen, new) in [
            (0..0, 0..3, 0),
            (0..3, 0..3, 3),
            (0..3, 0..5, 3),
            (3..5, 0..7, 5),
            (0..5, 2..8, 3),
            (0..2, 5..8, 0),
        ] {
            let what = format!("{known:?} {seen:?}");
            assert_eq!(overlap(&lines(known), &lines(seen)), new, "{what}");
        }
    }
}

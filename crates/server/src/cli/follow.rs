//! A run on a server, watched from here: its messages on the screen, its outputs on stdout, its end as an exit code.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use nodetool_protocol::{JobEvent, Map, NodeStatus, NodeUpdate, Severity, Value};
use reqwest::{Method, Response, StatusCode};

use super::client::{Ask, Client, Lines, Refused, plain};
use super::progress::Progress;
use super::{show, table};

/// Time between two looks at a job.
pub(super) const LOOK: Duration = Duration::from_millis(500);

/// How a run is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// For people where somebody watches, otherwise the outputs as one JSON object.
    Fitting,
    /// The outputs as one JSON object.
    Json,
    /// Every message as a line of JSON.
    Lines,
}

impl Telling {
    pub(super) fn of(json: bool, jsonl: bool) -> Self {
        match (json, jsonl) {
            (_, true) => Telling::Lines,
            (true, false) => Telling::Json,
            (false, false) => Telling::Fitting,
        }
    }

    /// Whether a person reads standard output.
    pub(super) fn for_people(self) -> bool {
        self == Telling::Fitting && std::io::stdout().is_terminal()
    }

    /// Whether there is a screen for progress.
    pub(super) fn shows_progress(self) -> bool {
        self.for_people() && std::io::stderr().is_terminal()
    }
}

/// Watches a run that streams its messages to its end. `nodes` is how many nodes it has.
pub(super) async fn run(
    response: Response,
    nodes: usize,
    telling: Telling,
) -> anyhow::Result<ExitCode> {
    let mut lines = Lines::new(response);
    let mut progress = telling.shows_progress().then(|| Progress::new(nodes));
    let mut last = None;
    while let Some(line) = lines.next().await? {
        if telling == Telling::Lines {
            let mut out = std::io::stdout().lock();
            out.write_all(&line)?;
            out.write_all(b"\n")?;
            out.flush()?;
        }
        let message: Value =
            serde_json::from_slice(&line).context("the server sent a line that is no JSON")?;
        match message.get("type").and_then(Value::as_str) {
            Some("job_update") => last = Some(message),
            Some("job_completed" | "job_failed") => {
                if let Some(p) = &mut progress {
                    p.finish();
                }
                return end(&last.unwrap_or_default(), &message, telling);
            }
            _ => tell(&message, progress.as_mut()),
        }
    }
    bail!("the server ended the stream before the run had ended");
}

/// A message on stderr.
fn tell(message: &Value, progress: Option<&mut Progress>) {
    let Some(event) = event(message) else {
        return;
    };
    match (progress, &event) {
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
}

/// What the screen understands of a message. Texts are calmed: they come from elsewhere.
fn event(message: &Value) -> Option<JobEvent> {
    let text = |key: &str| plain(message.get(key).and_then(Value::as_str).unwrap_or_default());
    let shared = |key: &str| Arc::<str>::from(text(key));
    let number = |key: &str| message.get(key).and_then(Value::as_i64).unwrap_or(0);
    Some(match message.get("type").and_then(Value::as_str)? {
        "node_update" => JobEvent::NodeUpdate(NodeUpdate {
            node_id: shared("node_id"),
            node_name: shared("node_name"),
            node_type: shared("node_type"),
            status: match text("status").as_str() {
                "running" => NodeStatus::Running,
                "completed" => NodeStatus::Completed,
                "error" => NodeStatus::Error,
                "suspended" => NodeStatus::Suspended,
                _ => NodeStatus::Waiting,
            },
            error: message.get("error").and_then(Value::as_str).map(plain),
            result: None,
            properties: None,
            workflow_id: None,
        }),
        "node_progress" => JobEvent::NodeProgress {
            node_id: shared("node_id"),
            node_name: shared("node_name"),
            progress: number("progress"),
            total: number("total"),
            chunk: String::new(),
            workflow_id: None,
        },
        "log_update" => JobEvent::LogUpdate {
            node_id: shared("node_id"),
            node_name: shared("node_name"),
            content: text("content"),
            severity: match text("severity").as_str() {
                "error" => Severity::Error,
                "warning" => Severity::Warning,
                _ => Severity::Info,
            },
            workflow_id: None,
        },
        _ => return None,
    })
}

/// The closing `job_update` and the line after it.
fn end(update: &Value, closing: &Value, telling: Telling) -> anyhow::Result<ExitCode> {
    let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).map(plain);
    if text(closing, "type").as_deref() == Some("job_completed") {
        if telling != Telling::Lines {
            let empty = Map::new();
            let outputs = update.get("result").and_then(Value::as_map);
            let mut out = std::io::stdout().lock();
            show::outputs(&mut out, outputs.unwrap_or(&empty), telling.for_people())?;
        }
        if telling.for_people()
            && let Some(seconds) = update.get("duration").and_then(Value::as_f64)
        {
            eprintln!("completed in {seconds:.2} s");
        }
        return Ok(ExitCode::SUCCESS);
    }
    if text(update, "status").as_deref() == Some("suspended") {
        let state = update.get("run_state").cloned().unwrap_or_default();
        bail!("{}", waits(&state, text(closing, "job_id")));
    }
    let error = text(closing, "error").or_else(|| text(update, "error"));
    bail!("{}", error.unwrap_or_else(|| "the run failed".into()))
}

/// How a suspended job is told; the fields of a job and of a run's state have the same names.
fn waits(state: &Value, job_id: Option<String>) -> String {
    format!(
        "the job waits at node {}: {}; `nodetool jobs resume {}` lets it go on",
        plain(&table::cell(state, "suspended_node_id")),
        plain(&table::cell(state, "suspension_reason")),
        job_id.unwrap_or_default(),
    )
}

/// Waits for the end of a job, then prints its outputs.
pub(super) async fn job(client: &Client, id: &str, telling: Telling) -> anyhow::Result<ExitCode> {
    let job = at_rest(client, id).await?;
    match table::cell(&job, "status").as_str() {
        "completed" => {
            let path = ["api", "jobs", id, "outputs"];
            let outputs = match client.get(&path, &[]).await {
                Ok(outputs) => outputs,
                // A workflow without output nodes has none, which its job cannot say in another way.
                Err(e)
                    if e.downcast_ref::<Refused>()
                        .is_some_and(|r| r.status == StatusCode::NOT_FOUND) =>
                {
                    Value::Null
                }
                Err(e) => return Err(e),
            };
            let empty = Map::new();
            let mut out = std::io::stdout().lock();
            show::outputs(
                &mut out,
                outputs.as_map().unwrap_or(&empty),
                telling.for_people(),
            )?;
            Ok(ExitCode::SUCCESS)
        }
        "suspended" => bail!("{}", waits(&job, Some(id.to_owned()))),
        "paused" => bail!("the job is paused; `nodetool jobs resume {id}` lets it go on"),
        "cancelled" => bail!("the job was cancelled"),
        status => {
            let error = table::cell(&job, "error");
            let error = if error.is_empty() {
                format!("the job is {status}")
            } else {
                error
            };
            bail!("{}", plain(&error))
        }
    }
}

/// A job, once it does nothing more by itself.
pub(super) async fn at_rest(client: &Client, id: &str) -> anyhow::Result<Value> {
    loop {
        let job = client.get(&["api", "jobs", id], &[]).await?;
        if rests(&job) {
            return Ok(job);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether a job does nothing more by itself.
pub(super) fn rests(job: &Value) -> bool {
    matches!(
        table::cell(job, "status").as_str(),
        "completed" | "failed" | "cancelled" | "suspended" | "paused"
    )
}

/// Asks a job to end.
pub(super) async fn cancel(client: &Client, id: &str) -> anyhow::Result<Value> {
    let path = ["api", "jobs", id, "cancel"];
    client.ask(Ask::new(Method::POST, &path)).await
}

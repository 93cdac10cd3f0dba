//! Commands about jobs (socket spec 4.2 to 4.4). Those of one socket are carried out in order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::poll;
use nodetool_engine::AssetMode;
use nodetool_protocol::{Graph, JobStatus, JobUpdate, Map, Value};
use nodetool_store::new_id;
use tokio::sync::MutexGuard;

use super::Profile;
use super::chat;
use super::command::{Command, object};
use super::connection::Socket;
use super::outgoing::Detail;
use super::reconnect::{self, event};
use super::wire::Mode;
use crate::services::{Begin, InputError, Loaded, ResumeError, RunError, StartRun, WorkflowError};

/// The commands of this module.
pub(super) const COMMANDS: &[&str] = &[
    "run_job",
    "reconnect_job",
    "resume_job",
    "cancel_job",
    "pause_job",
    "get_status",
    "stop",
    "stream_input",
    "end_input_stream",
];

const GONE: &str = "Job not found or already completed";
const STOPPING: &str = "The server is shutting down";

/// Values of one socket that may wait to get into jobs, and about their bytes.
const WAITING_INPUTS: usize = 1024;
const WAITING_BYTES: usize = 64 << 20;

/// Carries out a command in its turn.
pub(super) async fn perform(socket: &Socket, command: Command) {
    let turn = socket.job_lane.lock().await;
    let done = match &*command.name {
        "run_job" => run_job(socket, &command).await,
        "reconnect_job" => reconnect::reconnect_job(socket, &command).await,
        "resume_job" => resume_job(socket, &command).await,
        "cancel_job" => cancel_job(socket, &command).await,
        "pause_job" => pause_job(socket, &command).await,
        "get_status" => get_status(socket, &command).await,
        "stop" => stop(socket, &command).await,
        _ => input(socket, &command, turn).await,
    };
    if let Err(reply) = done {
        socket.reply(&reply);
    }
}

/// Null for a graph that is not stored.
pub(super) fn id_or_null(id: &str) -> Value {
    Some(id).filter(|id| !id.is_empty()).into()
}

fn reply_about(message: &str, job_id: &str, workflow_id: Value) -> Map {
    object([
        ("message", message.into()),
        ("job_id", job_id.into()),
        ("workflow_id", workflow_id),
    ])
}

/// The workflow of a job that is at work or ended lately, else what the client says.
pub(super) fn workflow_of(socket: &Socket, command: &Command, job_id: &str) -> Value {
    match socket.sockets.0.parts.jobs.feed(&socket.caller, job_id) {
        Some(feed) => id_or_null(&feed.subject().workflow_id),
        None => match command.data.get("workflow_id") {
            Some(id @ Value::Str(_)) => id.clone(),
            _ => Value::Null,
        },
    }
}

/// The job that is named, or meant.
fn target(socket: &Socket, command: &Command) -> Result<Arc<str>, Value> {
    let required = || command.fail("job_id is required");
    if let Some(id) = command.text("job_id")? {
        return Ok(id);
    }
    if socket.profile == Profile::Jobs
        && command.data.is_empty()
        && let Some(recent) = socket.outgoing.recent()
    {
        return Ok(recent);
    }
    socket.outgoing.only_job().ok_or_else(required)
}

/// The job that must be named.
pub(super) fn named(command: &Command) -> Result<Arc<str>, Value> {
    let id = command.text("job_id")?;
    id.ok_or_else(|| command.fail("job_id is required"))
}

/// What a client asks to run.
struct RunRequest {
    job_id: Option<Arc<str>>,
    workflow_id: Option<Arc<str>>,
    graph: Option<Graph>,
    params: Map,
    explicit_types: bool,
    concurrent: bool,
    detail: Detail,
}

impl RunRequest {
    fn read(command: &Command) -> Result<Self, Value> {
        let job_id = command.text("job_id")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if let Some(id) = &job_id
            && (id.len() > 128 || !id.chars().all(plain))
        {
            let reason = "expected 1 to 128 letters, digits, '_' or '-'";
            return Err(command.malformed("job_id", reason));
        }
        let workflow_id = command.text("workflow_id")?;
        let graph = match command.object("graph")? {
            None => None,
            Some(map) => {
                let graph = Graph::from_value(Value::Map(map)).map_err(|faults| {
                    let first = faults.first();
                    let path = first.map_or_else(String::new, |f| f.path.join("."));
                    let path = format!("graph.{path}");
                    let reason = first.map_or("cannot be read", |f| &f.message);
                    command.malformed(path.trim_end_matches('.'), reason)
                })?;
                // An empty graph beside the id of a workflow means the stored one.
                Some(graph).filter(|g| workflow_id.is_none() || !g.nodes.is_empty())
            }
        };
        let strategy = command.text("execution_strategy")?;
        if let Some(strategy) = &strategy
            && !matches!(&**strategy, "threaded" | "subprocess" | "docker")
        {
            let strategy: String = strategy.chars().take(40).collect();
            tracing::warn!(%strategy, "an unknown execution strategy is treated as 'threaded'");
        }
        let options = command.object("execution_options")?;
        let detail = options.as_ref().and_then(|o| o.get("event_detail"));
        let detail = match detail {
            None | Some(Value::Null) => Detail::Full,
            Some(word) => match word.as_str() {
                Some("full") => Detail::Full,
                Some("outputs") => Detail::Outputs,
                Some("terminal") => Detail::Terminal,
                _ => {
                    let path = "execution_options.event_detail";
                    return Err(command.malformed(path, "expected full, outputs or terminal"));
                }
            },
        };
        Ok(RunRequest {
            job_id,
            workflow_id,
            graph,
            params: command
                .object("params")?
                .map_or_else(Map::new, Arc::unwrap_or_clone),
            explicit_types: command.boolean("explicit_types")?,
            concurrent: command.boolean("concurrent")?,
            detail,
        })
    }
}

/// Whether a value refers to memory of this process, which a client cannot know of.
fn refers_to_memory(value: &Value) -> bool {
    match value {
        Value::Str(s) => s.starts_with("memory://"),
        Value::List(items) => items.iter().any(refers_to_memory),
        Value::Map(map) => map.values().any(refers_to_memory),
        _ => false,
    }
}

async fn run_job(socket: &Socket, command: &Command) -> Result<(), Value> {
    let mut request = RunRequest::read(command)?;
    let parts = &socket.sockets.0.parts;
    let job_id: Arc<str> = request.job_id.clone().unwrap_or_else(|| new_id().into());
    let workflow_id = id_or_null(request.workflow_id.as_deref().unwrap_or_default());
    let ack = command.ack(reply_about("Job started", &job_id, workflow_id));
    let fail = |error: &str, code: &'static str| {
        let workflow_id = request.workflow_id.clone().unwrap_or_default();
        let mut update = JobUpdate::new(JobStatus::Failed, job_id.clone(), workflow_id);
        update.error = Some(error.to_owned());
        update.error_code = Some(code);
        socket.reply(&ack);
        socket.reply(&event(update, 1));
        Ok(())
    };
    let workflow: Arc<Loaded> = match (request.graph.take(), &request.workflow_id) {
        (Some(graph), id) => {
            // Its messages carry the id of the workflow it stands for.
            let id = id.clone().unwrap_or_default();
            let planned = parts.workflows.plan_graph_of(id, &socket.caller, &graph);
            planned
                .await
                .map_err(|e| command.internal("a workflow could not be read", &e))?
        }
        (None, Some(id)) => match parts.workflows.load(&socket.caller, id).await {
            Ok(workflow) => workflow,
            Err(WorkflowError::NotFound | WorkflowError::Foreign) => {
                return fail(&format!("Workflow {id} not found"), "NOT_FOUND");
            }
            Err(
                e @ (WorkflowError::NoGraph
                | WorkflowError::Changed
                | WorkflowError::Corrupt { .. }),
            ) => {
                return fail(&e.to_string(), "INVALID_INPUT");
            }
            Err(WorkflowError::Store(e)) => {
                return Err(command.internal("a workflow could not be read", &e));
            }
        },
        (None, None) => return fail("workflow_id or graph is required", "INVALID_INPUT"),
    };
    if request.params.values().any(refers_to_memory) {
        return fail("Invalid asset reference", "INVALID_INPUT");
    }
    let assets = match socket.mode.get() {
        Mode::Binary => AssetMode::Raw,
        Mode::Text => AssetMode::DataUri,
    };
    let start = StartRun {
        assets,
        job_id: Some(job_id.to_string()),
        pushes: true,
        concurrent: request.concurrent,
        explicit_types: request.explicit_types,
        limited: true,
        ..StartRun::new(socket.caller.clone(), workflow, request.params)
    };
    let feed = parts.jobs.start(start).await.map_err(|e| match e {
        RunError::Taken(_) => command.refuse(object([
            ("error", "job_id already exists".into()),
            ("job_id", (&*job_id).into()),
        ])),
        RunError::ShuttingDown => command.fail(STOPPING),
        RunError::TooMany(e) => command.fail(&e.to_string()),
        e => command.internal("a job could not be started", &e),
    })?;
    let ack = socket.encode(&ack);
    let from = Begin::After(0);
    socket
        .outgoing
        .attach(&feed, from, request.detail, true, |_| vec![ack]);
    Ok(())
}

async fn cancel_job(socket: &Socket, command: &Command) -> Result<(), Value> {
    let job_id = target(socket, command)?;
    let workflow_id = workflow_of(socket, command, &job_id);
    let queued = is_queued(socket, &job_id);
    // The job's end must not leave before the answer.
    let _held = socket.outgoing.hold(&job_id);
    if !cancel(socket, command, &job_id).await? {
        return Err(command.refuse(object([
            ("error", GONE.into()),
            ("job_id", (&*job_id).into()),
            ("workflow_id", workflow_id),
        ])));
    }
    let message = if queued {
        "Queued job cancelled"
    } else {
        "Job cancellation requested"
    };
    socket.reply(&command.ack(reply_about(message, &job_id, workflow_id)));
    Ok(())
}

fn is_queued(socket: &Socket, job_id: &str) -> bool {
    let feed = socket.sockets.0.parts.jobs.feed(&socket.caller, job_id);
    feed.is_some_and(|f| f.status() == Some(JobStatus::Queued))
}

async fn cancel(socket: &Socket, command: &Command, job_id: &str) -> Result<bool, Value> {
    let jobs = &socket.sockets.0.parts.jobs;
    let cancelled = jobs.cancel(&socket.caller, job_id).await;
    cancelled.map_err(|e| command.internal("a job could not be cancelled", &e))
}

async fn pause_job(socket: &Socket, command: &Command) -> Result<(), Value> {
    let job_id = named(command)?;
    let workflow_id = workflow_of(socket, command, &job_id);
    let _held = socket.outgoing.hold(&job_id);
    let jobs = &socket.sockets.0.parts.jobs;
    let paused = jobs.pause(&socket.caller, &job_id).await;
    if !paused.map_err(|e| command.internal("a job could not be paused", &e))? {
        return Err(command.refuse(object([
            ("error", GONE.into()),
            ("job_id", (&*job_id).into()),
            ("workflow_id", workflow_id),
        ])));
    }
    socket.reply(&command.ack(reply_about("Job pause requested", &job_id, workflow_id)));
    Ok(())
}

async fn resume_job(socket: &Socket, command: &Command) -> Result<(), Value> {
    const EXPIRED: &str =
        "This job may have expired or cannot be resumed. Please start a new workflow.";
    let job_id = named(command)?;
    let message = format!("Resumption initiated for job {job_id}");
    let workflow_id = workflow_of(socket, command, &job_id);
    let ack = command.ack(reply_about(&message, &job_id, workflow_id.clone()));
    let sent = socket.outgoing.sent(&job_id);
    let data = command.data.get("data").cloned();
    let jobs = &socket.sockets.0.parts.jobs;
    let feed = match jobs.resume(&socket.caller, &job_id, data).await {
        Ok(feed) => feed,
        Err(e @ (ResumeError::BadAnswer(_) | ResumeError::Broken(_))) => {
            return Err(command.fail(&e.to_string()));
        }
        Err(e @ (ResumeError::NotFound | ResumeError::NotResumable(_))) => {
            let workflow_id = workflow_id.as_str().unwrap_or_default().into();
            let mut update = JobUpdate::new(JobStatus::Failed, job_id.clone(), workflow_id);
            update.error = Some(EXPIRED.into());
            // The numbers of somebody else's job would tell that there is one.
            let number = match e {
                ResumeError::NotFound => 1,
                _ => {
                    let number = jobs.number_beyond(&job_id).await;
                    number.map_err(|e| command.internal("a job could not be read", &e))?
                }
            };
            socket.reply(&ack);
            socket.reply(&event(update, number));
            return Ok(());
        }
        Err(ResumeError::ShuttingDown) => return Err(command.fail(STOPPING)),
        Err(ResumeError::Store(e)) => {
            return Err(command.internal("a job could not be resumed", &e));
        }
    };
    let from = match sent {
        Some(number) if number < feed.next_number() => Begin::After(number),
        _ => Begin::Snapshot,
    };
    let ack = socket.encode(&ack);
    socket
        .outgoing
        .attach(&feed, from, Detail::Full, false, |_| vec![ack]);
    Ok(())
}

async fn get_status(socket: &Socket, command: &Command) -> Result<(), Value> {
    let jobs = &socket.sockets.0.parts.jobs;
    let meant = match command.text("job_id")? {
        Some(id) => Some(id),
        None if socket.profile == Profile::Jobs => socket.outgoing.recent(),
        None => None,
    };
    let Some(job_id) = meant else {
        let active = jobs.active(&socket.caller).into_iter().map(|job| {
            Value::from(object([
                ("job_id", job.job_id.into()),
                ("workflow_id", id_or_null(&job.workflow_id)),
                ("status", job.status.as_str().into()),
            ]))
        });
        let reply = object([("active_jobs", Value::list(active))]);
        socket.reply(&command.ack(reply));
        return Ok(());
    };
    let live = jobs.feed(&socket.caller, &job_id).and_then(|feed| {
        let workflow_id = id_or_null(&feed.subject().workflow_id);
        Some((feed.status()?.as_str(), workflow_id))
    });
    let known = match live {
        Some(known) => Some(known),
        None => {
            let row = jobs.get(&socket.caller, &job_id).await;
            let row = row.map_err(|e| command.internal("a job could not be read", &e))?;
            row.map(|row| (row.status.as_str(), id_or_null(&row.workflow_id)))
        }
    };
    let reply = match known {
        Some((status, workflow_id)) => object([
            ("status", status.into()),
            ("job_id", (&*job_id).into()),
            ("workflow_id", workflow_id),
        ]),
        None => object([
            ("status", "not_found".into()),
            ("job_id", (&*job_id).into()),
        ]),
    };
    socket.reply(&command.ack(reply));
    Ok(())
}

/// Cancels a job, or ends the turn of a thread, which says so itself to all who listen to it.
async fn stop(socket: &Socket, command: &Command) -> Result<(), Value> {
    let (job_id, mut thread_id) = (command.text("job_id")?, command.text("thread_id")?);
    if job_id.is_none() && thread_id.is_none() && socket.profile == Profile::Chat {
        thread_id = socket.outgoing.recent_thread();
    }
    if job_id.is_none() && thread_id.is_none() {
        return Err(command.fail("job_id or thread_id is required for stop command"));
    }
    let _held = job_id.as_deref().map(|id| socket.outgoing.hold(id));
    if let Some(id) = &job_id {
        cancel(socket, command, id).await?;
    }
    let ids = [("job_id", job_id.clone()), ("thread_id", thread_id.clone())];
    let with_ids = |mut map: Map| {
        map.extend(ids.clone().map(|(k, v)| (k.into(), v.into())));
        map
    };
    let told = match &thread_id {
        Some(id) => chat::stop(socket, id).await,
        None => None,
    };
    let done = object([("message", "Stop command processed".into())]);
    let ack = socket.encode(&command.ack(with_ids(done)));
    if let (Some(number), Some(id)) = (told, &thread_id)
        && socket.outgoing.reply_behind(id, number, &ack)
    {
        return Ok(());
    }
    let stopped = object([
        ("type", "generation_stopped".into()),
        ("message", "Generation stopped by user".into()),
    ]);
    socket.reply(&with_ids(stopped).into());
    socket.outgoing.reply(ack);
    Ok(())
}

/// Who is next to push a value into each job.
#[derive(Default)]
pub(super) struct InputLanes(Mutex<Lanes>);

#[derive(Default)]
struct Lanes {
    by_job: HashMap<Arc<str>, Arc<tokio::sync::Mutex<()>>>,
    waiting: usize,
    bytes: usize,
}

/// A value on its way; there are only so many.
struct Waiting<'a> {
    lanes: &'a InputLanes,
    job_id: Arc<str>,
    lane: Arc<tokio::sync::Mutex<()>>,
    bytes: usize,
}

impl InputLanes {
    fn enter(&self, job_id: &Arc<str>, bytes: usize) -> Option<Waiting<'_>> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let crowded = lanes.waiting >= WAITING_INPUTS
            || (lanes.waiting > 0 && lanes.bytes + bytes > WAITING_BYTES);
        if crowded {
            return None;
        }
        lanes.waiting += 1;
        lanes.bytes += bytes;
        let lane = lanes.by_job.entry(job_id.clone()).or_default().clone();
        Some(Waiting {
            lanes: self,
            job_id: job_id.clone(),
            lane,
            bytes,
        })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut lanes = self.lanes.0.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.waiting -= 1;
        lanes.bytes -= self.bytes;
        // The list and this value: nobody else is on its way into the job.
        if Arc::strong_count(&self.lane) == 2 {
            lanes.by_job.remove(&self.job_id);
        }
    }
}

/// Pushes a value into a job, or ends one of its inputs. It may take long, so that only values for the same job wait.
async fn input(socket: &Socket, command: &Command, turn: MutexGuard<'_, ()>) -> Result<(), Value> {
    let job_id = target(socket, command)?;
    let Some(input) = command.text("input")? else {
        return Err(command.malformed("input", "Field required"));
    };
    let handle = command.text("handle")?.unwrap_or_else(|| "output".into());
    let ends = &*command.name == "end_input_stream";
    let value = command.data.get("value").cloned().unwrap_or_default();
    let workflow_id = workflow_of(socket, command, &job_id);
    let jobs = &socket.sockets.0.parts.jobs;
    let Some(waiting) = socket.inputs.enter(&job_id, value.weight()) else {
        let text = "Too many values wait to be taken by jobs; send on when some have been";
        return Err(command.fail(text));
    };
    let push = async {
        let _turn = waiting.lane.lock().await;
        if ends {
            jobs.end_input(&socket.caller, &job_id, &input).await
        } else {
            jobs.push_input(&socket.caller, &job_id, &input, &handle, value)
                .await
        }
    };
    let mut push = Box::pin(push);
    // Messages the value causes leave after the answer, unless the job takes its time.
    let held = socket.outgoing.hold(&job_id);
    let pushed = match poll!(push.as_mut()) {
        std::task::Poll::Ready(pushed) => pushed,
        std::task::Poll::Pending => {
            drop(held);
            drop(turn);
            return answer(socket, command, &job_id, workflow_id, ends, push.await);
        }
    };
    answer(socket, command, &job_id, workflow_id, ends, pushed)
}

fn answer(
    socket: &Socket,
    command: &Command,
    job_id: &str,
    workflow_id: Value,
    ends: bool,
    pushed: Result<(), InputError>,
) -> Result<(), Value> {
    let message = if ends {
        "Input stream ended"
    } else {
        "Input item streamed"
    };
    match pushed {
        Ok(()) => {
            socket.reply(&command.ack(reply_about(message, job_id, workflow_id)));
            Ok(())
        }
        Err(e) => Err(command.refuse(object([
            ("error", e.to_string().into()),
            ("job_id", job_id.into()),
            ("workflow_id", workflow_id),
        ]))),
    }
}

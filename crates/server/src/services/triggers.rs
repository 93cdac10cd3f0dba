//! Triggers: what begins runs of workflows by itself, and survives restarts.
//!
//! A workflow that waits for its triggers has a stored schedule for each trigger node. Whatever happens there becomes a
//! stored event first and then one short run, whose job id belongs to the event: an event is never lost and never runs
//! twice. Three tasks do the work: the planner owns schedules and fires due ones, the watcher looks at folders, the
//! starter makes jobs of events. It must not know HTTP.

mod event;
mod plan;
mod planner;
mod saves;
mod schedule;
mod spec;
mod starter;
mod watcher;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nodetool_protocol::{Map, Value};
use nodetool_store::{
    Delivered, ListedTrigger, Store, StoreError, TriggerRow, WorkflowRow, new_id, now_micros,
};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Caller, JobService, WorkflowError, WorkflowService};
use event::input;
use planner::{Command, Planner};
pub(crate) use saves::{Inbox, Saves, saves};
use schedule::utc_text;
pub(crate) use spec::TriggerFault;
use spec::{Spec, hash};
use starter::Starter;
use watcher::Watcher;

/// Schedules a user may have.
const MAX_SCHEDULES: usize = 1000;
/// Longest key by which a sender tells that a request is the same as one before, in bytes.
const MAX_KEY: usize = 256;
/// How long the tasks may take to end.
const ENDING: Duration = Duration::from_secs(2);

/// Why a trigger use case failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TriggerError {
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("Not authorized")]
    NotAuthorized,
    #[error("Workflow does not contain trigger nodes")]
    NoTriggers,
    #[error("settings of trigger nodes cannot be used")]
    Invalid(Vec<TriggerFault>),
    #[error("At most {MAX_SCHEDULES} triggers can be kept for one user; stop others first")]
    TooMany,
    #[error("Trigger not found")]
    NotFound,
    #[error("The trigger is stopped; start its workflow first")]
    Inactive,
    #[error("Node {0} is no manual trigger")]
    NotManual(String),
    #[error("The secret is missing or wrong")]
    WrongSecret,
    #[error("Method Not Allowed")]
    WrongMethod,
    #[error("the idempotency key has to have 1 to {MAX_KEY} bytes")]
    BadKey,
    #[error("the server is shutting down")]
    ShuttingDown,
}

/// The state of a workflow's triggers (HTTP spec 6.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TriggerJob {
    pub(crate) workflow_id: String,
    /// Job of the last event.
    pub(crate) job_id: Option<String>,
    pub(crate) status: &'static str,
    pub(crate) is_running: bool,
}

/// A request to a webhook.
#[derive(Clone, Debug, Default)]
pub(crate) struct WebhookRequest {
    pub(crate) method: String,
    pub(crate) headers: Map,
    pub(crate) query: Map,
    pub(crate) body: Value,
    /// The same for a request that is sent again.
    pub(crate) key: Option<String>,
}

/// An event that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) job_id: String,
    /// Whether it is new, and not one that was sent before.
    pub(crate) fresh: bool,
}

/// What the service is made of.
pub(crate) struct TriggerServiceParts {
    pub(crate) store: Store,
    pub(crate) workflows: WorkflowService,
    pub(crate) jobs: JobService,
    pub(crate) workspace: PathBuf,
    pub(crate) inbox: Inbox,
}

struct Inner {
    store: Store,
    commands: mpsc::Sender<Command>,
    news: Arc<Notify>,
    stop: CancellationToken,
    tasks: Mutex<JoinSet<()>>,
}

/// Keeps the triggers of workflows and begins their runs.
#[derive(Clone)]
pub(crate) struct TriggerService(Arc<Inner>);

impl TriggerService {
    /// Starts the tasks; events that an earlier process left become jobs.
    pub(crate) fn new(parts: TriggerServiceParts) -> Self {
        let (news, changed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let Inbox { saves, commands } = parts.inbox;
        tasks.spawn(
            Planner {
                store: parts.store.clone(),
                workspace: parts.workspace.clone(),
                commands,
                known: saves.known,
                changed: changed.clone(),
                news: news.clone(),
                stop: stop.clone(),
            }
            .run(),
        );
        tasks.spawn(
            Watcher {
                store: parts.store.clone(),
                workspace: parts.workspace,
                changed,
                news: news.clone(),
                stop: stop.clone(),
            }
            .run(),
        );
        tasks.spawn(
            Starter {
                store: parts.store.clone(),
                workflows: parts.workflows,
                jobs: parts.jobs,
                news: news.clone(),
                stop: stop.clone(),
            }
            .run(),
        );
        TriggerService(Arc::new(Inner {
            store: parts.store,
            commands: saves.commands,
            news,
            stop,
            tasks: Mutex::new(tasks),
        }))
    }

    /// Starts the triggers of a workflow; those that run already go on.
    pub(crate) async fn start(
        &self,
        caller: &Caller,
        workflow_id: &str,
    ) -> Result<TriggerJob, TriggerError> {
        let workflow = Box::new(self.own(caller, workflow_id).await?);
        let (reply, answer) = oneshot::channel();
        self.command(Command::Start { workflow, reply }).await?;
        answer.await.map_err(|_| TriggerError::ShuttingDown)??;
        let rows = self.0.store.workflow_triggers(workflow_id).await?;
        Ok(TriggerJob {
            workflow_id: workflow_id.to_owned(),
            job_id: last_job(&rows),
            status: "running",
            is_running: true,
        })
    }

    /// Stops the triggers of a workflow; runs at work go on.
    pub(crate) async fn stop(
        &self,
        caller: &Caller,
        workflow_id: &str,
    ) -> Result<TriggerJob, TriggerError> {
        let workflow = Box::new(self.own(caller, workflow_id).await?);
        let (reply, answer) = oneshot::channel();
        self.command(Command::Stop { workflow, reply }).await?;
        let ran = answer.await.map_err(|_| TriggerError::ShuttingDown)??;
        Ok(TriggerJob {
            workflow_id: workflow_id.to_owned(),
            job_id: None,
            status: if ran { "stopped" } else { "not_running" },
            is_running: false,
        })
    }

    /// The caller's workflows whose triggers run.
    pub(crate) async fn running(&self, caller: &Caller) -> Result<Vec<TriggerJob>, TriggerError> {
        let listed = self.0.store.list_triggers(&caller.user_id).await?;
        let rows: Vec<TriggerRow> = listed.into_iter().map(|l| l.row).collect();
        let job = |rows: &[TriggerRow]| {
            let first = rows.first().filter(|_| rows.iter().any(|r| r.active))?;
            Some(TriggerJob {
                workflow_id: first.workflow_id.clone(),
                job_id: last_job(rows),
                status: "running",
                is_running: true,
            })
        };
        let by_workflow = rows.chunk_by(|a, b| a.workflow_id == b.workflow_id);
        Ok(by_workflow.filter_map(job).collect())
    }

    /// The caller's schedules.
    pub(crate) async fn list(&self, caller: &Caller) -> Result<Vec<ListedTrigger>, TriggerError> {
        Ok(self.0.store.list_triggers(&caller.user_id).await?)
    }

    /// Fires a manual trigger.
    pub(crate) async fn fire(
        &self,
        caller: &Caller,
        workflow_id: &str,
        node_id: &str,
        data: Value,
        key: Option<String>,
    ) -> Result<Accepted, TriggerError> {
        let row = self.0.store.get_trigger(workflow_id, node_id).await?;
        let row = row
            .filter(|row| row.user_id == caller.user_id)
            .ok_or(TriggerError::NotFound)?;
        if !matches!(Spec::from_text(&row.spec), Spec::Manual) {
            return Err(TriggerError::NotManual(node_id.to_owned()));
        }
        let payload = Value::map([
            ("data", data),
            ("timestamp", utc_text(now_micros()).into()),
            ("source", "manual".into()),
            ("event_type", "manual".into()),
        ]);
        self.take(&row, key, &payload).await
    }

    /// Takes a request to a webhook, from anybody who knows its secret.
    pub(crate) async fn deliver(
        &self,
        workflow_id: &str,
        node_id: &str,
        secret: Option<&str>,
        request: WebhookRequest,
    ) -> Result<Accepted, TriggerError> {
        let row = self.0.store.get_trigger(workflow_id, node_id).await?;
        let row = row.ok_or(TriggerError::NotFound)?;
        let Spec::Webhook {
            methods,
            secret_sha256,
        } = Spec::from_text(&row.spec)
        else {
            return Err(TriggerError::NotFound);
        };
        if let Some(wanted) = secret_sha256 {
            let given = hash(secret.unwrap_or_default());
            if !equal_in_constant_time(given.as_bytes(), wanted.as_bytes()) {
                tracing::info!(target: "audit", event = "webhook.refused", workflow.id = %workflow_id, node.id = %node_id, "the secret is wrong");
                return Err(TriggerError::WrongSecret);
            }
        }
        if !methods.contains(&request.method) {
            return Err(TriggerError::WrongMethod);
        }
        let payload = Value::map([
            ("body", request.body),
            ("headers", request.headers.into()),
            ("query", request.query.into()),
            ("method", request.method.into()),
            ("timestamp", utc_text(now_micros()).into()),
            ("source", "webhook".into()),
            ("event_type", "webhook".into()),
        ]);
        self.take(&row, request.key, &payload).await
    }

    /// Stores an event; the starter makes a job of it.
    async fn take(
        &self,
        row: &TriggerRow,
        key: Option<String>,
        payload: &Value,
    ) -> Result<Accepted, TriggerError> {
        let event = match key {
            None => new_id(),
            Some(key) if key.is_empty() || key.len() > MAX_KEY => return Err(TriggerError::BadKey),
            Some(key) => format!("key-{}", hash(&key)),
        };
        let input = input(row, &event, payload, now_micros());
        let job_id = input.job_id.clone();
        match self.0.store.deliver_trigger(input).await? {
            Delivered::New => {
                self.0.news.notify_one();
                Ok(Accepted {
                    job_id,
                    fresh: true,
                })
            }
            Delivered::Known { job_id } => Ok(Accepted {
                job_id,
                fresh: false,
            }),
            Delivered::Inactive => Err(TriggerError::Inactive),
        }
    }

    /// A workflow of the caller's own.
    async fn own(&self, caller: &Caller, workflow_id: &str) -> Result<WorkflowRow, TriggerError> {
        match self.0.store.get_workflow(workflow_id).await? {
            Some(row) if row.user_id == caller.user_id => Ok(row),
            Some(row) if row.access == "public" => Err(TriggerError::NotAuthorized),
            _ => Err(WorkflowError::NotFound.into()),
        }
    }

    async fn command(&self, command: Command) -> Result<(), TriggerError> {
        let sent = self.0.commands.send(command).await;
        sent.map_err(|_| TriggerError::ShuttingDown)
    }

    /// Ends the tasks. What is due from now on fires when the server is back.
    pub(crate) async fn shut_down(&self) {
        self.0.stop.cancel();
        let mut tasks =
            std::mem::take(&mut *self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let ended = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(ENDING, ended).await.is_err() {
            tracing::warn!("the keepers of triggers did not end in time");
        }
    }
}

/// The job of the event that came last.
fn last_job(rows: &[TriggerRow]) -> Option<String> {
    let last = rows.iter().max_by_key(|row| row.last_fired)?;
    last.last_job_id.clone()
}

/// Takes as long whether the texts differ at the beginning or at the end.
fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    let differences = a.iter().zip(b).fold(0u8, |all, (x, y)| all | (x ^ y));
    a.len() == b.len() && std::hint::black_box(differences) == 0
}

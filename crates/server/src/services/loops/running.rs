//! Production: the loops of a workflow as one job that goes on until they end or are stopped.
//!
//! One run of a workflow at a time. Checking the graph is part of the job, so that starting answers at once.
//! Source: orchestrator spec 1.6, 1.7, 3.3, 7.5.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use nodetool_engine::{LoopRun, RunOutcome};
use nodetool_protocol::{JobEvent, JobStatus, Map, NodeStatus, NodeUpdate, Value};
use nodetool_sdk::steps::{
    FlowCx, LoopSink, Mode, QueueJournal, Runtime, StepDone, StepNode, Steps, Token,
};
use nodetool_sdk::{BoxFuture, EventSink};
use nodetool_store::{LoopStateRow, now_micros};
use tokio_util::sync::CancellationToken;

use super::dead_letters::DeadLetters;
use super::journal::TokenJournal;
use super::live::{Held, Live};
use super::opened::Opened;
use super::previews::preview;
use super::state::{Board, Finished};
use super::webhooks::{KEPT_IN, KeptCalls, RunWebhooks, from_text};
use super::{LoopFailure, LoopParts, LoopService, drive, ids};
use crate::services::jobs::{Loops, Lowered, Work, WorkCx, WorkEnd, outcome_of};
use crate::services::workflows::to_json;
use crate::services::{Caller, Feed, RunError, Seen, StartRun, WorkflowError};

/// How often a run at work is written down at most.
const SNAPSHOTS: Duration = Duration::from_secs(1);

/// What an earlier process left of a run that is begun again.
#[derive(Default)]
pub(super) struct Left {
    tokens: HashMap<Arc<str>, Vec<(u64, Token)>>,
    calls: KeptCalls,
}

impl LoopService {
    /// What the job service makes of runs of workflows that are loops. It does not keep this service alive.
    pub(super) fn lowering(&self) -> Arc<dyn Loops> {
        Arc::new(Lowering(Arc::downgrade(&self.0), Arc::downgrade(&self.1)))
    }

    /// Begins the loops of a workflow unless they run; answers the job and whether it is new.
    pub(super) async fn begin(
        &self,
        caller: &Caller,
        opened: Opened,
        left: Left,
    ) -> Result<(Arc<str>, bool), LoopFailure> {
        let (id, loaded) = (opened.id.clone(), opened.loaded.clone());
        let mut start = StartRun::new(caller.clone(), loaded, Map::new());
        match self.with_loops(&mut start, opened, left).await? {
            Some(job_id) => Ok((job_id, false)),
            None => match self.0.jobs.start(start).await {
                Ok(feed) => Ok((feed.subject().job_id.clone(), true)),
                Err(e) => {
                    self.set_status(&id, "inactive").await;
                    Err(e.into())
                }
            },
        }
    }

    /// Gives a run the loops of its workflow as its work; if they run already, answers their job.
    async fn with_loops(
        &self,
        start: &mut StartRun,
        opened: Opened,
        left: Left,
    ) -> Result<Option<Arc<str>>, RunError> {
        let job_id = start.job_id.get_or_insert_with(nodetool_store::new_id);
        let job_id: Arc<str> = job_id.as_str().into();
        let held = match self.1.hold(&opened.id, job_id.clone()) {
            Ok(held) => held,
            Err(grip) => return Ok(Some(grip.job_id.clone())),
        };
        self.note_start(&opened.id, &job_id, Some("active")).await?;
        // Loops take no turn: they would keep it for ever.
        start.limited = false;
        start.work = Some(self.work(opened, held, left));
        Ok(None)
    }

    /// Counts a run.
    pub(super) async fn note_start(
        &self,
        workflow_id: &Arc<str>,
        job_id: &Arc<str>,
        status: Option<&'static str>,
    ) -> Result<(), RunError> {
        let job_id = job_id.to_string();
        let change = move |row: &mut nodetool_store::LoopRow| {
            row.runs_count += 1;
            row.last_run = Some(now_micros());
            row.last_job_id = Some(job_id.clone());
            if let Some(status) = status {
                row.status = status.to_owned();
            }
            true
        };
        let changed = self.0.store.change_loop(workflow_id, "dataflow", change);
        changed.await?;
        Ok(())
    }

    /// What a workflow is from now on: `inactive` or `error`.
    pub(super) async fn set_status(&self, workflow_id: &str, status: &'static str) {
        let change = move |row: &mut nodetool_store::LoopRow| {
            let changes = row.status != status;
            row.status = status.to_owned();
            changes
        };
        let changed = self.0.store.change_loop(workflow_id, "dataflow", change);
        if let Err(e) = changed.await {
            tracing::error!(workflow.id = %workflow_id, error = %e, "the status of a workflow could not be stored");
        }
    }

    fn work(&self, opened: Opened, held: Held, left: Left) -> Work {
        let (service, id) = (self.clone(), opened.id.clone());
        let ending = self.clone();
        let left = Mutex::new(left);
        Work {
            job_type: "loop",
            run: Box::new(move |cx| {
                let left = left.into_inner().unwrap_or_default();
                Box::pin(async move { service.produce(opened, left, cx).await })
            }),
            ended: Some(Box::new(move |end| {
                Box::pin(async move {
                    ending.loops_ended(&id, end).await;
                    drop(held);
                })
            })),
        }
    }

    /// Checks the graph and runs its loops.
    async fn produce(&self, opened: Opened, left: Left, cx: WorkCx) -> RunOutcome {
        let failed =
            |error: String| outcome_of(JobStatus::Failed, None, Some(error), Duration::ZERO);
        let board = match self.board(&opened.id).await {
            Ok(board) => board,
            Err(e) => return failed(e.to_string()),
        };
        board.begin(opened.graph.nodes.len());
        let plan = match drive::plan(&opened.graph, self.steps(), Mode::Production) {
            Ok(plan) => plan,
            Err(error) => return failed(error),
        };
        let store = self.0.store.clone();
        let journal = (opened.row.restart == "on-boot")
            .then(|| Arc::new(TokenJournal::new(store.clone(), opened.id.clone())));
        let runtime = Arc::new(Runtime::default());
        let flow = FlowCx {
            mode: Mode::Production,
            env: opened.env(),
            runtime: runtime.clone(),
            request: None,
            webhooks: Some(Arc::new(RunWebhooks {
                hub: self.1.hub.clone(),
                user_id: cx.run.user_id.clone(),
                kept: journal.clone(),
                left: Mutex::new(left.calls),
                asked: Mutex::default(),
            })),
        };
        let letters = Arc::new(DeadLetters::new(opened.id.clone(), cx.run.job_id.clone()));
        let sink = RunSink::new(&opened, &board, &cx, Some(letters.clone()));
        let run = LoopRun {
            plan,
            run: cx.run.clone(),
            flow: Arc::new(flow),
            sink: Arc::new(sink),
            journal: journal.clone().map(|j| j as Arc<dyn QueueJournal>),
            left: left.tokens,
        };
        let over = CancellationToken::new();
        let keeper = Keeper {
            service: self,
            workflow_id: &opened.id,
            board: &board,
            runtime: &runtime,
            letters: &letters,
            journal: journal.as_deref(),
        };
        let work = async {
            let outcome = drive::produce(run, cx.stop.clone()).await;
            over.cancel();
            outcome
        };
        let (outcome, ()) = tokio::join!(work, keeper.keep(&over));
        let (status, error, duration) = outcome;
        outcome_of(status, None, error, duration)
    }

    /// The loops have ended: everything says so before anybody is told.
    async fn loops_ended(&self, workflow_id: &Arc<str>, end: WorkEnd) {
        self.0.store.clear_loop_tokens(workflow_id).await.unwrap_or_else(|e| {
            tracing::error!(workflow.id = %workflow_id, error = %e, "the queues of a run could not be cleared");
        });
        self.run_ended(workflow_id, end).await;
    }

    /// A run of a workflow has ended.
    pub(super) async fn run_ended(&self, workflow_id: &Arc<str>, end: WorkEnd) {
        let status = match end.status {
            JobStatus::Completed | JobStatus::Cancelled => "inactive",
            _ => "error",
        };
        self.set_status(workflow_id, status).await;
        let Ok(board) = self.board(workflow_id).await else {
            return;
        };
        board.end(end.status, end.error.as_deref(), end.duration.as_secs_f64());
        let kept = (end.status != JobStatus::Cancelled).then(|| board.state());
        self.keep_state(workflow_id, kept).await;
    }

    /// Writes the state down, or that there is none.
    pub(super) async fn keep_state(&self, workflow_id: &str, state: Option<Value>) {
        let row = state.map(|state| LoopStateRow {
            updated_at: now_micros(),
            state: to_json(&state),
        });
        if let Err(e) = self.0.store.put_loop_state(workflow_id, row).await {
            tracing::warn!(workflow.id = %workflow_id, error = %e, "the state of a run could not be kept");
        }
    }

    /// Writes down what templates keep for the workflow.
    pub(super) async fn keep_runtime(&self, workflow_id: &str, runtime: &Runtime) {
        let text = to_json(&Value::from(runtime.snapshot()));
        let change = move |row: &mut nodetool_store::LoopRow| {
            let changes = row.runtime_state != text;
            row.runtime_state.clone_from(&text);
            changes
        };
        let changed = self.0.store.change_loop(workflow_id, "dataflow", change);
        if let Err(e) = changed.await {
            tracing::error!(workflow.id = %workflow_id, error = %e, "the runtime state of a workflow could not be kept");
        }
    }

    /// What waits in the queues of a workflow since an earlier process.
    pub(super) async fn left(&self, workflow_id: &str) -> Result<Left, LoopFailure> {
        let mut left = Left::default();
        for row in self.0.store.loop_tokens(workflow_id).await? {
            let (queue, number): (Arc<str>, u64) = (row.queue.into(), row.number.cast_unsigned());
            let kept = if queue.starts_with(KEPT_IN) {
                from_text(&row.token).map(|call| {
                    left.calls
                        .entry(queue.clone())
                        .or_default()
                        .push((number, call))
                })
            } else {
                let value: Option<Value> = serde_json::from_str(&row.token).ok();
                value
                    .and_then(|value| Token::from_value(&value))
                    .map(|token| {
                        left.tokens
                            .entry(queue.clone())
                            .or_default()
                            .push((number, token))
                    })
            };
            if kept.is_none() {
                tracing::error!(workflow.id = %workflow_id, queue = %queue, number, "a kept token cannot be read and is passed over");
            }
        }
        Ok(left)
    }
}

/// Writes down how a run goes on, at most once a second, and a last time when it is over.
struct Keeper<'a> {
    service: &'a LoopService,
    workflow_id: &'a Arc<str>,
    board: &'a Board,
    runtime: &'a Runtime,
    letters: &'a DeadLetters,
    journal: Option<&'a TokenJournal>,
}

impl Keeper<'_> {
    async fn keep(&self, over: &CancellationToken) {
        let mut known = u64::MAX;
        let snapshots = async {
            while !over.is_cancelled() {
                tokio::select! {
                    () = self.board.changed() => {}
                    () = over.cancelled() => {}
                }
                known = self.write(known).await;
                tokio::select! {
                    () = tokio::time::sleep(SNAPSHOTS) => {}
                    () = over.cancelled() => {}
                }
            }
            self.write(known).await;
        };
        let tokens = async {
            let Some(journal) = self.journal else { return };
            tokio::select! {
                () = journal.keep_clean() => {}
                () = over.cancelled() => {}
            }
            journal.flush().await;
        };
        tokio::join!(snapshots, tokens);
    }

    /// Writes what has changed; answers the version of the runtime state that is written then.
    async fn write(&self, known: u64) -> u64 {
        let version = self.runtime.version();
        if version != known {
            self.service
                .keep_runtime(self.workflow_id, self.runtime)
                .await;
        }
        self.letters.flush(&self.service.0.store).await;
        let state = Some(self.board.state());
        self.service.keep_state(self.workflow_id, state).await;
        version
    }
}

/// Takes what a run tells to the board, to those who listen to its job, and to the dead letters.
pub(super) struct RunSink {
    board: Arc<Board>,
    feed: Option<Arc<Feed>>,
    events: Arc<dyn EventSink>,
    seen: Arc<Seen>,
    workflow_id: Arc<str>,
    /// Nodes that clients know by another id than the graph has.
    names: HashMap<Arc<str>, Arc<str>>,
    letters: Option<Arc<DeadLetters>>,
}

impl RunSink {
    pub(super) fn new(
        opened: &Opened,
        board: &Arc<Board>,
        cx: &WorkCx,
        letters: Option<Arc<DeadLetters>>,
    ) -> Self {
        let names = opened.graph.nodes.iter().filter_map(|node| {
            let shown = ids::node_id(&opened.id, &node.id);
            (*shown != *node.id).then(|| (node.id.clone(), shown.into()))
        });
        RunSink {
            board: board.clone(),
            feed: cx.feed.clone(),
            events: cx.run.events.clone(),
            seen: cx.seen.clone(),
            workflow_id: opened.id.clone(),
            names: names.collect(),
            letters,
        }
    }

    /// The node as clients know it.
    fn shown<T>(&self, node: &StepNode, tell: impl FnOnce(&StepNode) -> T) -> T {
        match self.names.get(&node.id) {
            None => tell(node),
            Some(id) => tell(&StepNode {
                id: id.clone(),
                node_type: node.node_type.clone(),
            }),
        }
    }

    fn tell_feed(
        &self,
        node: &StepNode,
        status: NodeStatus,
        result: impl FnOnce() -> (Option<Map>, Option<String>),
    ) {
        if !self.feed.as_ref().is_some_and(|feed| feed.is_watched()) {
            return;
        }
        let (result, error) = result();
        let node_type = if node.node_type.contains('.') {
            node.node_type.clone()
        } else {
            format!("{}{}", Steps::PREFIX, node.node_type).into()
        };
        self.events.emit(JobEvent::NodeUpdate(NodeUpdate {
            node_id: node.id.clone(),
            node_name: node.node_type.clone(),
            node_type,
            status,
            error,
            result,
            properties: None,
            workflow_id: Some(self.workflow_id.clone()),
        }));
    }
}

impl LoopSink for RunSink {
    fn started(&self, node: &StepNode) {
        self.shown(node, |node| self.board.started(node));
        self.tell_feed(node, NodeStatus::Running, || (None, None));
    }

    fn completed(&self, node: &StepNode, done: StepDone<'_>) {
        // Made only for those who look at it.
        let shown = self
            .board
            .is_heard()
            .then(|| preview(&self.seen.shown_map(done.data)));
        let finished = Finished {
            route: done.route,
            seconds: done.duration.as_secs_f64(),
            preview: shown.flatten(),
        };
        self.shown(node, |node| self.board.completed(node, finished));
        self.tell_feed(node, NodeStatus::Completed, || {
            (Some(done.data.clone()), None)
        });
    }

    fn failed(&self, node: &StepNode, error: &str, input: &Token) {
        let error = self.seen.shown_text(error);
        self.shown(node, |node| self.board.failed(node, &error));
        self.tell_feed(node, NodeStatus::Error, || (None, Some(error.to_string())));
        if let Some(letters) = &self.letters {
            letters.add(&node.id, &error, input, &self.seen);
        }
    }
}

/// Makes runs of workflows that are loops what they are, whoever starts them.
struct Lowering(Weak<LoopParts>, Weak<Live>);

impl Loops for Lowering {
    fn lower<'a>(&'a self, mut start: StartRun) -> BoxFuture<'a, Result<Lowered, RunError>> {
        Box::pin(async move {
            let (Some(parts), Some(live)) = (self.0.upgrade(), self.1.upgrade()) else {
                return Err(RunError::ShuttingDown);
            };
            let service = LoopService(parts, live);
            let opened = match service.opened(&start.caller, &start.workflow.id).await {
                Ok(opened) => opened,
                Err(LoopFailure::Run(e)) => return Err(e),
                Err(_) => return Err(WorkflowError::NotFound.into()),
            };
            if opened.row.workflow_type == "api" {
                service.with_call(&mut start, opened).await?;
                return Ok(Lowered::Begin(Box::new(start)));
            }
            let running = service
                .with_loops(&mut start, opened, Left::default())
                .await?;
            Ok(match running {
                Some(job_id) => Lowered::Running(job_id),
                None => Lowered::Begin(Box::new(start)),
            })
        })
    }
}

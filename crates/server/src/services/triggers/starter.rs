//! Makes jobs of events: every stored event that is none yet becomes one, in this process or the next.
//!
//! The job's id belongs to the event, so that one that was started before a crash is found and not started again. It
//! must not know where events come from.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use nodetool_protocol::{Map, Value};
use nodetool_store::{Store, StoreError, TriggerInput, now_micros};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::services::{Caller, JobService, RunError, StartRun, WorkflowError, WorkflowService};

/// Events started together.
const BATCH: usize = 64;
/// The time between two tries when the store is busy.
const PAUSE: Duration = Duration::from_secs(1);

/// What became of an event.
enum Started {
    /// It is a job.
    Job,
    /// It never will be one: why.
    Never(String),
    /// Not now.
    Later,
}

pub(super) struct Starter {
    pub(super) store: Store,
    pub(super) workflows: WorkflowService,
    pub(super) jobs: JobService,
    pub(super) news: Arc<Notify>,
    pub(super) stop: CancellationToken,
}

impl Starter {
    /// Works until it is stopped.
    pub(super) async fn run(self) {
        loop {
            let idle = match self.start_batch().await {
                Ok(0) => None,
                Ok(_) => continue,
                Err(()) => Some(PAUSE),
            };
            let pause = async {
                match idle {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => self.news.notified().await,
                }
            };
            tokio::select! {
                () = pause => {}
                () = self.stop.cancelled() => return,
            }
            if self.stop.is_cancelled() {
                return;
            }
        }
    }

    /// Starts the oldest events; says how many there were, or that some have to wait.
    async fn start_batch(&self) -> Result<usize, ()> {
        let told = |e: &StoreError| tracing::warn!(error = %e, "events of triggers have to wait");
        let inputs = self.store.waiting_inputs(BATCH).await;
        let inputs = inputs.inspect_err(told).map_err(drop)?;
        if inputs.is_empty() {
            return Ok(0);
        }
        let started = join_all(inputs.iter().map(|input| self.start(input))).await;
        let mut done = Vec::new();
        for (input, started) in inputs.iter().zip(started) {
            match started {
                Started::Later => continue,
                Started::Job => {}
                Started::Never(why) => {
                    tracing::warn!(
                        workflow.id = %input.workflow_id, node.id = %input.node_id, error = %why,
                        "an event of a trigger cannot become a job"
                    );
                    let (workflow, node) = (&input.workflow_id, &input.node_id);
                    let noting =
                        self.store
                            .note_trigger_error(workflow, node, Some(why), now_micros());
                    noting.await.inspect_err(told).map_err(drop)?;
                }
            }
            done.push(input.input_id.clone());
        }
        let all = done.len() == inputs.len();
        let noted = self.store.process_inputs(done, now_micros()).await;
        noted.inspect_err(told).map_err(drop)?;
        if all { Ok(inputs.len()) } else { Err(()) }
    }

    async fn start(&self, input: &TriggerInput) -> Started {
        let caller = Caller::on_behalf_of(input.user_id.clone());
        let workflow = match self.workflows.load(&caller, &input.workflow_id).await {
            Ok(workflow) => workflow,
            Err(WorkflowError::Store(e)) => return failed(&e),
            Err(e) => return Started::Never(e.to_string()),
        };
        let event: Value = match serde_json::from_str(&input.payload) {
            Ok(event) => event,
            Err(e) => return Started::Never(format!("the stored event cannot be read: {e}")),
        };
        let start = StartRun {
            job_id: Some(input.job_id.clone()),
            trigger_event: Some((input.node_id.as_str().into(), event)),
            ..StartRun::new(caller, workflow, Map::new())
        };
        match self.jobs.submit(start).await {
            // Taken by itself: it was started before, and this was not noted any more.
            Ok(_) | Err(RunError::Taken(_) | RunError::Running(_)) => Started::Job,
            Err(RunError::ShuttingDown | RunError::TooMany(_)) => Started::Later,
            Err(RunError::Store(e) | RunError::Workflow(WorkflowError::Store(e))) => failed(&e),
            Err(RunError::Workflow(e)) => Started::Never(e.to_string()),
        }
    }
}

/// Only what passes by itself is tried again.
fn failed(e: &StoreError) -> Started {
    match e {
        StoreError::QueueFull
        | StoreError::Busy { .. }
        | StoreError::Sql { .. }
        | StoreError::Closed => Started::Later,
        e => Started::Never(e.to_string()),
    }
}

//! Workflows that run inside a run: how deep, how many, and what of their messages the outer run shows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use nodetool_engine::RunOptions;
use nodetool_protocol::{JobEvent, Map, Value};
use nodetool_sdk::services::Workflows;
use nodetool_sdk::{BoxFuture, EventSink, NodeCx, NodeError, Severity};

use super::{Inner, StartRun};
use crate::services::{Caller, WorkflowError};

/// How deep workflows may run workflows.
pub(super) const MAX_DEPTH: u32 = 16;
/// How many workflows may be at work inside one run at the same time; a few that run themselves multiply without end.
const MAX_NESTED: usize = 256;

/// The workflows at work inside one run.
#[derive(Default)]
struct Nest {
    at_work: usize,
    /// There were too many once: no more start until all have ended, so that a run that multiplies comes to its end.
    overrun: bool,
}

/// The workflows at work inside each run.
#[derive(Default)]
pub(super) struct Nests(Mutex<HashMap<Arc<str>, Nest>>);

impl Nests {
    /// Counts a workflow into the run it works for; nothing when there are too many already.
    pub(super) fn enter(&self, job_id: &Arc<str>) -> Option<Nested<'_>> {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let nest = runs.entry(job_id.clone()).or_default();
        nest.overrun |= nest.at_work >= MAX_NESTED;
        if nest.overrun {
            return None;
        }
        nest.at_work += 1;
        Some(Nested {
            nests: self,
            job_id: job_id.clone(),
        })
    }
}

/// A workflow at work inside a run.
pub(super) struct Nested<'a> {
    nests: &'a Nests,
    job_id: Arc<str>,
}

impl Drop for Nested<'_> {
    fn drop(&mut self) {
        let mut runs = self.nests.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(nest) = runs.get_mut(&self.job_id) {
            nest.at_work -= 1;
            if nest.at_work == 0 {
                runs.remove(&self.job_id);
            }
        }
    }
}

/// Runs workflows inside workflows.
pub(super) struct WorkflowsInside(pub(super) Weak<Inner>);

impl Workflows for WorkflowsInside {
    fn run<'a>(
        &'a self,
        workflow_id: &'a str,
        params: Map,
        cx: &'a NodeCx,
        on_output: &'a mut (dyn FnMut(Arc<str>, Value) + Send),
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            let Some(inner) = self.0.upgrade() else {
                return Err(NodeError::Stopped);
            };
            let depth = cx.run.depth + 1;
            if depth > MAX_DEPTH {
                let text = format!(
                    "Workflows run workflows more than {MAX_DEPTH} deep; is '{workflow_id}' running itself?"
                );
                return Err(NodeError::new(text));
            }
            let Some(_counted) = inner.nests.enter(&cx.run.job_id) else {
                let text = format!(
                    "More than {MAX_NESTED} workflows are at work inside this run at the same time; is '{workflow_id}' \
                     running itself?"
                );
                return Err(NodeError::new(text));
            };
            let caller = Caller::on_behalf_of(cx.run.user_id.to_string());
            let workflow =
                inner
                    .workflows
                    .load(&caller, workflow_id)
                    .await
                    .map_err(|e| match e {
                        WorkflowError::NotFound => NodeError::bad(
                            "workflow_id",
                            format!("there is no workflow '{workflow_id}'"),
                        ),
                        e => NodeError::new(e.to_string()),
                    })?;
            let start = StartRun::new(caller, workflow, Map::new());
            let sink = Arc::new(Forward {
                cx_events: cx.run.events.clone(),
                node: cx.node.clone(),
                outer: cx.run.workflow_id.clone(),
            });
            let options = RunOptions {
                params,
                cache: Some(inner.cache.clone()),
                pushes: false,
                ..RunOptions::default()
            };
            let job_id = cx.run.job_id.clone();
            // What it reads of them, the outer run keeps to itself.
            let secrets = cx.run.services.secrets.clone();
            let (runner, run_cx) = inner
                .runner_with(&start, job_id, sink, depth, secrets, options)
                .await;
            let outcome = super::execute(runner, &start.workflow, &run_cx).await;
            if let Some(error) = outcome.error {
                return Err(NodeError::new(error));
            }
            for (name, values) in outcome.outputs {
                values.into_iter().for_each(|v| on_output(name.clone(), v));
            }
            Ok(())
        })
    }
}

/// What of a nested run's messages the outer run shows (engine spec 4.21, FIX-31).
struct Forward {
    cx_events: Arc<dyn EventSink>,
    node: Arc<nodetool_sdk::NodeInfo>,
    outer: Arc<str>,
}

impl EventSink for Forward {
    fn emit(&self, event: JobEvent) {
        let (node_id, workflow_id) = (self.node.id.clone(), Some(self.outer.clone()));
        let node_name = self.node.title.clone();
        let forwarded = match event {
            JobEvent::PreviewUpdate { .. } => event,
            JobEvent::NodeProgress {
                progress,
                total,
                chunk,
                ..
            } => JobEvent::NodeProgress {
                node_id,
                node_name,
                progress,
                total,
                chunk,
                workflow_id,
            },
            JobEvent::LogUpdate {
                content, severity, ..
            } => JobEvent::LogUpdate {
                node_id,
                node_name,
                content,
                severity,
                workflow_id,
            },
            JobEvent::Chunk {
                thread_id,
                content_type,
                content,
                content_metadata,
                done,
                thinking,
                ..
            } => {
                let node_id = Some(node_id);
                JobEvent::Chunk {
                    node_id,
                    thread_id,
                    workflow_id,
                    content_type,
                    content,
                    content_metadata,
                    done,
                    thinking,
                }
            }
            JobEvent::NodeUpdate(u) if u.status == nodetool_protocol::NodeStatus::Completed => {
                let content = format!("{} completed", u.node_name);
                JobEvent::LogUpdate {
                    node_id,
                    node_name,
                    content,
                    severity: Severity::Info,
                    workflow_id,
                }
            }
            _ => return,
        };
        self.cx_events.emit(forwarded);
    }

    fn listening(&self) -> bool {
        self.cx_events.listening()
    }

    fn behind(&self) -> bool {
        self.cx_events.behind()
    }

    fn caught_up<'a>(&'a self) -> BoxFuture<'a, ()> {
        self.cx_events.caught_up()
    }
}

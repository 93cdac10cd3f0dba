//! Workflows of dataflow nodes that are started as if they were loops: they run once, and their messages are told on
//! the board. Source: orchestrator spec 7.5, 7.6.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nodetool_protocol::{JobEvent, JobStatus, Map, NodeStatus};
use nodetool_sdk::steps::{StepNode, Steps};
use tokio::sync::Notify;

use super::live::Held;
use super::opened::Opened;
use super::previews::preview;
use super::state::{Board, Finished};
use super::{LoopFailure, LoopService, ids};
use crate::services::jobs::WorkEnd;
use crate::services::{Begin, Caller, Feed, StartRun, Taken};

/// Messages taken at once.
const PORTION: usize = 256;

impl LoopService {
    /// Runs a workflow once unless it runs; answers the job and whether it is new.
    pub(super) async fn run_once(
        &self,
        caller: &Caller,
        opened: Opened,
    ) -> Result<(Arc<str>, bool), LoopFailure> {
        let job_id: Arc<str> = nodetool_store::new_id().into();
        let held = match self.1.hold(&opened.id, job_id.clone()) {
            Ok(held) => held,
            Err(grip) => return Ok((grip.job_id.clone(), false)),
        };
        self.note_start(&opened.id, &job_id, Some("active")).await?;
        let mut start = StartRun::new(caller.clone(), opened.loaded.clone(), Map::new());
        start.job_id = Some(job_id.to_string());
        start.limited = true;
        match self.0.jobs.start(start).await {
            Ok(feed) => {
                let board = self.board(&opened.id).await?;
                self.attend(opened, board, feed, held);
                Ok((job_id, true))
            }
            Err(e) => {
                self.set_status(&opened.id, "inactive").await;
                Err(e.into())
            }
        }
    }

    /// Tells on the board what a job that was taken up again does; answers whether there is one.
    pub(super) async fn attend_again(
        &self,
        caller: &Caller,
        workflow_id: &str,
        job_id: &str,
    ) -> Result<bool, LoopFailure> {
        let Some(feed) = self.0.jobs.feed(caller, job_id) else {
            return Ok(false);
        };
        let opened = self.opened(caller, workflow_id).await?;
        let Ok(held) = self.1.hold(&opened.id, job_id.into()) else {
            return Ok(true);
        };
        let board = self.board(&opened.id).await?;
        self.attend(opened, board, feed, held);
        Ok(true)
    }

    fn attend(&self, opened: Opened, board: Arc<Board>, feed: Arc<Feed>, held: Held) {
        board.begin(opened.graph.nodes.len());
        let service = self.clone();
        self.1.tasks.spawn(async move {
            let began = Instant::now();
            let (status, error) = follow(&opened, &board, &feed).await;
            let duration = began.elapsed();
            let end = WorkEnd {
                status,
                error,
                duration,
            };
            service.run_ended(&opened.id, end).await;
            drop(held);
        });
    }
}

/// Tells the messages of a job on the board until it has ended.
async fn follow(opened: &Opened, board: &Board, feed: &Arc<Feed>) -> (JobStatus, Option<String>) {
    let wake = Arc::<Notify>::default();
    let mut watch = feed.watch(Begin::Lossless, wake.clone());
    let mut ended = (JobStatus::Failed, None);
    loop {
        let frames = match watch.take(PORTION) {
            Taken::Frames(frames) | Taken::Snapshot(frames) => frames,
            Taken::Nothing => {
                wake.notified().await;
                continue;
            }
            Taken::Ended => return ended,
        };
        for frame in frames {
            match &frame.event {
                JobEvent::JobUpdate(update) if update.status.is_terminal() => {
                    ended = (update.status, update.error.clone());
                }
                JobEvent::NodeUpdate(update) => {
                    let node_type = update.node_type.strip_prefix(Steps::PREFIX);
                    let node = StepNode {
                        id: ids::node_id(&opened.id, &update.node_id).into(),
                        node_type: node_type.unwrap_or(&update.node_type).into(),
                    };
                    let shown = update.result.as_ref().filter(|_| board.is_heard());
                    match update.status {
                        NodeStatus::Running => board.started(&node),
                        NodeStatus::Completed => board.completed(
                            &node,
                            Finished {
                                route: "default",
                                // The message does not say; what the state knows of its beginning does.
                                seconds: board
                                    .since(&node.id)
                                    .unwrap_or(Duration::ZERO)
                                    .as_secs_f64(),
                                preview: shown.and_then(preview),
                            },
                        ),
                        NodeStatus::Error => {
                            board.failed(
                                &node,
                                update.error.as_deref().unwrap_or("The node failed"),
                            );
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
    }
}

//! Production: all loops of a workflow side by side, until their producers end, one cannot be set up, or it is stopped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nodetool_sdk::Map;
use nodetool_sdk::protocol::JobStatus;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::actor::LoopActor;
use super::shared::Shared;
use super::{LoopOutcome, LoopRun};
use crate::actor::panic_text;

/// How long after the time to clean up a run waits for a step that blocks its thread.
const GRACE: Duration = Duration::from_millis(200);

/// How one loop ended.
enum Ended {
    /// Its producer had no more tokens.
    Finished,
    Stopped,
    /// A step could not be set up.
    Failed(String),
}

impl LoopRun {
    /// Runs every loop until all have ended, or until it is cancelled.
    pub async fn produce(self, cancel: CancellationToken) -> LoopOutcome {
        let began = Instant::now();
        let shared = Arc::new(Shared::new(self));
        // No loop begins before the steps of all are set up: a run that cannot work has no effects.
        let ready = Arc::new(Barrier::new(shared.plan.loops.len()));
        let stop = cancel.child_token();
        let mut loops = JoinSet::new();
        for region in &shared.plan.loops {
            let life = live(
                shared.clone(),
                LoopActor::new(shared.clone(), region.clone()),
                ready.clone(),
                stop.clone(),
            );
            loops.spawn(life.in_current_span());
        }

        let overdue = async {
            stop.cancelled().await;
            tokio::time::sleep_until(shared.deadline() + GRACE).await;
        };
        tokio::pin!(overdue);
        let mut stopped = false;
        let mut error: Option<String> = None;
        loop {
            let ended = tokio::select! {
                ended = loops.join_next() => ended,
                () = &mut overdue => {
                    stopped = true;
                    let left = loops.len();
                    tracing::warn!(job.id = %shared.run.job_id, loops = left, "loops were left behind that did not stop in time");
                    break;
                }
            };
            match ended {
                None => break,
                Some(Ok(Ended::Finished)) => {}
                Some(Ok(Ended::Stopped)) => stopped = true,
                Some(Ok(Ended::Failed(why))) => error = error.or(Some(why)),
                Some(Err(e)) => {
                    let text = if e.is_panic() {
                        panic_text(&*e.into_panic())
                    } else {
                        "its task is gone".to_owned()
                    };
                    tracing::error!(job.id = %shared.run.job_id, panic = text, "a loop panicked outside its steps");
                    error = error.or(Some("A loop ended unexpectedly".into()));
                    stop.cancel();
                }
            }
        }
        LoopOutcome {
            status: match (&error, stopped) {
                (Some(_), _) => JobStatus::Failed,
                (None, true) => JobStatus::Cancelled,
                (None, false) => JobStatus::Completed,
            },
            error,
            duration: began.elapsed(),
            data: Map::new(),
        }
    }
}

async fn live(
    shared: Arc<Shared>,
    mut actor: LoopActor,
    ready: Arc<Barrier>,
    stop: CancellationToken,
) -> Ended {
    let work = async {
        if let Err((node, error)) = actor.set_up(0).await {
            return Ended::Failed(format!("Node '{node}': {error}"));
        }
        ready.wait().await;
        actor.iterate().await;
        Ended::Finished
    };
    let ended = tokio::select! {
        biased;
        () = stop.cancelled() => Ended::Stopped,
        ended = work => ended,
    };
    if !matches!(ended, Ended::Finished) {
        // The time to clean up runs for all loops from the first that stops.
        shared.deadline();
        stop.cancel();
    }
    actor.clean_up().await;
    ended
}

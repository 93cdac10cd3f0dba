//! What the loops of one run share: its context, its queues, its pool, and the time they have to clean up.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nodetool_sdk::RunCx;
use nodetool_sdk::steps::{FlowCx, LoopSink, TokenQueue};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::LoopRun;
use super::plan::LoopPlan;

/// Steps of the thread pool at work at once in a run.
const THREADS: usize = 10;
/// What all steps of a run that is stopped have together to clean up.
pub(super) const CLEANUP_TIME: Duration = Duration::from_secs(5);

pub(super) struct Shared {
    pub(super) plan: Arc<LoopPlan>,
    pub(super) run: Arc<RunCx>,
    pub(super) flow: Arc<FlowCx>,
    pub(super) sink: Arc<dyn LoopSink>,
    pub(super) queues: Vec<Arc<TokenQueue>>,
    pub(super) threads: Semaphore,
    deadline: OnceLock<Instant>,
}

impl Shared {
    pub(super) fn new(run: LoopRun) -> Self {
        let LoopRun {
            plan,
            run,
            flow,
            sink,
            journal,
            mut left,
        } = run;
        let queues = plan.queues.iter().map(|queue| {
            let left = left.remove(&queue.name).unwrap_or_default();
            let name = queue.name.clone();
            Arc::new(TokenQueue::new(name, queue.writers, journal.clone(), left))
        });
        let queues = queues.collect();
        for (name, tokens) in left {
            tracing::warn!(job.id = %run.job_id, queue = %name, tokens = tokens.len(), "tokens of an earlier process were left in a queue this workflow no longer has");
        }
        Shared {
            plan,
            run,
            flow,
            sink,
            queues,
            threads: Semaphore::new(THREADS),
            deadline: OnceLock::new(),
        }
    }

    /// When cleaning up has to be over; the first to ask sets it.
    pub(super) fn deadline(&self) -> Instant {
        *self.deadline.get_or_init(|| Instant::now() + CLEANUP_TIME)
    }
}

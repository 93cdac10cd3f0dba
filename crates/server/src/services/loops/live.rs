//! What is at work: the loops of each workflow, the boards, the inboxes of webhooks, the sessions.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nodetool_protocol::Map;
use nodetool_store::now_micros;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::sessions::Sessions;
use super::state::{Board, KEPT_FOR};
use super::watch::LoopWatch;
use super::webhooks::Hub;
use super::{LoopFailure, LoopService, ids};
use crate::services::Caller;

/// How often boards that nobody needs are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// What is at work in this process.
#[derive(Default)]
pub(super) struct Live {
    runs: Mutex<HashMap<Arc<str>, Arc<Grip>>>,
    boards: Mutex<Boards>,
    /// Operations that stopped something, newest last, with whose they were.
    pub(super) stops: Mutex<VecDeque<(String, String)>>,
    pub(super) hub: Hub,
    pub(super) sessions: Sessions,
    pub(super) tasks: TaskTracker,
}

#[derive(Default)]
struct Boards {
    by_workflow: HashMap<Arc<str>, Arc<Board>>,
    swept: Option<Instant>,
}

/// The grip on a run of a workflow's loops.
pub(super) struct Grip {
    pub(super) job_id: Arc<str>,
    /// Cancelled when it has ended, and everybody who asks is told so.
    pub(super) over: CancellationToken,
}

/// A workflow's only run; others may begin when this is dropped.
pub(super) struct Held {
    live: Arc<Live>,
    workflow_id: Arc<str>,
    pub(super) grip: Arc<Grip>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.live.runs().remove(&self.workflow_id);
        self.grip.over.cancel();
    }
}

impl Live {
    fn runs(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Grip>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run of a workflow's loops, if they run.
    pub(super) fn grip(&self, workflow_id: &str) -> Option<Arc<Grip>> {
        self.runs().get(workflow_id).cloned()
    }

    /// Makes this job the workflow's run, unless another is.
    pub(super) fn hold(
        self: &Arc<Self>,
        workflow_id: &Arc<str>,
        job_id: Arc<str>,
    ) -> Result<Held, Arc<Grip>> {
        let mut runs = self.runs();
        if let Some(grip) = runs.get(workflow_id) {
            return Err(grip.clone());
        }
        let grip = Arc::new(Grip {
            job_id,
            over: CancellationToken::new(),
        });
        runs.insert(workflow_id.clone(), grip.clone());
        drop(runs);
        Ok(Held {
            live: self.clone(),
            workflow_id: workflow_id.clone(),
            grip,
        })
    }

    fn boards(&self) -> MutexGuard<'_, Boards> {
        self.boards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LoopService {
    /// The board of a workflow, which tells what an earlier process left until a run begins.
    pub(super) async fn board(&self, workflow_id: &Arc<str>) -> Result<Arc<Board>, LoopFailure> {
        if let Some(board) = self.1.boards().by_workflow.get(workflow_id) {
            return Ok(board.clone());
        }
        let left = self.0.store.loop_state(workflow_id).await?;
        let left = left
            .filter(|row| now_micros() - row.updated_at < KEPT_FOR)
            .and_then(|row| serde_json::from_str::<Map>(&row.state).ok());
        let mut boards = self.1.boards();
        if boards.swept.is_none_or(|at| at.elapsed() > SWEEP_EVERY) {
            boards.swept = Some(Instant::now());
            // One that somebody has just been given is in use.
            boards
                .by_workflow
                .retain(|_, board| Arc::strong_count(board) > 1 || !board.is_idle());
        }
        let board = boards.by_workflow.entry(workflow_id.clone());
        let made = || Arc::new(Board::new(ids::shown(workflow_id).into(), left));
        Ok(board.or_insert_with(made).clone())
    }

    /// Watches a workflow of the caller's.
    pub(crate) async fn watch(
        &self,
        caller: &Caller,
        workflow_id: &str,
    ) -> Result<LoopWatch, LoopFailure> {
        let id = self.stored_id(caller, workflow_id).await?;
        let board = self.board(&id.into()).await?;
        Ok(LoopWatch::new(board))
    }

    /// How the newest run of a workflow stands.
    pub(crate) async fn state(
        &self,
        caller: &Caller,
        workflow_id: &str,
    ) -> Result<nodetool_protocol::Value, LoopFailure> {
        let id = self.stored_id(caller, workflow_id).await?;
        Ok(self.board(&id.into()).await?.state())
    }
}

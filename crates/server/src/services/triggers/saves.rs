//! How the owner of workflows tells that one was saved or deleted. It must not know schedules.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::planner::Command;

/// The run mode of workflows that wait for their triggers.
pub(crate) const TRIGGER_MODE: &str = "trigger";
/// Commands that may wait for the planner; whoever sends more waits.
const WAITING: usize = 64;

/// Workflows that may have schedules; nothing while that is not known yet.
pub(super) type Known = Arc<Mutex<Option<HashSet<String>>>>;

/// Told of every saved and deleted workflow.
#[derive(Clone)]
pub(crate) struct Saves {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) known: Known,
}

/// The other end of [`Saves`], for the service that keeps schedules.
pub(crate) struct Inbox {
    pub(super) saves: Saves,
    pub(super) commands: mpsc::Receiver<Command>,
}

/// Both ends.
pub(crate) fn saves() -> (Saves, Inbox) {
    let (tx, rx) = mpsc::channel(WAITING);
    let saves = Saves {
        commands: tx,
        known: Arc::default(),
    };
    let inbox = Inbox {
        saves: saves.clone(),
        commands: rx,
    };
    (saves, inbox)
}

impl Saves {
    /// A workflow was saved with this run mode, or deleted when there is none. Returns when its schedules are in step.
    pub(crate) async fn saved(&self, workflow_id: &str, run_mode: Option<&str>) {
        let concerned = run_mode == Some(TRIGGER_MODE) || {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.as_ref().is_none_or(|ids| ids.contains(workflow_id))
        };
        if !concerned {
            return;
        }
        let (done, told) = oneshot::channel();
        let workflow_id = workflow_id.to_owned();
        let command = Command::Saved { workflow_id, done };
        // A server that is stopping puts schedules in step when it starts again.
        if self.commands.send(command).await.is_ok() {
            let _ = told.await;
        }
    }
}

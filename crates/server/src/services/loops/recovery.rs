//! What becomes of runs that a process which died has left. Source: orchestrator spec 4.4, 6.4.

use std::time::Duration;

use nodetool_protocol::{JobStatus, Map, Value};
use nodetool_store::{RunningLoop, now_micros};

use super::{LoopFailure, LoopService, ids};
use crate::services::jobs::SERVER_RESTARTED;
use crate::services::{Caller, zulu_text};

/// How long cleaning up what sessions keep may take when the server ends.
const CLOSING: Duration = Duration::from_secs(2);

impl LoopService {
    /// Says of every run that was left that it failed, and begins those again that are to be. After the jobs were
    /// recovered; answers how many there were and how many began.
    pub(crate) async fn recover(&self) -> Result<(usize, usize), LoopFailure> {
        let (mut left, mut begun) = (0, 0);
        for run in self.0.store.running_loops().await? {
            let id = run.workflow_id.clone();
            match self.recover_one(run).await {
                Ok(None) => {}
                Ok(Some(again)) => {
                    left += 1;
                    begun += usize::from(again);
                }
                Err(e) => {
                    left += 1;
                    tracing::error!(workflow.id = %id, error = %e, "a workflow could not be begun again");
                }
            }
        }
        Ok((left, begun))
    }

    /// Whether it began again; nothing when its job goes on by itself.
    async fn recover_one(&self, run: RunningLoop) -> Result<Option<bool>, LoopFailure> {
        let caller = Caller::on_behalf_of(run.user_id);
        let id = run.workflow_id.as_str();
        if let Some(job_id) = &run.last_job_id
            && let Some(job) = self.0.jobs.get(&caller, job_id).await?
            && job.job_type == "workflow"
        {
            if !job.status.is_terminal() && self.attend_again(&caller, id, job_id).await? {
                return Ok(None);
            }
            let failed = job.status == nodetool_store::JobStatus::Failed;
            self.set_status(id, if failed { "error" } else { "inactive" })
                .await;
            return Ok(Some(false));
        }
        self.set_status(id, "error").await;
        let state = self.0.store.loop_state(id).await?;
        let state = state.and_then(|row| serde_json::from_str::<Map>(&row.state).ok());
        self.keep_state(id, Some(failed(id, state.unwrap_or_default())))
            .await;
        if run.restart != "on-boot" {
            self.0.store.clear_loop_tokens(id).await?;
            return Ok(Some(false));
        }
        let opened = self.opened(&caller, id).await?;
        let left = self.left(id).await?;
        self.begin(&caller, opened, left).await?;
        Ok(Some(true))
    }

    /// Lets go of what sessions keep. After the jobs have ended.
    pub(crate) async fn shut_down(&self) {
        self.1.tasks.close();
        let closing = async {
            self.1.sessions.close().await;
            self.1.tasks.wait().await;
        };
        if tokio::time::timeout(CLOSING, closing).await.is_err() {
            tracing::warn!("some steps of sessions did not clean up in time");
        }
    }
}

/// The state of a run that a process has left.
fn failed(id: &str, mut state: Map) -> Value {
    let put = [
        ("workflow_id", Value::from(ids::shown(id))),
        ("status", JobStatus::Failed.as_str().into()),
        ("executing_nodes", Map::new().into()),
        ("completed_at", zulu_text(now_micros()).into()),
        ("error", SERVER_RESTARTED.into()),
    ];
    for (key, value) in put {
        state.insert(key.into(), value);
    }
    for (key, value) in [
        ("completed_nodes", Value::list([])),
        ("completed_count", Value::Int(0)),
    ] {
        state.entry(key.into()).or_insert(value);
    }
    state.into()
}

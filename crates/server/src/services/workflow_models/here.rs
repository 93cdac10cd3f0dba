//! Runs in this process that no job stands for: of workflow files, and inside of other runs.

use std::sync::Arc;

use nodetool_engine::RunOutcome;
use nodetool_protocol::{JobEvent, JobStatus, JobUpdate};
use nodetool_sdk::EventSink;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::services::{Begin, Feed, Kept, Subject, Watch};

/// A run at work; dropping it ends it.
pub(in crate::services) struct HereRun {
    pub(super) watch: Watch,
    _task: JoinSet<()>,
}

impl HereRun {
    /// Starts a run that tells a feed how it gets on; its end is told here, or why it did not begin.
    pub(super) fn start<F>(
        subject: Subject,
        wake: Arc<Notify>,
        run: impl FnOnce(Arc<Feed>) -> F,
    ) -> Self
    where
        F: Future<Output = Result<RunOutcome, String>> + Send + 'static,
    {
        let (job_id, workflow_id) = (subject.job_id.clone(), subject.workflow_id.clone());
        let feed = Arc::new(Feed::new(subject, 1, u64::MAX, Kept::default()));
        let watch = feed.watch(Begin::Lossless, wake);
        let run = run(feed.clone());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let last = match run.await {
                Ok(outcome) => outcome.closing_update(job_id, workflow_id),
                Err(error) => JobUpdate {
                    error: Some(error),
                    ..JobUpdate::new(JobStatus::Failed, job_id, workflow_id)
                },
            };
            feed.emit(JobEvent::JobUpdate(last));
            feed.close();
        });
        HereRun { watch, _task: task }
    }
}

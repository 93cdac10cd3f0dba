//! Runs somebody waits for with nothing but their outputs: no messages, and one write when they are quick.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nodetool_engine::{RunOutcome, Unheard};
use tokio_util::sync::CancellationToken;

use super::attempt::count_end;
use super::journal::JobJournal;
use super::{Inner, Live, RunError, StartRun, Work, WorkCx, WorkEnd, carry_out};
use crate::services::Happened;
use crate::services::feeds::Subject;
use crate::telemetry;

/// A run that nobody was told of and that ends within this time is stored with one commit instead of two.
const QUICK: Duration = Duration::from_millis(2);

impl Inner {
    /// A run nobody listens to. Its row is written when it ends, or after [`QUICK`] if it takes longer.
    pub(super) async fn run_quietly(&self, mut start: StartRun) -> Result<RunOutcome, RunError> {
        let seat = self.queue.sit(&start.caller.user_id.as_str().into())?;
        let job = self.prepare(&start);
        let (id, started_at) = (job.id.clone(), job.started_at);
        let graph = start.workflow.graph.clone();
        let journal = JobJournal::new(self.store.clone(), id.as_str().into(), graph, self.steady);
        let journal = Arc::new(journal);
        let (runner, cx, seen) = self
            .runner(
                &mut start,
                id.as_str().into(),
                Arc::new(Unheard),
                Some((journal.clone(), None)),
            )
            .await;
        let live = Arc::new(Live {
            subject: Subject {
                job_id: cx.job_id.clone(),
                workflow_id: cx.workflow_id.clone(),
                user_id: cx.user_id.clone(),
            },
            started_at: job.started_at,
            feed: None,
            handle: OnceLock::new(),
            cancelled: CancellationToken::new(),
            commands: None,
            pausing: AtomicBool::new(false),
            _seat: seat,
            work: start.work.as_ref().map(Work::kind),
        });
        if let Some(runner) = &runner {
            live.made(runner.handle());
        }
        let mut ended = None;
        let work = start.work.take().map(|mut work| {
            ended = work.ended.take();
            let at_hand = WorkCx {
                run: cx.clone(),
                feed: None,
                seen: seen.clone(),
                stop: live.cancelled.clone(),
            };
            (work, at_hand)
        });
        self.running().insert(cx.job_id.clone(), live);
        let _listed = Unlist {
            inner: self,
            id: cx.job_id.clone(),
        };
        let mut job = Some(job);
        let has_effects =
            work.is_none() && start.workflow.plan.as_ref().is_ok_and(|p| p.has_effects());
        if has_effects && let Some(job) = job.take() {
            // The journal of its effects belongs to a job that is there.
            self.store.add_job(job).await?;
        }
        let run = carry_out(work, runner, &start.workflow, &cx);
        let run = telemetry::of_job(run, &cx.job_id);
        tokio::pin!(run);
        let mut outcome = tokio::select! {
            biased;
            outcome = &mut run => outcome,
            () = tokio::time::sleep(QUICK) => {
                if let Some(job) = job.take() {
                    self.store.add_job(job).await?;
                }
                journal.keep_while(run).await
            }
        };
        seen.hide_outcome(&mut outcome);
        if let Some((node, _, state)) = &outcome.suspended {
            if let Some(job) = job.take() {
                self.store.add_job(job).await?;
            }
            journal.suspended(node, state.clone());
            journal.flush().await?;
        }
        match (job.take(), self.ending(&id, &outcome, None)) {
            (Some(job), Some(end)) => drop(self.store.insert_ended_job(job, end).await?),
            _ => self.finish(&id, &outcome, None).await?,
        }
        if let Some(ended) = ended {
            let end = WorkEnd {
                status: outcome.status,
                error: outcome.error.clone(),
                duration: outcome.duration,
            };
            ended(end).await;
        }
        self.told(&cx.user_id, Happened::Created, &id);
        count_end(outcome.status, started_at);
        Ok(outcome)
    }
}

/// Takes a job off the list of those at work, however its run ends.
struct Unlist<'a> {
    inner: &'a Inner,
    id: Arc<str>,
}

impl Drop for Unlist<'_> {
    fn drop(&mut self) {
        self.inner.running().remove(&self.id);
    }
}

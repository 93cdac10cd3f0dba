//! A run as the engine gets it: the services of its user, the folder it may touch, and what it leaves behind.

use std::sync::Arc;

use nodetool_engine::{Journal, Resume, RunOptions, RunOutcome, Runner, tell_rejection};
use nodetool_sdk::services::Secrets;
use nodetool_sdk::{EventSink, RunCx, Variables};

use super::discretion::{Discreet, DiscreetJournal};
use super::journal::JobJournal;
use super::models::RunModels;
use super::{Inner, StartRun, Work, WorkCx, user_workspace};
use crate::services::{AssetOrigin, Loaded, RunSecrets, Seen, ThreadsOf, ToolScope, WeakTools};

/// Does the work of a job, or runs its plan.
pub(super) async fn carry_out(
    work: Option<(Work, WorkCx)>,
    runner: Option<Runner>,
    workflow: &Loaded,
    cx: &RunCx,
) -> RunOutcome {
    match work {
        Some((work, at_hand)) => (work.run)(at_hand).await,
        None => execute(runner, workflow, cx).await,
    }
}

/// Runs a plan, or fails as the plan did.
pub(super) async fn execute(runner: Option<Runner>, workflow: &Loaded, cx: &RunCx) -> RunOutcome {
    match (runner, &workflow.plan) {
        (Some(runner), _) => runner.execute().await,
        (None, Err(error)) => {
            tell_rejection(error, &|id| workflow.titles.get(id).cloned(), cx);
            RunOutcome::rejected(error)
        }
        (None, Ok(_)) => unreachable!("a plan always gives a runner"),
    }
}

impl Inner {
    /// A run of a job: journaled, so that it can be taken up again, and with what an earlier attempt left behind. It
    /// knows which secrets it has read, and tells none of them.
    pub(super) async fn runner(
        &self,
        start: &mut StartRun,
        job_id: Arc<str>,
        events: Arc<dyn EventSink>,
        journal: Option<(Arc<JobJournal>, Option<Resume>)>,
    ) -> (Option<Runner>, Arc<RunCx>, Arc<Seen>) {
        let (journal, resume) = journal.map_or((None, None), |(j, r)| (Some(j), r));
        let seen = Arc::<Seen>::default();
        let secrets = RunSecrets::new(
            self.secrets.clone(),
            start.caller.user_id.as_str().into(),
            seen.clone(),
        );
        let events = Arc::new(Discreet::new(events, seen.clone()));
        let options = RunOptions {
            params: std::mem::take(&mut start.params),
            assets: start.assets,
            cache: Some(self.cache.clone()),
            trigger_event: start.trigger_event.take(),
            // An input that waits for values nobody can push would hold the run for ever.
            pushes: start.pushes,
            journal: journal
                .map(|j| Arc::new(DiscreetJournal::new(j, seen.clone())) as Arc<dyn Journal>),
            resume,
            ..RunOptions::default()
        };
        let (runner, cx) = self
            .runner_with(
                start,
                job_id,
                events,
                start.depth,
                Arc::new(secrets),
                options,
            )
            .await;
        (runner, cx, seen)
    }

    pub(super) async fn runner_with(
        &self,
        start: &StartRun,
        job_id: Arc<str>,
        events: Arc<dyn EventSink>,
        depth: u32,
        secrets: Arc<dyn Secrets>,
        options: RunOptions,
    ) -> (Option<Runner>, Arc<RunCx>) {
        let workflow_id = start.workflow.id.clone();
        let mut services = self.services.clone();
        services.collections = self.collections.of(&start.caller);
        if let Some(browsers) = self.browsers.get() {
            services.browsers = browsers.of(&start.caller);
        }
        services.secrets = secrets.clone();
        services.models = Arc::new(RunModels {
            providers: self.models.of(&start.caller),
            inner: self.me.clone(),
            caller: start.caller.clone(),
            job_id: job_id.clone(),
            depth,
            secrets,
        });
        services.assets = self.assets.of_run(AssetOrigin {
            caller: start.caller.clone(),
            workflow_id: Some(workflow_id.clone()).filter(|id| !id.is_empty()),
            job_id: Some(job_id.clone()),
        });
        let workspace = self.workspace_of(start).await;
        if let Some(tools) = self.tools.get().and_then(WeakTools::upgrade) {
            services.tools = tools.of(ToolScope {
                workspace: workspace.clone(),
                depth,
                inside: start.inside_and_itself(),
                ..ToolScope::of(start.caller.clone())
            });
        }
        services.conversations = Arc::new(ThreadsOf::new(
            self.threads.clone(),
            start.caller.clone(),
            services.assets.clone(),
        ));
        let cx = Arc::new(RunCx {
            job_id,
            workflow_id,
            user_id: start.caller.user_id.as_str().into(),
            depth,
            services,
            variables: Variables::default(),
            workspace,
            events,
        });
        let runner = start
            .workflow
            .plan
            .as_ref()
            .ok()
            .filter(|_| start.work.is_none())
            .map(|plan| Runner::new(plan.clone(), cx.clone(), options));
        (runner, cx)
    }

    /// The folder a run may touch: its workflow's own or the server's. None when it cannot be told.
    async fn workspace_of(&self, start: &StartRun) -> Option<std::path::PathBuf> {
        let own = || user_workspace(&self.workspace, &start.caller.user_id);
        let Some(id) = &start.workflow.workspace_id else {
            return own();
        };
        match self.store.get_workspace(&start.caller.user_id, id).await {
            Ok(Some(row)) => Some(row.path.into()),
            Ok(None) => own(),
            Err(e) => {
                tracing::error!(workspace.id = %id, error = %e, "a workspace could not be read; the run goes without");
                None
            }
        }
    }
}

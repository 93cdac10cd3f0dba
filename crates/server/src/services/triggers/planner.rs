//! The one task that owns schedules: it puts them in step with their workflows and fires those whose time has come.
//!
//! It sleeps until the earliest due time or until it is told something. The time of the machine may jump: a long sleep
//! is cut into short ones, and due times are worked out again when the clock has gone back. It must not know how
//! events become jobs.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use nodetool_nodes::triggers::Seen;
use nodetool_store::{
    FireTrigger, Store, StoreError, TriggerRow, WorkflowFilter, WorkflowRow, now_micros,
};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::event::{input, tick};
use super::plan::{Occasion, change, stopped};
use super::saves::{Known, TRIGGER_MODE};
use super::schedule::SECOND;
use super::spec::{Spec, TriggerFault, Wanted, wanted};
use super::{MAX_SCHEDULES, TriggerError, watcher};
use crate::services::workflows::read_graph;

/// Longest sleep, so that a clock that jumps ahead or a machine that slept is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(15);
/// Sleep after the store failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How far the clock may fall behind before due times are worked out again.
const BACKWARD: i64 = SECOND;
/// Due times older than this count as missed, of which only the latest fires.
const MISSED: i64 = 60 * SECOND;
/// Schedules fired together.
const BATCH: usize = 256;
/// How long events that became jobs are remembered.
const REMEMBERED: i64 = 24 * 3600 * SECOND;
/// How often older ones are removed.
const PRUNING: Duration = Duration::from_secs(3600);

/// What the planner is told.
pub(super) enum Command {
    Saved {
        workflow_id: String,
        done: oneshot::Sender<()>,
    },
    Start {
        workflow: Box<WorkflowRow>,
        reply: oneshot::Sender<Result<(), TriggerError>>,
    },
    Stop {
        workflow: Box<WorkflowRow>,
        reply: oneshot::Sender<Result<bool, TriggerError>>,
    },
}

pub(super) struct Planner {
    pub(super) store: Store,
    pub(super) workspace: PathBuf,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) known: Known,
    /// File watches have changed.
    pub(super) changed: Arc<Notify>,
    /// There are new events.
    pub(super) news: Arc<Notify>,
    pub(super) stop: CancellationToken,
}

impl Planner {
    /// Works until it is stopped.
    pub(super) async fn run(mut self) {
        let booted_at = now_micros();
        let mut in_step = false;
        let mut clock = (now_micros(), Instant::now());
        let mut pruned: Option<Instant> = None;
        loop {
            if !in_step {
                in_step = self.catch_up().await.inspect_err(told).is_ok();
            }
            let now = now_micros();
            let expected = clock.0 + i64::try_from(clock.1.elapsed().as_micros()).unwrap_or(0);
            if now < expected - BACKWARD {
                tracing::warn!("the clock went back; due times are worked out again");
                if let Err(e) = self.correct(now).await {
                    told(&e);
                }
            }
            clock = (now, Instant::now());
            if pruned.is_none_or(|at| at.elapsed() >= PRUNING) {
                pruned = Some(Instant::now());
                let pruning = self.store.prune_inputs(now - REMEMBERED).await;
                let _ = pruning.inspect_err(told);
            }
            let missed_before = booted_at.max(now - MISSED);
            let sleep = match self.fire_due(now, missed_before).await {
                Ok(next) if in_step => next,
                Ok(_) => AFTER_FAILURE,
                Err(e) => {
                    told(&e);
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => return,
                },
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    async fn obey(&self, command: Command) {
        // Nobody waits for an answer any more: then there is nobody to tell.
        match command {
            Command::Saved { workflow_id, done } => {
                if let Err(e) = self.saved(&workflow_id).await {
                    tracing::error!(workflow.id = %workflow_id, error = %e, "schedules are not in step with their workflow");
                }
                let _ = done.send(());
            }
            Command::Start { workflow, reply } => {
                let _ = reply.send(self.start(&workflow).await);
            }
            Command::Stop { workflow, reply } => {
                let _ = reply.send(self.stop(&workflow).await);
            }
        }
    }

    /// Puts every schedule in step: the server may have ended between a save and its schedule.
    async fn catch_up(&self) -> Result<(), StoreError> {
        let waiting = WorkflowFilter {
            run_mode: Some(TRIGGER_MODE.into()),
            ..WorkflowFilter::default()
        };
        let mut cursor = String::new();
        loop {
            let page = self
                .store
                .list_workflows(waiting.clone(), 100, &cursor)
                .await?;
            for row in page.rows {
                self.bring_in_step(&row.id).await?;
            }
            cursor = page.next;
            if cursor.is_empty() {
                break;
            }
        }
        let (mut ids, mut after) = (std::collections::HashSet::new(), String::new());
        loop {
            let page = self.store.triggered_workflows(&after).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(last);
            for id in page {
                self.bring_in_step(&id).await?;
                ids.insert(id);
            }
        }
        self.correct(now_micros()).await?;
        // Saves that were told meanwhile wait in the queue and are seen after this.
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(ids);
        self.changed.notify_one();
        self.news.notify_one();
        Ok(())
    }

    /// A workflow whose schedules cannot be worked out must not keep the others from theirs.
    async fn bring_in_step(&self, workflow_id: &str) -> Result<(), StoreError> {
        match self.saved(workflow_id).await {
            Err(TriggerError::Store(e)) => Err(e),
            Err(e) => {
                tracing::error!(workflow.id = %workflow_id, error = %e, "schedules are not in step with their workflow");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn know(&self, workflow_id: &str, has_schedules: bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ids) = known.as_mut() {
            if has_schedules {
                ids.insert(workflow_id.to_owned());
            } else {
                ids.remove(workflow_id);
            }
        }
    }

    async fn saved(&self, workflow_id: &str) -> Result<(), TriggerError> {
        // From here on every later save is told.
        self.know(workflow_id, true);
        let Some(workflow) = self.store.get_workflow(workflow_id).await? else {
            let none = Vec::new();
            self.store
                .put_triggers(workflow_id, none, Vec::new())
                .await?;
            self.know(workflow_id, false);
            self.changed.notify_one();
            return Ok(());
        };
        let waits = workflow.run_mode.as_deref() == Some(TRIGGER_MODE);
        self.put(&workflow, Occasion::Saved { waits }).await
    }

    async fn start(&self, workflow: &WorkflowRow) -> Result<(), TriggerError> {
        let waits = workflow.run_mode.as_deref() == Some(TRIGGER_MODE);
        self.know(&workflow.id, true);
        self.put(workflow, Occasion::Started { waits }).await
    }

    /// Whether anything was running.
    async fn stop(&self, workflow: &WorkflowRow) -> Result<bool, TriggerError> {
        let stored = self.store.workflow_triggers(&workflow.id).await?;
        if stored.iter().all(|row| !row.active) {
            return Ok(false);
        }
        let planned = stopped(&stored, now_micros());
        let rows = planned.rows.into_iter().map(|row| (row, None)).collect();
        self.store
            .put_triggers(&workflow.id, planned.kept, rows)
            .await?;
        self.changed.notify_one();
        Ok(true)
    }

    /// Works out the schedules of a workflow and stores what has changed.
    async fn put(&self, workflow: &WorkflowRow, occasion: Occasion) -> Result<(), TriggerError> {
        let mut wanted = wanted(&read_graph(&workflow.id, &workflow.graph)?);
        let started = matches!(occasion, Occasion::Started { .. });
        if started && wanted.is_empty() {
            return Err(TriggerError::NoTriggers);
        }
        let owner = (workflow.user_id.as_str(), workflow.id.as_str());
        let others = self.store.count_other_triggers(owner.0, owner.1).await?;
        if others + wanted.len() > MAX_SCHEDULES {
            if started {
                return Err(TriggerError::TooMany);
            }
            tracing::warn!(workflow.id = %owner.1, "the owner has too many triggers; some of this workflow are not kept");
            wanted.truncate(MAX_SCHEDULES.saturating_sub(others));
        }
        let stored = self.store.workflow_triggers(owner.1).await?;
        let mut planned = change(&stored, &wanted, owner, occasion, now_micros());
        let mut seen = self.first_looks(&mut wanted, &planned.rows, owner.0).await;
        if started {
            let faults: Vec<TriggerFault> =
                wanted.iter().filter_map(|w| w.spec.clone().err()).collect();
            if !faults.is_empty() {
                return Err(TriggerError::Invalid(faults));
            }
        } else if seen.iter().any(|(_, seen)| seen.is_none()) {
            // A folder that cannot be looked at is noted like any other fault.
            planned = change(&stored, &wanted, owner, occasion, now_micros());
        }
        if planned.differs(&stored) {
            let with_seen = planned.rows.into_iter().map(|row| {
                let at = seen.iter().position(|(id, _)| *id == row.node_id);
                let cursor = at.and_then(|at| seen.swap_remove(at).1);
                (row, cursor)
            });
            let rows = with_seen.collect();
            self.store.put_triggers(owner.1, planned.kept, rows).await?;
            self.changed.notify_one();
        }
        let any = !self.store.workflow_triggers(owner.1).await?.is_empty();
        self.know(owner.1, any);
        Ok(())
    }

    /// Looks at the folders of new file watches, so that what comes from now on is told. What cannot be looked at
    /// becomes a fault.
    async fn first_looks(
        &self,
        wanted: &mut [Wanted],
        rows: &[TriggerRow],
        owner: &str,
    ) -> Vec<(String, Option<String>)> {
        let mut looks = Vec::new();
        for wanted in wanted {
            let begins = |row: &&TriggerRow| row.node_id == wanted.node_id && row.active;
            let (Ok(Spec::FileWatch { watch, .. }), Some(_)) =
                (&wanted.spec, rows.iter().find(begins))
            else {
                continue;
            };
            let (workspace, settings) = (self.workspace.clone(), watch.clone());
            let owner = owner.to_owned();
            let looking = tokio::task::spawn_blocking(move || {
                let seen = watcher::open(&workspace, &owner, &settings)?.look();
                seen.and_then(|seen: Seen| seen.to_text())
                    .map_err(|why| ("path", why))
            });
            let interrupted = || Err(("path", "looking at it was interrupted".to_owned()));
            match looking.await.unwrap_or_else(|_| interrupted()) {
                Ok(text) => looks.push((wanted.node_id.clone(), Some(text))),
                Err((property, why)) => {
                    looks.push((wanted.node_id.clone(), None));
                    wanted.spec = Err(TriggerFault {
                        node_id: wanted.node_id.clone(),
                        property,
                        why,
                    });
                }
            }
        }
        looks
    }

    /// Fires what is due; says how long there is nothing to do.
    async fn fire_due(&self, now: i64, missed_before: i64) -> Result<Duration, StoreError> {
        let due = self.store.due_triggers(now, BATCH).await?;
        let fires = due.iter().map(|row| self.fire(row, now, missed_before));
        let fired: Result<Vec<()>, _> = join_all(fires).await.into_iter().collect();
        fired?;
        if !due.is_empty() {
            self.news.notify_one();
            return Ok(Duration::ZERO);
        }
        let wait = match self.store.next_trigger_due().await? {
            Some(next) => {
                let left = u64::try_from(next - now_micros()).unwrap_or(0);
                // The clock of sleeps counts milliseconds; a little late is better than several times too early.
                Duration::from_micros(left + 500)
            }
            None => LONGEST_SLEEP,
        };
        Ok(wait.min(LONGEST_SLEEP))
    }

    async fn fire(&self, row: &TriggerRow, now: i64, missed_before: i64) -> Result<(), StoreError> {
        let Some(stored) = row.next_due else {
            return Ok(());
        };
        let spec = Spec::from_text(&row.spec);
        let left = spec.events_left(row.fired);
        let (Some(timing), true) = (spec.timing(), left != Some(0)) else {
            self.store.move_trigger(row, None, now).await?;
            return Ok(());
        };
        let due = timing.due_now(row.started_at, stored, missed_before);
        let next = timing.due_after(row.started_at, due, now);
        let fire = FireTrigger {
            input: input(row, &due.to_string(), &tick(row, &spec, &timing, due), now),
            due: stored,
            next_due: next.filter(|_| left != Some(1)),
            now,
        };
        self.store.fire_trigger(fire).await.map(drop)
    }

    /// Brings due times nearer that lie further ahead than the clock says.
    async fn correct(&self, now: i64) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let ids = self.store.triggered_workflows(&after).await?;
            let Some(last) = ids.last() else {
                return Ok(());
            };
            after.clone_from(last);
            for id in ids {
                for row in self.store.workflow_triggers(&id).await? {
                    let timing = Spec::from_text(&row.spec).timing();
                    let (Some(timing), Some(stored), true) = (timing, row.next_due, row.active)
                    else {
                        continue;
                    };
                    let corrected = timing.corrected(row.started_at, stored, now);
                    if corrected != stored {
                        self.store.move_trigger(&row, Some(corrected), now).await?;
                    }
                }
            }
        }
    }
}

fn told(e: &StoreError) {
    tracing::warn!(error = %e, "schedules cannot be kept at the moment");
}

#[cfg(test)]
mod tests;

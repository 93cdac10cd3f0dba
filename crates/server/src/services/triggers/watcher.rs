//! Looks at the folders of file watches and stores what happened there.
//!
//! What was seen last is kept with the schedule and changes together with the events it gave, so that a change is told
//! once whether or not the server was there when it happened. It must not know how events become jobs.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nodetool_nodes::triggers::{FolderWatch, Seen, WatchSettings};
use nodetool_protocol::Value;
use nodetool_sdk::Workspace;
use nodetool_store::{SeenTrigger, Store, StoreError, TriggerRow, now_micros};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::event::input;
use super::schedule::utc_text;
use super::spec::{FILE_WATCH, Spec, hash};
use crate::services::jobs::user_workspace;

/// A look that takes long is followed by a rest this many times as long.
const REST: u32 = 10;
/// The rest after a look that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// Events stored with one write.
const CHUNK: usize = 500;

pub(super) struct Watcher {
    pub(super) store: Store,
    pub(super) workspace: PathBuf,
    /// Schedules have changed.
    pub(super) changed: Arc<Notify>,
    /// There are new events.
    pub(super) news: Arc<Notify>,
    pub(super) stop: CancellationToken,
}

/// A folder under watch.
struct Watched {
    row: TriggerRow,
    settings: WatchSettings,
    max_left: Option<i64>,
    pause: Duration,
    seen: Option<Seen>,
    next: Instant,
    failing: bool,
}

/// The folder of a user's runs, opened for a watch.
pub(super) fn open(
    workspace: &std::path::Path,
    user_id: &str,
    settings: &WatchSettings,
) -> Result<FolderWatch, (&'static str, String)> {
    let workspace = user_workspace(workspace, user_id)
        .ok_or_else(|| ("path", "the folder of its owner cannot be made".to_owned()))?;
    let workspace = Workspace::open(&workspace).map_err(|e| ("path", e.to_string()))?;
    FolderWatch::open(&workspace, settings)
}

impl Watcher {
    /// Works until it is stopped.
    pub(super) async fn run(self) {
        let mut watched = HashMap::new();
        loop {
            if let Err(e) = self.reload(&mut watched).await {
                tracing::warn!(error = %e, "file watches cannot be read");
            }
            loop {
                let next = watched.values().map(|w: &Watched| w.next).min();
                let due = async {
                    match next {
                        Some(next) => tokio::time::sleep_until(next).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = self.stop.cancelled() => return,
                    () = self.changed.notified() => break,
                    () = due => {}
                }
                let now = Instant::now();
                let mut stale = false;
                for watched in watched.values_mut().filter(|w| w.next <= now) {
                    if self.stop.is_cancelled() {
                        return;
                    }
                    stale |= !self.look(watched).await;
                }
                if stale {
                    break;
                }
            }
        }
    }

    /// Takes over what the store says, and keeps what has not changed there.
    async fn reload(
        &self,
        watched: &mut HashMap<(String, String), Watched>,
    ) -> Result<(), StoreError> {
        let rows = self.store.watching_triggers(FILE_WATCH).await?;
        let mut before = std::mem::take(watched);
        for (row, cursor) in rows {
            let key = (row.workflow_id.clone(), row.node_id.clone());
            let known = before.remove(&key);
            if let Some(known) = known.filter(|k| k.row.revision == row.revision) {
                watched.insert(key, known);
                continue;
            }
            let spec = Spec::from_text(&row.spec);
            let max_left = spec.events_left(row.fired);
            let Spec::FileWatch {
                watch: settings,
                pause,
                ..
            } = spec
            else {
                continue;
            };
            let pause = Duration::from_micros(u64::try_from(pause).unwrap_or_default());
            let seen = cursor.as_deref().and_then(Seen::from_text);
            // What happened while nobody looked is told at once.
            let next = Instant::now();
            let failing = row.last_error.is_some();
            watched.insert(
                key,
                Watched {
                    row,
                    settings,
                    max_left,
                    pause,
                    seen,
                    next,
                    failing,
                },
            );
        }
        Ok(())
    }

    /// One look; false when the schedule is not what it was.
    async fn look(&self, watched: &mut Watched) -> bool {
        if watched.max_left == Some(0) {
            watched.next = Instant::now() + Duration::from_secs(3600);
            return true;
        }
        let begin = Instant::now();
        let looked = self.changes(watched).await;
        watched.next = Instant::now() + watched.pause.max(begin.elapsed() * REST);
        let (seen, events) = match looked {
            Ok(Some(changes)) => changes,
            Ok(None) => {
                self.tell(watched, None).await;
                return true;
            }
            Err(why) => {
                watched.next = Instant::now() + watched.pause.max(AFTER_FAILURE);
                self.tell(watched, Some(why)).await;
                return true;
            }
        };
        self.tell(watched, None).await;
        self.keep(watched, seen, &events).await
    }

    /// What the folder holds now and the events since the last look; nothing when nothing happened.
    async fn changes(&self, watched: &Watched) -> Result<Option<(Seen, Vec<Value>)>, String> {
        let (workspace, settings) = (self.workspace.clone(), watched.settings.clone());
        let before = watched.seen.clone();
        let owner = watched.row.user_id.clone();
        let looking = tokio::task::spawn_blocking(move || {
            let watch =
                open(&workspace, &owner, &settings).map_err(|(p, why)| format!("`{p}`: {why}"))?;
            let now = watch.look()?;
            if before.as_ref() == Some(&now) {
                return Ok(None);
            }
            let events = match &before {
                Some(before) => watch.events(before, &now, &utc_text(now_micros())),
                None => Vec::new(),
            };
            Ok(Some((now, events)))
        });
        looking
            .await
            .map_err(|_| "looking at the folder was interrupted".to_owned())?
    }

    /// Stores what was seen with its events; false when the schedule is not what it was.
    async fn keep(&self, watched: &mut Watched, seen: Seen, events: &[Value]) -> bool {
        let cursor = match seen.to_text() {
            Ok(cursor) => cursor,
            Err(why) => {
                self.tell(watched, Some(why)).await;
                return true;
            }
        };
        let now = now_micros();
        let revision = watched.row.revision;
        let most = watched.max_left.unwrap_or(i64::MAX);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        // Named by what happened, so that a look that is done again after a crash gives the same events.
        let named = |event: &Value| {
            let part = |key| event.get(key).and_then(Value::as_str).unwrap_or_default();
            let what = format!("{}\0{}\0{}", part("event"), part("path"), part("dest_path"));
            input(
                &watched.row,
                &format!("{revision}-{}", hash(&what)),
                event,
                now,
            )
        };
        let mut inputs: Vec<_> = events.iter().take(most).map(named).collect();
        let told = i64::try_from(inputs.len()).unwrap_or(i64::MAX);
        while inputs.len() > CHUNK {
            let rest = inputs.split_off(CHUNK);
            if let Err(e) = self.store.store_inputs(inputs).await {
                tracing::warn!(error = %e, "what a file watch saw could not be stored");
                return true;
            }
            inputs = rest;
        }
        let stored = self.store.see_trigger(SeenTrigger {
            workflow_id: watched.row.workflow_id.clone(),
            node_id: watched.row.node_id.clone(),
            revision,
            cursor,
            inputs,
            told,
            now,
        });
        match stored.await {
            Ok(true) => {
                watched.seen = Some(seen);
                watched.row.revision += 1;
                if let Some(left) = &mut watched.max_left {
                    *left = (*left - told).max(0);
                }
                if told > 0 {
                    self.news.notify_one();
                }
                true
            }
            Ok(false) => false,
            Err(e) => {
                // The next look finds the same changes again.
                tracing::warn!(error = %e, "what a file watch saw could not be stored");
                true
            }
        }
    }

    /// Notes why a watch cannot look, or that it can again.
    async fn tell(&self, watched: &mut Watched, why: Option<String>) {
        if watched.failing == why.is_some() {
            return;
        }
        watched.failing = why.is_some();
        let row = &watched.row;
        if let Some(why) = &why {
            tracing::warn!(workflow.id = %row.workflow_id, node.id = %row.node_id, error = %why, "a file watch is blind");
        }
        let noting =
            self.store
                .note_trigger_error(&row.workflow_id, &row.node_id, why, now_micros());
        if let Err(e) = noting.await {
            tracing::warn!(error = %e, "the state of a file watch could not be stored");
        }
    }
}

//! Steps that are kept between single runs, so that a counter counts on: by user, workflow, session and node.
//!
//! A step is dropped after half an hour without use, when its session is reset or a run of it takes too long, and when
//! its form has changed: it was made with the form. Source: orchestrator spec 3.5.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nodetool_sdk::steps::{Step, StepConfig, StepCx};

use super::LoopFailure;

/// How long a step is kept without use.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// Steps of one session.
const MOST_OF_SESSION: usize = 64;
/// Steps of one user in all sessions; beyond it the one that was used least recently goes.
const MOST_OF_USER: usize = 1024;
/// Longest name of a session, in bytes.
const LONGEST: usize = 255;

/// Whose step it is, and which.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) user_id: Arc<str>,
    /// Empty for steps that run outside of workflows.
    pub(super) workflow_id: Arc<str>,
    pub(super) session: Arc<str>,
    pub(super) node: Arc<str>,
}

/// A step that is kept.
pub(super) struct Kept {
    pub(super) step: Box<dyn Step>,
    pub(super) config: StepConfig,
    /// What it had at hand when it last ran, for cleaning up.
    pub(super) cx: Arc<StepCx>,
}

/// The place of a step; one run at a time.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) kept: tokio::sync::Mutex<Option<Kept>>,
}

impl Slot {
    /// Lets the step clean up.
    pub(super) async fn close(&self) {
        if let Some(mut kept) = self.kept.lock().await.take() {
            kept.step.cleanup(None, &kept.cx).await;
        }
    }
}

struct Entry {
    slot: Arc<Slot>,
    used: Instant,
}

/// Every step that is kept.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<Key, Entry>>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of a step, and those that are to clean up because it was time.
    pub(super) fn open(&self, key: Key) -> Result<(Arc<Slot>, Vec<Arc<Slot>>), LoopFailure> {
        if key.session.is_empty() || key.session.len() > LONGEST {
            let text = format!("session_id: Expected a text of 1 to {LONGEST} bytes.");
            return Err(LoopFailure::Refused(text));
        }
        let mut entries = self.lock();
        let now = Instant::now();
        let mut closed = take(&mut entries, |_, e| now.duration_since(e.used) > IDLE);
        if let Some(entry) = entries.get_mut(&key) {
            entry.used = now;
            return Ok((entry.slot.clone(), closed));
        }
        let same = |k: &&Key| {
            (&k.user_id, &k.workflow_id, &k.session)
                == (&key.user_id, &key.workflow_id, &key.session)
        };
        if entries.keys().filter(same).count() >= MOST_OF_SESSION {
            let text =
                format!("A session keeps at most {MOST_OF_SESSION} nodes; reset it or use another");
            return Err(LoopFailure::Refused(text));
        }
        let own = || entries.iter().filter(|(k, _)| k.user_id == key.user_id);
        if own().count() >= MOST_OF_USER
            && let Some(oldest) = own().min_by_key(|(_, e)| e.used).map(|(k, _)| k.clone())
        {
            closed.extend(entries.remove(&oldest).map(|e| e.slot));
        }
        let slot = Arc::<Slot>::default();
        let entry = Entry {
            slot: slot.clone(),
            used: now,
        };
        entries.insert(key, entry);
        Ok((slot, closed))
    }

    /// Forgets all steps of a user's session, of one workflow or of all; they are to clean up.
    pub(super) fn reset(
        &self,
        user_id: &str,
        workflow_id: Option<&str>,
        session: &str,
    ) -> Vec<Arc<Slot>> {
        take(&mut self.lock(), |key, _| {
            *key.user_id == *user_id
                && *key.session == *session
                && workflow_id.is_none_or(|id| *key.workflow_id == *id)
        })
    }

    /// Lets all clean up.
    pub(super) async fn close(&self) {
        let all = take(&mut self.lock(), |_, _| true);
        for slot in all {
            slot.close().await;
        }
    }
}

fn take(entries: &mut HashMap<Key, Entry>, which: impl Fn(&Key, &Entry) -> bool) -> Vec<Arc<Slot>> {
    let taken = entries.extract_if(|key, entry| which(key, entry));
    taken.map(|(_, entry)| entry.slot).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(user: &str, workflow: &str, session: &str, node: &str) -> Key {
        Key {
            user_id: user.into(),
            workflow_id: workflow.into(),
            session: session.into(),
            node: node.into(),
        }
    }

    #[test]
    fn a_step_belongs_to_a_user_a_workflow_a_session_and_a_node() {
        let sessions = Sessions::default();
        let open = |key| sessions.open(key).unwrap().0;
        let first = open(key("1", "w", "s", "n"));
        assert!(Arc::ptr_eq(&first, &open(key("1", "w", "s", "n"))));
        for other in [
            key("2", "w", "s", "n"),
            key("1", "v", "s", "n"),
            key("1", "w", "t", "n"),
            key("1", "w", "s", "m"),
        ] {
            assert!(!Arc::ptr_eq(&first, &open(other)));
        }
        assert_eq!(sessions.reset("1", Some("w"), "s").len(), 2);
        assert!(!Arc::ptr_eq(&first, &open(key("1", "w", "s", "n"))));
        assert_eq!(sessions.reset("1", None, "s").len(), 2);
        assert_eq!(sessions.lock().len(), 2);
    }

    #[test]
    fn a_session_has_room_for_so_many_steps_and_a_user_for_so_many_sessions() {
        let sessions = Sessions::default();
        for n in 0..MOST_OF_SESSION {
            sessions.open(key("1", "w", "s", &n.to_string())).unwrap();
        }
        assert!(sessions.open(key("1", "w", "s", "more")).is_err());
        assert!(sessions.open(key("1", "w", "", "n")).is_err());
        for n in 0..2 * MOST_OF_USER {
            sessions.open(key("1", "w", &n.to_string(), "n")).unwrap();
        }
        sessions.open(key("2", "w", "s", "n")).unwrap();
        assert_eq!(sessions.lock().len(), MOST_OF_USER + 1);
        let (_, closed) = sessions.open(key("1", "w", "last", "n")).unwrap();
        assert_eq!(closed.len(), 1);
    }
}

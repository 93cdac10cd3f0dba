//! What tools of a conversation may do unasked: the mode of each thread, and what its person has allowed (socket spec
//! 8.2). It is forgotten when the server ends.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Threads of one user whose mode is remembered; the oldest make room.
const MOST_THREADS: usize = 1_000;

/// How freely tools are called that change something outside of the conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PermissionMode {
    /// Not at all.
    Plan,
    /// When the person allows it.
    Default,
    /// As the model likes.
    #[default]
    Auto,
}

impl PermissionMode {
    pub(super) fn read(word: &str) -> Option<Self> {
        Some(match word {
            "plan" => PermissionMode::Plan,
            "default" => PermissionMode::Default,
            "auto" => PermissionMode::Auto,
            _ => return None,
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            PermissionMode::Plan => "plan",
            PermissionMode::Default => "default",
            PermissionMode::Auto => "auto",
        }
    }
}

/// What a person says to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Allow,
    /// This call and all later ones of the same tool in the conversation.
    AllowForChat,
    Deny,
}

impl Decision {
    /// Whatever is no permission is none.
    pub(super) fn read(word: Option<&str>) -> Self {
        match word {
            Some("allow") => Decision::Allow,
            Some("allow_for_chat") => Decision::AllowForChat,
            _ => Decision::Deny,
        }
    }
}

struct Standing {
    thread_id: Arc<str>,
    mode: PermissionMode,
    /// Tools that need not be asked about again.
    allowed: BTreeSet<String>,
}

/// The modes of all threads; clones share them.
#[derive(Clone, Default)]
pub(super) struct Permissions(Arc<Mutex<HashMap<Arc<str>, VecDeque<Standing>>>>);

impl Permissions {
    fn all(&self) -> MutexGuard<'_, HashMap<Arc<str>, VecDeque<Standing>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(
        &self,
        user_id: &str,
        thread_id: &str,
        look: impl FnOnce(&mut Standing) -> T,
    ) -> Option<T> {
        let mut all = self.all();
        let own = all.get_mut(user_id)?;
        let found = own.iter_mut().find(|s| *s.thread_id == *thread_id);
        found.map(look)
    }

    /// Sets the mode of a user's thread.
    pub(super) fn set(&self, user_id: &Arc<str>, thread_id: &Arc<str>, mode: PermissionMode) {
        if self.with(user_id, thread_id, |s| s.mode = mode).is_some() {
            return;
        }
        let mut all = self.all();
        let own = all.entry(user_id.clone()).or_default();
        own.push_back(Standing {
            thread_id: thread_id.clone(),
            mode,
            allowed: BTreeSet::new(),
        });
        if own.len() > MOST_THREADS {
            own.pop_front();
        }
    }

    /// The mode of a user's thread; `auto` unless somebody said otherwise.
    pub(super) fn mode(&self, user_id: &str, thread_id: &str) -> PermissionMode {
        let mode = self.with(user_id, thread_id, |s| s.mode);
        mode.unwrap_or_default()
    }

    /// Whether calls of a tool are allowed for the whole conversation.
    pub(super) fn allows(&self, user_id: &str, thread_id: &str, tool: &str) -> bool {
        let allows = self.with(user_id, thread_id, |s| s.allowed.contains(tool));
        allows.unwrap_or(false)
    }

    /// Allows calls of a tool for the whole conversation.
    pub(super) fn allow(&self, user_id: &str, thread_id: &str, tool: &str) {
        self.with(user_id, thread_id, |s| s.allowed.insert(tool.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_those_of_one_users_thread_and_the_oldest_make_room() {
        let permissions = Permissions::default();
        let (ann, bob): (Arc<str>, Arc<str>) = ("ann".into(), "bob".into());
        let first: Arc<str> = "t".into();
        permissions.set(&ann, &first, PermissionMode::Plan);
        assert_eq!(permissions.mode(&ann, &first), PermissionMode::Plan);
        assert_eq!(permissions.mode(&bob, &first), PermissionMode::Auto);
        permissions.set(&ann, &first, PermissionMode::Default);
        assert_eq!(permissions.mode(&ann, &first), PermissionMode::Default);
        permissions.allow(&ann, &first, "write_file");
        assert!(permissions.allows(&ann, &first, "write_file"));
        assert!(!permissions.allows(&ann, &first, "http_request"));
        assert!(!permissions.allows(&bob, &first, "write_file"));
        for n in 0..MOST_THREADS {
            permissions.set(&ann, &format!("t{n}").into(), PermissionMode::Plan);
        }
        assert_eq!(permissions.all()["ann"].len(), MOST_THREADS);
        assert_eq!(permissions.mode(&ann, &first), PermissionMode::Auto);
    }

    #[test]
    fn only_a_permission_is_one() {
        for (word, decision) in [
            (Some("allow"), Decision::Allow),
            (Some("allow_for_chat"), Decision::AllowForChat),
            (Some("deny"), Decision::Deny),
            (Some("Allow"), Decision::Deny),
            (None, Decision::Deny),
        ] {
            assert_eq!(Decision::read(word), decision);
        }
    }
}

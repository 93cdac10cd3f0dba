//! Locks that credentials share: a token for the next one may be good once, so that two must not use it at a time.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

const LOCKS: usize = 16;

/// One of a few locks for each credential.
pub(in crate::services) struct Locks {
    hasher: RandomState,
    all: [Mutex<()>; LOCKS],
}

impl Default for Locks {
    fn default() -> Self {
        Locks {
            hasher: RandomState::new(),
            all: std::array::from_fn(|_| Mutex::new(())),
        }
    }
}

impl Locks {
    /// Waits until nobody else is at work with this credential.
    pub(in crate::services) async fn of(&self, id: &str) -> MutexGuard<'_, ()> {
        let at = usize::try_from(self.hasher.hash_one(id) % LOCKS as u64).unwrap_or(0);
        self.all[at].lock().await
    }
}

//! The public keys of a project, fetched when they are needed and kept for a while. Keys that are a little old still
//! count while new ones are fetched. It must not know tokens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::jwt::{Algorithm, KeySet};
use super::upstream::Upstream;
use super::{Clock, Failure};

/// Keys younger than this are not asked for again.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// Keys older than this do not count.
const STALE: Duration = Duration::from_secs(60 * 60);
/// Between two attempts to fetch them, whatever tokens there are.
const PAUSE: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Kept {
    keys: Option<(Arc<KeySet>, Instant)>,
    tried: Option<Instant>,
}

struct Shared {
    upstream: Arc<Upstream>,
    clock: Clock,
    kept: Mutex<Kept>,
    fetching: tokio::sync::Mutex<()>,
}

/// The keys of a project.
pub(super) struct Keys {
    shared: Arc<Shared>,
    /// At most one fetch that nobody waits for; it ends with this.
    behind: Mutex<JoinSet<()>>,
}

impl Keys {
    pub(super) fn new(upstream: Arc<Upstream>, clock: Clock) -> Self {
        Keys {
            shared: Arc::new(Shared {
                upstream,
                clock,
                kept: Mutex::default(),
                fetching: tokio::sync::Mutex::new(()),
            }),
            behind: Mutex::default(),
        }
    }

    /// The set that has a key with this id; nothing when there is none, or when the keys cannot be had.
    pub(super) async fn with(&self, id: &str, algorithm: Algorithm) -> Option<Arc<KeySet>> {
        let known = |keys: &Arc<KeySet>| !keys.find(id, algorithm).is_empty();
        match self.shared.kept_keys() {
            Some((keys, age)) if age < STALE && known(&keys) => {
                if age >= FRESH {
                    self.fetch_behind();
                }
                Some(keys)
            }
            _ => {
                self.shared.fetch().await;
                let (keys, age) = self.shared.kept_keys()?;
                (age < STALE && known(&keys)).then_some(keys)
            }
        }
    }

    fn fetch_behind(&self) {
        let mut behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        while behind.try_join_next().is_some() {}
        if behind.is_empty() {
            let shared = self.shared.clone();
            behind.spawn(async move { shared.fetch().await });
        }
    }
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept_keys(&self) -> Option<(Arc<KeySet>, Duration)> {
        let now = (self.clock)().instant;
        let kept = self.kept();
        let (keys, at) = kept.keys.as_ref()?;
        Some((keys.clone(), now.saturating_duration_since(*at)))
    }

    /// Fetches the keys, unless that was tried a moment ago.
    async fn fetch(&self) {
        let _alone = self.fetching.lock().await;
        let now = (self.clock)().instant;
        {
            let mut kept = self.kept();
            let recently = |at: Instant| now.saturating_duration_since(at) < PAUSE;
            if kept.tried.is_some_and(recently) {
                return;
            }
            kept.tried = Some(now);
        }
        let keys = match self.upstream.keys().await {
            Ok(bytes) => KeySet::parse(&bytes).ok_or(Failure::Odd),
            Err(e) => Err(e),
        };
        match keys {
            Ok(keys) => self.kept().keys = Some((Arc::new(keys), now)),
            Err(e) => {
                tracing::warn!(error = %e, "the public keys of Supabase could not be fetched");
            }
        }
    }
}

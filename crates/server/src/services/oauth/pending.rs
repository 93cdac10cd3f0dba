//! Sign-ins that have begun and have not come back: few, not for long, and each good once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// Sign-ins of one user under way; a new one takes the place of the oldest.
const PER_USER: usize = 8;
/// Sign-ins of all users under way.
const ALL: usize = 1024;

type Digested = [u8; 32];

/// There is no room for another sign-in.
#[derive(Debug)]
pub(in crate::services) struct TooManyPending;

struct Begun<T> {
    at: Instant,
    /// Who began it.
    user_id: String,
    what: T,
}

/// The sign-ins under way, by the digest of their state: looking one up tells nothing of the others.
pub(in crate::services) struct Pendings<T> {
    /// How long a person may take at the site.
    lifetime: Duration,
    all: Mutex<HashMap<Digested, Begun<T>>>,
}

fn digest(state: &str) -> Digested {
    Sha256::digest(state).into()
}

impl<T> Pendings<T> {
    pub(in crate::services) fn new(lifetime: Duration) -> Self {
        let all = Mutex::default();
        Pendings { lifetime, all }
    }

    /// Notes a sign-in.
    pub(in crate::services) fn begin(
        &self,
        state: &str,
        user_id: &str,
        what: T,
        now: Instant,
    ) -> Result<(), TooManyPending> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, begun| now.saturating_duration_since(begun.at) < self.lifetime);
        let own = |(_, begun): &(&Digested, &Begun<T>)| begun.user_id == user_id;
        if all.iter().filter(own).count() >= PER_USER {
            let oldest = all.iter().filter(own).min_by_key(|(_, begun)| begun.at);
            let oldest = oldest.map(|(state, _)| *state);
            oldest.and_then(|state| all.remove(&state));
        }
        if all.len() >= ALL {
            return Err(TooManyPending);
        }
        let begun = Begun {
            at: now,
            user_id: user_id.to_owned(),
            what,
        };
        all.insert(digest(state), begun);
        Ok(())
    }

    /// Takes a sign-in away, with the user who began it; nothing when it was never noted, is taken already, or took too
    /// long.
    pub(in crate::services) fn take(&self, state: &str, now: Instant) -> Option<(String, T)> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = all.remove(&digest(state))?;
        let in_time = now.saturating_duration_since(begun.at) < self.lifetime;
        in_time.then_some((begun.user_id, begun.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(5 * 60);

    #[test]
    fn a_state_is_good_once_and_only_for_its_lifetime() {
        let all = Pendings::new(LIFETIME);
        let now = Instant::now();
        let just = LIFETIME.checked_sub(Duration::from_millis(1)).unwrap();
        for state in ["a", "b"] {
            all.begin(state, "1", state, now).unwrap();
        }
        assert!(all.take("c", now).is_none());
        assert_eq!(all.take("a", now + just), Some(("1".to_owned(), "a")));
        assert!(all.take("a", now + just).is_none());
        assert!(all.take("b", now + LIFETIME).is_none());
    }

    #[test]
    fn a_user_loses_the_oldest_sign_in_and_nobody_elses() {
        let all = Pendings::new(LIFETIME);
        let now = Instant::now();
        all.begin("other", "2", (), now).unwrap();
        for at in 0..=PER_USER {
            let then = now + Duration::from_secs(at as u64);
            all.begin(&at.to_string(), "1", (), then).unwrap();
        }
        let later = now + Duration::from_secs(60);
        assert!(all.take("0", later).is_none());
        assert!(all.take("1", later).is_some());
        assert!(all.take("other", later).is_some());
    }

    #[test]
    fn only_so_many_are_under_way_until_they_end() {
        let all = Pendings::new(LIFETIME);
        let now = Instant::now();
        for user in 0..ALL {
            let user = user.to_string();
            all.begin(&user, &user, (), now).unwrap();
        }
        assert!(all.begin("x", "x", (), now).is_err());
        all.begin("x", "x", (), now + LIFETIME).unwrap();
        assert!(all.take("x", now + LIFETIME).is_some());
    }
}

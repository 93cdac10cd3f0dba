//! Sign-ins that have begun and have not come back: few, not for long, and each good once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::{OAuthError, OAuthProvider};
use crate::sensitive::Sensitive;

/// How long a person may take at the site.
const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// Sign-ins of one user under way; a new one takes the place of the oldest.
const PER_USER: usize = 8;
/// Sign-ins of all users under way.
const ALL: usize = 1024;

/// A sign-in under way.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) provider: OAuthProvider,
    /// Who began it.
    pub(super) user_id: String,
    /// What proves to the site that whoever brings the code began the sign-in.
    pub(super) verifier: Sensitive,
    /// Where the site was told to send the person, which it has to be told again.
    pub(super) redirect_uri: String,
}

type Digested = [u8; 32];

/// The sign-ins under way, by the digest of their state: looking one up tells nothing of the others.
#[derive(Default)]
pub(super) struct Pendings(Mutex<HashMap<Digested, (Instant, Pending)>>);

fn digest(state: &str) -> Digested {
    Sha256::digest(state).into()
}

impl Pendings {
    /// Notes a sign-in.
    pub(super) fn begin(
        &self,
        state: &str,
        pending: Pending,
        now: Instant,
    ) -> Result<(), OAuthError> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (began, _)| now.saturating_duration_since(*began) < LIFETIME);
        let own = |(_, (_, p)): &(&Digested, &(Instant, Pending))| p.user_id == pending.user_id;
        if all.iter().filter(own).count() >= PER_USER {
            let oldest = all.iter().filter(own).min_by_key(|(_, (began, _))| *began);
            let oldest = oldest.map(|(state, _)| *state);
            oldest.and_then(|state| all.remove(&state));
        }
        if all.len() >= ALL {
            return Err(OAuthError::TooManyPending);
        }
        all.insert(digest(state), (now, pending));
        Ok(())
    }

    /// Takes a sign-in away; nothing when it was never noted, is taken already, or took too long.
    pub(super) fn take(&self, state: &str, now: Instant) -> Option<Pending> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (began, pending) = all.remove(&digest(state))?;
        (now.saturating_duration_since(began) < LIFETIME).then_some(pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(user: usize) -> Pending {
        Pending {
            provider: OAuthProvider::HuggingFace,
            user_id: user.to_string(),
            verifier: Sensitive::new("v"),
            redirect_uri: "http://localhost/".into(),
        }
    }

    #[test]
    fn a_state_is_good_once_and_for_five_minutes() {
        let all = Pendings::default();
        let now = Instant::now();
        let just = LIFETIME - Duration::from_millis(1);
        for state in ["a", "b"] {
            all.begin(state, pending(1), now).unwrap();
        }
        assert!(all.take("c", now).is_none());
        assert!(all.take("a", now + just).is_some());
        assert!(all.take("a", now + just).is_none());
        assert!(all.take("b", now + LIFETIME).is_none());
    }

    #[test]
    fn a_user_loses_the_oldest_sign_in_and_nobody_elses() {
        let all = Pendings::default();
        let now = Instant::now();
        all.begin("other", pending(2), now).unwrap();
        for at in 0..=PER_USER {
            let then = now + Duration::from_secs(at as u64);
            all.begin(&at.to_string(), pending(1), then).unwrap();
        }
        let later = now + Duration::from_secs(60);
        assert!(all.take("0", later).is_none());
        assert!(all.take("1", later).is_some());
        assert!(all.take("other", later).is_some());
    }

    #[test]
    fn only_so_many_are_under_way_until_they_end() {
        let all = Pendings::default();
        let now = Instant::now();
        for user in 0..ALL {
            all.begin(&user.to_string(), pending(user), now).unwrap();
        }
        let refused = all.begin("x", pending(ALL), now);
        assert!(matches!(refused, Err(OAuthError::TooManyPending)));
        all.begin("x", pending(ALL), now + LIFETIME).unwrap();
        assert!(all.take("x", now + LIFETIME).is_some());
    }
}

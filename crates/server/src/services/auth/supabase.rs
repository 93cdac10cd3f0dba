//! Users of a Supabase project. A token that the project signed with a key everybody may know is checked here; for others
//! the project is asked whose they are. What was found out holds for a while, but never longer than the token, and however
//! many requests show a token at once, the project is asked once. It must not know HTTP routes or what users may do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::OnceCell;

use super::Refused;
use super::recent::Recent;
use super::tokens::Digest;
use crate::sensitive::Sensitive;

mod jwt;
mod keys;
mod upstream;

use jwt::{Algorithm, Token};
use keys::Keys;
use upstream::{Answer, Upstream};

pub(crate) use upstream::SupabaseError;

/// Whom tokens of signed-in users are for.
const AUDIENCE: &str = "authenticated";
const INVALID: &str = "Invalid Supabase token";
const UNREACHABLE: &str = "The authentication service cannot be reached; try again";
/// How long a refusal holds, and how many are remembered: somebody who tries the same token again and again costs nothing.
const REFUSED_FOR: Duration = Duration::from_secs(5);
const REFUSALS: usize = 256;

/// Two views of one moment: one that only goes on, and one that tokens are dated by.
#[derive(Clone, Copy)]
struct Moment {
    instant: Instant,
    unix: f64,
}

type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

fn now() -> Moment {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    Moment {
        instant: Instant::now(),
        unix: unix.unwrap_or_default().as_secs_f64(),
    }
}

/// Why a project did not answer a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Failure {
    #[error("Supabase cannot be reached")]
    Unreachable,
    #[error("Supabase did not answer in time")]
    TimedOut,
    #[error("Supabase answered with status {0}")]
    Status(u16),
    #[error("the answer of Supabase is not what was expected")]
    Odd,
    #[error("too many tokens wait for Supabase")]
    Busy,
}

impl Failure {
    fn of(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            Failure::TimedOut
        } else {
            Failure::Unreachable
        }
    }
}

/// How long and for how many tokens an answer is remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remember {
    pub(super) ttl: Duration,
    pub(super) most: usize,
}

type Outcome = Result<String, Refused>;
type Flight = Arc<OnceCell<Outcome>>;

struct Shared {
    upstream: Arc<Upstream>,
    keys: Keys,
    clock: Clock,
    ttl: Duration,
    users: Mutex<Recent<Digest, (String, Instant)>>,
    refusals: Mutex<Recent<Digest, (Refused, Instant)>>,
    flights: Mutex<HashMap<Digest, Flight>>,
}

/// The users of one project.
#[derive(Clone)]
pub(super) struct Supabase(Arc<Shared>);

/// One of those who wait for the same answer; the last one to go clears up.
struct Passenger<'s> {
    shared: &'s Shared,
    digest: Digest,
    flight: Flight,
}

impl Drop for Passenger<'_> {
    fn drop(&mut self) {
        let mut flights = lock(&self.shared.flights);
        // The map's own and ours; others are taken under this lock only.
        if Arc::strong_count(&self.flight) <= 2 {
            flights.remove(&self.digest);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Supabase {
    pub(super) fn new(
        address: &str,
        key: Sensitive,
        remember: Remember,
    ) -> Result<Self, SupabaseError> {
        Self::with_clock(address, key, remember, Arc::new(now))
    }

    fn with_clock(
        address: &str,
        key: Sensitive,
        remember: Remember,
        clock: Clock,
    ) -> Result<Self, SupabaseError> {
        let upstream = Arc::new(Upstream::new(address, key)?);
        Ok(Supabase(Arc::new(Shared {
            keys: Keys::new(upstream.clone(), clock.clone()),
            upstream,
            clock,
            ttl: remember.ttl,
            users: Mutex::new(Recent::new(remember.most)),
            refusals: Mutex::new(Recent::new(REFUSALS)),
            flights: Mutex::default(),
        })))
    }

    /// The id of the user whose token this is.
    pub(super) async fn verify(&self, token: &str, digest: &Digest) -> Result<String, Refused> {
        let shared = &*self.0;
        if let Some(known) = shared.known(digest) {
            return known;
        }
        let passenger = Passenger {
            shared,
            digest: *digest,
            flight: lock(&shared.flights).entry(*digest).or_default().clone(),
        };
        let outcome = passenger.flight.get_or_init(async || {
            // Somebody may have found out since.
            match shared.known(digest) {
                Some(known) => known,
                None => shared.find_out(token, digest).await,
            }
        });
        outcome.await.clone()
    }
}

impl Shared {
    fn known(&self, digest: &Digest) -> Option<Outcome> {
        let now = (self.clock)().instant;
        if let Some((user, until)) = lock(&self.users).get(digest)
            && now < *until
        {
            return Some(Ok(user.clone()));
        }
        match lock(&self.refusals).get(digest) {
            Some((refused, until)) if now < *until => Some(Err(refused.clone())),
            _ => None,
        }
    }

    async fn find_out(&self, token: &str, digest: &Digest) -> Outcome {
        let parsed = Token::parse(token);
        let user = match self.check_here(parsed.as_ref()).await {
            Some(user) => user.ok_or_else(|| Refused::because(INVALID))?,
            None => self.ask(token, digest).await?,
        };
        let now = (self.clock)();
        let mut holds = self.ttl;
        if let Some(ends) = parsed.and_then(|t| t.ends()) {
            let left = Duration::try_from_secs_f64(ends - now.unix).unwrap_or_default();
            holds = holds.min(left);
        }
        if let Some(until) = now.instant.checked_add(holds).filter(|_| !holds.is_zero()) {
            lock(&self.users).put(*digest, (user.clone(), until));
        }
        Ok(user)
    }

    /// Checks a signature by the project's keys; nothing when they cannot say.
    async fn check_here(&self, token: Option<&Token<'_>>) -> Option<Option<String>> {
        let token = token.filter(|t| t.algorithm != Algorithm::Other)?;
        let id = token.key_id.as_deref()?;
        let keys = self.keys.with(id, token.algorithm).await?;
        let keys = keys.find(id, token.algorithm);
        let now = (self.clock)().unix;
        let user = token.verify(&keys, &self.upstream.issuer, AUDIENCE, now);
        Some(user.map(str::to_owned))
    }

    async fn ask(&self, token: &str, digest: &Digest) -> Outcome {
        // Nothing else fits into a header.
        if !token.bytes().all(|c| c.is_ascii_graphic()) {
            return Err(Refused::because(INVALID));
        }
        match self.upstream.user(token).await {
            Ok(Answer::User(id)) => Ok(id),
            Ok(Answer::Refused(reason)) => {
                let refused = Refused::because(reason.as_deref().unwrap_or(INVALID));
                let until = (self.clock)().instant + REFUSED_FOR;
                lock(&self.refusals).put(*digest, (refused.clone(), until));
                Err(refused)
            }
            Err(e) => {
                tracing::warn!(error = %e, "a token could not be checked with Supabase");
                Err(Refused::unavailable(UNREACHABLE))
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! Whose turn it is to give a key new contents: a condition and the write that hangs on it are one step for everybody
//! in this process. It must not know where contents are kept.

use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::{Mutex, MutexGuard};

use super::BlobKey;
use crate::IfMatch;

/// Keys share turns; more of them wait for each other less often by chance.
const TURNS: usize = 64;

/// One turn for each of a few groups of keys.
#[derive(Debug)]
pub(super) struct Turns([Mutex<()>; TURNS]);

impl Turns {
    pub(super) fn new() -> Self {
        Turns(std::array::from_fn(|_| Mutex::new(())))
    }

    /// Waits until nobody else writes to the key.
    pub(super) async fn of(&self, key: &BlobKey) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let turn = usize::try_from(hasher.finish() % TURNS as u64).unwrap_or_default();
        self.0[turn].lock().await
    }
}

/// What has to be true of what is under a key for it to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobCondition {
    /// What is there has to be one of these.
    pub matches: IfMatch,
    /// What is there must be none of these; [`IfMatch::Anything`] restricts nothing, [`IfMatch::Existing`] asks for a
    /// key without contents.
    pub matches_not: IfMatch,
}

impl BlobCondition {
    /// A write that replaces whatever is there.
    pub const NONE: BlobCondition = BlobCondition {
        matches: IfMatch::Anything,
        matches_not: IfMatch::Anything,
    };

    /// Whether anything is asked for.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Whether it holds for contents with this etag, or for a key without contents.
    #[must_use]
    pub fn holds(&self, etag: Option<&str>) -> bool {
        let among = |tags: &[String]| etag.is_some_and(|etag| tags.iter().any(|tag| tag == etag));
        let matches = match &self.matches {
            IfMatch::Anything => true,
            IfMatch::Existing => etag.is_some(),
            IfMatch::OneOf(tags) => among(tags),
        };
        let matches_not = match &self.matches_not {
            IfMatch::Anything => true,
            IfMatch::Existing => etag.is_none(),
            IfMatch::OneOf(tags) => !among(tags),
        };
        matches && matches_not
    }
}

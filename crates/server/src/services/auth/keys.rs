//! API keys: tokens that a user makes for programs, each with a name, by which one can be taken back without the others. A
//! key speaks for its user, never administers, and does not make or take back keys. It must not know HTTP.

use nodetool_store::{ApiKeyRow, MAX_API_KEYS, Store, StoreError, new_id, now_micros};

use super::tokens::{self, Digest, NoChance};
use crate::services::Caller;

/// How a key begins.
const PREFIX: &str = "ntk_";
/// Characters of a key that are shown in lists.
const SHOWN: usize = PREFIX.len() + 4;
/// Time between two notes that a key was used.
const NOTED_EVERY: i64 = 60 * 1_000_000;
const DAY: i64 = 24 * 60 * 60 * 1_000_000;
/// Longest name in characters.
pub(crate) const LONGEST_KEY_NAME: usize = 100;
/// Longest time a key may hold that does not hold for ever.
pub(crate) const MOST_DAYS: i64 = 3650;

/// Why something with API keys failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("This server keeps no API keys")]
    NotHere,
    #[error("API key not found")]
    NotFound,
    #[error("An API key cannot create or delete API keys; use your own token")]
    ByKey,
    #[error("There are {MAX_API_KEYS} API keys already; delete one first")]
    TooMany,
    #[error(transparent)]
    NoChance(#[from] NoChance),
    #[error(transparent)]
    Store(StoreError),
}

/// A key as its owner may see it, the key itself only when it was just made.
pub(crate) struct NewKey {
    pub(crate) row: ApiKeyRow,
    pub(crate) token: String,
}

/// The keys of all users.
#[derive(Clone)]
pub(super) struct ApiKeys {
    store: Store,
}

/// Whether a token looks like an API key.
pub(super) fn is_key(token: &str) -> bool {
    tokens::has_form(token, PREFIX)
}

impl ApiKeys {
    pub(super) fn new(store: Store) -> Self {
        ApiKeys { store }
    }

    /// The owner of a key that holds now.
    pub(super) async fn verify(&self, key: &Digest) -> Result<Option<String>, StoreError> {
        self.verify_at(key, now_micros()).await
    }

    async fn verify_at(&self, key: &Digest, now: i64) -> Result<Option<String>, StoreError> {
        // Found by its hash: how long the search takes says something about the hash, and from that follows no key.
        let Some(row) = self.store.find_api_key(&key.hex()).await? else {
            return Ok(None);
        };
        if row.expires_at.is_some_and(|end| end <= now) {
            return Ok(None);
        }
        let since = now.saturating_sub(NOTED_EVERY);
        if row.last_used_at.is_none_or(|used| used <= since) {
            // Kept whether or not anybody waits for it, and nobody is kept out because of it.
            match self.store.touch_api_key(&row.id, now, since) {
                Ok(_kept) => {}
                Err(e) => tracing::debug!(error = %e, "the use of an API key was not noted"),
            }
        }
        Ok(Some(row.user_id))
    }

    pub(super) async fn create(
        &self,
        caller: &Caller,
        name: String,
        days: Option<i64>,
    ) -> Result<NewKey, KeyError> {
        if caller.by_key {
            return Err(KeyError::ByKey);
        }
        let token = tokens::fresh(PREFIX)?;
        let now = now_micros();
        let row = ApiKeyRow {
            id: new_id(),
            user_id: caller.user_id.clone(),
            name,
            hash: Digest::of(&token).hex(),
            prefix: token.chars().take(SHOWN).collect(),
            created_at: now,
            expires_at: days.map(|days| now.saturating_add(days.saturating_mul(DAY))),
            last_used_at: None,
        };
        let stored = self.store.insert_api_key(row.clone()).await;
        if !stored.map_err(KeyError::Store)? {
            return Err(KeyError::TooMany);
        }
        tracing::info!(target: "audit", event = "api_key.created", user.id = %row.user_id, key.id = %row.id);
        Ok(NewKey { row, token })
    }

    pub(super) async fn list(&self, caller: &Caller) -> Result<Vec<ApiKeyRow>, KeyError> {
        let keys = self.store.list_api_keys(&caller.user_id).await;
        keys.map_err(KeyError::Store)
    }

    pub(super) async fn delete(&self, caller: &Caller, id: &str) -> Result<(), KeyError> {
        if caller.by_key {
            return Err(KeyError::ByKey);
        }
        match self.store.delete_api_key(&caller.user_id, id).await {
            Ok(()) => {
                tracing::info!(target: "audit", event = "api_key.deleted", user.id = %caller.user_id, key.id = %id);
                Ok(())
            }
            Err(StoreError::NotFound { .. }) => Err(KeyError::NotFound),
            Err(e) => Err(KeyError::Store(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> ApiKeys {
        ApiKeys::new(Store::open_in_memory().unwrap())
    }

    #[tokio::test]
    async fn a_key_speaks_for_its_user_until_it_ends_or_is_deleted() {
        let keys = keys();
        let caller = Caller::user("u");
        let made = keys.create(&caller, "n".into(), Some(1)).await.unwrap();
        assert!(is_key(&made.token) && made.token.len() == 47);
        assert!(made.token.starts_with(&made.row.prefix) && made.row.prefix.len() == 8);
        let digest = Digest::of(&made.token);
        let user = |at: i64| keys.verify_at(&digest, made.row.created_at + at);
        assert_eq!(user(0).await.unwrap().as_deref(), Some("u"));
        assert_eq!(user(DAY - 1).await.unwrap().as_deref(), Some("u"));
        assert_eq!(user(DAY).await.unwrap(), None);
        let other = Digest::of(&tokens::fresh(PREFIX).unwrap());
        assert_eq!(keys.verify(&other).await.unwrap(), None);
        let stranger = Caller::user("v");
        let refused = keys.delete(&stranger, &made.row.id).await;
        assert!(matches!(refused, Err(KeyError::NotFound)));
        assert_eq!(keys.list(&stranger).await.unwrap(), []);
        keys.delete(&caller, &made.row.id).await.unwrap();
        assert_eq!(user(0).await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_use_of_a_key_is_noted_once_a_minute() {
        let keys = keys();
        let caller = Caller::user("u");
        let made = keys.create(&caller, "n".into(), None).await.unwrap();
        let digest = Digest::of(&made.token);
        let begin = made.row.created_at;
        for (at, noted) in [
            (0, 0),
            (NOTED_EVERY - 1, 0),
            (NOTED_EVERY, NOTED_EVERY),
            (NOTED_EVERY + 5, NOTED_EVERY),
        ] {
            keys.verify_at(&digest, begin + at).await.unwrap();
            // A write that follows is committed after it.
            let after = keys.store.touch_api_key("none", 0, 0).unwrap();
            after.await.unwrap();
            let row = keys.list(&caller).await.unwrap().remove(0);
            assert_eq!(row.last_used_at, Some(begin + noted), "{at}");
        }
    }

    #[tokio::test]
    async fn a_key_makes_and_deletes_no_keys() {
        let keys = keys();
        let owner = Caller::user("u");
        let made = keys.create(&owner, "n".into(), None).await.unwrap();
        let by_key = Caller {
            by_key: true,
            ..owner
        };
        let refused = keys.create(&by_key, "m".into(), None).await;
        assert!(matches!(refused, Err(KeyError::ByKey)));
        let refused = keys.delete(&by_key, &made.row.id).await;
        assert!(matches!(refused, Err(KeyError::ByKey)));
        assert_eq!(keys.list(&by_key).await.unwrap(), [made.row]);
    }
}

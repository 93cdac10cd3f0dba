//! Lists of models, kept for a while for each user, provider and key.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nodetool_providers::{Account, ListedModel, Provider};

/// How long the list of a provider far away is good (socket spec 10.4).
const FRESH: Duration = Duration::from_secs(6 * 60 * 60);
/// How long that of a server of one's own is good, whose models come and go.
const FRESH_NEAR: Duration = Duration::from_secs(10);
/// How long nothing is asked of a provider that did not answer.
const SILENT: Duration = Duration::from_secs(15);
/// Most lists kept.
const MOST: usize = 4096;

/// A new key or address is another list.
#[derive(PartialEq, Eq, Hash)]
struct Whose {
    user_id: String,
    provider: String,
    account: u64,
}

struct Kept {
    models: Arc<[ListedModel]>,
    until: Instant,
}

#[derive(Default)]
pub(super) struct Lists {
    kept: Mutex<HashMap<Whose, Kept>>,
}

impl Lists {
    /// The models of an account; nothing when its provider does not answer in time.
    pub(super) async fn get(
        &self,
        user_id: &str,
        account: &Account,
        provider: Provider,
    ) -> Arc<[ListedModel]> {
        let Some(list) = provider.list else {
            return Arc::new([]);
        };
        let whose = Whose {
            user_id: user_id.to_owned(),
            provider: account.provider.clone(),
            account: fingerprint(account),
        };
        if let Some(models) = self.kept(&whose) {
            return models;
        }
        let asked = tokio::time::timeout(account.patience.list, list.models()).await;
        let (models, fresh) = match asked {
            Ok(Ok(models)) if account.key.is_none() => (models, FRESH_NEAR),
            Ok(Ok(models)) => (models, FRESH),
            Ok(Err(e)) => {
                tracing::warn!(provider.id = %account.provider, error = %e, "a provider does not tell its models");
                (Vec::new(), SILENT)
            }
            Err(_) => {
                tracing::warn!(provider.id = %account.provider, "a provider does not tell its models in time");
                (Vec::new(), SILENT)
            }
        };
        let models: Arc<[ListedModel]> = models.into();
        self.keep(whose, models.clone(), fresh);
        models
    }

    fn kept(&self, whose: &Whose) -> Option<Arc<[ListedModel]>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let list = kept.get(whose)?;
        (list.until > Instant::now()).then(|| list.models.clone())
    }

    fn keep(&self, whose: Whose, models: Arc<[ListedModel]>, fresh: Duration) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if kept.len() >= MOST {
            kept.retain(|_, list| list.until > now);
        }
        if kept.len() >= MOST {
            kept.clear();
        }
        let until = now + fresh;
        kept.insert(whose, Kept { models, until });
    }
}

fn fingerprint(account: &Account) -> u64 {
    let mut hasher = DefaultHasher::new();
    account.address.hash(&mut hasher);
    account.key.hash(&mut hasher);
    hasher.finish()
}

//! The safe of a database: what is sealed in it for a user is opened for that user only. Whoever stores something of
//! users that nobody else may read shares it.

use std::sync::Arc;

use nodetool_store::Store;
use tokio::sync::OnceCell;

use super::SecretsError;
use super::master::KeyPlaces;
use super::vault::Vault;
use crate::sensitive::Sensitive;

/// Opened when first needed: a server without secrets needs no key. Clones share it.
#[derive(Clone)]
pub(crate) struct Safe(Arc<Inner>);

struct Inner {
    store: Store,
    places: KeyPlaces,
    vault: OnceCell<Vault>,
}

impl Safe {
    /// The safe of a database, with the places where its key may be.
    pub(crate) fn new(store: Store, places: KeyPlaces) -> Self {
        Safe(Arc::new(Inner {
            store,
            places,
            vault: OnceCell::new(),
        }))
    }

    pub(super) async fn vault(&self) -> Result<&Vault, SecretsError> {
        let inner = &self.0;
        let open = || async {
            let wanted = inner.store.secrets_fingerprint().await?;
            let (vault, _) = inner.places.vault(wanted.as_deref()).await?;
            if wanted.is_some_and(|wanted| wanted != vault.fingerprint()) {
                tracing::error!(
                    "the stored secrets were encrypted with another master key than the one of this server: they can \
                     neither be read nor added to"
                );
            }
            Ok::<_, SecretsError>(vault)
        };
        inner.vault.get_or_try_init(open).await
    }

    /// Encrypts a text for a user.
    pub(crate) async fn seal(
        &self,
        user_id: &str,
        plain: Sensitive,
    ) -> Result<String, SecretsError> {
        self.vault().await?.seal(user_id, plain.expose()).await
    }

    /// Decrypts what was encrypted for a user.
    pub(crate) async fn open(
        &self,
        user_id: &str,
        sealed: &str,
    ) -> Result<Sensitive, SecretsError> {
        self.vault().await?.open(user_id, sealed).await
    }
}

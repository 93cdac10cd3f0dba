//! Secrets of users: stored encrypted, found for whoever works on a user's behalf.
//!
//! Values leave this module as [`Sensitive`] only. It must not know HTTP or SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nodetool_sdk::BoxFuture;
use nodetool_store::{PutSecret, SecretRow, SettingChange, Store, StoreError, now_micros};

use super::google::GoogleService;
use super::settings::{Kind, REGISTERED, Setting};
use super::{Caller, Changes, Happened, OWNER};
use crate::sensitive::Sensitive;
use vault::Vault;

mod aws;
mod fernet;
mod key_file;
mod master;
mod of_run;
mod redaction;
mod rotation;
mod safe;
mod vault;

pub(crate) use aws::AwsSecret;
pub(crate) use key_file::KeyFiles;
pub(crate) use master::{KeyError, KeyPlaces, Origin};
pub(crate) use of_run::RunSecrets;
pub(crate) use redaction::Seen;
pub(crate) use rotation::{NewMasterKey, rotate};
pub(crate) use safe::Safe;

/// Longest value in bytes.
pub(crate) const MAX_SECRET: usize = 16 << 10;
/// Longest description in characters.
pub(crate) const MAX_DESCRIPTION: usize = 1000;
/// Longest encrypted value in bytes.
const MAX_SEALED: usize = 32 << 10;
/// Most rows of one import.
pub(crate) const MAX_IMPORT: usize = 1000;

/// Secrets for which the environment outranks what is stored. They belong to the server itself: nodes do not get them.
pub(crate) const OF_SERVER: [&str; 4] = [
    "SUPABASE_URL",
    "SUPABASE_KEY",
    "SUPABASE_SERVICE_ROLE_KEY",
    "SERVER_AUTH_TOKEN",
];

/// The Google app that accounts are connected through, which users and the environment may have one of. Nodes get what
/// their user has stored, and never what everybody's accounts go through.
pub(super) const OF_APP: [&str; 2] = ["GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"];

/// The secret that stands for a signed-in account where there is one.
const OF_ACCOUNT: &str = "HF_TOKEN";

/// Every secret users may store.
pub(crate) fn registered() -> impl Iterator<Item = &'static Setting> {
    REGISTERED.iter().filter(|s| matches!(s.kind, Kind::Secret))
}

fn is_registered(key: &str) -> bool {
    registered().any(|s| s.key == key)
}

/// Names of secrets that are read from the environment.
pub(crate) fn in_environment() -> impl Iterator<Item = &'static str> {
    let own = OF_SERVER.into_iter().filter(|key| !is_registered(key));
    let own = own.chain(OF_APP);
    registered().map(|s| s.key).chain(own)
}

/// Tokens of accounts that users have signed in with.
pub(crate) trait AccountTokens: Send + Sync {
    /// The newest token of a user's Hugging Face account.
    fn newest<'a>(&'a self, user_id: &'a str) -> BoxFuture<'a, Option<Sensitive>>;
}

/// Why a secret cannot be read or stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    #[error("Secret not found")]
    NotFound,
    #[error("{0}")]
    Value(String),
    #[error("Failed to decrypt secret")]
    Undecryptable,
    #[error(
        "The stored secrets were encrypted with another master key; restore that key, or delete them first"
    )]
    OtherKey,
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("a value cannot be encrypted")]
    Cipher,
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for SecretsError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::Conflict { .. } => SecretsError::OtherKey,
            e => SecretsError::Store(e),
        }
    }
}

/// A new value.
#[derive(Clone, Debug)]
pub(crate) struct NewSecret {
    pub(crate) key: String,
    pub(crate) value: Sensitive,
    /// `None` keeps what is stored.
    pub(crate) description: Option<String>,
}

/// A row another server with the same master key has exported.
#[derive(Clone, Debug)]
pub(crate) struct ImportedSecret {
    pub(crate) user_id: String,
    pub(crate) key: String,
    pub(crate) encrypted_value: String,
    pub(crate) description: Option<String>,
    pub(crate) created_at: Option<i64>,
    pub(crate) updated_at: Option<i64>,
}

/// What came of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Imported {
    pub(crate) imported: usize,
    /// The keys that were not taken.
    pub(crate) rejected: Vec<String>,
}

/// What the service is made of.
pub(crate) struct SecretsParts {
    pub(crate) store: Store,
    pub(crate) changes: Changes,
    pub(crate) safe: Safe,
    /// Values from the environment of the server, by registered key.
    pub(crate) environment: BTreeMap<String, Sensitive>,
    /// Whether everybody's nodes may use those, or only the owner's.
    pub(crate) shared: bool,
    pub(crate) accounts: Option<Arc<dyn AccountTokens>>,
    pub(crate) google: Option<GoogleService>,
    /// Names of secrets beside the registered ones: keys of the operator's own providers, and what steps read.
    pub(crate) more: BTreeSet<String>,
}

struct Inner {
    store: Store,
    changes: Changes,
    safe: Safe,
    environment: BTreeMap<String, Sensitive>,
    shared: bool,
    accounts: Option<Arc<dyn AccountTokens>>,
    google: Option<GoogleService>,
    more: BTreeSet<String>,
}

/// The one owner of secret rows in this process; clones share it.
#[derive(Clone)]
pub(crate) struct SecretsService(Arc<Inner>);

impl SecretsService {
    pub(crate) fn new(parts: SecretsParts) -> Self {
        let SecretsParts {
            store,
            changes,
            safe,
            environment,
            shared,
            accounts,
            google,
            more,
        } = parts;
        SecretsService(Arc::new(Inner {
            store,
            changes,
            safe,
            environment,
            shared,
            accounts,
            google,
            more,
        }))
    }

    /// Whether a secret may be stored under a name.
    fn is_known(&self, key: &str) -> bool {
        is_registered(key) || OF_APP.contains(&key) || self.0.more.contains(key)
    }

    /// The accounts that users have connected for their steps.
    fn google(&self) -> Option<&GoogleService> {
        self.0.google.as_ref()
    }

    async fn vault(&self) -> Result<&Vault, SecretsError> {
        self.0.safe.vault().await
    }

    /// Encrypts a text of a user's that is kept with something else than their secrets.
    pub(crate) async fn seal_text(
        &self,
        user_id: &str,
        text: Sensitive,
    ) -> Result<String, SecretsError> {
        self.0.safe.seal(user_id, text).await
    }

    /// Decrypts what [`seal_text`](Self::seal_text) gave.
    pub(crate) async fn open_text(
        &self,
        user_id: &str,
        sealed: &str,
    ) -> Result<Sensitive, SecretsError> {
        self.0.safe.open(user_id, sealed).await
    }

    /// The secret a user works with: for what belongs to the server, its environment; else a signed-in account, the
    /// stored value, and last the environment.
    pub(crate) async fn get(
        &self,
        user_id: &str,
        key: &str,
    ) -> Result<Option<Sensitive>, SecretsError> {
        let given = self.0.environment.get(key);
        if OF_SERVER.contains(&key) && given.is_some() {
            return Ok(given.cloned());
        }
        if key == OF_ACCOUNT
            && let Some(accounts) = &self.0.accounts
            && let Some(token) = accounts.newest(user_id).await
        {
            return Ok(Some(token));
        }
        match self.0.store.get_secret(user_id, key).await? {
            Some(row) => Ok(Some(self.open(&row).await?)),
            None => Ok(given.cloned()),
        }
    }

    /// The secret as nodes of a user get it: not those of the server, and those of its environment only where they are
    /// meant for everybody.
    pub(super) async fn get_for_nodes(
        &self,
        user_id: &str,
        key: &str,
    ) -> Result<Option<Sensitive>, SecretsError> {
        let stored_only = OF_APP.contains(&key) || !self.0.shared && user_id != OWNER;
        if stored_only && self.0.store.get_secret(user_id, key).await?.is_none() {
            return Ok(None);
        }
        self.get(user_id, key).await
    }

    /// The stored secrets of a user by key, values left encrypted.
    pub(crate) async fn stored(
        &self,
        user_id: &str,
    ) -> Result<BTreeMap<String, SecretRow>, SecretsError> {
        let rows = self.0.store.secrets(user_id).await?;
        Ok(rows.into_iter().map(|row| (row.key.clone(), row)).collect())
    }

    /// The registered secrets a user has a value for, stored or from the environment.
    pub(super) async fn configured(
        &self,
        user_id: &str,
    ) -> Result<impl Fn(&str) -> bool + use<>, SecretsError> {
        let stored = self.stored(user_id).await?;
        let inner = self.0.clone();
        Ok(move |key: &str| stored.contains_key(key) || inner.environment.contains_key(key))
    }

    /// A stored secret of the caller's.
    pub(crate) async fn row(&self, caller: &Caller, key: &str) -> Result<SecretRow, SecretsError> {
        let row = self.0.store.get_secret(&caller.user_id, key).await?;
        row.ok_or(SecretsError::NotFound)
    }

    /// The value of a stored secret, for its owner to look at.
    pub(crate) async fn reveal(
        &self,
        caller: &Caller,
        row: &SecretRow,
    ) -> Result<Sensitive, SecretsError> {
        let value = self.open(row).await?;
        tracing::info!(target: "audit", event = "secret.read", user.id = %caller.user_id, secret.key = %row.key);
        Ok(value)
    }

    async fn open(&self, row: &SecretRow) -> Result<Sensitive, SecretsError> {
        let vault = self.vault().await?;
        let opened = vault.open(&row.user_id, &row.encrypted_value).await;
        opened.inspect_err(|_| {
            tracing::warn!(user.id = %row.user_id, secret.key = %row.key, "a stored secret cannot be decrypted with the master key of this server");
        })
    }

    /// Stores a secret of the caller's.
    pub(crate) async fn put(
        &self,
        caller: &Caller,
        secret: NewSecret,
    ) -> Result<SecretRow, SecretsError> {
        let mut rows = self.put_all(caller, Vec::new(), vec![secret]).await?;
        rows.pop().ok_or(SecretsError::NotFound)
    }

    /// Stores settings and secrets of the caller's, all or none.
    pub(super) async fn put_all(
        &self,
        caller: &Caller,
        settings: Vec<SettingChange>,
        secrets: Vec<NewSecret>,
    ) -> Result<Vec<SecretRow>, SecretsError> {
        let now = now_micros();
        if secrets.is_empty() {
            self.0.store.change_settings(settings, now).await?;
            return Ok(Vec::new());
        }
        for secret in &secrets {
            if !self.is_known(&secret.key) {
                return Err(SecretsError::NotFound);
            }
            if let Some(fault) = value_fault(secret.value.expose()) {
                return Err(SecretsError::Value(fault));
            }
        }
        let vault = self.vault().await?;
        let mut sealed = Vec::with_capacity(secrets.len());
        for secret in secrets {
            let value = vault.seal(&caller.user_id, secret.value.expose()).await?;
            sealed.push(PutSecret {
                user_id: caller.user_id.clone(),
                key: secret.key,
                encrypted_value: value,
                description: secret.description,
                created_at: now,
                updated_at: now,
            });
        }
        let fingerprint = vault.fingerprint();
        let store = &self.0.store;
        let stored = store.change_settings_and_secrets(settings, sealed, fingerprint, now);
        let rows = stored.await?;
        for row in &rows {
            tracing::info!(target: "audit", event = "secret.stored", user.id = %row.user_id, secret.key = %row.key);
            self.tell(row);
        }
        Ok(rows)
    }

    fn tell(&self, row: &SecretRow) {
        let happened = if row.created_at == row.updated_at {
            Happened::Created
        } else {
            Happened::Updated
        };
        let etag = || row.updated_at.to_string();
        let changes = &self.0.changes;
        changes.tell(&row.user_id, happened, "secret", &row.key, etag);
    }

    /// Deletes a secret of the caller's, whether or not it can be decrypted.
    pub(crate) async fn delete(&self, caller: &Caller, key: &str) -> Result<(), SecretsError> {
        if !self.0.store.delete_secret(&caller.user_id, key).await? {
            return Err(SecretsError::NotFound);
        }
        tracing::info!(target: "audit", event = "secret.deleted", user.id = %caller.user_id, secret.key = %key);
        let changes = &self.0.changes;
        changes.tell(
            &caller.user_id,
            Happened::Deleted,
            "secret",
            key,
            String::new,
        );
        Ok(())
    }

    /// Takes over the rows that can be decrypted here for their users.
    pub(crate) async fn import(
        &self,
        by: &Caller,
        rows: Vec<ImportedSecret>,
    ) -> Result<Imported, SecretsError> {
        let (mut taken, mut rejected) = (Vec::new(), Vec::new());
        let now = now_micros();
        let vault = self.vault().await?;
        for row in rows {
            if !self.is_importable(vault, &row).await? {
                rejected.push(row.key);
                continue;
            }
            let created_at = row.created_at.unwrap_or(now);
            taken.push(PutSecret {
                user_id: row.user_id,
                key: row.key,
                encrypted_value: row.encrypted_value,
                description: row.description,
                created_at,
                updated_at: row.updated_at.unwrap_or(now),
            });
        }
        let imported = taken.len();
        let stored = self.0.store.put_secrets(taken, vault.fingerprint()).await?;
        stored.iter().for_each(|row| self.tell(row));
        tracing::info!(target: "audit", event = "secret.imported", user.id = %by.user_id, imported, rejected = rejected.len());
        Ok(Imported { imported, rejected })
    }

    async fn is_importable(
        &self,
        vault: &Vault,
        row: &ImportedSecret,
    ) -> Result<bool, SecretsError> {
        if !self.is_known(&row.key) || row.encrypted_value.len() > MAX_SEALED {
            return Ok(false);
        }
        match vault.open(&row.user_id, &row.encrypted_value).await {
            Ok(value) => Ok(value_fault(value.expose()).is_none()),
            Err(SecretsError::Undecryptable) => Ok(false),
            Err(e) => Err(e),
        }
    }
}

/// What is wrong with a value.
pub(super) fn value_fault(value: &str) -> Option<String> {
    if value.is_empty() {
        Some("is empty".to_owned())
    } else if value.len() > MAX_SECRET {
        Some(format!("has more than {MAX_SECRET} bytes"))
    } else if value.contains('\0') {
        Some("contains a NUL character".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests;

//! A change of the master key: every secret is encrypted anew, all or none.
//!
//! The order makes it safe to be ended at any moment. Both keys are in files before the database changes; the database
//! changes in one transaction, together with the fingerprint that says which key it needs; and only then does the new
//! key become the one in use. At every point between, the key that the database needs is found by its fingerprint.

use std::path::PathBuf;

use nodetool_store::{ReplacedSecret, SealedTokens, Store, StoreError, now_micros};

use super::SecretsError;
use super::key_file::MAX_KEY;
use super::master::{KeyError, KeyPlaces, Origin, generate};
use super::vault::Vault;
use crate::sensitive::Sensitive;

/// Shortest new key in bytes.
const MIN_KEY: usize = 16;
/// Secrets that are named when they cannot be read.
const NAMED: usize = 20;

/// The key to change to.
pub(crate) enum NewMasterKey {
    Given(Sensitive),
    Generated,
}

/// Why the key was not changed; nothing was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RotationError {
    #[error("a master key has {MIN_KEY} to {MAX_KEY} bytes and no line breaks")]
    BadKey,
    #[error("the new master key is the one in use")]
    Same,
    #[error(
        "{count} secrets cannot be decrypted with the current master key, so nothing was changed: {named}"
    )]
    Unreadable { count: usize, named: String },
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What has changed.
#[derive(Debug)]
pub(crate) struct Rotated {
    /// How many secrets were encrypted anew.
    pub(crate) secrets: usize,
    /// Where the old key was found.
    pub(crate) from: Origin,
    /// The file the new key is in; `None` when whoever gave it keeps it.
    pub(crate) file: Option<PathBuf>,
}

/// Encrypts every secret with another master key. Nobody else may use the database meanwhile.
pub(crate) async fn rotate(
    store: &Store,
    places: &KeyPlaces,
    to: NewMasterKey,
) -> Result<Rotated, RotationError> {
    let wanted = store.secrets_fingerprint().await?;
    let (old, from) = places.vault(wanted.as_deref()).await?;
    let (key, own) = match to {
        NewMasterKey::Given(key) => (key, false),
        NewMasterKey::Generated => (generate()?, true),
    };
    let text = key.expose();
    if !(MIN_KEY..=MAX_KEY).contains(&text.len()) || text.contains(['\n', '\r', '\0']) {
        return Err(RotationError::BadKey);
    }
    let new = Vault::new(key).await?;
    if new.fingerprint() == old.fingerprint() {
        return Err(RotationError::Same);
    }
    let replaced = sealed_anew(store, &old, &new).await?;
    let tokens = tokens_anew(store, &old, &new).await?;
    // A key that is neither given again at the next start nor found in AWS has to be in the file.
    let files = if own || from == Origin::File {
        Some(places.files.clone().ok_or(KeyError::NoFolder)?)
    } else {
        None
    };
    if let Some(files) = &files {
        let keep = |vault: &Vault| files.keep(vault.master(), vault.fingerprint());
        keep(&new).map_err(KeyError::from)?;
        if from == Origin::File {
            keep(&old).map_err(KeyError::from)?;
        }
        // The file may hold the key of another data folder.
        if let Some(current) = files.current().map_err(KeyError::from)? {
            keep(&Vault::new(current).await?).map_err(KeyError::from)?;
        }
    }
    let secrets = replaced.len();
    let at = now_micros();
    store
        .replace_secrets(replaced, tokens, new.fingerprint(), at)
        .await?;
    if let Some(files) = &files {
        files.replace(new.master()).map_err(KeyError::from)?;
        files.forget(new.fingerprint()).map_err(KeyError::from)?;
    }
    tracing::info!(target: "audit", event = "secret.rotated", secrets);
    Ok(Rotated {
        secrets,
        from,
        file: files.map(|files| files.current_path()),
    })
}

async fn sealed_anew(
    store: &Store,
    old: &Vault,
    new: &Vault,
) -> Result<Vec<ReplacedSecret>, RotationError> {
    let (mut replaced, mut unreadable) = (Vec::new(), Vec::new());
    for row in store.all_secrets().await? {
        match old.open(&row.user_id, &row.encrypted_value).await {
            Ok(value) => replaced.push(ReplacedSecret {
                after: new.seal(&row.user_id, value.expose()).await?,
                id: row.id,
                before: row.encrypted_value,
            }),
            Err(SecretsError::Undecryptable) => {
                unreadable.push(format!("{} of user {}", row.key, row.user_id));
            }
            Err(e) => return Err(e.into()),
        }
    }
    if unreadable.is_empty() {
        return Ok(replaced);
    }
    let count = unreadable.len();
    unreadable.truncate(NAMED);
    Err(RotationError::Unreadable {
        count,
        named: unreadable.join(", "),
    })
}

/// The tokens of connected accounts under the new key, beside what they are now.
async fn tokens_anew(
    store: &Store,
    old: &Vault,
    new: &Vault,
) -> Result<Vec<(SealedTokens, SealedTokens)>, RotationError> {
    let mut replaced = Vec::new();
    for before in store.all_sealed_tokens().await? {
        let anew = async |sealed: &str| {
            let plain = old.open(&before.user_id, sealed).await?;
            new.seal(&before.user_id, plain.expose()).await
        };
        let sealed = async {
            let refresh = match &before.refresh {
                Some(refresh) => Some(anew(refresh).await?),
                None => None,
            };
            Ok((anew(&before.access).await?, refresh))
        };
        let (access, refresh) = match sealed.await {
            Ok(sealed) => sealed,
            Err(SecretsError::Undecryptable) => {
                let named = format!("the {} account of user {}", before.provider, before.user_id);
                return Err(RotationError::Unreadable { count: 1, named });
            }
            Err(e) => return Err(e.into()),
        };
        let after = SealedTokens {
            access,
            refresh,
            ..before.clone()
        };
        replaced.push((before, after));
    }
    Ok(replaced)
}

//! Encrypts and decrypts values under one master key, which it never tells.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use indexmap::IndexMap;
use sha2::{Digest, Sha256};

use super::SecretsError;
use super::fernet::FernetKey;
use crate::sensitive::Sensitive;

/// Keys of users that are kept; each takes tens of milliseconds to make.
const KEPT: usize = 256;
/// What a fingerprint is made with in place of a user, whose id cannot be this.
const NOBODY: &str = "nodetool\0fingerprint";
/// Bytes of a fingerprint.
const SHOWN: usize = 16;

/// Encrypts and decrypts under one master key.
pub(crate) struct Vault {
    master: Sensitive,
    fingerprint: String,
    /// Keys of users, those used last at the end. Values are never kept.
    keys: Mutex<IndexMap<String, Arc<FernetKey>>>,
    /// One key is made at a time: a crowd of requests must not take every processor.
    making: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = f.debug_struct("Vault");
        { shown }
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// What tells master keys apart. Guessing a key from it takes as long as from an encrypted value.
fn fingerprint(master: &str) -> String {
    let digest = Sha256::digest(FernetKey::derive(master, NOBODY).bytes());
    digest[..SHOWN].iter().map(|b| format!("{b:02x}")).collect()
}

impl Vault {
    /// A vault under a master key.
    pub(crate) async fn new(master: Sensitive) -> Result<Self, SecretsError> {
        let text = master.clone();
        let made = tokio::task::spawn_blocking(move || fingerprint(text.expose())).await;
        Ok(Vault {
            master,
            fingerprint: made.map_err(|_| SecretsError::Cipher)?,
            keys: Mutex::default(),
            making: tokio::sync::Mutex::default(),
        })
    }

    /// What tells this master key from others.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The master key, for whoever has to store it.
    pub(super) fn master(&self) -> &Sensitive {
        &self.master
    }

    fn kept(&self, user_id: &str) -> Option<Arc<FernetKey>> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let at = keys.get_index_of(user_id)?;
        let last = keys.len() - 1;
        keys.move_index(at, last);
        keys.get(user_id).cloned()
    }

    async fn key(&self, user_id: &str) -> Result<Arc<FernetKey>, SecretsError> {
        if let Some(key) = self.kept(user_id) {
            return Ok(key);
        }
        let _alone = self.making.lock().await;
        if let Some(key) = self.kept(user_id) {
            return Ok(key);
        }
        let (master, user) = (self.master.clone(), user_id.to_owned());
        let made = tokio::task::spawn_blocking(move || FernetKey::derive(master.expose(), &user));
        let key = Arc::new(made.await.map_err(|_| SecretsError::Cipher)?);
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        while keys.len() >= KEPT {
            keys.shift_remove_index(0);
        }
        keys.insert(user_id.to_owned(), key.clone());
        Ok(key)
    }

    /// Encrypts a value for a user.
    pub(crate) async fn seal(&self, user_id: &str, value: &str) -> Result<String, SecretsError> {
        let key = self.key(user_id).await?;
        let mut iv = [0; 16];
        getrandom::fill(&mut iv).map_err(|_| SecretsError::Cipher)?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = since.unwrap_or_default().as_secs();
        let sealed = key.seal(value.as_bytes(), seconds, iv);
        sealed.ok_or(SecretsError::Cipher)
    }

    /// Decrypts a value of a user.
    pub(crate) async fn open(
        &self,
        user_id: &str,
        sealed: &str,
    ) -> Result<Sensitive, SecretsError> {
        let plain = self.key(user_id).await?.open(sealed);
        let text = plain.and_then(|plain| String::from_utf8(plain).ok());
        text.map(Sensitive::new).ok_or(SecretsError::Undecryptable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_value_is_opened_for_its_user_under_its_key_only() {
        let vault = Vault::new(Sensitive::new("m")).await.unwrap();
        let sealed = vault.seal("u", "word").await.unwrap();
        assert_ne!(sealed, vault.seal("u", "word").await.unwrap());
        assert_eq!(vault.open("u", &sealed).await.unwrap().expose(), "word");
        assert!(vault.open("v", &sealed).await.is_err());
        let other = Vault::new(Sensitive::new("n")).await.unwrap();
        assert!(other.open("u", &sealed).await.is_err());
        assert_ne!(vault.fingerprint(), other.fingerprint());
        let again = Vault::new(Sensitive::new("m")).await.unwrap();
        assert_eq!(vault.fingerprint(), again.fingerprint());
        assert!(!format!("{vault:?}").contains("\"m\""));
    }

    #[tokio::test]
    async fn keys_of_few_users_are_kept() {
        let vault = Vault::new(Sensitive::new("m")).await.unwrap();
        let key = Arc::new(FernetKey::derive("", ""));
        let keep = |user: String| {
            let mut keys = vault.keys.lock().unwrap();
            keys.insert(user, key.clone());
        };
        (0..KEPT).for_each(|n| keep(n.to_string()));
        vault.seal("0", "x").await.unwrap();
        vault.seal("new", "x").await.unwrap();
        let keys = vault.keys.lock().unwrap();
        assert_eq!(keys.len(), KEPT);
        assert!(keys.contains_key("0") && keys.contains_key("new") && !keys.contains_key("1"));
    }
}

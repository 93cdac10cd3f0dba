//! Texts encrypted for one user: Fernet under a key that is derived from the master key and the user's id
//! (HTTP spec 4). It must not know what the texts are for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::sensitive::Sensitive;

const ROUNDS: u32 = 100_000;
const VERSION: u8 = 0x80;
/// Version, time and IV.
const HEAD: usize = 1 + 8 + 16;
const MAC: usize = 32;
/// Derived keys that are kept: deriving one takes a while.
const KEPT_KEYS: usize = 1024;

/// Why a text cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    #[error("This server has no key to keep tokens with: set SECRETS_MASTER_KEY")]
    NoKey,
    #[error("Failed to decrypt secret")]
    Unreadable,
    #[error("the system gives no random numbers")]
    NoRandomness,
    #[error("sealing was interrupted")]
    Interrupted,
}

type Operation = dyn Fn(&str, &str) -> Result<String, SealError> + Send + Sync;

/// Encrypts texts for one user each, and decrypts them again.
#[derive(Clone)]
pub(crate) struct Sealer {
    seal: Arc<Operation>,
    open: Arc<Operation>,
}

impl Sealer {
    /// Two functions of a user's id and a text; they may take their time.
    pub(crate) fn new(
        seal: impl Fn(&str, &str) -> Result<String, SealError> + Send + Sync + 'static,
        open: impl Fn(&str, &str) -> Result<String, SealError> + Send + Sync + 'static,
    ) -> Self {
        Sealer {
            seal: Arc::new(seal),
            open: Arc::new(open),
        }
    }

    /// Encrypts a text for a user.
    pub(crate) async fn seal(&self, user_id: &str, plain: Sensitive) -> Result<String, SealError> {
        let (seal, user_id) = (self.seal.clone(), user_id.to_owned());
        tokio::task::spawn_blocking(move || seal(&user_id, plain.expose()))
            .await
            .map_err(|_| SealError::Interrupted)?
    }

    /// Decrypts what was encrypted for a user.
    pub(crate) async fn open(&self, user_id: &str, sealed: String) -> Result<Sensitive, SealError> {
        let (open, user_id) = (self.open.clone(), user_id.to_owned());
        tokio::task::spawn_blocking(move || open(&user_id, &sealed))
            .await
            .map_err(|_| SealError::Interrupted)?
            .map(Sensitive::new)
    }
}

/// Seals under a master key; without one, every text is refused.
pub(crate) fn fernet_sealer(master: Option<Sensitive>) -> Sealer {
    let keys = Arc::new(Keys {
        master,
        derived: Mutex::default(),
    });
    let same = keys.clone();
    Sealer::new(
        move |user_id, plain| {
            let key = keys.of(user_id)?;
            let mut iv = [0u8; 16];
            getrandom::fill(&mut iv).map_err(|_| SealError::NoRandomness)?;
            let seconds = nodetool_store::now_micros() / 1_000_000;
            encrypt(&key, plain, seconds, iv).ok_or(SealError::Interrupted)
        },
        move |user_id, sealed| decrypt(&same.of(user_id)?, sealed).ok_or(SealError::Unreadable),
    )
}

type Key = [u8; 32];

struct Keys {
    master: Option<Sensitive>,
    derived: Mutex<HashMap<String, Key>>,
}

impl Keys {
    fn of(&self, user_id: &str) -> Result<Key, SealError> {
        let master = self.master.as_ref().ok_or(SealError::NoKey)?;
        let kept = || self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = kept().get(user_id) {
            return Ok(*key);
        }
        let key = derive(master.expose(), user_id);
        let mut kept = kept();
        if kept.len() >= KEPT_KEYS {
            kept.clear();
        }
        kept.insert(user_id.to_owned(), key);
        Ok(key)
    }
}

fn derive(master: &str, user_id: &str) -> Key {
    pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(master.as_bytes(), user_id.as_bytes(), ROUNDS)
}

/// The first half signs, the second encrypts.
fn halves(key: &Key) -> ([u8; 16], [u8; 16]) {
    let (mut signing, mut encrypting) = ([0u8; 16], [0u8; 16]);
    signing.copy_from_slice(&key[..16]);
    encrypting.copy_from_slice(&key[16..]);
    (signing, encrypting)
}

fn signature(signing: &[u8; 16], parts: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(signing).ok()?;
    mac.update(parts);
    Some(mac)
}

fn encrypt(key: &Key, plain: &str, seconds: i64, iv: [u8; 16]) -> Option<String> {
    let (signing, encrypting) = halves(key);
    let cipher = cbc::Encryptor::<Aes128>::new(&encrypting.into(), &iv.into());
    let mut token = vec![VERSION];
    token.extend_from_slice(&seconds.to_be_bytes());
    token.extend_from_slice(&iv);
    token.extend_from_slice(&cipher.encrypt_padded_vec::<Pkcs7>(plain.as_bytes()));
    let mac = signature(&signing, &token)?.finalize().into_bytes();
    token.extend_from_slice(&mac);
    Some(URL_SAFE.encode(token))
}

fn decrypt(key: &Key, sealed: &str) -> Option<String> {
    let (signing, encrypting) = halves(key);
    let token = URL_SAFE.decode(sealed).ok()?;
    let signed = token.len().checked_sub(MAC).filter(|n| *n >= HEAD)?;
    let (signed, mac) = token.split_at(signed);
    if signed.first() != Some(&VERSION) {
        return None;
    }
    signature(&signing, signed)?.verify_slice(mac).ok()?;
    let iv: [u8; 16] = signed.get(9..HEAD)?.try_into().ok()?;
    let cipher = cbc::Decryptor::<Aes128>::new(&encrypting.into(), &iv.into());
    let plain = cipher
        .decrypt_padded_vec::<Pkcs7>(signed.get(HEAD..)?)
        .ok()?;
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_texts_are_those_of_the_published_vector() {
        let key = derive("spec-master-key", "1");
        assert_eq!(
            URL_SAFE.encode(key),
            "iwNtUJLniW1K66EQlVyymVAugaZQfk8gvDZtcEYMzMw="
        );
        let iv = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let sealed = encrypt(&key, "hello", 1_700_000_000, iv).unwrap();
        assert_eq!(
            sealed,
            "gAAAAABlU_EAAAECAwQFBgcICQoLDA0OD013E0oMMbJ_4UflhCbfCCxLHoGC8gJatwQn9-6OymrDsvEd8XGUs59RPgS6yACWWg=="
        );
        assert_eq!(decrypt(&key, &sealed).as_deref(), Some("hello"));
    }

    #[test]
    fn nothing_that_was_changed_or_is_another_users_opens() {
        let key = derive("m", "1");
        let sealed = encrypt(&key, "hello", 1, [7; 16]).unwrap();
        assert_eq!(decrypt(&derive("m", "2"), &sealed), None);
        let token = URL_SAFE.decode(&sealed).unwrap();
        for at in 0..token.len() {
            let mut changed = token.clone();
            changed[at] ^= 1;
            assert_eq!(decrypt(&key, &URL_SAFE.encode(&changed)), None, "{at}");
            assert_eq!(decrypt(&key, &URL_SAFE.encode(&token[..at])), None, "{at}");
        }
        assert_eq!(decrypt(&key, "no base64!"), None);
    }

    #[tokio::test]
    async fn without_a_master_key_nothing_is_sealed() {
        let sealer = fernet_sealer(None);
        let refused = sealer.seal("1", Sensitive::new("x")).await;
        assert!(matches!(refused, Err(SealError::NoKey)));
        let sealer = fernet_sealer(Some(Sensitive::new("m")));
        let sealed = sealer.seal("1", Sensitive::new("x")).await.unwrap();
        let again = sealer.seal("1", Sensitive::new("x")).await.unwrap();
        assert_ne!(sealed, again);
        assert!(sealer.open("1", sealed.clone()).await.unwrap().is("x"));
        assert!(sealer.open("2", sealed).await.is_err());
    }
}

//! Fernet tokens (HTTP spec 4): a version, a time, an initialisation vector and AES-128-CBC, all under HMAC-SHA256.
//!
//! Knows neither users' secrets nor where keys come from.

use aes::Aes128;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use ring::{hmac, pbkdf2};

const VERSION: u8 = 0x80;
const BLOCK: usize = 16;
/// Version and time.
const HEAD: usize = 1 + 8;
const TAG: usize = 32;
/// Rounds from a master key to the key of a user.
const ROUNDS: std::num::NonZeroU32 = std::num::NonZeroU32::new(100_000).expect("more than none");

/// The key of one user: one half signs, the other encrypts.
pub(super) struct FernetKey([u8; 32]);

impl FernetKey {
    /// The key of a user under a master key. Takes tens of milliseconds of processor time.
    pub(super) fn derive(master: &str, user_id: &str) -> Self {
        let mut key = [0; 32];
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(
            algorithm,
            ROUNDS,
            user_id.as_bytes(),
            master.as_bytes(),
            &mut key,
        );
        FernetKey(key)
    }

    /// The bytes of the key.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn signing(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0[..16])
    }

    /// Encrypts; nothing only if the text does not fit into memory.
    pub(super) fn seal(&self, plain: &[u8], seconds: u64, iv: [u8; BLOCK]) -> Option<String> {
        let mut token = Vec::with_capacity(HEAD + 2 * BLOCK + plain.len() + TAG);
        token.push(VERSION);
        token.extend(seconds.to_be_bytes());
        token.extend(iv);
        let mut padded = vec![0; plain.len() + BLOCK];
        padded[..plain.len()].copy_from_slice(plain);
        let cipher = cbc::Encryptor::<Aes128>::new_from_slices(&self.0[16..], &iv).ok()?;
        let sealed = cipher
            .encrypt_padded::<Pkcs7>(&mut padded, plain.len())
            .ok()?;
        token.extend_from_slice(sealed);
        let tag = hmac::sign(&self.signing(), &token);
        token.extend_from_slice(tag.as_ref());
        Some(URL_SAFE.encode(token))
    }

    /// Decrypts what was encrypted with this key; nothing for everything else.
    pub(super) fn open(&self, token: &str) -> Option<Vec<u8>> {
        let token = URL_SAFE.decode(token).ok()?;
        let (signed, tag) = token.split_at_checked(token.len().checked_sub(TAG)?)?;
        hmac::verify(&self.signing(), signed, tag).ok()?;
        let (head, rest) = signed.split_at_checked(HEAD)?;
        let (iv, sealed) = rest.split_at_checked(BLOCK)?;
        if head.first() != Some(&VERSION) {
            return None;
        }
        let cipher = cbc::Decryptor::<Aes128>::new_from_slices(&self.0[16..], iv).ok()?;
        let mut buffer = sealed.to_vec();
        let plain = cipher.decrypt_padded::<Pkcs7>(&mut buffer).ok()?.len();
        buffer.truncate(plain);
        Some(buffer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "gAAAAABlU_EAAAECAwQFBgcICQoLDA0OD013E0oMMbJ_4UflhCbfCCxLHoGC8gJatwQn9-6OymrDsvEd8XGUs59RPgS6yACWWg==";

    #[test]
    fn case_73_the_published_vector_is_read_and_written_and_no_other_user_reads_it() {
        let key = FernetKey::derive("spec-master-key", "1");
        let text = URL_SAFE.encode(key.bytes());
        assert_eq!(text, "iwNtUJLniW1K66EQlVyymVAugaZQfk8gvDZtcEYMzMw=");
        assert_eq!(key.open(TOKEN).as_deref(), Some(&b"hello"[..]));
        let iv = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let token = key.seal(b"hello", 1_700_000_000, iv);
        assert_eq!(token.as_deref(), Some(TOKEN));
        assert_eq!(FernetKey::derive("spec-master-key", "2").open(TOKEN), None);
        assert_eq!(FernetKey::derive("another", "1").open(TOKEN), None);
    }

    #[test]
    fn a_token_with_any_byte_changed_is_none() {
        let key = FernetKey(std::array::from_fn(|i| u8::try_from(i).unwrap()));
        let token = URL_SAFE.decode(key.seal(b"word", 5, [7; 16]).unwrap());
        let token = token.unwrap();
        for at in 0..token.len() {
            let mut changed = token.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(&URL_SAFE.encode(changed)), None, "byte {at}");
            assert_eq!(key.open(&URL_SAFE.encode(&token[..at])), None, "{at} bytes");
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened(plain: Vec<u8>, key: [u8; 32], iv: [u8; 16], seconds: u64) {
            let key = FernetKey(key);
            let token = key.seal(&plain, seconds, iv).unwrap();
            prop_assert_eq!(key.open(&token), Some(plain));
        }

        #[test]
        fn no_text_breaks_it(text: String, key: [u8; 32]) {
            prop_assert_eq!(FernetKey(key).open(&text), None);
        }
    }
}

//! Where the master key comes from: the environment, AWS Secrets Manager, or a key file, which is made when there is
//! none of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;

use super::SecretsError;
use super::aws::{AwsError, AwsSecret};
use super::key_file::{KeyFileError, KeyFiles};
use super::vault::Vault;
use crate::sensitive::Sensitive;

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error(
        "there is no folder to keep the master key in: set HOME, XDG_CONFIG_HOME or SECRETS_MASTER_KEY"
    )]
    NoFolder,
    #[error(
        "secrets are stored, but the master key they were encrypted with is missing: restore the key file, or set \
         SECRETS_MASTER_KEY"
    )]
    Missing,
    #[error(transparent)]
    File(#[from] KeyFileError),
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("no random key can be made")]
    Random,
}

/// Where a master key was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Environment,
    Aws,
    File,
}

/// Where to look for the master key, in this order.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyPlaces {
    pub(crate) given: Option<Sensitive>,
    pub(crate) aws: Option<AwsSecret>,
    pub(crate) files: Option<KeyFiles>,
}

impl KeyPlaces {
    /// The vault of the database whose secrets have this fingerprint, or of one without secrets. A key that does not
    /// fit is given all the same: what it does not open says so when it is asked for.
    pub(crate) async fn vault(
        &self,
        wanted: Option<&str>,
    ) -> Result<(Vault, Origin), SecretsError> {
        if let Some(key) = &self.given {
            return Ok((Vault::new(key.clone()).await?, Origin::Environment));
        }
        if let Some(secret) = &self.aws {
            let key = secret.fetch().await.map_err(KeyError::from)?;
            return Ok((Vault::new(key).await?, Origin::Aws));
        }
        let files = self.files.clone().ok_or(KeyError::NoFolder)?;
        let vault = match files.current().map_err(KeyError::from)? {
            Some(key) => {
                let vault = Vault::new(key).await?;
                match wanted.filter(|wanted| *wanted != vault.fingerprint()) {
                    Some(wanted) => kept(&files, wanted).await?.unwrap_or(vault),
                    None => vault,
                }
            }
            None => match wanted {
                Some(wanted) => kept(&files, wanted).await?.ok_or(KeyError::Missing)?,
                None => {
                    let key = files.current_or(&generate()?).map_err(KeyError::from)?;
                    tracing::info!(file = %files.current_path().display(), "the master key for secrets is in this file; secrets cannot be read without it");
                    Vault::new(key).await?
                }
            },
        };
        Ok((vault, Origin::File))
    }
}

/// The vault of a key beside the one in use.
async fn kept(files: &KeyFiles, wanted: &str) -> Result<Option<Vault>, SecretsError> {
    let Some(key) = files.other(wanted).map_err(KeyError::from)? else {
        return Ok(None);
    };
    let vault = Vault::new(key).await?;
    Ok(Some(vault).filter(|vault| vault.fingerprint() == wanted))
}

/// A new key: 32 random bytes as text.
pub(super) fn generate() -> Result<Sensitive, KeyError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| KeyError::Random)?;
    Ok(Sensitive::new(URL_SAFE.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_made_once_and_never_in_place_of_a_missing_one() {
        let folder = tempfile::tempdir().unwrap();
        let places = KeyPlaces {
            files: Some(KeyFiles::new(folder.path().to_owned())),
            ..KeyPlaces::default()
        };
        let missing = places.vault(Some("0f")).await;
        assert!(matches!(missing, Err(SecretsError::Key(KeyError::Missing))));
        let (first, origin) = places.vault(None).await.unwrap();
        assert_eq!(origin, Origin::File);
        assert_eq!(first.master().expose().len(), 44);
        let (second, _) = places.vault(None).await.unwrap();
        assert_eq!(first.fingerprint(), second.fingerprint());
        let given = KeyPlaces {
            given: Some(Sensitive::new("g")),
            ..places
        };
        let (third, origin) = given.vault(Some(first.fingerprint())).await.unwrap();
        assert_eq!(origin, Origin::Environment);
        assert_ne!(third.fingerprint(), first.fingerprint());
        let nowhere = KeyPlaces::default().vault(None).await;
        assert!(matches!(
            nowhere,
            Err(SecretsError::Key(KeyError::NoFolder))
        ));
    }
}

//! The secrets of one run: those of its user, each remembered so that its value does not show in what the run tells.

use std::sync::Arc;

use nodetool_sdk::accounts::{AccountToken, ConnectedAccount};
use nodetool_sdk::services::Secrets;
use nodetool_sdk::{BoxFuture, NodeError};

use super::{OF_SERVER, SecretsError, SecretsService, Seen};
use crate::services::google::{GOOGLE, GoogleError};

/// Longest name that is looked up, in bytes.
const MAX_NAME: usize = 128;

/// Gives nodes of one run the secrets of its user.
pub(crate) struct RunSecrets {
    service: SecretsService,
    user_id: Arc<str>,
    seen: Arc<Seen>,
}

impl RunSecrets {
    pub(crate) fn new(service: SecretsService, user_id: Arc<str>, seen: Arc<Seen>) -> Self {
        RunSecrets {
            service,
            user_id,
            seen,
        }
    }
}

impl Secrets for RunSecrets {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, NodeError>> {
        Box::pin(async move {
            if key.is_empty() || key.len() > MAX_NAME || key.contains('\0') {
                return Ok(None);
            }
            if OF_SERVER.contains(&key) {
                let text = format!("The secret {key} belongs to the server; nodes do not get it");
                return Err(NodeError::new(text));
            }
            match self.service.get_for_nodes(&self.user_id, key).await {
                Ok(Some(value)) => {
                    self.seen.add(value.expose());
                    Ok(Some(value.expose().to_owned()))
                }
                Ok(None) => Ok(None),
                Err(SecretsError::Undecryptable) => Err(NodeError::new(format!(
                    "Failed to decrypt secret {key}: it was encrypted with another master key"
                ))),
                Err(e) => {
                    tracing::error!(secret.key = %key, error = %e, "a secret cannot be read for a node");
                    let text =
                        format!("The secret {key} cannot be read; the server's log says why");
                    Err(NodeError::new(text))
                }
            }
        })
    }

    fn accounts<'a>(
        &'a self,
        site: &'a str,
    ) -> BoxFuture<'a, Result<Vec<ConnectedAccount>, NodeError>> {
        Box::pin(async move {
            match self.service.google().filter(|_| site == GOOGLE) {
                Some(google) => google.offered(&self.user_id).await.map_err(told),
                None => Ok(Vec::new()),
            }
        })
    }

    fn account_token<'a>(
        &'a self,
        site: &'a str,
        id: &'a str,
        refused: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<AccountToken>, NodeError>> {
        Box::pin(async move {
            let Some(google) = self.service.google().filter(|_| site == GOOGLE) else {
                return Ok(None);
            };
            match google.token(&self.user_id, id, refused).await {
                Ok(token) => {
                    self.seen.add(&token.text);
                    Ok(Some(token))
                }
                Err(GoogleError::NotFound) => Ok(None),
                Err(e) => Err(told(e)),
            }
        })
    }
}

/// Why an account gives nothing, as nodes may tell it.
fn told(e: GoogleError) -> NodeError {
    match e {
        GoogleError::Sealed(SecretsError::Undecryptable) => NodeError::new(
            "The tokens of the Google account were encrypted with another master key; connect the account again",
        ),
        GoogleError::Sealed(_) | GoogleError::Store(_) | GoogleError::NoRandomness => {
            tracing::error!(error = %e, "a Google account cannot be used by a node");
            NodeError::new("The Google account cannot be read; the server's log says why")
        }
        e => NodeError::new(e.to_string()),
    }
}

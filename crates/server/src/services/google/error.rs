//! Why a Google account cannot be connected or used. No text here holds a token or a client's secret.

use nodetool_store::StoreError;

use crate::services::SecretsError;
use crate::services::oauth::{OAuthError, SiteError, TooManyPending};

/// Why a request about Google accounts cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GoogleError {
    #[error(
        "Google sign-in is not set up: {0} is missing; store GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET among your \
         secrets, or set both in the server's environment"
    )]
    NotConfigured(&'static str),
    #[error("GOOGLE_API_BASE_URL: {0}")]
    Address(String),
    #[error("{0}: {1}")]
    Field(&'static str, String),
    #[error("Too many sign-ins are under way; try again in a few minutes")]
    TooManyPending,
    #[error("Google account not found")]
    NotFound,
    #[error(
        "Google gives no access to the account `{email}` any more: {why}. Connect the account again."
    )]
    Refused { email: String, why: String },
    #[error("{0}")]
    Unreachable(String),
    #[error("The system gives no random numbers")]
    NoRandomness,
    #[error(transparent)]
    Sealed(#[from] SecretsError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<TooManyPending> for GoogleError {
    fn from(TooManyPending: TooManyPending) -> Self {
        GoogleError::TooManyPending
    }
}

impl From<OAuthError> for GoogleError {
    fn from(_: OAuthError) -> Self {
        // Of what both share, only this can go wrong.
        GoogleError::NoRandomness
    }
}

impl From<SiteError> for GoogleError {
    fn from(e: SiteError) -> Self {
        GoogleError::Unreachable(e.to_string())
    }
}

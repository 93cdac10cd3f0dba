//! Why an account at another site cannot be connected or used. No text here holds a token.

use nodetool_store::StoreError;

use super::OAuthProvider;
use super::site::SiteError;
use crate::services::SecretsError;

/// Why a request about accounts cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OAuthError {
    #[error("{} sign-in is not set up on this server: set {variable}", .provider.title())]
    NotConfigured {
        provider: OAuthProvider,
        variable: &'static str,
    },
    #[error("Too many sign-ins are under way; try again in a few minutes")]
    TooManyPending,
    #[error("No such account is connected")]
    NoCredential,
    #[error("This account came without a refresh token; connect it again")]
    NoRefreshToken,
    #[error("{0}")]
    RefreshFailed(String),
    #[error("{0}")]
    Network(String),
    #[error("{0}")]
    Unauthorized(String),
    #[error("{text}")]
    Api { status: u16, text: String },
    #[error("The system gives no random numbers")]
    NoRandomness,
    #[error(transparent)]
    Sealed(#[from] SecretsError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OAuthError {
    pub(super) fn of_refresh(e: SiteError) -> Self {
        match e {
            SiteError::Unreachable(text) => OAuthError::Network(text),
            SiteError::NoSecret => OAuthError::RefreshFailed(e.to_string()),
            SiteError::Refused { text, .. } => OAuthError::RefreshFailed(text),
        }
    }

    pub(super) fn of_profile(e: SiteError) -> Self {
        match e {
            SiteError::Unreachable(text) => OAuthError::Network(text),
            SiteError::Refused { status: 401, text } => OAuthError::Unauthorized(text),
            SiteError::Refused { status, text } => OAuthError::Api { status, text },
            SiteError::NoSecret => OAuthError::Network(e.to_string()),
        }
    }
}

/// Why a sign-in that came back is no success.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignInError {
    #[error("{}", .description.as_deref().unwrap_or("The site gave no reason."))]
    Refused {
        error: String,
        description: Option<String>,
    },
    #[error("The sign-in came back without a code or without its state.")]
    InvalidRequest,
    #[error(
        "This sign-in was not begun here, took too long, or was finished before. Begin it again."
    )]
    InvalidState,
    #[error("This sign-in was begun by somebody else. Begin your own.")]
    ForeignState,
    #[error("{0} accounts are connected, and no more can be. Delete one first.")]
    TooManyAccounts(usize),
    #[error("{0}")]
    TokenExchange(String),
    #[error("{0}")]
    Network(String),
    #[error("{0}")]
    Configuration(String),
    #[error("the sign-in could not be stored: {0}")]
    Internal(String),
}

impl SignInError {
    /// The short name clients know it by; a site's own is as the site gave it.
    pub(crate) fn kind(&self) -> &str {
        match self {
            SignInError::Refused { error, .. } => error,
            SignInError::InvalidRequest => "invalid_request",
            SignInError::InvalidState => "invalid_state",
            SignInError::ForeignState => "foreign_state",
            SignInError::TooManyAccounts(_) => "too_many_accounts",
            SignInError::TokenExchange(_) => "token_exchange_failed",
            SignInError::Network(_) => "network_error",
            SignInError::Configuration(_) => "configuration_error",
            SignInError::Internal(_) => "internal_error",
        }
    }

    pub(in crate::services) fn of_seal(e: SecretsError) -> Self {
        match e {
            SecretsError::Key(_) => SignInError::Configuration(e.to_string()),
            e => SignInError::Internal(e.to_string()),
        }
    }
}

impl From<SiteError> for SignInError {
    fn from(e: SiteError) -> Self {
        match e {
            SiteError::Unreachable(text) => SignInError::Network(text),
            SiteError::NoSecret => SignInError::Configuration(e.to_string()),
            SiteError::Refused { text, .. } => SignInError::TokenExchange(text),
        }
    }
}

//! Why a call of a model failed.

use std::time::Duration;

use crate::NodeError;

/// What kind of failure it is; decides what clients are told and whether another try makes sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelErrorKind {
    /// No model was named and there is no default.
    NoModel,
    /// No such provider.
    UnknownProvider,
    /// The provider has no such model.
    UnknownModel,
    /// The key of the provider is not set.
    MissingKey {
        /// Name of the secret.
        key: String,
    },
    /// The provider does not accept the key.
    Unauthorized,
    /// The account may not do that, or has no money left.
    Forbidden,
    /// Too many requests; another try later makes sense.
    RateLimited {
        /// When, where the provider says so.
        retry_after: Option<Duration>,
    },
    /// The conversation does not fit the model.
    ContextTooLong,
    /// The provider does not take the request.
    BadRequest,
    /// The provider or the model cannot do what was asked for; the message names it.
    Unsupported,
    /// The provider withheld the answer.
    Refused,
    /// No connection, or one that broke off.
    Connection,
    /// Nothing came for too long.
    TimedOut,
    /// The provider has a problem of its own.
    Server,
    /// What came is not what the provider's protocol says.
    Protocol,
    /// The caller's own budget is used up.
    Budget,
    /// A fault of ours.
    Internal,
}

/// A failed call. Its text is for people and never holds a key.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ModelError {
    /// What kind of failure.
    pub kind: ModelErrorKind,
    /// Id of the provider; empty when there is none.
    pub provider: String,
    /// What happened, with the provider's own words where it has any.
    pub message: String,
    /// Status of the provider's answer.
    pub status: Option<u16>,
    /// The provider's own word for it, such as `model_not_found`.
    pub code: Option<String>,
    /// The field it is about, such as `tools[0].function.name`.
    pub param: Option<String>,
}

impl ModelError {
    /// A failure of some kind.
    pub fn new(
        kind: ModelErrorKind,
        provider: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        ModelError {
            kind,
            provider: provider.into(),
            message: message.into(),
            status: None,
            code: None,
            param: None,
        }
    }

    /// What a provider or model cannot do.
    pub fn unsupported(provider: &str, what: impl std::fmt::Display) -> Self {
        let message = format!("the provider `{provider}` does not do {what}");
        Self::new(ModelErrorKind::Unsupported, provider, message)
    }

    /// Whether another try of the same may succeed. Only before the first event of an answer.
    pub fn is_passing(&self) -> bool {
        match self.kind {
            ModelErrorKind::RateLimited { .. }
            | ModelErrorKind::Connection
            | ModelErrorKind::TimedOut => true,
            ModelErrorKind::Server => self.status != Some(501),
            _ => false,
        }
    }
}

impl From<ModelError> for NodeError {
    fn from(e: ModelError) -> Self {
        NodeError::Failed(e.message)
    }
}

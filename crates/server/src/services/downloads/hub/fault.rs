//! Why the hub does not give what it is asked for, and whether asking again may help.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::{Asked, text};

/// Longest time a server may ask to be left alone.
const LEFT_ALONE: Duration = Duration::from_secs(120);

/// Why the hub did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HubError {
    /// There is no such repository or file.
    #[error("the hub has no {0}")]
    NotFound(String),
    /// It is not for everybody.
    #[error("{repo} is gated or private: {}", if *.token_given {
        "the token in HF_TOKEN may not read it; accept the conditions on its page, or use another token"
    } else {
        "set HF_TOKEN to a token that may read it, after accepting the conditions on its page"
    })]
    NeedsToken {
        /// What was asked for.
        repo: String,
        /// Whether a token was sent.
        token_given: bool,
    },
    /// Too many requests.
    #[error("the hub asks to be left alone for a while")]
    Busy(Option<Duration>),
    /// It failed.
    #[error("the hub answered {0}")]
    Failed(StatusCode),
    /// Nothing came, or not all of it.
    #[error("the connection to the hub broke: {0}")]
    Broken(String),
    /// It refuses the request.
    #[error("the hub refused the request: {0}")]
    Refused(String),
    /// It said something that cannot be.
    #[error("the hub's answer makes no sense: {0}")]
    Nonsense(String),
}

impl HubError {
    /// Whether asking again may help.
    pub(in super::super) fn is_passing(&self) -> bool {
        match self {
            HubError::Busy(_) | HubError::Failed(_) | HubError::Broken(_) => true,
            HubError::NotFound(_)
            | HubError::NeedsToken { .. }
            | HubError::Refused(_)
            | HubError::Nonsense(_) => false,
        }
    }

    /// How long it asks to be left alone.
    pub(in super::super) fn pause(&self) -> Option<Duration> {
        match self {
            HubError::Busy(pause) => pause.map(|p| p.min(LEFT_ALONE)),
            _ => None,
        }
    }
}

/// The fault an answer tells of, if any.
pub(super) fn check(
    status: StatusCode,
    first: &HeaderMap,
    last: &HeaderMap,
    asked: Asked<'_>,
) -> Result<(), HubError> {
    match status {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(HubError::NeedsToken {
            repo: asked.what.to_owned(),
            token_given: asked.token.is_some(),
        }),
        StatusCode::NOT_FOUND => Err(HubError::NotFound(asked.what.to_owned())),
        StatusCode::TOO_MANY_REQUESTS => {
            let pause = text(last, RETRY_AFTER).and_then(|t| t.trim().parse().ok());
            Err(HubError::Busy(pause.map(Duration::from_secs)))
        }
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            Err(HubError::Failed(status))
        }
        status => {
            let said = text(first, "x-error-message").unwrap_or_default();
            let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
            Err(HubError::Refused(format!("{status} {said}").trim().into()))
        }
    }
}

/// The innermost reason: the outer ones repeat the URL, which may be signed.
pub(in super::super) fn broken(e: &reqwest::Error) -> HubError {
    let mut inner: &dyn std::error::Error = e;
    while let Some(source) = inner.source() {
        inner = source;
    }
    HubError::Broken(if e.is_timeout() {
        "it was silent for too long".into()
    } else {
        inner.to_string()
    })
}

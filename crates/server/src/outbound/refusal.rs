//! Why a request did not happen. Texts name the host and the reason, and nothing else of the URL.

use std::error::Error;

/// The error of the guarded client.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum OutboundError {
    /// The allow list holds something unreadable.
    #[error(
        "Allow-list entry `{0}` is not a host name, an address or a network such as `10.0.0.0/8`"
    )]
    AllowEntry(String),
    /// The client could not be built.
    #[error("The HTTP client could not be set up: {0}")]
    Setup(String),
    /// The URL cannot be read.
    #[error("The URL cannot be used: {0}; expected one such as `https://example.com/page`")]
    Url(String),
    /// Another scheme than HTTP.
    #[error("URLs of the scheme `{0}` are not reachable; expected `http` or `https`")]
    Scheme(String),
    /// The address is not for nodes.
    #[error("Requests to `{host}` are refused: {why}; the server's allow list can permit it")]
    Refused {
        /// The host as the URL has it.
        host: String,
        /// What is wrong with its address.
        why: String,
    },
    /// The name has no address.
    #[error("The name `{host}` could not be resolved: {why}")]
    Unresolved {
        /// The name.
        host: String,
        /// What the resolver said.
        why: String,
    },
    /// The exchange broke.
    #[error("The request to `{host}` failed: {why}")]
    Failed {
        /// The host.
        host: String,
        /// What broke.
        why: String,
    },
    /// The exchange took too long.
    #[error("The request to `{host}` took longer than {seconds} s")]
    TimedOut {
        /// The host.
        host: String,
        /// The limit.
        seconds: f64,
    },
    /// The body is too large.
    #[error("The answer of `{host}` is larger than {max} bytes")]
    TooLarge {
        /// The host.
        host: String,
        /// The limit.
        max: usize,
    },
    /// Redirects without end.
    #[error("`{host}` redirected more than {max} times")]
    Redirects {
        /// The host asked first.
        host: String,
        /// The limit.
        max: usize,
    },
    /// The method cannot be sent.
    #[error("The HTTP method `{0}` cannot be used; expected one such as GET or POST")]
    Method(String),
    /// A header cannot be sent. Its value is not repeated: it may be a secret.
    #[error("The header `{name}` cannot be sent: {why}")]
    Header {
        /// The header's name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The time limit makes no sense.
    #[error("A time limit of {seconds} s cannot be used; expected more than 0 and at most {max}")]
    Timeout {
        /// What was asked for.
        seconds: f64,
        /// The longest limit.
        max: u64,
    },
}

impl OutboundError {
    /// A stable word for what kind of failure it is, as clients of workflows see it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            OutboundError::TimedOut { .. } => "TimeoutError",
            OutboundError::Refused { .. } => "RefusedError",
            OutboundError::Unresolved { .. } | OutboundError::Failed { .. } => "ConnectionError",
            OutboundError::TooLarge { .. } => "TooLargeError",
            OutboundError::Redirects { .. } => "RedirectError",
            OutboundError::Url(_) | OutboundError::Scheme(_) => "InvalidURL",
            OutboundError::Method(_)
            | OutboundError::Header { .. }
            | OutboundError::Timeout { .. } => "InvalidRequest",
            OutboundError::AllowEntry(_) | OutboundError::Setup(_) => "ServerError",
        }
    }

    /// The failure of an exchange with a host. The innermost cause is told: the outer ones repeat the URL.
    pub(super) fn of(host: &str, error: &reqwest::Error) -> Self {
        let mut inner: &(dyn Error + 'static) = error;
        loop {
            if let Some(ours) = inner.downcast_ref::<OutboundError>() {
                return ours.clone();
            }
            match inner.source() {
                Some(next) => inner = next,
                None => break,
            }
        }
        let why = if inner.is::<reqwest::Error>() {
            "the exchange broke off".to_owned()
        } else {
            inner.to_string()
        };
        OutboundError::Failed {
            host: host.to_owned(),
            why,
        }
    }
}

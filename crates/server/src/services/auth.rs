//! Who a token speaks for.

use crate::config::AuthProvider;
use crate::sensitive::Sensitive;
use crate::services::Caller;

/// Why a token does not count.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    /// What the client is told.
    pub(crate) detail: String,
    /// Whether it cannot be found out now, rather than being wrong.
    pub(crate) unavailable: bool,
}

/// Judges tokens.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    provider: AuthProvider,
    server_token: Option<Sensitive>,
}

impl Accounts {
    pub(crate) fn new(provider: AuthProvider, server_token: Option<Sensitive>) -> Self {
        Accounts {
            provider,
            server_token,
        }
    }

    /// Whether callers have to show a token.
    pub(crate) fn enforced(&self) -> bool {
        self.provider.enforced()
    }

    /// Whether the provider knows administrators from others.
    pub(crate) fn has_roles(&self) -> bool {
        matches!(
            self.provider,
            AuthProvider::MultiUser | AuthProvider::Supabase
        )
    }

    /// The caller a token belongs to.
    pub(crate) async fn verify(&self, token: &str) -> Result<Caller, Refused> {
        if self.server_token.as_ref().is_some_and(|own| own.is(token)) {
            return Ok(Caller::local());
        }
        Err(Refused {
            detail: "Invalid static token".into(),
            unavailable: false,
        })
    }

    /// The caller a one-time ticket was given to.
    pub(crate) fn redeem(&self, _ticket: &str) -> Option<Caller> {
        None
    }
}

//! Accounts at other sites that a user has connected, and the tokens they give.
//!
//! It must not know any site.

/// An account of a user at another site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectedAccount {
    /// What it is chosen by.
    pub id: String,
    /// What people read.
    pub label: String,
}

/// A token for requests to a site. No `Debug`: it is secret.
#[derive(Clone)]
pub struct AccountToken {
    /// The token.
    pub text: String,
    /// When it ends, in seconds of the epoch; `None` when nobody knows.
    pub until: Option<i64>,
}

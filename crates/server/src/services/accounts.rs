//! Who is calling.

/// The one user of a server without accounts, and whoever holds the server's own token.
pub(crate) const OWNER: &str = "1";

/// The user a request speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The user's id.
    pub(crate) user_id: String,
    /// Whether the user may touch what belongs to nobody in particular, and use the routes under `/admin`.
    pub(crate) admin: bool,
    /// Whether an API key was shown instead of the user's own token.
    pub(crate) by_key: bool,
}

impl Caller {
    /// The owner of the server, with every right.
    pub(crate) fn local() -> Self {
        Caller {
            user_id: OWNER.into(),
            admin: true,
            by_key: false,
        }
    }

    /// An ordinary user.
    pub(crate) fn user(user_id: impl Into<String>) -> Self {
        Caller {
            user_id: user_id.into(),
            admin: false,
            by_key: false,
        }
    }

    /// A user on whose behalf the server itself goes on: with a job, or a trigger.
    pub(crate) fn on_behalf_of(user_id: impl Into<String>) -> Self {
        let user_id = user_id.into();
        Caller {
            admin: user_id == OWNER,
            by_key: false,
            user_id,
        }
    }
}

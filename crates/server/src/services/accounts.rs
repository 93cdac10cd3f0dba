//! Who is calling.

/// The user a request speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The user's id.
    pub(crate) user_id: String,
}

impl Caller {
    /// The one user of a server without accounts.
    pub(crate) fn local() -> Self {
        Caller {
            user_id: "1".into(),
        }
    }

    /// Whether the user may touch what belongs to nobody in particular.
    pub(crate) fn is_admin(&self) -> bool {
        *self == Caller::local()
    }
}

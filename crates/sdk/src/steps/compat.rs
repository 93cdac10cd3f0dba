//! Which clients are served where the words of the API and what servers of it were seen to do cannot both hold.

use serde::Deserialize;

/// A profile of the Orchestrator API; it decides a few rows only. Source: orchestrator spec 0.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compat {
    /// As it is documented.
    #[default]
    Doc,
    /// As its reference server was observed.
    Reference,
}

impl Compat {
    /// The words that settings name the profiles by.
    pub const WORDS: [&str; 2] = ["doc", "reference"];
}

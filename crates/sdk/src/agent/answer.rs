//! How a run of an agent ends.

use super::BudgetStop;
use crate::models::{ChatMessage, FinishReason, Media, ModelError, Usage};

/// A run that came to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentOutcome {
    /// What was said: the model's messages and those of tools, oldest first, without what was given.
    pub messages: Vec<ChatMessage>,
    /// The text of the last message; starts with `Stopped:` when a budget ended the run.
    pub text: String,
    /// Files the model made.
    pub files: Vec<Media>,
    /// Why the model stopped the last time.
    pub finish: Option<FinishReason>,
    /// What all turns took.
    pub usage: Usage,
    /// Requests to the model.
    pub turns: u32,
    /// Tools called.
    pub tool_calls: u32,
    /// The budget that ended it, if one did.
    pub stopped: Option<BudgetStop>,
}

/// A run that a model did not answer in.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct AgentFailure {
    /// Why.
    #[source]
    pub error: ModelError,
    /// What had been said until then, whole messages only.
    pub messages: Vec<ChatMessage>,
    /// The text of the turn that broke off.
    pub partial: String,
    /// What the turns took.
    pub usage: Usage,
}

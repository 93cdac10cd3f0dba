//! What the nodes that use models share: reading selectors and media, asking, and pieces of answers.
//!
//! It must not know any provider, nor what a node makes of an answer.

use std::sync::Arc;

use nodetool_sdk::{NodeCx, NodeError};

pub(crate) mod fields;
pub(crate) mod media;
mod piece;
mod question;
mod selector;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use piece::Piece;
pub(crate) use question::{Ear, Question, Silent, Unanswered, ask, converse, fill, try_ask};
pub(crate) use selector::{chosen, selector};

/// The stored workflow a node runs in, for the cost table.
pub(crate) fn workflow(cx: &NodeCx) -> Option<Arc<str>> {
    Some(cx.run.workflow_id.clone()).filter(|id| !id.is_empty())
}

/// A number of a property where a model wants one without a sign.
pub(crate) fn whole(property: &str, number: i64) -> Result<u32, NodeError> {
    u32::try_from(number)
        .map_err(|_| NodeError::bad(property, format!("{number} (expected 0 or more)")))
}

/// Nothing for a text that says nothing.
pub(crate) fn said(text: &str) -> Option<String> {
    Some(text.trim())
        .filter(|t| !t.is_empty())
        .map(str::to_owned)
}

/// Nothing for the seed that stands for any.
pub(crate) fn seed(seed: i64) -> Option<i64> {
    Some(seed).filter(|s| *s >= 0)
}

/// Nothing for the time that stands for the provider's own.
pub(crate) fn timeout(seconds: i64) -> Option<f64> {
    (seconds > 0).then_some(seconds as f64)
}

//! `search.google_extra.GoogleAutocomplete`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::super::found::{Found, Pick, list};
use super::super::serp_api::{Question, bounded, required};

const FIELDS: &[Pick] = &[
    ("value", "value"),
    ("type", "type"),
    ("relevance", "relevance"),
];
/// More than Google ever suggests.
const MOST: usize = 100;

/// Tells how Google would complete what somebody begins to type.
/// google, autocomplete, suggestions, complete, typing, keywords
#[derive(Node)]
#[node(
    namespace = "search.google_extra",
    tool,
    uncached,
    basic("query", "language", "country")
)]
pub(super) struct GoogleAutocomplete {
    /// The beginning.
    query: String,
    /// Two letters of the language, such as en.
    language: String,
    /// Two letters of the country, such as us.
    country: String,
}

impl Process for GoogleAutocomplete {
    type Output = Found;

    async fn process(self, cx: &NodeCx) -> Result<Found, NodeError> {
        let query = required("query", &self.query, "the beginning of a search")?;
        let question = Question::to("google_autocomplete").with("q", query);
        let question = question
            .with("hl", bounded("language", &self.language)?)
            .with("gl", bounded("country", &self.country)?);
        let answer = question.ask(cx).await?;
        Ok(Found::of(list(&answer, "suggestions"), FIELDS, MOST))
    }
}

//! `search.google_extra.GooglePatents`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::super::found::{Found, Pick, list};
use super::super::serp_api::{Question, bounded, count, required};

const FIELDS: &[Pick] = &[
    ("position", "position"),
    ("title", "title"),
    ("publication_number", "publication_number"),
    ("inventor", "inventor"),
    ("assignee", "assignee"),
    ("priority_date", "priority_date"),
    ("filing_date", "filing_date"),
    ("grant_date", "grant_date"),
    ("publication_date", "publication_date"),
    ("language", "language"),
    ("snippet", "snippet"),
    ("link", "patent_link"),
    ("pdf", "pdf"),
];
/// Fewest results the engine gives.
const LEAST: usize = 10;

/// Finds patents and applications with Google.
/// google, patents, inventions, prior art, filings, property
#[derive(Node)]
#[node(
    namespace = "search.google_extra",
    tool,
    uncached,
    basic(
        "query",
        "num_results",
        "sort",
        "inventor",
        "assignee",
        "country",
        "status",
        "language",
        "before_date",
        "after_date"
    )
)]
pub(super) struct GooglePatents {
    /// Words, or the number of a patent.
    query: String,
    /// Most results.
    #[prop(default = 10)]
    num_results: i64,
    /// new or old for those first; empty for what fits best.
    sort: String,
    /// Inventors, separated by commas.
    inventor: String,
    /// Owners, separated by commas.
    assignee: String,
    /// Codes of countries, such as US,EP,WO.
    country: String,
    /// GRANT or APPLICATION; empty for both.
    status: String,
    /// Languages, such as ENGLISH,GERMAN.
    language: String,
    /// Latest day, such as publication:20230101.
    before_date: String,
    /// Earliest day, such as filing:20200101.
    after_date: String,
}

impl Process for GooglePatents {
    type Output = Found;

    async fn process(self, cx: &NodeCx) -> Result<Found, NodeError> {
        let query = required("query", &self.query, "words or a patent's number")?;
        let most = count(self.num_results)?;
        let mut question = Question::to("google_patents").with("q", query);
        question = question.number("num", most.max(LEAST) as i64);
        for (property, name, value) in [
            ("sort", "sort", &self.sort),
            ("inventor", "inventor", &self.inventor),
            ("assignee", "assignee", &self.assignee),
            ("country", "country", &self.country),
            ("status", "status", &self.status),
            ("language", "language", &self.language),
            ("before_date", "before", &self.before_date),
            ("after_date", "after", &self.after_date),
        ] {
            question = question.with(name, bounded(property, value)?);
        }
        let answer = question.ask(cx).await?;
        Ok(Found::of(list(&answer, "organic_results"), FIELDS, most))
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::super::super::testing::Engine;
    use super::*;

    #[tokio::test]
    async fn filters_go_along_by_the_names_of_the_engine() {
        let body = r#"{"organic_results":[{"title":"Lamp","inventor":"Ada"},{"title":"B"}]}"#;
        let engine = Engine::saying(200, body);
        let run = case::<GooglePatents>()
            .set("query", "lamp")
            .set("num_results", 1i64)
            .set("before_date", "filing:20200101");
        let given = run.within(engine.cx()).run().await.unwrap();
        assert_eq!(given[0]["text"], "1. Lamp\n   inventor: Ada".into());
        assert_eq!(engine.field("before").as_deref(), Some("filing:20200101"));
        assert_eq!(engine.field("num").as_deref(), Some("10"));
    }
}

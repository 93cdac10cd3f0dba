//! `search.duckduckgo.DuckDuckGoSearch`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::found::{Found, Pick, list};
use super::serp_api::{Question, count, required};

const FIELDS: &[Pick] = &[
    ("position", "position"),
    ("title", "title"),
    ("link", "link"),
    ("snippet", "snippet"),
    ("date", "date"),
];

/// Finds web pages with DuckDuckGo.
/// duckduckgo, search, web, pages, privacy
#[derive(Node)]
#[node(
    namespace = "search.duckduckgo",
    tool,
    uncached,
    basic("query", "num_results")
)]
pub(super) struct DuckDuckGoSearch {
    /// What to look for.
    query: String,
    /// Most results.
    #[prop(default = 10)]
    num_results: i64,
}

impl Process for DuckDuckGoSearch {
    type Output = Found;

    async fn process(self, cx: &NodeCx) -> Result<Found, NodeError> {
        let query = required("query", &self.query, "what to look for")?;
        let most = count(self.num_results)?;
        let answer = Question::to("duckduckgo").with("q", query).ask(cx).await?;
        Ok(Found::of(list(&answer, "organic_results"), FIELDS, most))
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::super::testing::Engine;
    use super::*;

    #[tokio::test]
    async fn pages_are_found() {
        let engine = Engine::saying(
            200,
            r#"{"organic_results":[{"position":1,"title":"T","link":"https://e.org","snippet":"S","favicon":"f"},{"title":"U"}]}"#,
        );
        let run = case::<DuckDuckGoSearch>()
            .set("query", "tools")
            .set("num_results", 1i64);
        let given = run.within(engine.cx()).run().await.unwrap();
        assert_eq!(
            given[0]["text"].as_str().unwrap(),
            "1. T\n   link: https://e.org\n   snippet: S"
        );
        assert_eq!(given[0]["results"].as_list().unwrap().len(), 1);
        assert_eq!(engine.field("engine").as_deref(), Some("duckduckgo"));
    }
}

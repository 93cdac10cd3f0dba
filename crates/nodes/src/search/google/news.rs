//! `search.google.GoogleNews`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::super::found::{Found, Pick, list};
use super::super::serp_api::{Question, count, required};

const FIELDS: &[Pick] = &[
    ("position", "position"),
    ("title", "title"),
    ("link", "link"),
    ("source", "source.name"),
    ("date", "date"),
    ("snippet", "snippet"),
    ("thumbnail", "thumbnail"),
];

/// Finds news with Google.
/// google, news, articles, headlines, press
#[derive(Node)]
#[node(
    namespace = "search.google",
    tool,
    uncached,
    basic("keyword", "num_results")
)]
pub(super) struct GoogleNews {
    /// What to look for.
    keyword: String,
    /// Most results.
    #[prop(default = 10)]
    num_results: i64,
}

impl Process for GoogleNews {
    type Output = Found;

    async fn process(self, cx: &NodeCx) -> Result<Found, NodeError> {
        let keyword = required("keyword", &self.keyword, "what to look for")?;
        let most = count(self.num_results)?;
        let question = Question::to("google_news").with("q", keyword);
        let answer = question.ask(cx).await?;
        // Several articles on one event come as one item; the first of them stands for it.
        let items = list(&answer, "news_results").iter();
        let items = items.map(|item| item.get("highlight").unwrap_or(item));
        Ok(Found::of(items, FIELDS, most))
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::super::super::testing::Engine;
    use super::*;

    #[tokio::test]
    async fn an_event_is_told_by_its_first_article() {
        let body = r#"{"news_results":[{"title":"Event","highlight":{"title":"A","source":{"name":"P"}}},{"title":"B","date":"now"}]}"#;
        let run = case::<GoogleNews>().set("keyword", "x");
        let given = run
            .within(Engine::saying(200, body).cx())
            .run()
            .await
            .unwrap();
        assert_eq!(
            given[0]["text"],
            "1. A\n   source: P\n\n2. B\n   date: now".into()
        );
    }
}

//! `search.google.GoogleSearch`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process, Value};

use super::super::found::{Found, Pick, list};
use super::super::serp_api::{Question, count, key, required};

const FIELDS: &[Pick] = &[
    ("position", "position"),
    ("title", "title"),
    ("link", "link"),
    ("displayed_link", "displayed_link"),
    ("snippet", "snippet"),
    ("date", "date"),
    ("source", "source"),
];

/// The server's own search, which knows accounts with other providers, too.
const TOOL: &str = "google_search";
/// Its fields.
const TOOL_FIELDS: &[Pick] = &[("title", "title"), ("link", "url"), ("snippet", "snippet")];

/// Finds web pages with Google.
/// google, search, web, pages, internet
#[derive(Node)]
#[node(
    namespace = "search.google",
    tool,
    uncached,
    basic("keyword", "num_results")
)]
pub(super) struct GoogleSearch {
    /// What to look for.
    keyword: String,
    /// Most results.
    #[prop(default = 10)]
    num_results: i64,
}

impl Process for GoogleSearch {
    type Output = Found;

    async fn process(self, cx: &NodeCx) -> Result<Found, NodeError> {
        let keyword = required("keyword", &self.keyword, "what to look for")?;
        let most = count(self.num_results)?;
        if key(cx).await?.is_none() {
            return elsewhere(cx, keyword, most).await;
        }
        let question = Question::to("google").with("q", keyword);
        let answer = question.number("num", most as i64).ask(cx).await?;
        Ok(Found::of(list(&answer, "organic_results"), FIELDS, most))
    }
}

/// Searches through whatever provider the user has an account with.
async fn elsewhere(cx: &NodeCx, keyword: &str, most: usize) -> Result<Found, NodeError> {
    let arguments = Map::from_iter([
        ("query".into(), keyword.into()),
        ("num_results".into(), (most as i64).into()),
    ]);
    let answer = cx.services().tools.call(TOOL, arguments).await;
    let answer: Value = answer.map_err(NodeError::new)?;
    Ok(Found::of(list(&answer, "results"), TOOL_FIELDS, most))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{ScriptedTools, case, context_with};

    use super::super::super::testing::Engine;
    use super::*;

    #[tokio::test]
    async fn pages_are_found_with_the_key_of_the_user() {
        let body = r#"{"organic_results":[{"position":1,"title":"T","link":"https://e.org","displayed_link":"e.org","snippet":"S"}]}"#;
        let engine = Engine::saying(200, body);
        let run = case::<GoogleSearch>().set("keyword", "rust");
        let given = run.within(engine.cx()).run().await.unwrap();
        assert_eq!(engine.field("num").as_deref(), Some("10"));
        let first = &given[0]["results"].as_list().unwrap()[0];
        assert_eq!(first.get("displayed_link"), Some(&"e.org".into()));
    }

    #[tokio::test]
    async fn without_a_key_the_search_of_the_server_is_asked() {
        let page = Value::map([("title", Value::from("T")), ("url", "https://e.org".into())]);
        let answer = Value::map([("results", Value::list([page]))]);
        let tools = ScriptedTools::new().with("google_search", move |_| Ok(answer.clone()));
        let tools = Arc::new(tools);
        let services = Services {
            tools: tools.clone(),
            ..Services::none()
        };
        let run = case::<GoogleSearch>().set("keyword", "rust");
        let given = run
            .within(context_with(services, None))
            .run()
            .await
            .unwrap();
        assert_eq!(given[0]["text"], "1. T\n   link: https://e.org".into());
        assert_eq!(tools.calls()[0].1["query"], "rust".into());
    }
}

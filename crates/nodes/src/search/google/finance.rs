//! `search.google.GoogleFinance`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process};

use super::super::serp_api::{Question, bounded, required};

/// What SerpAPI tells of itself.
const NOT_OF_THE_MARKET: &[&str] = &["search_metadata", "search_parameters", "pagination"];

/// Looks up a share, a fund, a currency or an index with Google Finance.
/// google, finance, stocks, shares, market, price
#[derive(Node)]
#[node(namespace = "search.google", tool, uncached, basic("query", "window"))]
pub(super) struct GoogleFinance {
    /// What to look up, such as GOOGL:NASDAQ.
    query: String,
    /// How far back prices go, such as 1D, 5D, 1M, 6M, YTD, 1Y, 5Y or MAX.
    window: String,
}

impl Process for GoogleFinance {
    type Output = Map;

    async fn process(self, cx: &NodeCx) -> Result<Map, NodeError> {
        let query = required("query", &self.query, "what to look up")?;
        let window = bounded("window", &self.window)?.to_ascii_uppercase();
        let question = Question::to("google_finance").with("q", query);
        let answer = question.with("window", &window).ask(cx).await?;
        let mut market = answer.as_map().cloned().unwrap_or_default();
        market.retain(|key, _| !NOT_OF_THE_MARKET.contains(&&**key));
        Ok(market)
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::super::super::testing::Engine;
    use super::*;

    #[tokio::test]
    async fn the_market_is_given_without_what_the_service_tells_of_itself() {
        let body = r#"{"search_metadata":{"id":"1"},"summary":{"price":"$1"}}"#;
        let engine = Engine::saying(200, body);
        let run = case::<GoogleFinance>()
            .set("query", "GOOGL:NASDAQ")
            .set("window", "5d");
        let given = run.within(engine.cx()).value().await.unwrap();
        assert_eq!(
            serde_json::to_string(&given).unwrap(),
            r#"{"summary":{"price":"$1"}}"#
        );
        assert_eq!(engine.field("window").as_deref(), Some("5D"));
    }
}

//! `search.google.GoogleShopping`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::super::found::{Found, Pick, list};
use super::super::serp_api::{Question, bounded, count, required};

const FIELDS: &[Pick] = &[
    ("position", "position"),
    ("title", "title"),
    ("price", "price"),
    ("extracted_price", "extracted_price"),
    ("old_price", "old_price"),
    ("source", "source"),
    ("product_link", "product_link"),
    ("product_id", "product_id"),
    ("rating", "rating"),
    ("reviews", "reviews"),
    ("delivery", "delivery"),
    ("condition", "second_hand_condition"),
    ("thumbnail", "thumbnail"),
];

/// Finds goods and their prices with Google Shopping.
/// google, shopping, products, prices, shops, buy
#[derive(Node)]
#[node(
    namespace = "search.google",
    tool,
    uncached,
    basic(
        "query",
        "country",
        "min_price",
        "max_price",
        "condition",
        "sort_by",
        "num_results"
    )
)]
pub(super) struct GoogleShopping {
    /// What to look for.
    query: String,
    /// Two letters of the country to buy in.
    #[prop(default = "us")]
    country: String,
    /// Lowest price; 0 for any.
    min_price: i64,
    /// Highest price; 0 for any.
    max_price: i64,
    /// new, used or refurbished; empty for any.
    condition: String,
    /// price_low_to_high, price_high_to_low or review_score; empty for what fits best.
    sort_by: String,
    /// Most results.
    #[prop(default = 10)]
    num_results: i64,
}

impl Process for GoogleShopping {
    type Output = Found;

    async fn process(self, cx: &NodeCx) -> Result<Found, NodeError> {
        let query = required("query", &self.query, "what to look for")?;
        let country = bounded("country", &self.country)?
            .trim()
            .to_ascii_lowercase();
        // Google calls the United Kingdom by another code than people do.
        let country = match country.as_str() {
            "uk" => "gb",
            country => country,
        };
        let most = count(self.num_results)?;
        let question = Question::to("google_shopping").with("q", query);
        let question = question.with("gl", country).with("tbs", &self.filters()?);
        let answer = question.ask(cx).await?;
        Ok(Found::of(list(&answer, "shopping_results"), FIELDS, most))
    }
}

impl GoogleShopping {
    /// The filters in Google's notation.
    fn filters(&self) -> Result<String, NodeError> {
        for (property, price) in [("min_price", self.min_price), ("max_price", self.max_price)] {
            if price < 0 {
                let message = format!("{price} (expected 0 or more)");
                return Err(NodeError::bad(property, message));
            }
        }
        let mut filters = Vec::new();
        if self.min_price > 0 || self.max_price > 0 {
            filters.push("price:1".to_owned());
        }
        if self.min_price > 0 {
            filters.push(format!("ppr_min:{}", self.min_price));
        }
        if self.max_price > 0 {
            filters.push(format!("ppr_max:{}", self.max_price));
        }
        match self.condition.trim().to_ascii_lowercase().as_str() {
            "" => {}
            "new" => filters.push("new:1".into()),
            "used" | "refurbished" => filters.push("new:3".into()),
            other => {
                let message = format!("{other:?} (expected new, used, refurbished or nothing)");
                return Err(NodeError::bad("condition", message));
            }
        }
        match self.sort_by.trim().to_ascii_lowercase().as_str() {
            "" => {}
            "price_low_to_high" => filters.push("p_ord:p".into()),
            "price_high_to_low" => filters.push("p_ord:pd".into()),
            "review_score" => filters.push("p_ord:rv".into()),
            other => {
                let message = format!(
                    "{other:?} (expected price_low_to_high, price_high_to_low, review_score or nothing)"
                );
                return Err(NodeError::bad("sort_by", message));
            }
        }
        if !filters.is_empty() {
            filters.insert(0, "mr:1".into());
        }
        Ok(filters.join(","))
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::super::super::testing::Engine;
    use super::*;

    #[tokio::test]
    async fn prices_conditions_and_order_are_filters() {
        let engine = Engine::saying(200, r#"{"shopping_results":[{"title":"A","price":"$5"}]}"#);
        let run = case::<GoogleShopping>()
            .set("query", "lamp")
            .set("country", "UK")
            .set("min_price", 5i64)
            .set("condition", "New")
            .set("sort_by", "price_low_to_high");
        let given = run.within(engine.cx()).run().await.unwrap();
        assert_eq!(given[0]["text"], "1. A\n   price: $5".into());
        assert_eq!(
            engine.field("tbs").as_deref(),
            Some("mr:1,price:1,ppr_min:5,new:1,p_ord:p")
        );
        assert_eq!(engine.field("gl").as_deref(), Some("gb"));
        let run = case::<GoogleShopping>()
            .set("query", "lamp")
            .set("sort_by", "x");
        let refused = run.within(engine.cx()).run().await.unwrap_err().to_string();
        assert!(refused.contains("`sort_by`"), "{refused}");
    }
}

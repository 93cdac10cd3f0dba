//! `search.google_extra.GoogleHotels`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::super::found::{Found, Pick, list};
use super::super::serp_api::{Question, bounded, required};
use super::day::{day, not_before, within};

const FIELDS: &[Pick] = &[
    ("name", "name"),
    ("type", "type"),
    ("price_per_night", "rate_per_night.lowest"),
    ("price_total", "total_rate.lowest"),
    ("rating", "overall_rating"),
    ("reviews", "reviews"),
    ("hotel_class", "hotel_class"),
    ("check_in_time", "check_in_time"),
    ("check_out_time", "check_out_time"),
    ("latitude", "gps_coordinates.latitude"),
    ("longitude", "gps_coordinates.longitude"),
    ("amenities", "amenities"),
    ("description", "description"),
    ("link", "link"),
];
/// Most hotels that are given.
const MOST: usize = 50;
/// Stars of the best hotels.
const MOST_STARS: i64 = 5;

/// Finds hotels and their prices with Google.
/// google, hotels, accommodation, travel, rooms, journey
#[derive(Node)]
#[node(
    namespace = "search.google_extra",
    tool,
    uncached,
    basic(
        "query",
        "check_in_date",
        "check_out_date",
        "adults",
        "children",
        "currency",
        "sort_by",
        "min_price",
        "max_price",
        "hotel_class"
    )
)]
pub(super) struct GoogleHotels {
    /// What to look for, such as hotels in Paris.
    query: String,
    /// Day of arrival, such as 2026-05-31.
    check_in_date: String,
    /// Day of departure.
    check_out_date: String,
    /// Grown-up guests.
    #[prop(default = 2)]
    adults: i64,
    /// Children.
    children: i64,
    /// Code of the currency of prices.
    #[prop(default = "USD")]
    currency: String,
    /// 0 for what fits best, 3 lowest price, 8 highest rating, 13 most reviews.
    sort_by: i64,
    /// Lowest price of a night; 0 for any.
    min_price: i64,
    /// Highest price of a night; 0 for any.
    max_price: i64,
    /// Fewest stars, 2 to 5; 0 for any.
    hotel_class: i64,
}

impl Process for GoogleHotels {
    type Output = Found;

    async fn process(self, cx: &NodeCx) -> Result<Found, NodeError> {
        let query = required("query", &self.query, "what to look for")?;
        let arrival = day("check_in_date", &self.check_in_date)?;
        let departure = day("check_out_date", &self.check_out_date)?;
        not_before("check_out_date", departure, ("check_in_date", arrival))?;
        if ![0, 3, 8, 13].contains(&self.sort_by) {
            let message = format!("{} (expected 0, 3, 8 or 13)", self.sort_by);
            return Err(NodeError::bad("sort_by", message));
        }
        let stars = match self.hotel_class {
            0 => String::new(),
            n => {
                let least = within("hotel_class", n, 2, MOST_STARS)?;
                let stars: Vec<String> = (least..=MOST_STARS).map(|n| n.to_string()).collect();
                stars.join(",")
            }
        };
        let answer = Question::to("google_hotels")
            .with("q", query)
            .with("check_in_date", &arrival.to_string())
            .with("check_out_date", &departure.to_string())
            .number("adults", within("adults", self.adults, 1, 20)?)
            .number_unless("children", within("children", self.children, 0, 10)?, 0)
            .with("currency", bounded("currency", &self.currency)?)
            .number_unless("sort_by", self.sort_by, 0)
            .number_unless(
                "min_price",
                within("min_price", self.min_price, 0, i64::MAX)?,
                0,
            )
            .number_unless(
                "max_price",
                within("max_price", self.max_price, 0, i64::MAX)?,
                0,
            )
            .with("hotel_class", &stars)
            .ask(cx)
            .await?;
        Ok(Found::of(list(&answer, "properties"), FIELDS, MOST))
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::super::super::testing::Engine;
    use super::*;

    #[tokio::test]
    async fn hotels_have_prices_and_the_class_is_the_lowest_wanted() {
        let body = r#"{"properties":[{"name":"Inn","rate_per_night":{"lowest":"$90"},"amenities":["Wi-Fi","Bar"]}]}"#;
        let engine = Engine::saying(200, body);
        let run = case::<GoogleHotels>()
            .set("query", "Berlin")
            .set("check_in_date", "2026-05-01")
            .set("check_out_date", "2026-05-06")
            .set("hotel_class", 4i64);
        let given = run.within(engine.cx()).run().await.unwrap();
        let want = "1. Inn\n   price_per_night: $90\n   amenities: Wi-Fi, Bar";
        assert_eq!(given[0]["text"], want.into());
        assert_eq!(engine.field("hotel_class").as_deref(), Some("4,5"));
        assert_eq!(engine.field("children"), None);
        let run = case::<GoogleHotels>().set("query", "Berlin");
        let refused = run.within(engine.cx()).run().await.unwrap_err().to_string();
        assert!(refused.contains("`check_in_date`"), "{refused}");
    }
}

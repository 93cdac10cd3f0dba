//! `search.google.GoogleMaps`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::super::found::{Found, Pick, list};
use super::super::serp_api::{Question, count, required};

const FIELDS: &[Pick] = &[
    ("position", "position"),
    ("title", "title"),
    ("type", "type"),
    ("address", "address"),
    ("rating", "rating"),
    ("reviews", "reviews"),
    ("price", "price"),
    ("phone", "phone"),
    ("website", "website"),
    ("open_state", "open_state"),
    ("description", "description"),
    ("place_id", "place_id"),
    ("data_id", "data_id"),
    ("latitude", "gps_coordinates.latitude"),
    ("longitude", "gps_coordinates.longitude"),
    ("thumbnail", "thumbnail"),
];

/// Finds places and businesses with Google Maps.
/// google, maps, places, businesses, addresses, local
#[derive(Node)]
#[node(
    namespace = "search.google",
    tool,
    uncached,
    basic("query", "num_results")
)]
pub(super) struct GoogleMaps {
    /// A place, an address, or a kind of business and where.
    query: String,
    /// Most results.
    #[prop(default = 10)]
    num_results: i64,
}

impl Process for GoogleMaps {
    type Output = Found;

    async fn process(self, cx: &NodeCx) -> Result<Found, NodeError> {
        let query = required("query", &self.query, "a place or a kind of business")?;
        let most = count(self.num_results)?;
        let question = Question::to("google_maps").with("type", "search");
        let answer = question.with("q", query).ask(cx).await?;
        // One place that is meant for sure comes alone.
        let alone = answer.get("place_results").filter(|p| p.as_map().is_some());
        let items = alone.into_iter().chain(list(&answer, "local_results"));
        Ok(Found::of(items, FIELDS, most))
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::super::super::testing::Engine;
    use super::*;

    #[tokio::test]
    async fn one_place_and_many_are_given_alike() {
        let place = r#"{"title":"Café","gps_coordinates":{"latitude":52.5}}"#;
        for body in [
            format!(r#"{{"place_results":{place}}}"#),
            format!(r#"{{"local_results":[{place}]}}"#),
        ] {
            let run = case::<GoogleMaps>().set("query", "café");
            let given = run
                .within(Engine::saying(200, &body).cx())
                .run()
                .await
                .unwrap();
            assert_eq!(given[0]["text"], "1. Café\n   latitude: 52.5".into());
        }
    }
}

//! `search.google_extra.GoogleEvents`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::super::found::{Found, Pick, list};
use super::super::serp_api::{Question, bounded, count, required};

const FIELDS: &[Pick] = &[
    ("title", "title"),
    ("when", "date.when"),
    ("start_date", "date.start_date"),
    ("venue", "venue.name"),
    ("address", "address"),
    ("link", "link"),
    ("description", "description"),
    ("thumbnail", "thumbnail"),
];

/// Finds concerts, festivals and other events with Google.
/// google, events, concerts, festivals, local, tickets
#[derive(Node)]
#[node(
    namespace = "search.google_extra",
    tool,
    uncached,
    basic("query", "location", "num_results")
)]
pub(super) struct GoogleEvents {
    /// What to look for, such as concerts in Austin.
    query: String,
    /// Where the search is made from.
    location: String,
    /// Most results.
    #[prop(default = 10)]
    num_results: i64,
}

impl Process for GoogleEvents {
    type Output = Found;

    async fn process(self, cx: &NodeCx) -> Result<Found, NodeError> {
        let query = required("query", &self.query, "what events to look for")?;
        let location = bounded("location", &self.location)?;
        let most = count(self.num_results)?;
        let question = Question::to("google_events").with("q", query);
        let answer = question.with("location", location).ask(cx).await?;
        Ok(Found::of(list(&answer, "events_results"), FIELDS, most))
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::super::super::testing::Engine;
    use super::*;

    #[tokio::test]
    async fn events_tell_when_and_where() {
        let body = r#"{"events_results":[{"title":"Gig","date":{"start_date":"May 2","when":"Sat"},"address":["Club","Berlin"],"venue":{"name":"Club"}}]}"#;
        let run = case::<GoogleEvents>().set("query", "gigs in Berlin");
        let given = run
            .within(Engine::saying(200, body).cx())
            .run()
            .await
            .unwrap();
        let want =
            "1. Gig\n   when: Sat\n   start_date: May 2\n   venue: Club\n   address: Club, Berlin";
        assert_eq!(given[0]["text"], want.into());
    }
}

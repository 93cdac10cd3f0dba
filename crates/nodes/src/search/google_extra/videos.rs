//! `search.google_extra.GoogleVideos`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::super::found::{Found, Pick, list};
use super::super::serp_api::{Question, bounded, count, required};

const FIELDS: &[Pick] = &[
    ("position", "position"),
    ("title", "title"),
    ("link", "link"),
    ("displayed_link", "displayed_link"),
    ("duration", "duration"),
    ("date", "date"),
    ("snippet", "snippet"),
    ("video_link", "video_link"),
    ("thumbnail", "thumbnail"),
];

/// Finds videos with Google.
/// google, videos, films, clips, search
#[derive(Node)]
#[node(
    namespace = "search.google_extra",
    tool,
    uncached,
    basic("query", "num_results", "location")
)]
pub(super) struct GoogleVideos {
    /// What to look for.
    query: String,
    /// Most results.
    #[prop(default = 10)]
    num_results: i64,
    /// Where the search is made from.
    location: String,
}

impl Process for GoogleVideos {
    type Output = Found;

    async fn process(self, cx: &NodeCx) -> Result<Found, NodeError> {
        let query = required("query", &self.query, "what to look for")?;
        let location = bounded("location", &self.location)?;
        let most = count(self.num_results)?;
        let question = Question::to("google_videos").with("q", query);
        let question = question.with("location", location);
        let answer = question.number("num", most as i64).ask(cx).await?;
        Ok(Found::of(list(&answer, "video_results"), FIELDS, most))
    }
}

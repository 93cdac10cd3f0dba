//! `search.google.GoogleJobs`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::super::found::{Found, Pick, list};
use super::super::serp_api::{Question, bounded, count, required};

const FIELDS: &[Pick] = &[
    ("title", "title"),
    ("company_name", "company_name"),
    ("location", "location"),
    ("via", "via"),
    ("share_link", "share_link"),
    ("posted_at", "detected_extensions.posted_at"),
    ("schedule_type", "detected_extensions.schedule_type"),
    ("salary", "detected_extensions.salary"),
    ("description", "description"),
    ("job_id", "job_id"),
];

/// Finds open positions with Google.
/// google, jobs, work, careers, hiring, employment
///
/// One page of positions is read, which holds ten.
#[derive(Node)]
#[node(
    namespace = "search.google",
    tool,
    uncached,
    basic("query", "location", "num_results")
)]
pub(super) struct GoogleJobs {
    /// Title, skill or company.
    query: String,
    /// Where the work is.
    location: String,
    /// Most results.
    #[prop(default = 10)]
    num_results: i64,
}

impl Process for GoogleJobs {
    type Output = Found;

    async fn process(self, cx: &NodeCx) -> Result<Found, NodeError> {
        let query = required("query", &self.query, "a title, a skill or a company")?;
        let location = bounded("location", &self.location)?;
        let most = count(self.num_results)?;
        let question = Question::to("google_jobs").with("q", query);
        let answer = question.with("location", location).ask(cx).await?;
        Ok(Found::of(list(&answer, "jobs_results"), FIELDS, most))
    }
}

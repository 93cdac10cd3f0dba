//! Scores a LinkedIn profile by how much of an intent is found on its pages.

use std::collections::HashSet;

use nodetool_sdk::steps::{FieldSpec, Flow, FormSpec, StepCx, Token};
use nodetool_sdk::{NodeError, Value};

use super::page::{blocking, check_size};
use crate::{Fields, FormStep};

/// Field, name and weight of each page.
const PAGES: [(&str, &str, i64); 4] = [
    ("profile_page_content", "Profile", 4),
    ("posts_page_content", "Posts", 3),
    ("comment_page_content", "Comments", 2),
    ("recent_reactions_content", "Reactions", 1),
];
/// Posts that are given.
const TOP: usize = 3;
/// Most characters of a post that is given.
const MAX_POST: usize = 1000;
/// Letters a word has at least; shorter ones say little.
const LEAST_LETTERS: usize = 3;

/// It keeps nothing.
#[derive(Default)]
pub(super) struct LinkedinProfileScorer;

impl FormStep for LinkedinProfileScorer {
    const IDENTIFIER: &'static str = "linkedin-profile-scorer";
    const CLASS: &'static str = "LinkedinProfileScorer";
    const LABEL: Option<&'static str> = Some("LinkedIn Profile Scorer");
    const DESCRIPTION: Option<&'static str> = Some(
        "Scores a profile from 0 to 100 by how many words of an intent its pages hold, and gives the posts that hold most.",
    );
    const CATEGORY: &'static str = "WebPageParsers";

    fn form() -> Option<FormSpec> {
        let field = |name, help| FieldSpec::textarea(name).required().help(help);
        Some(FormSpec {
            name: "LinkedinProfileScorerForm",
            fields: vec![
                field("intent", "What is looked for, in words that count."),
                field("profile_page_content", "Text of the profile."),
                field("comment_page_content", "Text of the comments."),
                field(
                    "posts_page_content",
                    "Text of the posts, an empty line between two.",
                ),
                field("recent_reactions_content", "Text of the recent reactions."),
            ],
            check: None,
        })
    }

    async fn run(
        &mut self,
        fields: &Fields,
        mut token: Token,
        _: &StepCx,
    ) -> Result<Flow, NodeError> {
        let intent = words(fields.text("intent"));
        if intent.is_empty() {
            let why = format!("holds no word of {LEAST_LETTERS} letters or more");
            return Err(NodeError::bad("intent", why));
        }
        for (field, ..) in PAGES {
            check_size(field, fields.text(field))?;
        }
        let pages =
            PAGES.map(|(field, name, weight)| (name, fields.text(field).to_owned(), weight));
        let posts = fields.text("posts_page_content").to_owned();
        let score = blocking(move || Ok(score(&intent, &pages, &posts))).await?;
        token.put("linkedin_profile_score", score);
        Ok(Flow::Go(token))
    }
}

fn score(intent: &HashSet<String>, pages: &[(&str, String, i64)], posts: &str) -> Value {
    let (mut sum, mut weights) = (0, 0);
    let mut categories = Vec::new();
    for (name, text, weight) in pages {
        let score = covered(intent, text);
        sum += score * weight;
        weights += weight;
        let category = [("name", Value::from(*name)), ("score", score.into())];
        categories.push(Value::map(category));
    }
    let mut posts: Vec<(i64, &str)> = posts
        .split("\n\n")
        .map(str::trim)
        .filter(|post| !post.is_empty())
        .map(|post| (covered(intent, post), post))
        .filter(|(score, _)| *score > 0)
        .collect();
    posts.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    let top = posts.into_iter().take(TOP).map(|(score, post)| {
        let text: String = post.chars().take(MAX_POST).collect();
        Value::map([("text", Value::from(text)), ("score", score.into())])
    });
    Value::map([
        (
            "overallScore",
            Value::Int((sum + weights / 2) / weights.max(1)),
        ),
        ("categories", categories.into()),
        ("topPosts", Value::list(top)),
    ])
}

/// How many percent of the words are in a text.
fn covered(intent: &HashSet<String>, text: &str) -> i64 {
    let there = words(text);
    let found = intent.iter().filter(|word| there.contains(*word)).count();
    i64::try_from((100 * found + intent.len() / 2) / intent.len().max(1)).unwrap_or_default()
}

fn words(text: &str) -> HashSet<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() >= LEAST_LETTERS)
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{context, data, refusal};
    use super::*;
    use serde_json::json;

    fn form(intent: &str) -> serde_json::Value {
        json!({"intent": intent, "profile_page_content": "Rust engineer in Bern",
            "comment_page_content": "nice", "recent_reactions_content": "rust",
            "posts_page_content": "About cooking\n\nRust for databases\n\nEngineers like rust"})
    }

    #[tokio::test]
    async fn the_score_is_the_share_of_the_intents_words() {
        let out =
            data::<LinkedinProfileScorer>(form("Rust, databases"), json!({}), &context()).await;
        assert_eq!(
            out["linkedin_profile_score"],
            json!({
                // (50 * 4 + 100 * 3 + 0 * 2 + 50 * 1) / 10
                "overallScore": 55,
                "categories": [
                    {"name": "Profile", "score": 50}, {"name": "Posts", "score": 100},
                    {"name": "Comments", "score": 0}, {"name": "Reactions", "score": 50},
                ],
                "topPosts": [
                    {"text": "Rust for databases", "score": 100},
                    {"text": "Engineers like rust", "score": 50},
                ],
            })
        );
    }

    #[tokio::test]
    async fn an_intent_without_words_is_refused() {
        let said = refusal::<LinkedinProfileScorer>(form("a, b?"), json!({}), &context()).await;
        assert!(said.contains("`intent`"), "{said}");
    }
}

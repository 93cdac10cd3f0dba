//! `nodetool.agents.Classifier`.

use nodetool_sdk::agent::json_in;
use nodetool_sdk::models::{ChatRequest, ModelError, ModelErrorKind, Part, ResponseFormat};
use nodetool_sdk::{
    AudioRef, ImageRef, LanguageModel, Node, NodeCx, NodeError, Process, Value, ValueType,
};

use super::likeness::likeness;
use crate::models::{Question, Silent, Unanswered, ask, try_ask};

const SYSTEM: &str = "\
You sort what you are given into one of the categories you are told.
- Choose the single category that fits best; where several fit, the most likely one.
- Where none fits and there is a category such as \"Other\" or \"Unknown\", choose that; else the nearest one.
- Mind negation, and overlook spelling, case, punctuation and emojis.
- Name only categories of the list, and never ask back.
Answer with a JSON object of one member: {\"category\": \"<the category>\"}";

/// Most categories, and most characters of one.
const MAX_CATEGORIES: usize = 1_000;
const MAX_CHARS: usize = 1_000;
/// An answer must be at least so alike to a category to mean it.
const ALIKE: f64 = 0.5;

/// Sorts a text, an image or a sound into one of the given categories.
/// classify, category, label, sort, sentiment, language model, llm
///
/// Without categories the model names one of its own.
#[derive(Node)]
#[node(
    namespace = "nodetool.agents",
    uncached,
    effect = "idempotent",
    basic("text", "categories", "model", "image", "audio")
)]
pub(super) struct Classifier {
    /// How the model is to choose.
    #[prop(default = SYSTEM)]
    system_prompt: String,
    /// The model that chooses.
    model: LanguageModel,
    /// The text.
    text: String,
    /// An image that belongs to it.
    image: ImageRef,
    /// A sound that belongs to it.
    audio: AudioRef,
    /// The categories to choose from.
    categories: Vec<String>,
}

impl Process for Classifier {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        let categories = checked(self.categories)?;
        let question = Question {
            model: self.model,
            system: self.system_prompt,
            text: self.text,
            image: self.image,
            audio: self.audio,
            max_tokens: None,
        };
        let mut request = question.request(cx, "text").await?;
        if let Some(last) = request.messages.last_mut() {
            last.parts.push(Part::Text(offer(&categories)));
        }
        let said = answer(cx, request, &categories).await?;
        match categories.is_empty() {
            true if said.trim().is_empty() => {
                Err(NodeError::new("the model did not name a category"))
            }
            true => Ok(said.trim().to_owned()),
            false => Ok(meant(&said, &categories).to_owned()),
        }
    }
}

/// What the model says: the category it names, or all of its answer. A provider that does not take a schema is asked
/// again without one.
async fn answer(
    cx: &NodeCx,
    mut request: ChatRequest,
    categories: &[String],
) -> Result<String, NodeError> {
    let plain = request.clone();
    request.response_format = Some(ResponseFormat::JsonSchema {
        name: "category".into(),
        description: None,
        schema: schema(categories),
        strict: Some(true),
    });
    let said = match try_ask(cx, request, &mut Silent).await {
        Ok(outcome) => outcome.text,
        Err(Unanswered::Model(e)) if may_be_the_schema(&e) => {
            ask(cx, plain, &mut Silent).await?.text
        }
        Err(e) => return Err(e.into()),
    };
    let named = json_in(&said);
    let named = named.as_ref().and_then(|v| v.get("category")?.as_str());
    Ok(named.map_or_else(|| said.clone(), str::to_owned))
}

fn may_be_the_schema(e: &ModelError) -> bool {
    matches!(
        e.kind,
        ModelErrorKind::Unsupported | ModelErrorKind::BadRequest
    )
}

fn checked(categories: Vec<String>) -> Result<Vec<String>, NodeError> {
    let categories: Vec<String> = categories
        .into_iter()
        .filter(|c| !c.trim().is_empty())
        .collect();
    let long = categories.iter().any(|c| c.chars().count() > MAX_CHARS);
    if categories.len() > MAX_CATEGORIES || long {
        let message = format!(
            "expected at most {MAX_CATEGORIES} categories of at most {MAX_CHARS} characters"
        );
        return Err(NodeError::bad("categories", message));
    }
    Ok(categories)
}

fn offer(categories: &[String]) -> String {
    if categories.is_empty() {
        return "\n\nName the category it belongs to, in one or two words.".into();
    }
    let mut text = String::from("\n\nThe categories:");
    for category in categories {
        text.push_str("\n- ");
        text.push_str(category);
    }
    text
}

fn schema(categories: &[String]) -> Value {
    let mut category = vec![("type", Value::from("string"))];
    if !categories.is_empty() {
        let members = categories.iter().map(|c| Value::from(c.as_str()));
        category.push(("enum", Value::list(members)));
    }
    Value::map([
        ("type", "object".into()),
        (
            "properties",
            Value::map([("category", Value::map(category))]),
        ),
        ("required", vec!["category".to_owned()].into_value()),
        ("additionalProperties", false.into()),
    ])
}

/// The category an answer means: by name, as part of it, by likeness; else one for the rest, else the first.
fn meant<'c>(said: &str, categories: &'c [String]) -> &'c str {
    let said = folded(said);
    let names: Vec<(String, &str)> = categories.iter().map(|c| (folded(c), &**c)).collect();
    let exact = names.iter().find(|(name, _)| *name == said);
    let part = || {
        if said.is_empty() {
            return None;
        }
        // The longest one: "not spam" holds "spam", too.
        let within = |(name, _): &&(String, &str)| said.contains(&**name);
        let inside = names.iter().filter(within).max_by_key(|(n, _)| n.len());
        inside.or_else(|| names.iter().find(|(name, _)| name.contains(&said)))
    };
    let alike = || {
        let rated = names.iter().map(|n| (likeness(&said, &n.0), n));
        let best = rated.max_by(|a, b| a.0.total_cmp(&b.0));
        best.filter(|(score, _)| *score >= ALIKE).map(|(_, n)| n)
    };
    let rest = || {
        let of_the_rest = |(n, _): &&(String, &str)| matches!(&**n, "other" | "unknown");
        names.iter().find(of_the_rest)
    };
    let found = exact.or_else(part).or_else(alike).or_else(rest);
    found.or(names.first()).map_or("", |(_, category)| category)
}

fn folded(text: &str) -> String {
    let blank = |c: char| c.is_whitespace() || "\"'`.*".contains(c);
    text.trim_matches(blank).to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::testing::{Scripted, ScriptedModels, case};

    use super::*;
    use crate::models::testing::{language_model, saying, with};

    fn list(of: &[&str]) -> Vec<String> {
        of.iter().map(|s| (*s).to_owned()).collect()
    }

    #[tokio::test]
    async fn the_category_the_model_names_is_given() {
        let models = saying([r#"{"category":"work"}"#]);
        let given = case::<Classifier>()
            .set("model", language_model())
            .set("text", "The meeting is at nine.")
            .set("categories", list(&["family", "work"]).into_value())
            .within(with(&models))
            .value()
            .await;
        assert_eq!(given.unwrap(), "work".into());
        let asked = &models.requests()[0];
        assert!(asked.response_format.is_some());
        let said = asked.messages[1].plain_text();
        assert!(said.contains("- family\n- work"), "{said}");
    }

    #[tokio::test]
    async fn a_provider_that_takes_no_schema_is_asked_in_plain_words() {
        let refusal = ModelError::unsupported("scripted", "structured output");
        let models = ScriptedModels::new([
            Scripted::fails(refusal),
            Scripted::text("I think this is about Work."),
        ]);
        let models = Arc::new(models);
        let run = || {
            case::<Classifier>()
                .set("model", language_model())
                .set("text", "x")
                .set("categories", list(&["family", "work"]).into_value())
                .within(with(&models))
                .value()
        };
        assert_eq!(run().await.unwrap(), "work".into());
        assert_eq!(models.requests()[1].response_format, None);
        let refused = run().await.unwrap_err().to_string();
        assert!(refused.contains("script"), "{refused}");
    }

    #[test]
    fn an_answer_means_the_nearest_category() {
        let mails = list(&["Spam", "Not spam", "Newsletter", "Other"]);
        for (said, want) in [
            (" \"spam\". ", "Spam"),
            ("It is not spam, I believe", "Not spam"),
            ("newsleter", "Newsletter"),
            ("news", "Newsletter"),
            ("qqq", "Other"),
            ("", "Other"),
        ] {
            assert_eq!(meant(said, &mails), want, "{said}");
        }
        assert_eq!(meant("qqq", &list(&["x", "y"])), "x");
    }
}

//! Questions to the person of a conversation.

use nodetool_sdk::{BoxFuture, Value};

use super::Desk;
use super::arguments::{Arguments, cut};

/// Longest question in characters.
const MOST_CHARS: usize = 4_000;
/// Most answers to choose from.
const MOST_OPTIONS: usize = 20;

/// A question a model asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HumanQuestion {
    pub(crate) question: String,
    /// Answers to choose from; none for a free answer.
    pub(crate) options: Vec<String>,
}

/// Puts questions to a person.
pub(crate) trait Human: Send + Sync {
    /// The answer, or why there is none. Dropping the future withdraws the question.
    fn ask<'a>(&'a self, question: HumanQuestion) -> BoxFuture<'a, Result<String, String>>;
}

impl Desk {
    pub(super) async fn ask_human(&self, arguments: &Arguments) -> Result<Value, String> {
        let Some(human) = &self.scope.human else {
            return Err("nobody is there to ask; decide yourself".into());
        };
        let Some(question) = arguments.given("question") else {
            return Err("question: expected a text".into());
        };
        let options = arguments.get("options").and_then(Value::as_list);
        let options = options.unwrap_or_default().iter();
        let short = |text: &str| cut(text, MOST_CHARS).0.to_owned();
        let asked = HumanQuestion {
            question: short(question),
            options: options
                .filter_map(Value::as_str)
                .take(MOST_OPTIONS)
                .map(short)
                .collect(),
        };
        let answer = human.ask(asked).await?;
        Ok(Value::map([("answer", Value::from(answer))]))
    }
}

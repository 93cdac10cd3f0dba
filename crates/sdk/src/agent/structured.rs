//! Has a model answer in JSON that fits a schema.

use nodetool_protocol::Value;

use super::{Schema, json_in};
use crate::models::{
    Answer, ChatMessage, ChatRequest, ModelError, ModelErrorKind, Models, ResponseFormat, Role,
    Usage,
};

/// Answers that may be invalid before the model is given up.
pub(super) const MOST_INVALID: usize = 6;

/// A value that fits the schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Structured {
    /// The value.
    pub value: Value,
    /// What all answers took.
    pub usage: Usage,
}

/// Why there is no value.
#[derive(Debug, thiserror::Error)]
pub enum StructuredError {
    /// The model did not answer.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The schema is none.
    #[error("{0}")]
    Schema(String),
    /// No answer fitted.
    #[error("the model gave no valid result in {tries} tries: {fault}")]
    Invalid {
        /// How many answers.
        tries: usize,
        /// What was wrong with the last.
        fault: String,
    },
}

/// Asks until an answer fits the schema: the provider is asked for JSON of that schema, and an answer that does not
/// fit is sent back with what is wrong. Gives up after six of those.
///
/// The schema's name is what providers call it; letters, digits, `_` and `-`.
pub async fn structured(
    models: &dyn Models,
    mut request: ChatRequest,
    name: &str,
    schema: Value,
) -> Result<Structured, StructuredError> {
    let schema = Schema::new(schema).map_err(StructuredError::Schema)?;
    request.response_format = Some(ResponseFormat::JsonSchema {
        name: name.to_owned(),
        description: None,
        schema: schema.value().clone(),
        strict: None,
    });
    let mut usage = Usage::default();
    let mut fault = String::new();
    for _ in 0..MOST_INVALID {
        let answer = ask(models, &mut request, &schema).await?;
        add(&mut usage, answer.usage);
        match fitting(&schema, &answer.text) {
            Ok(value) => return Ok(Structured { value, usage }),
            Err(what) => fault = what,
        }
        let correction = format!(
            "That is not what was asked for: {fault}. Answer again, with nothing but the corrected JSON."
        );
        // Providers refuse a message of nothing.
        if !answer.text.is_empty() {
            let said = ChatMessage::text(Role::Assistant, answer.text);
            request.messages.push(said);
        }
        request
            .messages
            .push(ChatMessage::text(Role::User, correction));
    }
    let tries = MOST_INVALID;
    Err(StructuredError::Invalid { tries, fault })
}

/// The JSON of a text when it fits, else what is wrong with it.
pub(super) fn fitting(schema: &Schema, text: &str) -> Result<Value, String> {
    let Some(value) = json_in(text) else {
        return Err("there is no JSON in the answer".into());
    };
    let faults = schema.faults(&value);
    if faults.is_empty() {
        Ok(value)
    } else {
        Err(faults.join("; "))
    }
}

/// Asks once; a provider that cannot be held to a schema is told of it in words.
async fn ask(
    models: &dyn Models,
    request: &mut ChatRequest,
    schema: &Schema,
) -> Result<Answer, ModelError> {
    match models.chat(request.clone()).await {
        Err(e) if e.kind == ModelErrorKind::Unsupported && request.response_format.is_some() => {
            request.response_format = None;
            let words = format!(
                "Answer with nothing but a JSON value that fits this JSON Schema:\n{}",
                serde_json::to_string(schema.value()).unwrap_or_default()
            );
            let first = ChatMessage::text(Role::System, words);
            request.messages.insert(0, first);
            Answer::of(models.chat(request.clone()).await?).await
        }
        Err(e) => Err(e),
        Ok(stream) => Answer::of(stream).await,
    }
}

fn add(sum: &mut Usage, usage: Option<Usage>) {
    let Some(usage) = usage else { return };
    sum.input = sum.input.saturating_add(usage.input);
    sum.output = sum.output.saturating_add(usage.output);
    sum.cached = sum.cached.saturating_add(usage.cached);
    sum.reasoning = sum.reasoning.saturating_add(usage.reasoning);
    if let Some(cost) = usage.cost {
        *sum.cost.get_or_insert(0.0) += cost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Scripted, ScriptedModels};

    fn person() -> Value {
        let text =
            r#"{"type":"object","required":["age"],"properties":{"age":{"type":"integer"}}}"#;
        serde_json::from_str(text).unwrap()
    }

    fn asked() -> ChatRequest {
        ChatRequest {
            model: "m".into(),
            messages: vec![ChatMessage::text(Role::User, "How old?")],
            ..ChatRequest::default()
        }
    }

    #[tokio::test]
    async fn a_wrong_answer_is_sent_back_with_what_is_wrong() {
        let models = ScriptedModels::new([
            Scripted::text("About forty."),
            Scripted::text(r#"{"age":"forty"}"#),
            Scripted::text("```json\n{\"age\": 40}\n```"),
        ]);
        let got = structured(&models, asked(), "person", person()).await;
        let age = got.unwrap().value.get("age").and_then(Value::as_i64);
        assert_eq!(age, Some(40));
        let requests = models.requests();
        assert_eq!(requests.len(), 3);
        assert!(matches!(
            requests[0].response_format,
            Some(ResponseFormat::JsonSchema { .. })
        ));
        let told = requests[2].messages.last().unwrap().plain_text();
        assert!(told.contains("age: expected integer, got string"), "{told}");
    }

    #[tokio::test]
    async fn six_wrong_answers_are_enough() {
        let models = ScriptedModels::new(vec![Scripted::text("no"); 7]);
        let got = structured(&models, asked(), "person", person()).await;
        let fault = got.unwrap_err().to_string();
        assert_eq!(models.left(), 1);
        assert!(fault.contains("6 tries: there is no JSON"), "{fault}");
    }

    #[tokio::test]
    async fn a_provider_without_schemas_is_told_in_words() {
        let models = ScriptedModels::new([
            Scripted::fails(ModelError::unsupported("p", "structured output")),
            Scripted::text(r#"{"age":1}"#),
        ]);
        let got = structured(&models, asked(), "person", person()).await;
        assert!(got.is_ok());
        let last = models.requests().pop().unwrap();
        assert_eq!(last.response_format, None);
        assert!(last.messages[0].plain_text().contains(r#""age""#));
    }
}

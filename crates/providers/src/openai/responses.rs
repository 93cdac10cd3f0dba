//! The Responses API: the second form of conversation at OpenAI, and which models need it.

use std::sync::atomic::Ordering;

use nodetool_sdk::models::{
    ChatRequest, ChatStream, ModelError, ResponseFormat, ToolChoice, ToolSpec,
};
use nodetool_sdk::protocol::Value;

use super::body::{Body, object, parameters, tagged};
use super::{Client, answer, chat};

mod events;
mod items;

use events::Events;

/// How much a model needs this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// It has no other.
    Only,
    /// It is better here, but requests that have no words here go the other way.
    Better,
    /// It is not to be spoken to this way.
    Never,
}

/// Models by how their names begin and what else is in them; the first that fits counts.
const MODELS: &[(&str, &str, Need, &str)] = &[
    (
        "gpt-5",
        "-chat",
        Need::Never,
        "does not reason: asking for its reasoning is refused",
    ),
    ("gpt-5", "-pro", Need::Only, "not served elsewhere"),
    ("gpt-5", "-codex", Need::Only, "not served elsewhere"),
    (
        "gpt-5",
        "",
        Need::Better,
        "keeps its reasoning between tool calls, and takes tools together with an effort",
    ),
    ("codex-", "", Need::Only, "not served elsewhere"),
    ("o1-pro", "", Need::Only, "not served elsewhere"),
    ("o3-pro", "", Need::Only, "not served elsewhere"),
    ("o3-deep-research", "", Need::Only, "not served elsewhere"),
    (
        "o4-mini-deep-research",
        "",
        Need::Only,
        "not served elsewhere",
    ),
];

fn need(model: &str) -> Need {
    let fits = |(begin, within, ..): &&(&str, &str, Need, &str)| {
        model
            .strip_prefix(begin)
            .is_some_and(|rest| rest.contains(within))
    };
    MODELS
        .iter()
        .find(fits)
        .map_or(Need::Never, |(_, _, need, _)| *need)
}

/// Whether a request goes this way.
pub(super) fn suits(request: &ChatRequest) -> bool {
    match need(&request.model) {
        Need::Only => true,
        Need::Better => wordless(request).is_none(),
        Need::Never => false,
    }
}

/// Whether a model of OpenAI reasons, which changes what it takes.
pub(super) fn reasons(model: &str) -> bool {
    let families = ["o1", "o3", "o4", "gpt-5", "codex-"];
    families.iter().any(|family| model.starts_with(family)) && !model.contains("-chat")
}

/// Whether a refusal says that the model has only this form.
pub(super) fn is_meant(e: &ModelError) -> bool {
    matches!(e.status, Some(400 | 404)) && e.message.contains("v1/responses")
}

/// What of a request has no words in this form.
fn wordless(request: &ChatRequest) -> Option<&'static str> {
    let penalty = |value: Option<f64>| value.is_some_and(|value| value != 0.0);
    Some(if !request.stop.is_empty() {
        "stop"
    } else if request.seed.is_some() {
        "seed"
    } else if penalty(request.presence_penalty) {
        "presence_penalty"
    } else if penalty(request.frequency_penalty) {
        "frequency_penalty"
    } else if request.logprobs.is_some() {
        "logprobs"
    } else {
        return None;
    })
}

/// Fields that both forms of the wire have under the same name.
const FIELDS: [&str; 4] = ["metadata", "prompt_cache_key", chat::SAFETY, "service_tier"];

impl Client {
    /// Begins an answer through `/responses`.
    pub(super) async fn respond(&self, request: &ChatRequest) -> Result<ChatStream, ModelError> {
        if let Some(field) = wordless(request) {
            let what = format_args!("`{field}` with the model `{}`", request.model);
            return Err(self.unsupported(field, what));
        }
        let summaries = !self.no_summaries.load(Ordering::Relaxed);
        match self.response(request, summaries).await {
            // Only verified organisations get summaries. The answer is worth more.
            Err(e) if summaries && e.param.as_deref() == Some("reasoning.summary") => {
                self.no_summaries.store(true, Ordering::Relaxed);
                self.response(request, false).await
            }
            result => result,
        }
    }

    async fn response(
        &self,
        request: &ChatRequest,
        summaries: bool,
    ) -> Result<ChatStream, ModelError> {
        let body = self.asked(request, summaries)?;
        let post = self.post("/responses", &body)?;
        answer::begin(&self.account, post, Events::new(&self.account)).await
    }

    fn asked(&self, request: &ChatRequest, summaries: bool) -> Result<Value, ModelError> {
        let mut body = Body::default();
        body.set("model", self.model(&request.model)?);
        body.set("input", self.items(&request.messages)?);
        body.set("stream", true);
        // Conversations are the caller's; the provider need not remember them.
        let fields = &request.openai_fields;
        let stores = fields.get("store").cloned();
        body.set("store", stores.unwrap_or(Value::Bool(false)));
        let include = Value::list(["reasoning.encrypted_content".into()]);
        body.set("include", include);
        body.set_some("max_output_tokens", request.max_tokens);
        let unusual = |value: &f64| *value != 1.0;
        body.set_some("temperature", request.temperature.filter(unusual));
        body.set_some("top_p", request.top_p.filter(unusual));
        let mut reasoning = Body::default();
        reasoning.set_some("effort", request.reasoning_effort.as_deref());
        if summaries {
            reasoning.set("summary", "auto");
        }
        if summaries || request.reasoning_effort.is_some() {
            body.set("reasoning", reasoning.into_value());
        }
        if !fields.contains_key(chat::SAFETY) {
            body.set_some("user", request.end_user.as_deref());
        }
        for field in FIELDS {
            body.set_some(field, fields.get(field).cloned());
        }
        if !request.tools.is_empty() {
            body.set("tools", Value::list(request.tools.iter().map(tool)));
            body.set_some("tool_choice", request.tool_choice.as_ref().map(choice));
            body.set_some("parallel_tool_calls", request.parallel_tool_calls);
        }
        let mut text = Body::default();
        text.set_some("format", request.response_format.as_ref().and_then(format));
        text.set_some("verbosity", fields.get("verbosity").cloned());
        let text = text.into_map();
        if !text.is_empty() {
            body.set("text", text);
        }
        Ok(body.into_value())
    }
}

fn format(format: &ResponseFormat) -> Option<Value> {
    match format {
        ResponseFormat::Text => None,
        ResponseFormat::JsonObject => Some(object([("type", "json_object".into())])),
        ResponseFormat::JsonSchema { .. } => {
            let mut body = Body::default();
            body.set("type", "json_schema");
            body.add(&chat::schema(format)?);
            Some(body.into_value())
        }
    }
}

fn tool(tool: &ToolSpec) -> Value {
    let mut body = Body::default();
    body.set("type", "function");
    body.set("name", tool.name.as_str());
    if !tool.description.is_empty() {
        body.set("description", tool.description.as_str());
    }
    body.set("parameters", parameters(&tool.parameters));
    // Where nothing is said, this form changes the schema to a strict one, and refuses what cannot be.
    body.set("strict", tool.strict.unwrap_or(false));
    body.into_value()
}

fn choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => tagged("function", "name", name.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_go_the_way_they_need() {
        let ways = [
            ("gpt-4o", Need::Never),
            ("o3", Need::Never),
            ("o3-pro-2025-06-10", Need::Only),
            ("gpt-5-mini", Need::Better),
            ("gpt-5.2-pro", Need::Only),
            ("gpt-5.1-codex-max", Need::Only),
            ("gpt-5-chat-latest", Need::Never),
            ("codex-mini-latest", Need::Only),
            ("ft:gpt-4o:my-project", Need::Never),
        ];
        for (model, way) in ways {
            assert_eq!(need(model), way, "{model}");
        }
        let mut request = ChatRequest {
            model: "gpt-5".into(),
            ..ChatRequest::default()
        };
        assert!(suits(&request));
        request.stop = vec!["END".into()];
        assert!(!suits(&request));
    }
}

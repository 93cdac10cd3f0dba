//! Chat completions: what is asked.

use nodetool_sdk::models::{
    ChatRequest, ChatStream, ModelError, ResponseFormat, Role, ToolChoice, ToolSpec,
};
use nodetool_sdk::protocol::{Map, Value};

use super::body::{Body, object, parameters, plain_name, tagged, texts};
use super::chunks::Chunks;
use super::dialect::{Json, Limit};
use super::{Client, answer, responses};

/// The field that names who asks on whose behalf.
pub(super) const SAFETY: &str = "safety_identifier";

impl Client {
    /// Begins an answer through `/chat/completions`.
    pub(super) async fn complete(&self, request: &ChatRequest) -> Result<ChatStream, ModelError> {
        let body = self.completion(request)?;
        let post = self.post("/chat/completions", &body)?;
        let chunks = Chunks::new(&self.account, self.dialect.think_tags);
        answer::begin(&self.account, post, chunks).await
    }

    fn completion(&self, request: &ChatRequest) -> Result<Value, ModelError> {
        let dialect = &self.dialect;
        let reasons = dialect.limit == Limit::ByModel && responses::reasons(&request.model);
        let mut messages = self.messages(&request.messages)?;
        let mut body = Body::default();
        body.set("model", self.model(&request.model)?);
        let format = request.response_format.as_ref();
        if let (Some(ResponseFormat::JsonSchema { schema, .. }), Json::Object) =
            (format, dialect.json)
        {
            let system = request.messages.iter();
            let system = system.take_while(|m| m.role == Role::System).count();
            messages.insert(system, in_words(schema));
        }
        body.set("messages", messages);
        body.set("stream", true);
        if dialect.asks_usage {
            body.set("stream_options", object([("include_usage", true.into())]));
        }
        let limit = match dialect.limit {
            Limit::CompletionTokens => "max_completion_tokens",
            Limit::ByModel if reasons => "max_completion_tokens",
            Limit::Tokens | Limit::ByModel => "max_tokens",
        };
        body.set_some(limit, request.max_tokens);
        // Models that reason refuse these fields, even with what they would do anyway.
        let usual = |value: &f64| reasons && *value == 1.0;
        let set = |value: Option<f64>| value.filter(|value| !usual(value));
        body.set_some("temperature", set(request.temperature));
        body.set_some("top_p", set(request.top_p));
        let penalty = |value: Option<f64>| value.filter(|value| *value != 0.0);
        body.set_some("presence_penalty", penalty(request.presence_penalty));
        body.set_some("frequency_penalty", penalty(request.frequency_penalty));
        if !request.stop.is_empty() {
            body.set("stop", texts(&request.stop));
        }
        body.set_some(dialect.seed, request.seed);
        if let Some(alternatives) = request.logprobs {
            body.set("logprobs", true);
            let alternatives = (alternatives > 0).then(|| i32::from(alternatives));
            body.set_some("top_logprobs", alternatives);
        }
        body.set_some("reasoning_effort", request.reasoning_effort.as_deref());
        let fields = &request.openai_fields;
        // The one is the other's newer name.
        if dialect.takes_user && !(dialect.takes_fields && fields.contains_key(SAFETY)) {
            body.set_some("user", request.end_user.as_deref());
        }
        if dialect.takes_fields {
            body.add(fields);
        }
        if !request.tools.is_empty() {
            body.set("tools", Value::list(request.tools.iter().map(tool)));
            body.set_some("tool_choice", request.tool_choice.as_ref().map(choice));
            body.set_some("parallel_tool_calls", request.parallel_tool_calls);
        }
        body.set_some(
            "response_format",
            format.and_then(|format| self.format(format)),
        );
        Ok(body.into_value())
    }

    fn format(&self, format: &ResponseFormat) -> Option<Value> {
        let any = || tagged_only("json_object");
        Some(match (format, self.dialect.json) {
            (ResponseFormat::Text, _) => return None,
            (ResponseFormat::JsonObject, Json::Both | Json::Object) => any(),
            (ResponseFormat::JsonSchema { .. }, Json::Object) => any(),
            (ResponseFormat::JsonObject, Json::Schema) => {
                let schema = object([("type", "object".into())]);
                let schema = object([("name", "answer".into()), ("schema", schema)]);
                tagged("json_schema", "json_schema", schema)
            }
            (ResponseFormat::JsonSchema { .. }, _) => {
                let schema = schema(format).unwrap_or_default();
                tagged("json_schema", "json_schema", schema)
            }
        })
    }
}

fn tagged_only(tag: &str) -> Value {
    object([("type", tag.into())])
}

/// The fields of a schema format, without its type; both forms of the wire have them.
pub(super) fn schema(format: &ResponseFormat) -> Option<Map> {
    let ResponseFormat::JsonSchema {
        name,
        description,
        schema,
        strict,
    } = format
    else {
        return None;
    };
    let mut fields = Map::new();
    fields.insert("name".into(), plain_name(name, "answer").into());
    if let Some(description) = description {
        fields.insert("description".into(), description.as_str().into());
    }
    fields.insert("schema".into(), schema.clone());
    if let Some(strict) = strict {
        fields.insert("strict".into(), (*strict).into());
    }
    Some(fields)
}

/// A schema for models that know only that they have to write JSON.
fn in_words(schema: &Value) -> Value {
    let schema = serde_json::to_string(schema).unwrap_or_default();
    let words = format!(
        "Answer with one JSON object and nothing else. It has to fit this JSON Schema: {schema}"
    );
    object([("role", "system".into()), ("content", words.into())])
}

fn tool(tool: &ToolSpec) -> Value {
    let mut function = Body::default();
    function.set("name", tool.name.as_str());
    if !tool.description.is_empty() {
        function.set("description", tool.description.as_str());
    }
    function.set("parameters", parameters(&tool.parameters));
    function.set_some("strict", tool.strict);
    tagged("function", "function", function.into_value())
}

fn choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => {
            let name = object([("name", name.as_str().into())]);
            tagged("function", "function", name)
        }
    }
}

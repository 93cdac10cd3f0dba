//! `POST /v1/chat/completions`: what is asked, and the answer in one piece. The answer in pieces: `stream`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use nodetool_protocol::{Map, Value};
use nodetool_sdk::models::{
    Answer, ChatRequest, FinishReason, ResponseFormat, ToolCall, ToolChoice, ToolSpec,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::asked::{Fields, JsonObject, object, unknown_word, wrong_type};
use super::begin::{Begun, begin, collect};
use super::errors::{OpenAiError, OpenAiRefusal};
use super::usage::{ChatUsage, Estimate};
use super::{OpenAiState, files, messages, now_seconds, stream, unique};
use crate::services::Caller;

/// Most tools of a request.
const MAX_TOOLS: usize = 128;
/// Most texts that end an answer.
const MAX_STOPS: usize = 16;
/// Longest name of a tool or a schema.
const MAX_NAME: usize = 64;
/// Longest text of a field that is for the provider alone; pairs of `metadata`.
const MAX_FIELD: usize = 512;
const MAX_LABELS: usize = 16;
const VERBOSITIES: [&str; 3] = ["low", "medium", "high"];
/// Fields that are for the provider alone.
const OWN_FIELDS: [&str; 6] = [
    "store",
    "metadata",
    "service_tier",
    "verbosity",
    "prompt_cache_key",
    "safety_identifier",
];
/// How hard a model may be asked to think.
const EFFORTS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// What is asked of a model.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of the body for the API description")]
pub(super) struct ChatCompletionAsked {
    /// Id of a model as `GET /v1/models` lists it, `provider/model`, or `workflow/name`; the server's own when absent.
    model: Option<String>,
    /// The conversation, oldest first.
    #[schema(min_items = 1)]
    messages: Vec<AskedMessage>,
    /// Whether the answer comes in pieces, as server-sent events.
    stream: Option<bool>,
    /// `include_usage`: whether the last piece says what the call took.
    #[schema(value_type = Option<Object>)]
    stream_options: Option<()>,
    /// Functions the model may call.
    #[schema(value_type = Option<Vec<Object>>, max_items = 128)]
    tools: Option<()>,
    parallel_tool_calls: Option<bool>,
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f64>,
    #[schema(minimum = 0, maximum = 1)]
    top_p: Option<f64>,
    #[schema(minimum = -2, maximum = 2)]
    presence_penalty: Option<f64>,
    #[schema(minimum = -2, maximum = 2)]
    frequency_penalty: Option<f64>,
    /// One only.
    #[schema(minimum = 1, maximum = 1)]
    n: Option<u32>,
    #[schema(minimum = 1)]
    max_tokens: Option<u32>,
    #[schema(minimum = 1)]
    max_completion_tokens: Option<u32>,
    logprobs: Option<bool>,
    #[schema(minimum = 0, maximum = 20)]
    top_logprobs: Option<u8>,
    /// `text`, `json_object` or `json_schema`.
    #[schema(value_type = Option<Object>)]
    response_format: Option<()>,
}

/// A message of a conversation.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of the body for the API description")]
struct AskedMessage {
    /// `developer`, `system`, `user`, `assistant` or `tool`.
    role: String,
}

/// An answer in one piece.
#[derive(Serialize, ToSchema)]
pub(super) struct ChatCompletion {
    id: String,
    /// `chat.completion`.
    object: &'static str,
    created: u64,
    model: String,
    choices: [Choice; 1],
    usage: ChatUsage,
    #[schema(value_type = Option<String>)]
    system_fingerprint: (),
}

#[derive(Serialize, ToSchema)]
struct Choice {
    index: u32,
    message: Said,
    #[schema(value_type = Option<Object>)]
    logprobs: Option<Logprobs>,
    /// `stop`, `length`, `tool_calls` or `content_filter`.
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Logprobs {
    content: Vec<Value>,
    refusal: (),
}

#[derive(Serialize, ToSchema)]
struct Said {
    role: &'static str,
    content: Option<String>,
    #[schema(value_type = Option<String>)]
    refusal: (),
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_signature: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>, required = false)]
    tool_calls: Vec<Called>,
    /// Pictures the model made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>, required = false)]
    images: Vec<serde_json::Value>,
}

#[derive(Serialize)]
struct Called {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<serde_json::Value>,
}

#[derive(Serialize)]
struct Function {
    name: String,
    arguments: String,
}

impl From<ToolCall> for Called {
    fn from(call: ToolCall) -> Self {
        Called {
            id: call.id,
            kind: "function",
            function: Function {
                name: call.name,
                arguments: call.arguments,
            },
            extra_content: call
                .signature
                .map(|s| serde_json::json!({ "google": { "thought_signature": s } })),
        }
    }
}

/// Has a model answer, or a workflow that takes a message: in one piece, or with `stream` as server-sent events, `[DONE]`
/// last. An error after the first piece is a piece whose content is `Error: …`.
///
/// `store`, `metadata`, `service_tier`, `verbosity`, `prompt_cache_key` and `safety_identifier` are for the provider: OpenAI,
/// OpenRouter and servers at an address of the user's get them, others do not have them. `prediction` means nothing here.
#[utoipa::path(post, path = "/v1/chat/completions", tag = "openai", request_body = ChatCompletionAsked,
    responses((status = 200, description = "The answer, or its pieces", content((ChatCompletion = "application/json"), (String = "text/event-stream"))),
        (status = 400, body = OpenAiRefusal), (status = 404, body = OpenAiRefusal), (status = 502, body = OpenAiRefusal), (status = 504, body = OpenAiRefusal)))]
pub(super) async fn create_chat_completion(
    State(state): State<OpenAiState>,
    caller: Caller,
    body: JsonObject,
) -> Result<Response, OpenAiError> {
    let fields = body.fields();
    let streams = fields.flag("stream")?.unwrap_or(state.stream_by_default);
    let tells_usage = match fields.object("stream_options")? {
        Some(options) => options.flag("include_usage")?.unwrap_or(false),
        None => false,
    };
    let mut request = read(&fields)?;
    drop(body);
    let model = state.choose(&caller, &mut request).await?;
    let estimate = (!streams || tells_usage).then(|| Estimate::of(&request));
    let id = unique("chatcmpl-");
    let begun = begin(state.open(caller, request)).await?;
    if streams {
        return Ok(stream::response(begun, &id, &model, estimate));
    }
    answer(begun, id, model, estimate).await
}

async fn answer(
    begun: Begun,
    id: String,
    model: String,
    estimate: Option<Estimate>,
) -> Result<Response, OpenAiError> {
    let answer = collect(begun).await?;
    let usage = match (answer.usage, estimate) {
        (Some(usage), _) => usage,
        (None, Some(mut estimate)) => {
            estimate.add(&answer.reasoning).await;
            estimate.add(&answer.text).await;
            for call in &answer.tool_calls {
                estimate.add(&call.arguments).await;
            }
            estimate.usage().await
        }
        (None, None) => nodetool_sdk::models::Usage::default(),
    };
    let completion = ChatCompletion {
        id,
        object: "chat.completion",
        created: now_seconds(),
        model,
        choices: [choice(answer)],
        usage: usage.into(),
        system_fingerprint: (),
    };
    Ok(super::super::json(&completion).into_response())
}

fn choice(mut answer: Answer) -> Choice {
    let mut images = Vec::new();
    for file in &answer.files {
        match files::image(file, images.len()) {
            Some(image) => images.push(image),
            None => answer.text.push_str(&files::link(file)),
        }
    }
    let finish_reason = word(answer.finish.as_ref().unwrap_or(&FinishReason::Stop));
    let logprobs = (!answer.logprobs.is_empty()).then(|| Logprobs {
        content: answer.logprobs.into_iter().flat_map(entries).collect(),
        refusal: (),
    });
    let given = |text: String| (!text.is_empty()).then_some(text);
    // A model that only calls tools says nothing, which is not the empty text.
    let silent = answer.text.is_empty() && !answer.tool_calls.is_empty();
    Choice {
        index: 0,
        message: Said {
            role: "assistant",
            content: (!silent).then_some(answer.text),
            refusal: (),
            reasoning_content: given(answer.reasoning),
            reasoning_signature: answer.signature,
            tool_calls: answer.tool_calls.into_iter().map(Called::from).collect(),
            images,
        },
        logprobs,
        finish_reason,
    }
}

/// The entries of a piece of `logprobs.content`.
pub(super) fn entries(piece: Value) -> Vec<Value> {
    match piece {
        Value::List(items) => items.to_vec(),
        one => vec![one],
    }
}

/// The word for an end.
pub(super) fn word(reason: &FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
    }
}

/// Reads a request.
fn read(body: &Fields<'_>) -> Result<ChatRequest, OpenAiError> {
    if body.whole("n", 1, 128)?.is_some_and(|n| n > 1) {
        let message = "Only one choice is made at a time: 'n' has to be 1. Send the request again for another answer.";
        return Err(OpenAiError::unsupported("n", message));
    }
    body.refuse("functions", "use tools")?;
    body.refuse("function_call", "use tool_choice")?;
    body.refuse("logit_bias", "no provider-independent tokens exist")?;
    body.refuse("audio", "answers are text; use /v1/audio/speech")?;
    body.refuse("web_search_options", "give the model a tool that searches")?;
    for (i, modality) in messages::texts(body, "modalities", 8)?.iter().enumerate() {
        if !matches!(*modality, "text" | "image") {
            return Err(unknown_word(
                &format!("modalities[{i}]"),
                modality,
                &["text", "image"],
            ));
        }
    }
    let tools = tools(body)?;
    let request = ChatRequest {
        provider: String::new(),
        model: body.text("model")?.unwrap_or_default().trim().to_owned(),
        messages: messages::read(body)?,
        tool_choice: tool_choice(body, &tools)?,
        tools,
        parallel_tool_calls: body.flag("parallel_tool_calls")?,
        response_format: response_format(body)?,
        max_tokens: body
            .count("max_completion_tokens")?
            .or(body.count("max_tokens")?),
        temperature: body.number("temperature", 0.0, 2.0)?,
        top_p: body.number("top_p", 0.0, 1.0)?,
        stop: stops(body)?,
        seed: body.whole("seed", i64::MIN, i64::MAX)?,
        presence_penalty: body.number("presence_penalty", -2.0, 2.0)?,
        frequency_penalty: body.number("frequency_penalty", -2.0, 2.0)?,
        logprobs: logprobs(body)?,
        reasoning_effort: body.word("reasoning_effort", &EFFORTS)?.map(str::to_owned),
        end_user: end_user(body)?,
        openai_fields: beside(body, &OWN_FIELDS)?,
        node_id: None,
        workflow_id: None,
    };
    Ok(request)
}

/// Fields of a request that are for the provider alone, as they were given.
pub(super) fn beside(body: &Fields<'_>, known: &[&str]) -> Result<Map, OpenAiError> {
    let mut fields = Map::new();
    for key in known {
        let Some(given) = body.get(key) else { continue };
        match *key {
            "store" => {
                body.flag(key)?;
            }
            "metadata" => labels(body)?,
            "verbosity" => {
                body.word(key, &VERBOSITIES)?;
            }
            _ => {
                let text = body.need_text(key)?;
                if text.len() > MAX_FIELD {
                    let at = body.place(key);
                    let message = format!("Invalid '{at}': expected at most {MAX_FIELD} bytes.");
                    return Err(OpenAiError::value(&at, message));
                }
            }
        }
        fields.insert((*key).into(), given.clone());
    }
    Ok(fields)
}

/// `metadata`: a few short texts by name.
fn labels(body: &Fields<'_>) -> Result<(), OpenAiError> {
    let at = body.place("metadata");
    let labels = match body.get("metadata") {
        Some(Value::Map(labels)) => labels,
        Some(other) => return Err(wrong_type(&at, "an object", other)),
        None => return Ok(()),
    };
    if labels.len() > MAX_LABELS {
        let message = format!("Invalid '{at}': expected at most {MAX_LABELS} pairs.");
        return Err(OpenAiError::value(&at, message));
    }
    for (key, value) in labels.iter() {
        let Value::Str(value) = value else {
            return Err(wrong_type(&at, "an object of strings", value));
        };
        if key.chars().count() > MAX_NAME || value.chars().count() > MAX_FIELD {
            let message = format!(
                "Invalid '{at}': expected keys of at most {MAX_NAME} and values of at most {MAX_FIELD} characters."
            );
            return Err(OpenAiError::value(&at, message));
        }
    }
    Ok(())
}

/// Who asks through the client.
pub(super) fn end_user(body: &Fields<'_>) -> Result<Option<String>, OpenAiError> {
    let named = body.text("safety_identifier")?.or(body.text("user")?);
    Ok(named.map(|name| name.chars().take(512).collect()))
}

/// How hard the model is to think.
pub(super) fn effort(reasoning: &Fields<'_>) -> Result<Option<String>, OpenAiError> {
    Ok(reasoning.word("effort", &EFFORTS)?.map(str::to_owned))
}

fn stops(body: &Fields<'_>) -> Result<Vec<String>, OpenAiError> {
    let texts = messages::texts(body, "stop", MAX_STOPS)?.into_iter();
    Ok(texts
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect())
}

fn logprobs(body: &Fields<'_>) -> Result<Option<u8>, OpenAiError> {
    let wanted = body.flag("logprobs")?.unwrap_or(false);
    let top = body.whole("top_logprobs", 0, 20)?;
    if top.is_some_and(|top| top > 0) && !wanted {
        let message = "'top_logprobs' needs 'logprobs' to be true.";
        return Err(OpenAiError::value("top_logprobs", message));
    }
    let top = top.and_then(|top| u8::try_from(top).ok());
    Ok(wanted.then(|| top.unwrap_or(0)))
}

fn named<'a>(fields: &Fields<'a>) -> Result<&'a str, OpenAiError> {
    let name = fields.need_text("name")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) {
        let at = fields.place("name");
        let message =
            format!("Invalid '{at}': expected 1 to {MAX_NAME} letters, digits, '_' or '-'.");
        return Err(OpenAiError::value(&at, message));
    }
    Ok(name)
}

fn tools(body: &Fields<'_>) -> Result<Vec<ToolSpec>, OpenAiError> {
    let items = body.list("tools", MAX_TOOLS)?.unwrap_or_default();
    let tools = items.iter().enumerate().map(|(i, item)| {
        let tool = object(item, format!("tools[{i}]"))?;
        let at = tool.place("type");
        match tool.need_text("type")? {
            "function" => spec(&tool.need_object("function")?),
            other => Err(unknown_word(&at, other, &["function"])),
        }
    });
    tools.collect()
}

/// A function the model may call.
pub(super) fn spec(function: &Fields<'_>) -> Result<ToolSpec, OpenAiError> {
    let parameters = match function.get("parameters") {
        None => Value::map([
            ("type", Value::from("object")),
            ("properties", Value::from(nodetool_protocol::Map::new())),
        ]),
        Some(schema @ Value::Map(_)) => schema.clone(),
        Some(other) => {
            return Err(wrong_type(
                &function.place("parameters"),
                "an object",
                other,
            ));
        }
    };
    Ok(ToolSpec {
        name: named(function)?.to_owned(),
        description: function.text("description")?.unwrap_or_default().to_owned(),
        parameters,
        strict: function.flag("strict")?,
    })
}

fn tool_choice(body: &Fields<'_>, tools: &[ToolSpec]) -> Result<Option<ToolChoice>, OpenAiError> {
    match body.get("tool_choice") {
        None => Ok(None),
        Some(Value::Str(word)) => plain_choice(word, tools).map(Some),
        Some(_) => {
            let choice = body.need_object("tool_choice")?;
            choice.word("type", &["function"])?;
            let function = choice.need_object("function")?;
            named_choice(function.need_text("name")?, &function.place("name"), tools).map(Some)
        }
    }
}

/// `auto`, `none` or `required`.
pub(super) fn plain_choice(word: &str, tools: &[ToolSpec]) -> Result<ToolChoice, OpenAiError> {
    let choice = match word {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "required" => ToolChoice::Required,
        other => {
            let words = ["none", "auto", "required"];
            return Err(unknown_word("tool_choice", other, &words));
        }
    };
    if choice == ToolChoice::Required && tools.is_empty() {
        let message = "'tool_choice' is 'required', but there are no 'tools'.";
        return Err(OpenAiError::value("tool_choice", message));
    }
    Ok(choice)
}

/// The one tool that has to be called.
pub(super) fn named_choice(
    name: &str,
    at: &str,
    tools: &[ToolSpec],
) -> Result<ToolChoice, OpenAiError> {
    if !tools.iter().any(|tool| tool.name == name) {
        let message = format!("Invalid '{at}': there is no such function in 'tools'.");
        return Err(OpenAiError::value(at, message));
    }
    Ok(ToolChoice::Named(name.to_owned()))
}

fn response_format(body: &Fields<'_>) -> Result<Option<ResponseFormat>, OpenAiError> {
    let Some(format) = body.object("response_format")? else {
        return Ok(None);
    };
    let kinds = ["text", "json_object", "json_schema"];
    format.need("type")?;
    Ok(Some(match format.word("type", &kinds)? {
        Some("json_object") => ResponseFormat::JsonObject,
        Some("json_schema") => schema(&format.need_object("json_schema")?)?,
        _ => ResponseFormat::Text,
    }))
}

/// `{"name", "schema", "strict", "description"}`.
pub(super) fn schema(format: &Fields<'_>) -> Result<ResponseFormat, OpenAiError> {
    let schema = match format.need("schema")? {
        schema @ Value::Map(_) => schema.clone(),
        other => return Err(wrong_type(&format.place("schema"), "an object", other)),
    };
    Ok(ResponseFormat::JsonSchema {
        name: named(format)?.to_owned(),
        description: format.text("description")?.map(str::to_owned),
        schema,
        strict: format.flag("strict")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> JsonObject {
        match serde_json::from_str(text).unwrap() {
            Value::Map(map) => JsonObject(std::sync::Arc::unwrap_or_clone(map)),
            other => panic!("{other:?}"),
        }
    }

    fn refused(text: &str) -> (String, String) {
        let body = body(text);
        let error = read(&body.fields()).unwrap_err();
        let fault = serde_json::to_value(error.fault()).unwrap();
        let text = |key: &str| fault[key].as_str().unwrap_or_default().to_owned();
        (text("param"), text("code"))
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let user = r#""messages":[{"role":"user","content":"x"}]"#;
        for (text, param, code) in [
            ("{}".to_owned(), "messages", "missing_required_parameter"),
            (r#"{"messages":[]}"#.into(), "messages", "empty_array"),
            (r#"{"messages":"x"}"#.into(), "messages", "invalid_type"),
            (r#"{"messages":[1]}"#.into(), "messages[0]", "invalid_type"),
            (r#"{"messages":[{}]}"#.into(), "messages[0].role", "missing_required_parameter"),
            (r#"{"messages":[{"role":"x"}]}"#.into(), "messages[0].role", "invalid_value"),
            (r#"{"messages":[{"role":"user"}]}"#.into(), "messages[0].content", "missing_required_parameter"),
            (r#"{"messages":[{"role":"user","content":1}]}"#.into(), "messages[0].content", "invalid_type"),
            (r#"{"messages":[{"role":"user","content":[{"type":"hologram"}]}]}"#.into(), "messages[0].content[0].type", "invalid_value"),
            (r#"{"messages":[{"role":"system","content":[{"type":"image_url"}]}]}"#.into(), "messages[0].content[0].type", "invalid_value"),
            (r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"nope"}}]}]}"#.into(), "messages[0].content[0].image_url.url", "invalid_url"),
            (r#"{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"!","format":"wav"}}]}]}"#.into(), "messages[0].content[0].input_audio.data", "invalid_base64"),
            (r#"{"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]}"#.into(), "messages[0].content[0].file.file_id", "unsupported_parameter"),
            (r#"{"messages":[{"role":"tool","content":"x"}]}"#.into(), "messages[0].tool_call_id", "missing_required_parameter"),
            (format!(r#"{{{user},"n":2}}"#), "n", "unsupported_value"),
            (format!(r#"{{{user},"n":0}}"#), "n", "invalid_value"),
            (format!(r#"{{{user},"store":1}}"#), "store", "invalid_type"),
            (format!(r#"{{{user},"metadata":{{"a":1}}}}"#), "metadata", "invalid_type"),
            (format!(r#"{{{user},"metadata":{{"a":"{}"}}}}"#, "x".repeat(513)), "metadata", "invalid_value"),
            (format!(r#"{{{user},"verbosity":"loud"}}"#), "verbosity", "invalid_value"),
            (format!(r#"{{{user},"service_tier":1}}"#), "service_tier", "invalid_type"),
            (format!(r#"{{{user},"prompt_cache_key":"{}"}}"#, "x".repeat(513)), "prompt_cache_key", "invalid_value"),
            (format!(r#"{{{user},"temperature":2.5}}"#), "temperature", "invalid_value"),
            (format!(r#"{{{user},"temperature":"hot"}}"#), "temperature", "invalid_type"),
            (format!(r#"{{{user},"top_p":-0.1}}"#), "top_p", "invalid_value"),
            (format!(r#"{{{user},"presence_penalty":3}}"#), "presence_penalty", "invalid_value"),
            (format!(r#"{{{user},"max_tokens":0}}"#), "max_tokens", "invalid_value"),
            (format!(r#"{{{user},"top_logprobs":3}}"#), "top_logprobs", "invalid_value"),
            (format!(r#"{{{user},"logprobs":true,"top_logprobs":21}}"#), "top_logprobs", "invalid_value"),
            (format!(r#"{{{user},"stop":[1]}}"#), "stop[0]", "invalid_type"),
            (format!(r#"{{{user},"logit_bias":{{"1":2}}}}"#), "logit_bias", "unsupported_parameter"),
            (format!(r#"{{{user},"functions":[{{}}]}}"#), "functions", "unsupported_parameter"),
            (format!(r#"{{{user},"modalities":["text","audio"]}}"#), "modalities[1]", "invalid_value"),
            (format!(r#"{{{user},"tools":[{{"type":"web_search"}}]}}"#), "tools[0].type", "invalid_value"),
            (format!(r#"{{{user},"tools":[{{"type":"function","function":{{"name":"a b"}}}}]}}"#), "tools[0].function.name", "invalid_value"),
            (format!(r#"{{{user},"tool_choice":"required"}}"#), "tool_choice", "invalid_value"),
            (format!(r#"{{{user},"tool_choice":{{"type":"function","function":{{"name":"f"}}}}}}"#), "tool_choice.function.name", "invalid_value"),
            (format!(r#"{{{user},"response_format":{{"type":"xml"}}}}"#), "response_format.type", "invalid_value"),
            (format!(r#"{{{user},"response_format":{{"type":"json_schema","json_schema":{{"name":"x"}}}}}}"#), "response_format.json_schema.schema", "missing_required_parameter"),
            (format!(r#"{{{user},"reasoning_effort":"a lot"}}"#), "reasoning_effort", "invalid_value"),
        ] {
            assert_eq!(refused(&text), (param.to_owned(), code.to_owned()), "{text}");
        }
    }

    #[test]
    fn everything_a_request_says_is_passed_on() {
        let body = body(
            r#"{"model":"m","messages":[
                {"role":"developer","content":"be brief"},
                {"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://h.test/i.png","detail":"low"}},
                    {"type":"file","file":{"file_data":"aGk=","filename":"a.md"}},{"type":"input_audio","input_audio":{"data":"aGk=","format":"mp3"}}]},
                {"role":"assistant","content":null,"reasoning_content":"hm","reasoning_signature":"sig","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"g"}}}]},
                {"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"4"}]}],
            "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}}],
            "tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,
            "response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{},"strict":true}},
            "max_completion_tokens":7,"max_tokens":9,"temperature":0,"top_p":1,"stop":"END","seed":-3,"presence_penalty":-2,"frequency_penalty":2,
            "logprobs":true,"top_logprobs":2,"reasoning_effort":"low","user":"u","store":true,"metadata":{"a":"b"},"service_tier":"flex","verbosity":"low","prompt_cache_key":"k","safety_identifier":"s","n":1,"logit_bias":{},"modalities":["text"]}"#,
        );
        let request = read(&body.fields()).unwrap();
        let roles: Vec<_> = request.messages.iter().map(|m| m.role).collect();
        use nodetool_sdk::models::{Part, Role};
        assert_eq!(
            roles,
            [Role::System, Role::User, Role::Assistant, Role::Tool]
        );
        let parts = &request.messages[1].parts;
        assert!(matches!(&parts[1], Part::Image(_)));
        assert!(matches!(&parts[2], Part::Document(d) if d.mime == "text/markdown"));
        assert!(matches!(&parts[3], Part::Audio(a) if a.mime == "audio/mpeg"));
        let said = &request.messages[2];
        assert!(
            matches!(&said.parts[..], [Part::Thought { text, signature: Some(s) }] if text == "hm" && s == "sig")
        );
        assert_eq!(said.tool_calls[0].signature.as_deref(), Some("g"));
        assert_eq!(request.messages[3].tool_call_id.as_deref(), Some("c"));
        assert_eq!(request.tool_choice, Some(ToolChoice::Named("f".into())));
        assert_eq!(request.parallel_tool_calls, Some(false));
        assert_eq!((request.max_tokens, request.seed), (Some(7), Some(-3)));
        assert_eq!((request.temperature, request.top_p), (Some(0.0), Some(1.0)));
        assert_eq!(request.stop, ["END"]);
        assert_eq!(request.logprobs, Some(2));
        assert_eq!(request.end_user.as_deref(), Some("s"));
        assert_eq!(request.tools[0].strict, Some(true));
        let passed: Vec<&str> = request.openai_fields.keys().map(|key| &**key).collect();
        assert_eq!(passed, OWN_FIELDS);
        assert!(matches!(
            request.response_format,
            Some(ResponseFormat::JsonSchema {
                strict: Some(true),
                ..
            })
        ));
    }
}

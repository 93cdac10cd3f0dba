//! What a request for a response says, beside its input.

use nodetool_protocol::Value;
use nodetool_sdk::models::{ChatMessage, ChatRequest, ResponseFormat, Role, ToolChoice, ToolSpec};
use serde_json::json;

use super::super::asked::{Fields, object, unknown_word};
use super::super::completions::{
    beside, effort, end_user, named_choice, plain_choice, schema, spec,
};
use super::super::errors::OpenAiError;
use super::super::messages::{name_answers, texts};
use super::super::now_seconds;
use super::input;

const MAX_TOOLS: usize = 128;
/// Fields that are for the provider alone.
const OWN_FIELDS: [&str; 4] = [
    "metadata",
    "service_tier",
    "prompt_cache_key",
    "safety_identifier",
];
const LOGPROBS: &str = "message.output_text.logprobs";
const NOT_STORED: &str = "responses are not stored; send the conversation as 'input'";

/// Reads a request.
pub(super) fn read(body: &Fields<'_>) -> Result<ChatRequest, OpenAiError> {
    body.refuse("previous_response_id", NOT_STORED)?;
    body.refuse("conversation", NOT_STORED)?;
    body.refuse("background", NOT_STORED)?;
    body.refuse("prompt", "there are no stored prompts; use 'instructions'")?;
    body.flag("store")?;
    if body.word("truncation", &["auto", "disabled"])? == Some("auto") {
        let message = "Conversations are not shortened here: 'truncation' has to be 'disabled'.";
        return Err(OpenAiError::unsupported("truncation", message));
    }
    let mut messages = Vec::new();
    if let Some(instructions) = body.text("instructions")? {
        messages.push(ChatMessage::text(Role::System, instructions));
    }
    input::read(body, &mut messages)?;
    name_answers(&mut messages);
    let tools = tools(body)?;
    let include = texts(body, "include", 32)?;
    let top = body.whole("top_logprobs", 0, 20)?;
    let top = top.and_then(|top| u8::try_from(top).ok());
    let wants = include.contains(&LOGPROBS) || top.is_some_and(|top| top > 0);
    let reasoning = body.object("reasoning")?;
    let mut openai_fields = beside(body, &OWN_FIELDS)?;
    if let Some(text) = body.object("text")? {
        openai_fields.extend(beside(&text, &["verbosity"])?);
    }
    Ok(ChatRequest {
        provider: String::new(),
        model: body.text("model")?.unwrap_or_default().trim().to_owned(),
        messages,
        tool_choice: tool_choice(body, &tools)?,
        tools,
        parallel_tool_calls: body.flag("parallel_tool_calls")?,
        response_format: format(body)?,
        max_tokens: body.count("max_output_tokens")?,
        temperature: body.number("temperature", 0.0, 2.0)?,
        top_p: body.number("top_p", 0.0, 1.0)?,
        stop: Vec::new(),
        seed: None,
        presence_penalty: None,
        frequency_penalty: None,
        logprobs: wants.then(|| top.unwrap_or(0)),
        reasoning_effort: reasoning.as_ref().map(effort).transpose()?.flatten(),
        end_user: end_user(body)?,
        openai_fields,
        node_id: None,
        workflow_id: None,
    })
}

fn tools(body: &Fields<'_>) -> Result<Vec<ToolSpec>, OpenAiError> {
    let items = body.list("tools", MAX_TOOLS)?.unwrap_or_default();
    let tools = items.iter().enumerate().map(|(i, item)| {
        let tool = object(item, format!("tools[{i}]"))?;
        match tool.need_text("type")? {
            "function" => spec(&tool),
            other => Err(unknown_word(&tool.place("type"), other, &["function"])),
        }
    });
    tools.collect()
}

fn tool_choice(body: &Fields<'_>, tools: &[ToolSpec]) -> Result<Option<ToolChoice>, OpenAiError> {
    match body.get("tool_choice") {
        None => Ok(None),
        Some(Value::Str(word)) => plain_choice(word, tools).map(Some),
        Some(_) => {
            let choice = body.need_object("tool_choice")?;
            choice.need("type")?;
            choice.word("type", &["function"])?;
            named_choice(choice.need_text("name")?, &choice.place("name"), tools).map(Some)
        }
    }
}

fn format(body: &Fields<'_>) -> Result<Option<ResponseFormat>, OpenAiError> {
    let Some(text) = body.object("text")? else {
        return Ok(None);
    };
    let Some(format) = text.object("format")? else {
        return Ok(None);
    };
    format.need("type")?;
    let kinds = ["text", "json_object", "json_schema"];
    Ok(Some(match format.word("type", &kinds)? {
        Some("json_object") => ResponseFormat::JsonObject,
        Some("json_schema") => schema(&format)?,
        _ => ResponseFormat::Text,
    }))
}

/// What of a request its response says again, and all that is the same in every response.
pub(super) fn echo(body: &Fields<'_>) -> serde_json::Map<String, serde_json::Value> {
    let or = |key: &str, otherwise: serde_json::Value| {
        let given = body.get(key).map(serde_json::to_value);
        given.and_then(Result::ok).unwrap_or(otherwise)
    };
    let mut text = or("text", json!({}));
    if text["format"].is_null() {
        text["format"] = json!({ "type": "text" });
    }
    let echo = json!({
        "object": "response",
        "created_at": now_seconds(),
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": or("instructions", json!(null)),
        "max_output_tokens": or("max_output_tokens", json!(null)),
        "metadata": or("metadata", json!({})),
        "output": [],
        "parallel_tool_calls": or("parallel_tool_calls", json!(true)),
        "previous_response_id": null,
        "reasoning": or("reasoning", json!({ "effort": null, "summary": null })),
        "service_tier": "default",
        "status": "in_progress",
        "store": false,
        "temperature": or("temperature", json!(1.0)),
        "text": text,
        "tool_choice": or("tool_choice", json!("auto")),
        "tools": or("tools", json!([])),
        "top_p": or("top_p", json!(1.0)),
        "truncation": "disabled",
        "usage": null,
        "user": or("user", json!(null)),
    });
    match echo {
        serde_json::Value::Object(map) => map,
        _ => serde_json::Map::new(),
    }
}

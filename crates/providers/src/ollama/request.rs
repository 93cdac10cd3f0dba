//! A conversation as `/api/chat` takes it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nodetool_sdk::models::{
    ChatMessage, ChatRequest, Media, MediaSource, ModelError, ModelErrorKind, Part, ResponseFormat,
    Role, ToolSpec, read_arguments,
};
use serde_json::{Map, Value, json};

use crate::Account;
use crate::media::mime;

/// The body of the request.
pub(super) fn chat(
    account: &Account,
    request: &ChatRequest,
    context_length: Option<u32>,
) -> Result<Value, ModelError> {
    let messages = request.messages.iter().enumerate();
    let messages: Result<Vec<Value>, ModelError> = messages
        .map(|(at, message)| self::message(account, at, message))
        .collect();
    let mut body = json!({ "model": request.model, "messages": messages?, "stream": true });
    if !request.tools.is_empty() {
        body["tools"] = request.tools.iter().map(tool).collect();
    }
    match &request.response_format {
        None | Some(ResponseFormat::Text) => {}
        Some(ResponseFormat::JsonObject) => body["format"] = "json".into(),
        Some(ResponseFormat::JsonSchema { schema, .. }) => body["format"] = json!(schema),
    }
    match request.reasoning_effort.as_deref() {
        None => {}
        Some("none") => body["think"] = false.into(),
        Some("minimal") => body["think"] = "low".into(),
        Some("xhigh" | "max") => body["think"] = "high".into(),
        Some(effort) => body["think"] = effort.into(),
    }
    if let Some(alternatives) = request.logprobs {
        body["logprobs"] = true.into();
        if alternatives > 0 {
            body["top_logprobs"] = alternatives.into();
        }
    }
    let options = options(request, context_length);
    if !options.is_empty() {
        body["options"] = options.into();
    }
    Ok(body)
}

fn options(request: &ChatRequest, context_length: Option<u32>) -> Map<String, Value> {
    let stop = (!request.stop.is_empty()).then(|| json!(request.stop));
    let options = [
        ("num_ctx", context_length.map(Value::from)),
        ("num_predict", request.max_tokens.map(Value::from)),
        ("temperature", request.temperature.map(Value::from)),
        ("top_p", request.top_p.map(Value::from)),
        ("seed", request.seed.map(Value::from)),
        ("stop", stop),
        (
            "presence_penalty",
            request.presence_penalty.map(Value::from),
        ),
        (
            "frequency_penalty",
            request.frequency_penalty.map(Value::from),
        ),
    ];
    let set = options
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    set.collect()
}

fn tool(tool: &ToolSpec) -> Value {
    json!({
        "type": "function",
        "function": { "name": tool.name, "description": tool.description, "parameters": tool.parameters },
    })
}

fn message(account: &Account, at: usize, message: &ChatMessage) -> Result<Value, ModelError> {
    let (mut content, mut thinking, mut images) = (String::new(), String::new(), Vec::new());
    for (index, part) in message.parts.iter().enumerate() {
        let refuse = |what: &str| {
            let mut error =
                account.error(ModelErrorKind::Unsupported, format!("ollama takes {what}"));
            error.param = Some(format!("messages[{at}].content[{index}]"));
            error
        };
        match part {
            Part::Text(text) => content.push_str(text),
            Part::Thought { text, .. } => thinking.push_str(text),
            Part::Image(Media {
                source: MediaSource::Bytes(bytes),
                ..
            }) => images.push(STANDARD.encode(bytes)),
            Part::Image(_) => {
                return Err(refuse("pictures as bytes only, and this one is an address"));
            }
            Part::Audio(_) => return Err(refuse("no sound")),
            Part::Video(_) => return Err(refuse("no video")),
            Part::Document(document) => {
                let text = plain(document).ok_or_else(|| refuse("documents of plain text only"))?;
                content.push_str(&format!(
                    "\n\n{}:\n{text}\n",
                    document.name.as_deref().unwrap_or("Document")
                ));
            }
        }
    }
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let mut wire = json!({ "role": role, "content": content });
    if !thinking.is_empty() {
        wire["thinking"] = thinking.into();
    }
    if !images.is_empty() {
        wire["images"] = images.into();
    }
    if !message.tool_calls.is_empty() {
        let calls = message.tool_calls.iter().map(|call| {
            // It takes objects only; what the model wrote wrong it was told in the tool's answer.
            let arguments = read_arguments(&call.arguments).unwrap_or_default();
            let arguments = nodetool_sdk::Value::Map(std::sync::Arc::new(arguments));
            json!({ "id": call.id, "function": { "name": call.name, "arguments": arguments } })
        });
        wire["tool_calls"] = calls.collect();
    }
    if message.role == Role::Tool {
        if let Some(name) = &message.name {
            wire["tool_name"] = name.clone().into();
        }
        if let Some(id) = &message.tool_call_id {
            wire["tool_call_id"] = id.clone().into();
        }
    }
    Ok(wire)
}

/// The text of a document that is nothing but text.
fn plain(document: &Media) -> Option<&str> {
    let MediaSource::Bytes(bytes) = &document.source else {
        return None;
    };
    let mime = mime::essence(&document.mime);
    let is_text = mime.starts_with("text/")
        || matches!(mime.as_str(), "application/json" | "application/xml");
    is_text.then(|| std::str::from_utf8(bytes).ok()).flatten()
}

/// JSON as a value of the wire.
pub(super) fn to_wire(json: &Value) -> nodetool_sdk::Value {
    serde_json::from_value(json.clone()).unwrap_or_default()
}

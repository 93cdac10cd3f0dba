//! Messages: what is said in threads (HTTP spec 6.8).

use axum::extract::State;
use axum::response::Response;
use nodetool_protocol::{Map, Value};
use nodetool_store::MessageRow;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{Fields, GraphBody, JsonBody, Path, Query};
use super::threads::slice;
use super::{ApiError, AppState, Refusal, json};
use crate::services::{Caller, NewMessage, TimeText};

/// Most parts of a content, and most tool calls.
const MAX_PARTS: usize = 1000;

/// Longest role, name or id of a tool call in characters.
const MAX_NAME: usize = 256;

/// The kinds of content parts and the field each one needs; true when that is a text.
const PARTS: [(&str, &str, bool); 6] = [
    ("text", "text", true),
    ("image_url", "image", false),
    ("audio", "audio", false),
    ("video", "video", false),
    ("document", "document", false),
    ("thought", "text", true),
];

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_messages, create_message))
        .routes(routes!(get_message))
}

/// A message as clients see it.
#[derive(Serialize, ToSchema)]
struct MessageBody {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    workflow_id: Option<String>,
    #[schema(value_type = Option<Object>)]
    graph: Option<Box<RawValue>>,
    thread_id: String,
    #[schema(value_type = Option<Vec<String>>)]
    tools: Option<Box<RawValue>>,
    tool_call_id: Option<String>,
    role: String,
    name: Option<String>,
    /// A text, an object, a list of parts, or null.
    #[schema(value_type = serde_json::Value)]
    content: Option<Value>,
    #[schema(value_type = Option<Vec<Object>>)]
    tool_calls: Option<Box<RawValue>>,
    #[schema(value_type = Option<Vec<String>>)]
    collections: Option<Box<RawValue>>,
    #[schema(value_type = Option<Vec<Object>>)]
    input_files: Option<Box<RawValue>>,
    created_at: TimeText,
    provider: Option<String>,
    model: Option<String>,
    agent_mode: Option<bool>,
    help_mode: Option<bool>,
    agent_execution_id: Option<String>,
    execution_event_type: Option<String>,
    workflow_target: Option<String>,
    workflow_message_input_name: Option<String>,
    workflow_messages_input_name: Option<String>,
    user_id: String,
    #[schema(value_type = Option<Vec<Object>>)]
    output_files: Option<Box<RawValue>>,
    cost: Option<f64>,
}

impl MessageBody {
    fn of(row: MessageRow) -> Result<Self, ApiError> {
        let unreadable = |e| ApiError::internal("a stored column is no JSON", &e);
        let raw = |text: Option<String>| {
            text.map(RawValue::from_string)
                .transpose()
                .map_err(unreadable)
        };
        let content = row.content.as_deref().map(serde_json::from_str::<Value>);
        let mut content = content.transpose().map_err(unreadable)?;
        let mut execution = row.agent_execution_id;
        let mut event = row.execution_event_type;
        if row.role == "agent_execution" {
            content = content.map(unpacked);
            let told = content.as_ref().and_then(Value::as_map);
            let told = told.and_then(|map| map.get("type")?.as_str());
            event = event.or_else(|| told.map(str::to_owned));
            execution = execution.or_else(|| Some(row.id.clone()));
        }
        Ok(MessageBody {
            kind: "message",
            workflow_id: row.workflow_id,
            graph: raw(row.graph)?,
            thread_id: row.thread_id,
            tools: raw(row.tools)?,
            tool_call_id: row.tool_call_id,
            role: row.role,
            name: row.name,
            content,
            tool_calls: raw(row.tool_calls)?,
            collections: raw(row.collections)?,
            input_files: raw(row.input_files)?,
            created_at: TimeText(row.created_at),
            provider: row.provider,
            model: row.model,
            agent_mode: row.agent_mode,
            help_mode: row.help_mode,
            agent_execution_id: execution,
            execution_event_type: event,
            workflow_target: row.workflow_target,
            workflow_message_input_name: row.workflow_message_input_name,
            workflow_messages_input_name: row.workflow_messages_input_name,
            user_id: row.user_id,
            output_files: raw(row.output_files)?,
            cost: row.cost,
            id: row.id,
        })
    }
}

/// JSON that was stored as text, once or twice over.
fn unpacked(content: Value) -> Value {
    let mut content = content;
    for _ in 0..2 {
        let inner = content.as_str().map(serde_json::from_str::<Value>);
        match inner {
            Some(Ok(inner)) => content = inner,
            _ => break,
        }
    }
    content
}

#[derive(Serialize, ToSchema)]
struct MessageList {
    next: String,
    messages: Vec<MessageBody>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct CreateMessage {
    /// Thread of the caller's own; a new one begins when absent.
    thread_id: Option<String>,
    #[schema(max_length = 256)]
    tool_call_id: Option<String>,
    #[schema(max_length = 256)]
    role: Option<String>,
    #[schema(max_length = 256)]
    name: Option<String>,
    content: Option<MessageContent>,
    /// Objects with `id`, `name` and `args`.
    #[schema(max_items = 1000)]
    tool_calls: Option<Vec<serde_json::Map<String, serde_json::Value>>>,
}

type Object = serde_json::Map<String, serde_json::Value>;

/// What a message may hold: a text, an object, or parts.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
enum MessageContent {
    Text(String),
    Object(Object),
    Parts(Vec<MessagePart>),
}

/// One part of a message.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(dead_code, reason = "the shape of a body for the API description")]
enum MessagePart {
    Text {
        text: String,
    },
    ImageUrl {
        image: Object,
    },
    Audio {
        audio: Object,
    },
    Video {
        video: Object,
    },
    Document {
        document: Object,
    },
    Thought {
        text: String,
        thought_signature: Option<String>,
    },
}

/// Says something in a thread, or begins one with it.
#[utoipa::path(post, path = "/api/messages", tag = "messages", request_body = CreateMessage,
    responses((status = 200, body = MessageBody), (status = 400, body = Refusal), (status = 404, body = Refusal),
        (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn create_message(
    State(app): State<AppState>,
    caller: Caller,
    GraphBody(body): GraphBody,
) -> Result<Response, ApiError> {
    let row = app.threads.say(&caller, read_message(body)?).await?;
    Ok(json(&MessageBody::of(row)?))
}

fn read_message(body: JsonBody) -> Result<NewMessage, ApiError> {
    let mut f = Fields::new(body.object()?);
    let mut message = NewMessage {
        thread_id: f.text("thread_id"),
        tool_call_id: f.text("tool_call_id"),
        role: f.text("role").unwrap_or_default(),
        name: f.text("name"),
        content: f.take("content"),
        tool_calls: None,
    };
    f.at_most("tool_call_id", message.tool_call_id.as_deref(), MAX_NAME);
    f.at_most("role", Some(&message.role), MAX_NAME);
    f.at_most("name", message.name.as_deref(), MAX_NAME);
    if let Some(content) = &message.content {
        f.refuse(content_fault(content));
    }
    if let Some(calls) = f.take("tool_calls") {
        match tool_calls(&calls) {
            Ok(calls) => message.tool_calls = Some(calls),
            Err(fault) => f.refuse([*fault]),
        }
    }
    f.finish()?;
    Ok(message)
}

/// What is wrong with a content.
fn content_fault(content: &Value) -> Option<FieldError> {
    let fault = |kind, loc: &[&str], msg: &str| {
        let loc: Vec<&str> = ["body", "content"].iter().chain(loc).copied().collect();
        Some(FieldError::at(kind, &loc, msg))
    };
    let parts = match content {
        Value::Str(_) | Value::Map(_) => return None,
        Value::List(parts) => parts,
        _ => {
            let msg = "Input should be a string, an object or a list of content parts";
            return fault("content_type", &[], msg);
        }
    };
    if parts.len() > MAX_PARTS {
        return fault("too_long", &[], "List should have at most 1000 parts");
    }
    for (at, part) in parts.iter().enumerate() {
        let at = at.to_string();
        let Some(map) = part.as_map() else {
            return fault("dict_type", &[&at], "Input should be a valid dictionary");
        };
        let kind = map.get("type").and_then(Value::as_str);
        let known = PARTS.iter().find(|(name, ..)| Some(*name) == kind);
        let Some((_, field, is_text)) = known else {
            let msg = "Input should be 'text' or 'image_url' or 'audio' or 'video' or 'document' or 'thought'";
            return fault("enum", &[&at, "type"], msg);
        };
        match map.get(*field) {
            Some(Value::Str(_)) if *is_text => {}
            Some(Value::Map(_)) if !is_text => {}
            None => return fault("missing", &[&at, field], "Field required"),
            Some(_) if *is_text => {
                return fault(
                    "string_type",
                    &[&at, field],
                    "Input should be a valid string",
                );
            }
            Some(_) => {
                return fault(
                    "dict_type",
                    &[&at, field],
                    "Input should be a valid dictionary",
                );
            }
        }
    }
    None
}

/// Tool calls with every field they have.
fn tool_calls(calls: &Value) -> Result<Value, Box<FieldError>> {
    let fault = |kind, loc: &[&str], msg: &str| {
        let loc: Vec<&str> = ["body", "tool_calls"].iter().chain(loc).copied().collect();
        Box::new(FieldError::at(kind, &loc, msg))
    };
    let list = calls
        .as_list()
        .ok_or_else(|| fault("list_type", &[], "Input should be a valid list"))?;
    if list.len() > MAX_PARTS {
        return Err(fault(
            "too_long",
            &[],
            "List should have at most 1000 tool calls",
        ));
    }
    let mut read = Vec::with_capacity(list.len());
    for (at, call) in list.iter().enumerate() {
        let at = at.to_string();
        let map = call
            .as_map()
            .ok_or_else(|| fault("dict_type", &[&at], "Input should be a valid dictionary"))?;
        let text = |key: &'static str| match map.get(key) {
            None | Some(Value::Null) => Ok(Value::Null),
            Some(Value::Str(text)) => Ok(Value::Str(text.clone())),
            Some(_) => Err(fault(
                "string_type",
                &[&at, key],
                "Input should be a valid string",
            )),
        };
        let or_empty = |value: Value| if value.is_null() { "".into() } else { value };
        let args = match map.get("args") {
            None | Some(Value::Null) => Value::Map(Map::new().into()),
            Some(Value::Map(args)) => Value::Map(args.clone()),
            Some(_) => {
                let msg = "Input should be a valid dictionary";
                return Err(fault("dict_type", &[&at, "args"], msg));
            }
        };
        read.push(Value::map([
            ("id", or_empty(text("id")?)),
            ("name", or_empty(text("name")?)),
            ("args", args),
            ("result", map.get("result").cloned().unwrap_or_default()),
            ("step_id", text("step_id")?),
            ("message", text("message")?),
        ]));
    }
    Ok(Value::List(read.into()))
}

/// What was said in a thread, oldest first; nothing in a thread that is not the caller's.
#[utoipa::path(get, path = "/api/messages", tag = "messages",
    params(
        ("thread_id" = String, Query, description = "Thread the messages belong to"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<usize>, Query, description = "1 to 1000; 100 when absent"),
        ("reverse" = Option<bool>, Query, description = "Newest first"),
    ),
    responses((status = 200, body = MessageList), (status = 422, body = Refusal)))]
async fn list_messages(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let thread = query.required("thread_id")?;
    let slice = slice(&query, 100)?;
    let page = app.threads.messages(&caller, thread, slice).await?;
    let messages = page.rows.into_iter().map(MessageBody::of);
    Ok(json(&MessageList {
        next: page.next,
        messages: messages.collect::<Result<_, _>>()?,
    }))
}

/// One message.
#[utoipa::path(get, path = "/api/messages/{message_id}", tag = "messages", params(("message_id" = String, Path)),
    responses((status = 200, body = MessageBody), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_message(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, ApiError> {
    let row = app.threads.message(&caller, &id).await?;
    Ok(json(&MessageBody::of(row)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_of_an_agent_execution_is_unpacked_and_names_its_event() {
        let event = r#"{"type":"planning_update","n":1}"#;
        let once = serde_json::to_string(event).unwrap();
        let twice = serde_json::to_string(&once).unwrap();
        for content in [event, &once, &twice] {
            let row = MessageRow {
                id: "m".into(),
                role: "agent_execution".into(),
                content: Some(content.to_owned()),
                ..MessageRow::default()
            };
            let shown = serde_json::to_value(MessageBody::of(row).unwrap()).unwrap();
            assert_eq!(shown["content"]["n"], 1);
            assert_eq!(shown["execution_event_type"], "planning_update");
            assert_eq!(shown["agent_execution_id"], "m");
        }
        let row = MessageRow {
            role: "user".into(),
            content: Some(once.clone()),
            ..MessageRow::default()
        };
        let shown = serde_json::to_value(MessageBody::of(row).unwrap()).unwrap();
        assert_eq!(
            shown["content"], event,
            "only agent executions are unpacked"
        );
    }
}

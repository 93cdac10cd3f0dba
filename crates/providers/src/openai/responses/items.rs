//! A conversation as the Responses API writes it: items.

use nodetool_sdk::models::{ChatMessage, Media, MediaSource, ModelError, Part, Role};
use nodetool_sdk::protocol::{Map, Value};

use crate::openai::Client;
use crate::openai::body::{Body, object, tagged};
use crate::openai::contents;
use crate::openai::messages::{arguments, written_out};

/// What an item of reasoning is called, on the wire and in signatures.
const REASONING: &str = "reasoning";

/// The signature of an item of reasoning, to be given back with the conversation. One line for each item of a turn.
pub(super) fn signature(item: &serde_json::Value) -> Option<String> {
    let sealed = item["encrypted_content"].as_str()?;
    let kept = serde_json::json!({
        "type": REASONING, "id": item["id"], "encrypted_content": sealed,
    });
    Some(format!("{kept}\n"))
}

/// The item of a signature. Of several the last: an item of reasoning has to be followed by what came of it.
fn reasoning(signature: &str, summary: &str) -> Option<Value> {
    let kept: Map = serde_json::from_str(signature.lines().next_back()?).ok()?;
    // Signatures of other providers are none of ours.
    if kept.get("type")?.as_str() != Some(REASONING) {
        return None;
    }
    let sealed = kept.get("encrypted_content")?.clone();
    let mut body = Body::default();
    body.set("type", REASONING);
    body.set_some("id", kept.get("id").cloned());
    let summary = match summary.is_empty() {
        true => None,
        false => Some(tagged("summary_text", "text", summary)),
    };
    body.set("summary", Value::list(summary));
    body.set("encrypted_content", sealed);
    Some(body.into_value())
}

impl Client {
    /// The items of a conversation.
    pub(super) fn items(&self, messages: &[ChatMessage]) -> Result<Vec<Value>, ModelError> {
        let turn = messages.iter().rposition(|m| m.role == Role::User);
        let mut items = Vec::with_capacity(messages.len());
        for (at, message) in messages.iter().enumerate() {
            match message.role {
                Role::System => items.push(said("system", self.contents(message, at)?)),
                Role::User => items.push(said("user", self.contents(message, at)?)),
                Role::Assistant => {
                    spoken(message, turn.is_none_or(|turn| at > turn), &mut items);
                }
                Role::Tool => {
                    let only_text = message.parts.iter().all(|p| matches!(p, Part::Text(_)));
                    let output = match only_text {
                        true => message.plain_text().into(),
                        false => self.contents(message, at)?.into(),
                    };
                    let id = message.tool_call_id.as_deref().unwrap_or_default();
                    items.push(object([
                        ("type", "function_call_output".into()),
                        ("call_id", id.into()),
                        ("output", output),
                    ]));
                }
            }
        }
        Ok(items)
    }

    fn contents(&self, message: &ChatMessage, at: usize) -> Result<Vec<Value>, ModelError> {
        let mut written = Vec::with_capacity(message.parts.len());
        for (n, part) in message.parts.iter().enumerate() {
            let param = format!("messages[{at}].content[{n}]");
            written.push(match part {
                Part::Text(text) => tagged("input_text", "text", text.as_str()),
                Part::Thought { .. } => continue,
                Part::Image(image) => tagged("input_image", "image_url", contents::address(image)),
                Part::Document(document) => file(document),
                Part::Audio(_) => return Err(self.unsupported(param, "sounds with this model")),
                Part::Video(_) => return Err(self.unsupported(param, "videos in a conversation")),
            });
        }
        Ok(written)
    }
}

fn said(role: &str, content: impl Into<Value>) -> Value {
    object([
        ("type", "message".into()),
        ("role", role.into()),
        ("content", content.into()),
    ])
}

fn spoken(message: &ChatMessage, is_current: bool, items: &mut Vec<Value>) {
    let text = message.plain_text();
    if text.is_empty() && message.tool_calls.is_empty() {
        return;
    }
    let thought = message.parts.iter().find_map(|part| match part {
        Part::Thought {
            text,
            signature: Some(signature),
        } if is_current => reasoning(signature, text),
        _ => None,
    });
    items.extend(thought);
    if !text.is_empty() {
        // As a list it would have to be an item that the API made itself, with its id.
        items.push(said("assistant", text));
    }
    items.extend(message.tool_calls.iter().map(|call| {
        object([
            ("type", "function_call".into()),
            ("call_id", call.id.as_str().into()),
            ("name", call.name.as_str().into()),
            // Only OpenAI itself is spoken to like this, and takes any text.
            ("arguments", arguments(call, false).into()),
        ])
    }));
}

fn file(document: &Media) -> Value {
    if let Some(text) = written_out(document) {
        return tagged("input_text", "text", text);
    }
    let address = contents::address(document);
    match document.source {
        MediaSource::Url(_) => tagged("input_file", "file_url", address),
        MediaSource::Bytes(_) => {
            let name = document.name.as_deref().unwrap_or("document.pdf");
            object([
                ("type", "input_file".into()),
                ("filename", name.into()),
                ("file_data", address.into()),
            ])
        }
    }
}

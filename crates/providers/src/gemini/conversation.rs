//! A conversation in the words of the Gemini API.

use nodetool_sdk::Value;
use nodetool_sdk::models::{
    ChatMessage, MediaSource, ModelError, Part as Said, Role, ToolCall, read_arguments,
};

use super::content::{Content, Part};
use super::thinking::signs_calls;
use crate::Account;
use crate::inline::{is_text, mime_of};
use crate::signature::{Signature, split_characters};

/// Tag of signatures of thoughts.
pub(super) const OF_THOUGHT: &str = "gemini-thought";
/// Tag of signatures of what is not a thought.
pub(super) const OF_ANSWER: &str = "gemini";

/// What the API takes in place of a signature for a call that it did not sign, such as one of another provider.
const UNSIGNED: &str = "skip_thought_signature_validator";

/// A conversation.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// What the system says.
    pub(super) system: Vec<Part>,
    /// The turns; those of one speaker behind each other are one.
    pub(super) turns: Vec<Content>,
}

impl Conversation {
    /// Writes down messages for a model.
    pub(super) fn of(
        account: &Account,
        model: &str,
        messages: &[ChatMessage],
    ) -> Result<Self, ModelError> {
        let mut conversation = Conversation::default();
        for (at, message) in messages.iter().enumerate() {
            let field = format!("messages[{at}]");
            match message.role {
                Role::System => {
                    let said = parts(account, &field, message)?;
                    conversation.system.extend(said);
                }
                Role::User => conversation.say("user", parts(account, &field, message)?),
                Role::Assistant => {
                    let mut said = parts(account, &field, message)?;
                    let calls = message.tool_calls.iter().enumerate();
                    said.extend(calls.map(|(at, made)| call(model, at, made)));
                    conversation.say("model", said);
                }
                Role::Tool => {
                    let said = result(account, &field, message, &messages[..at])?;
                    conversation.say("user", said);
                }
            }
        }
        Ok(conversation)
    }

    fn say(&mut self, role: &'static str, parts: Vec<Part>) {
        if parts.is_empty() {
            return;
        }
        match self.turns.last_mut() {
            Some(turn) if turn.role == Some(role) => turn.parts.extend(parts),
            _ => self.turns.push(Content {
                role: Some(role),
                parts,
            }),
        }
    }
}

fn parts(account: &Account, field: &str, message: &ChatMessage) -> Result<Vec<Part>, ModelError> {
    let mut thoughts = Vec::new();
    let mut parts = Vec::new();
    let mut after = Vec::new();
    for (at, said) in message.parts.iter().enumerate() {
        match said {
            Said::Text(text) if text.is_empty() => {}
            Said::Text(text) => parts.push(Part::text(text)),
            Said::Thought { text, signature } => {
                if message.role == Role::Assistant {
                    let signature = signature.as_deref().unwrap_or_default();
                    remember(text, signature, &mut thoughts, &mut after);
                }
            }
            Said::Image(media)
            | Said::Audio(media)
            | Said::Video(media)
            | Said::Document(media) => {
                let field = format!("{field}.content[{at}]");
                if message.role == Role::System {
                    return Err(account.cannot(field, "media in system messages"));
                }
                let mime = mime_of(media);
                match &media.source {
                    // The API reads few kinds of text by their own names.
                    MediaSource::Bytes(bytes) if is_text(&mime) => {
                        let text = std::str::from_utf8(bytes);
                        let text = text
                            .map_err(|_| account.wrong(field, "a document of text is not UTF-8"))?;
                        parts.push(Part::text(match &media.name {
                            Some(name) if !name.is_empty() => format!("{name}:\n{text}"),
                            _ => text.to_owned(),
                        }));
                    }
                    MediaSource::Bytes(_) if mime.is_empty() => {
                        let message = "contents of an unknown type; name their MIME type";
                        return Err(account.wrong(field, message));
                    }
                    _ => parts.push(Part::media(media)),
                }
            }
        }
    }
    thoughts.append(&mut parts);
    thoughts.append(&mut after);
    Ok(thoughts)
}

/// Sends signed thoughts back; the others are of no use to the model.
fn remember(text: &str, signature: &str, thoughts: &mut Vec<Part>, after: &mut Vec<Part>) {
    let mut rest = text;
    for signature in Signature::read(signature) {
        let Some((thought, more)) = split_characters(rest, signature.characters) else {
            return;
        };
        rest = more;
        match signature.tag {
            OF_THOUGHT => {
                thoughts.push(Part::text(thought).thought().signed(Some(signature.value)));
            }
            // It came in a part of its own behind the text, and goes back as one.
            OF_ANSWER => after.push(Part::text("").signed(Some(signature.value))),
            _ => {}
        }
    }
}

fn call(model: &str, at: usize, call: &ToolCall) -> Part {
    let arguments = read_arguments(&call.arguments).unwrap_or_else(|_| {
        // The API takes objects only; the model shall see what it wrote.
        [("arguments".into(), Value::str(call.arguments.as_str()))].into()
    });
    let signature = call.signature.as_deref();
    // Of calls at once only the first is signed.
    let signature = signature.or_else(|| (at == 0 && signs_calls(model)).then_some(UNSIGNED));
    Part::call(&call.id, &call.name, Value::map(arguments)).signed(signature)
}

fn result(
    account: &Account,
    field: &str,
    message: &ChatMessage,
    before: &[ChatMessage],
) -> Result<Vec<Part>, ModelError> {
    let Some(id) = &message.tool_call_id else {
        let field = format!("{field}.tool_call_id");
        return Err(account.wrong(field, "a tool's message has no tool_call_id"));
    };
    let mut calls = before.iter().rev().flat_map(|message| &message.tool_calls);
    let called = calls.find(|call| call.id == *id);
    let Some(name) = called.map(|call| &call.name).or(message.name.as_ref()) else {
        let field = format!("{field}.tool_call_id");
        return Err(account.wrong(field, format!("no tool call before has the id `{id}`")));
    };
    let text = message.plain_text();
    let response = match serde_json::from_str::<Value>(&text) {
        Ok(object @ Value::Map(_)) => object,
        // The API takes objects only.
        Ok(value) => Value::map([("result", value)]),
        Err(_) => Value::map([("result", Value::str(text))]),
    };
    let mut said = vec![Part::response(id, name, response)];
    let media = message.parts.iter().filter_map(|part| match part {
        Said::Image(m) | Said::Audio(m) | Said::Video(m) | Said::Document(m) => Some(m),
        _ => None,
    });
    said.extend(media.map(Part::media));
    Ok(said)
}

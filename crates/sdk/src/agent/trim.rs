//! Shortens a conversation to what fits a model, and counts its tokens.

use nodetool_protocol::Value;

use crate::models::{ChatMessage, Part, Role, ToolSpec};

/// What an image counts.
const IMAGE_TOKENS: usize = 1_000;

/// How long a conversation may be, by a count of tokens.
#[derive(Clone, Copy)]
pub struct Window<'a> {
    /// Most tokens of the messages.
    pub tokens: usize,
    /// Tokens of a text.
    pub count: &'a (dyn Fn(&str) -> usize + Send + Sync),
}

/// Leaves out the oldest messages until the rest has at most `window` tokens.
///
/// Messages of the system and the newest message stay in any case. A message with tool calls and the answers to them
/// stay or go together. Every message is counted once.
pub fn trim(
    messages: Vec<ChatMessage>,
    window: usize,
    count: &(dyn Fn(&str) -> usize + Send + Sync),
) -> Vec<ChatMessage> {
    let tokens: Vec<usize> = messages.iter().map(|m| count_message(m, count)).collect();
    let mut left = tokens.iter().fold(0usize, |sum, n| sum.saturating_add(*n));
    if left <= window {
        return messages;
    }
    let newest = start_of_last(&messages);
    let mut gone = vec![false; messages.len()];
    let mut at = 0;
    while at < newest && left > window {
        if messages[at].role == Role::System {
            at += 1;
            continue;
        }
        let end = end_of_unit(&messages, at).min(newest);
        for i in at..end {
            gone[i] = true;
            left = left.saturating_sub(tokens[i]);
        }
        at = end;
    }
    let kept = messages.into_iter().zip(gone).filter(|(_, gone)| !gone);
    kept.map(|(message, _)| message).collect()
}

/// Where the unit ends that begins at `at`: behind the answers to the calls of that message.
fn end_of_unit(messages: &[ChatMessage], at: usize) -> usize {
    let answers = messages[at + 1..]
        .iter()
        .take_while(|m| m.role == Role::Tool);
    at + 1 + answers.count()
}

/// Where the newest unit begins.
fn start_of_last(messages: &[ChatMessage]) -> usize {
    let spoken = messages.iter().rposition(|m| m.role != Role::Tool);
    spoken.unwrap_or(0)
}

/// Tokens of a message: its texts, the names and arguments of its calls, and 1000 for an image.
pub fn count_message(
    message: &ChatMessage,
    count: &(dyn Fn(&str) -> usize + Send + Sync),
) -> usize {
    let parts = message.parts.iter().map(|part| match part {
        Part::Text(text) => count(text),
        Part::Image(_) => IMAGE_TOKENS,
        Part::Audio(_) | Part::Video(_) | Part::Document(_) | Part::Thought { .. } => 0,
    });
    let calls = message.tool_calls.iter();
    let calls = calls.map(|call| count(&call.name).saturating_add(count(&call.arguments)));
    parts.chain(calls).fold(0, usize::saturating_add)
}

/// Tokens of tools as the model is told of them: compact JSON with its keys in order.
pub fn count_tools(tools: &[ToolSpec], count: &(dyn Fn(&str) -> usize + Send + Sync)) -> usize {
    let one = |tool: &ToolSpec| {
        let spec = Value::map([
            ("description", Value::from(tool.description.as_str())),
            ("name", tool.name.as_str().into()),
            ("parameters", sorted(&tool.parameters)),
        ]);
        count(&serde_json::to_string(&spec).unwrap_or_default())
    };
    tools.iter().map(one).fold(0, usize::saturating_add)
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Map(map) => {
            let mut pairs: Vec<_> = map.iter().map(|(k, v)| (k.clone(), sorted(v))).collect();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            Value::map(pairs)
        }
        Value::List(items) => Value::list(items.iter().map(sorted)),
        other => other.clone(),
    }
}

/// Words of a text, for where no better count is at hand.
pub fn count_words(text: &str) -> usize {
    text.split_whitespace().count()
}

#[cfg(test)]
mod tests;

//! The input of a response: a text, or items of a conversation.

use nodetool_protocol::Value;
use nodetool_sdk::models::{ChatMessage, Media, MediaSource, Part, Role, ToolCall};

use super::super::asked::{Fields, object, unknown_word, wrong_type};
use super::super::errors::OpenAiError;
use super::super::media::{at_url, image_at};
use super::super::messages;

/// Most items of an input.
const MAX_ITEMS: usize = 20_000;
/// Most parts of an item.
const MAX_PARTS: usize = 1_000;

const ITEMS: [&str; 4] = [
    "message",
    "function_call",
    "function_call_output",
    "reasoning",
];
const PARTS: [&str; 4] = ["input_text", "input_image", "input_file", "input_audio"];
const SAID: [&str; 3] = ["output_text", "refusal", "input_text"];

/// Reads `input` behind the messages that are there.
pub(super) fn read(body: &Fields<'_>, messages: &mut Vec<ChatMessage>) -> Result<(), OpenAiError> {
    match body.need("input")? {
        Value::Str(text) => messages.push(ChatMessage::text(Role::User, text.to_string())),
        Value::List(_) => {
            let items = body.list("input", MAX_ITEMS)?.unwrap_or_default();
            if items.is_empty() {
                let message = "Invalid 'input': empty array. Expected at least one item.";
                return Err(OpenAiError::bad("input", "empty_array", message));
            }
            for (i, item) in items.iter().enumerate() {
                read_item(&object(item, format!("input[{i}]"))?, messages)?;
            }
        }
        other => return Err(wrong_type("input", "a string or an array of items", other)),
    }
    Ok(())
}

/// The message of the model that is being put together.
fn answer(messages: &mut Vec<ChatMessage>) -> &mut ChatMessage {
    if messages
        .last()
        .is_none_or(|last| last.role != Role::Assistant)
    {
        messages.push(ChatMessage {
            role: Role::Assistant,
            name: None,
            parts: Vec::new(),
            tool_calls: Vec::new(),
            tool_call_id: None,
        });
    }
    let last = messages.len() - 1;
    &mut messages[last]
}

fn read_item(item: &Fields<'_>, messages: &mut Vec<ChatMessage>) -> Result<(), OpenAiError> {
    match item.text("type")?.unwrap_or("message") {
        "message" => read_message(item, messages),
        "function_call" => {
            let answer = answer(messages);
            answer.tool_calls.push(ToolCall {
                index: u32::try_from(answer.tool_calls.len()).unwrap_or(u32::MAX),
                id: item.need_text("call_id")?.to_owned(),
                name: item.need_text("name")?.to_owned(),
                arguments: item.need_text("arguments")?.to_owned(),
                signature: None,
            });
            Ok(())
        }
        "function_call_output" => {
            let parts = match item.need("output")? {
                Value::Str(text) => vec![Part::Text(text.to_string())],
                _ => parts(item, "output", Role::Tool)?,
            };
            messages.push(ChatMessage {
                role: Role::Tool,
                name: None,
                parts,
                tool_calls: Vec::new(),
                tool_call_id: Some(item.need_text("call_id")?.to_owned()),
            });
            Ok(())
        }
        "reasoning" => {
            let summary = item.list("summary", MAX_PARTS)?.unwrap_or_default();
            let mut text = String::new();
            for (i, part) in summary.iter().enumerate() {
                let part = object(part, format!("{}[{i}]", item.place("summary")))?;
                text.push_str(part.text("text")?.unwrap_or_default());
            }
            let signature = item.text("encrypted_content")?.map(str::to_owned);
            if !text.is_empty() || signature.is_some() {
                answer(messages)
                    .parts
                    .push(Part::Thought { text, signature });
            }
            Ok(())
        }
        "item_reference" => {
            let at = item.place("type");
            let message = "Items are not stored here: send the item itself.";
            Err(OpenAiError::unsupported(&at, message))
        }
        other => Err(unknown_word(&item.place("type"), other, &ITEMS)),
    }
}

fn read_message(item: &Fields<'_>, messages: &mut Vec<ChatMessage>) -> Result<(), OpenAiError> {
    let role = match item.need_text("role")? {
        "developer" | "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        other => {
            let words = ["developer", "system", "user", "assistant"];
            return Err(unknown_word(&item.place("role"), other, &words));
        }
    };
    let said = match item.need("content")? {
        Value::Str(text) => vec![Part::Text(text.to_string())],
        _ => parts(item, "content", role)?,
    };
    if role == Role::Assistant
        && messages
            .last()
            .is_some_and(|last| last.tool_calls.is_empty())
    {
        answer(messages).parts.extend(said);
        return Ok(());
    }
    messages.push(ChatMessage {
        role,
        name: None,
        parts: said,
        tool_calls: Vec::new(),
        tool_call_id: None,
    });
    Ok(())
}

fn parts(item: &Fields<'_>, key: &str, role: Role) -> Result<Vec<Part>, OpenAiError> {
    let at = item.place(key);
    if !matches!(item.need(key)?, Value::List(_)) {
        return Err(wrong_type(
            &at,
            "a string or an array of parts",
            item.need(key)?,
        ));
    }
    let items = item.list(key, MAX_PARTS)?.unwrap_or_default();
    let parts = items.iter().enumerate().map(|(i, item)| {
        let part = object(item, format!("{at}[{i}]"))?;
        read_part(&part, role)
    });
    parts.collect()
}

fn read_part(part: &Fields<'_>, role: Role) -> Result<Part, OpenAiError> {
    let kind = part.need_text("type")?;
    let known: &[&str] = match role {
        Role::User => &PARTS,
        Role::Assistant => &SAID,
        Role::System | Role::Tool => &PARTS[..1],
    };
    if !known.contains(&kind) {
        return Err(unknown_word(&part.place("type"), kind, known));
    }
    Ok(match kind {
        "input_text" | "output_text" => Part::Text(part.need_text("text")?.to_owned()),
        "refusal" => Part::Text(part.need_text("refusal")?.to_owned()),
        "input_image" => {
            part.refuse(
                "file_id",
                "this server keeps no files of its own; send image_url",
            )?;
            part.word("detail", &["auto", "low", "high", "original"])?;
            Part::Image(image_at(
                part.need_text("image_url")?,
                &part.place("image_url"),
            )?)
        }
        "input_audio" => Part::Audio(messages::audio(&part.need_object("input_audio")?)?),
        _ => match part.text("file_url")? {
            Some(url) => Part::Document(document_at(url, &part.place("file_url"))?),
            None => messages::file(part)?,
        },
    })
}

fn document_at(url: &str, at: &str) -> Result<Media, OpenAiError> {
    let media = at_url(url, at)?;
    match media.source {
        MediaSource::Url(_) => Ok(Media {
            mime: "application/pdf".into(),
            ..media
        }),
        MediaSource::Bytes(_) => Ok(media),
    }
}

//! The conversation of a chat completion request.

use std::collections::HashMap;

use nodetool_protocol::Value;
use nodetool_sdk::models::{ChatMessage, Media, Part, Role, ToolCall};

use super::asked::{Fields, object, text, unknown_word, wrong_type};
use super::errors::OpenAiError;
use super::media::{at_url, check_image, decoded, image_at};

/// Most messages of a conversation.
const MAX_MESSAGES: usize = 20_000;
/// Most parts of a message.
const MAX_PARTS: usize = 1_000;
/// Most tool calls of a message.
const MAX_CALLS: usize = 128;

const ROLES: [&str; 5] = ["developer", "system", "user", "assistant", "tool"];
const PARTS: [&str; 5] = ["text", "image_url", "input_audio", "file", "video_url"];
/// What is left of older models' answers.
const SAID: [&str; 2] = ["text", "refusal"];

/// Reads `messages`.
pub(super) fn read(body: &Fields<'_>) -> Result<Vec<ChatMessage>, OpenAiError> {
    body.need("messages")?;
    let items = body.list("messages", MAX_MESSAGES)?.unwrap_or_default();
    if items.is_empty() {
        let message = "Invalid 'messages': empty array. Expected at least one message.";
        return Err(OpenAiError::bad("messages", "empty_array", message));
    }
    let read = items.iter().enumerate().map(|(i, item)| {
        let message = object(item, format!("messages[{i}]"))?;
        read_message(&message)
    });
    let mut messages = read.collect::<Result<Vec<_>, _>>()?;
    name_answers(&mut messages);
    Ok(messages)
}

/// Gives answers of tools the names of the tools, which some providers want to hear again.
pub(super) fn name_answers(messages: &mut [ChatMessage]) {
    let mut names: HashMap<String, String> = HashMap::new();
    for message in messages {
        let calls = message.tool_calls.iter();
        names.extend(calls.map(|call| (call.id.clone(), call.name.clone())));
        if message.role == Role::Tool && message.name.is_none() {
            let id = message.tool_call_id.as_deref().unwrap_or_default();
            message.name = names.get(id).cloned();
        }
    }
}

fn read_message(message: &Fields<'_>) -> Result<ChatMessage, OpenAiError> {
    let at = message.place("role");
    let role = match message.need_text("role")? {
        "developer" | "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        other => return Err(unknown_word(&at, other, &ROLES)),
    };
    let mut read = ChatMessage {
        role,
        name: message.text("name")?.map(str::to_owned),
        parts: Vec::new(),
        tool_calls: Vec::new(),
        tool_call_id: None,
    };
    if role == Role::Assistant {
        read.parts.extend(thought(message)?);
        read.tool_calls = tool_calls(message)?;
        message.refuse("function_call", "use tool_calls")?;
    }
    if role == Role::Tool {
        read.tool_call_id = Some(message.need_text("tool_call_id")?.to_owned());
    }
    let content = match message.get("content") {
        None if role == Role::Assistant => return Ok(read),
        _ => message.need("content")?,
    };
    let at = message.place("content");
    match content {
        Value::Str(text) => read.parts.push(Part::Text(text.to_string())),
        Value::List(items) if items.len() <= MAX_PARTS => {
            for (i, item) in items.iter().enumerate() {
                let part = object(item, format!("{at}[{i}]"))?;
                read.parts.push(read_part(role, &part)?);
            }
        }
        Value::List(items) => {
            let message = format!(
                "Invalid '{at}': array too long. Expected at most {MAX_PARTS} parts, but got {}.",
                items.len()
            );
            return Err(OpenAiError::bad(&at, "array_above_max_length", message));
        }
        other => return Err(wrong_type(&at, "a string or an array of parts", other)),
    }
    Ok(read)
}

/// Reasoning of an earlier answer, as this server gave it.
fn thought(message: &Fields<'_>) -> Result<Option<Part>, OpenAiError> {
    let text = message.text("reasoning_content")?;
    let signature = message.text("reasoning_signature")?;
    if text.is_none_or(str::is_empty) && signature.is_none() {
        return Ok(None);
    }
    Ok(Some(Part::Thought {
        text: text.unwrap_or_default().to_owned(),
        signature: signature.map(str::to_owned),
    }))
}

fn tool_calls(message: &Fields<'_>) -> Result<Vec<ToolCall>, OpenAiError> {
    let items = message.list("tool_calls", MAX_CALLS)?.unwrap_or_default();
    let calls = (0..).zip(items).map(|(index, item)| {
        let call = object(item, format!("{}[{index}]", message.place("tool_calls")))?;
        call.word("type", &["function"])?;
        let function = call.need_object("function")?;
        let arguments = function.text("arguments")?.unwrap_or_default();
        let signature = match call.object("extra_content")? {
            Some(extra) => match extra.object("google")? {
                Some(google) => google.text("thought_signature")?,
                None => None,
            },
            None => None,
        };
        Ok(ToolCall {
            index,
            id: call.need_text("id")?.to_owned(),
            name: function.need_text("name")?.to_owned(),
            arguments: arguments.to_owned(),
            signature: signature.map(str::to_owned),
        })
    });
    calls.collect()
}

fn read_part(role: Role, part: &Fields<'_>) -> Result<Part, OpenAiError> {
    let at = part.place("type");
    let kind = part.need_text("type")?;
    let known: &[&str] = match role {
        Role::User => &PARTS,
        Role::Assistant => &SAID,
        Role::System | Role::Tool => &SAID[..1],
    };
    if !known.contains(&kind) {
        return Err(unknown_word(&at, kind, known));
    }
    Ok(match kind {
        "text" => Part::Text(part.need_text("text")?.to_owned()),
        "refusal" => Part::Text(part.need_text("refusal")?.to_owned()),
        "image_url" => {
            let (url, at) = address(part, "image_url")?;
            Part::Image(image_at(url, &at)?)
        }
        "video_url" => {
            let (url, at) = address(part, "video_url")?;
            Part::Video(at_url(url, &at)?)
        }
        "input_audio" => Part::Audio(audio(&part.need_object("input_audio")?)?),
        _ => file(&part.need_object("file")?)?,
    })
}

/// The address in a part: an object with `url`, or, as some clients write it, the address itself.
fn address<'a>(part: &Fields<'a>, key: &str) -> Result<(&'a str, String), OpenAiError> {
    match part.need(key)? {
        Value::Str(url) => Ok((url, part.place(key))),
        _ => {
            let holder = part.need_object(key)?;
            holder.word("detail", &["auto", "low", "high", "original"])?;
            Ok((holder.need_text("url")?, holder.place("url")))
        }
    }
}

/// A sound: `{"data": base64, "format": "wav" or "mp3"}`.
pub(super) fn audio(audio: &Fields<'_>) -> Result<Media, OpenAiError> {
    let formats = ["wav", "mp3", "flac", "ogg", "opus", "m4a", "webm", "aac"];
    let format = audio.word("format", &formats)?;
    let mime = match format {
        None => {
            audio.need("format")?;
            String::new()
        }
        Some("mp3") => "audio/mpeg".into(),
        Some("m4a") => "audio/mp4".into(),
        Some("opus") => "audio/ogg".into(),
        Some(format) => format!("audio/{format}"),
    };
    let data = audio.need_text("data")?;
    Ok(Media::bytes(mime, decoded(data, &audio.place("data"))?))
}

/// A document: `{"file_data": data URI or base64, "filename"}`.
pub(super) fn file(file: &Fields<'_>) -> Result<Part, OpenAiError> {
    file.refuse(
        "file_id",
        "this server keeps no files of its own; send file_data",
    )?;
    let name = file.text("filename")?.map(str::to_owned);
    let at = file.place("file_data");
    let data = file.need_text("file_data")?;
    let mut media = match data.starts_with("data:") {
        true => at_url(data, &at)?,
        false => Media::bytes("", decoded(data, &at)?),
    };
    if media.mime.is_empty() {
        let extension = name.as_deref().and_then(|name| name.rsplit_once('.'));
        let extension = extension.map_or("pdf", |(_, extension)| extension);
        media.mime = match extension.to_ascii_lowercase().as_str() {
            "txt" => "text/plain".into(),
            "md" => "text/markdown".into(),
            "html" | "htm" => "text/html".into(),
            "csv" => "text/csv".into(),
            "json" => "application/json".into(),
            "docx" => {
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document".into()
            }
            _ => "application/pdf".into(),
        };
    }
    media.name = name;
    if media.mime.starts_with("image/") {
        check_image(&mut media, &at)?;
        return Ok(Part::Image(media));
    }
    Ok(Part::Document(media))
}

/// A list of texts, or one.
pub(super) fn texts<'a>(
    fields: &Fields<'a>,
    key: &str,
    most: usize,
) -> Result<Vec<&'a str>, OpenAiError> {
    let Some(value) = fields.get(key) else {
        return Ok(Vec::new());
    };
    if let Value::Str(text) = value {
        return Ok(vec![text]);
    }
    if !matches!(value, Value::List(_)) {
        let expected = "a string or an array of strings";
        return Err(wrong_type(&fields.place(key), expected, value));
    }
    let items = fields.list(key, most)?.unwrap_or_default();
    let items = items.iter().enumerate();
    items
        .map(|(i, item)| text(item, &format!("{}[{i}]", fields.place(key))))
        .collect()
}

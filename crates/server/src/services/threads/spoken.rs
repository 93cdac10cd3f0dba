//! Stored messages as models are told them, and what models say as it is stored.
//!
//! Contents that are no text are stored by reference. Read from a row they are references still, in the place of an
//! address; [`fetch`] reads those that a model is really told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use nodetool_protocol::{Map, Value, decode_data_uri};
use nodetool_sdk::NodeError;
use nodetool_sdk::media_type::sniff;
use nodetool_sdk::models::{ChatMessage, Media, MediaSource, Part, Role, ToolCall, read_arguments};
use nodetool_sdk::services::{Assets, NewAsset};
use nodetool_store::MessageRow;
use sha2::{Digest, Sha256};

use crate::services::content_types;

/// Bytes of contents that one request to a model carries.
const MOST_FETCHED: usize = 64 << 20;

/// Words of roles.
const ROLES: [(&str, Role); 4] = [
    ("system", Role::System),
    ("user", Role::User),
    ("assistant", Role::Assistant),
    ("tool", Role::Tool),
];

/// The word of a role.
fn word(role: Role) -> &'static str {
    let found = ROLES.iter().find(|(_, r)| *r == role);
    found.map_or("user", |(word, _)| word)
}

/// A stored message as a model is told it; nothing for one that no model is told, such as how an agent got on.
pub(crate) fn spoken(row: &MessageRow) -> Option<ChatMessage> {
    let (_, role) = ROLES.iter().find(|(word, _)| *word == row.role)?;
    let json = |text: &Option<String>| -> Value {
        let read = text.as_deref().map(serde_json::from_str::<Value>);
        read.and_then(Result::ok).unwrap_or_default()
    };
    let tool_calls = match json(&row.tool_calls) {
        Value::List(calls) if *role == Role::Assistant => {
            (0..).zip(calls.iter()).map(|(at, c)| call(at, c)).collect()
        }
        _ => Vec::new(),
    };
    Some(ChatMessage {
        role: *role,
        name: row.name.clone().filter(|name| !name.is_empty()),
        parts: parts(&json(&row.content)),
        tool_calls,
        tool_call_id: row.tool_call_id.clone(),
    })
}

fn text_in(value: &Value, key: &str) -> String {
    let text = value.get(key).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn call(index: u32, stored: &Value) -> ToolCall {
    let raw = stored.get("arguments").and_then(Value::as_str);
    let arguments = match (raw, stored.get("args")) {
        (Some(raw), _) => raw.to_owned(),
        (None, Some(args @ Value::Map(_))) => serde_json::to_string(args).unwrap_or_default(),
        (None, _) => "{}".to_owned(),
    };
    let signature = stored.get("signature").and_then(Value::as_str);
    ToolCall {
        index,
        id: text_in(stored, "id"),
        name: text_in(stored, "name"),
        arguments,
        signature: signature.map(str::to_owned),
    }
}

fn parts(content: &Value) -> Vec<Part> {
    match content {
        Value::Null => Vec::new(),
        Value::Str(text) if text.is_empty() => Vec::new(),
        Value::Str(text) => vec![Part::Text(text.to_string())],
        Value::List(items) => items.iter().filter_map(part).collect(),
        Value::Map(_) if content.type_tag().is_some() => part(content).into_iter().collect(),
        other => vec![Part::Text(serde_json::to_string(other).unwrap_or_default())],
    }
}

/// A part of a stored content; nothing for one of a kind that models are not told.
fn part(stored: &Value) -> Option<Part> {
    let media = |key: &str| stored.get(key).and_then(referred);
    Some(match stored.type_tag()? {
        "text" => Part::Text(text_in(stored, "text")),
        "image_url" | "image" => Part::Image(media("image")?),
        "audio" => Part::Audio(media("audio")?),
        "video" => Part::Video(media("video")?),
        "document" => Part::Document(media("document")?),
        "thought" => Part::Thought {
            text: text_in(stored, "text"),
            signature: stored
                .get("thought_signature")
                .and_then(Value::as_str)
                .map(str::to_owned),
        },
        _ => return None,
    })
}

/// What an asset object refers to, as an address that is yet to be read.
fn referred(asset: &Value) -> Option<Media> {
    let text = |key: &str| asset.get(key).and_then(Value::as_str).unwrap_or_default();
    let address = match (text("uri"), text("asset_id"), text("data")) {
        (uri, _, _) if !uri.is_empty() => uri.to_owned(),
        (_, id, _) if !id.is_empty() => format!("asset://{id}"),
        (_, _, data) if data.starts_with("data:") => data.to_owned(),
        (_, _, data) if !data.is_empty() => format!("data:;base64,{data}"),
        _ => return None,
    };
    Some(Media {
        mime: String::new(),
        name: None,
        source: MediaSource::Url(address),
    })
}

/// Reads what messages refer to, the newest first; what cannot be read is a note in its place. Public addresses are left
/// to the provider.
pub(crate) async fn fetch(messages: &mut [ChatMessage], assets: &dyn Assets) {
    let mut left = MOST_FETCHED;
    for message in messages.iter_mut().rev() {
        for part in &mut message.parts {
            let (kind, media) = match part {
                Part::Image(media) => ("image", media),
                Part::Audio(media) => ("audio", media),
                Part::Video(media) => ("video", media),
                Part::Document(media) => ("document", media),
                Part::Text(_) | Part::Thought { .. } => continue,
            };
            let MediaSource::Url(address) = &media.source else {
                continue;
            };
            if address.starts_with("http://") || address.starts_with("https://") {
                continue;
            }
            let read = match read(kind, address, assets).await {
                Ok((_, bytes)) if bytes.len() > left => {
                    Err("there are too many large files".into())
                }
                Ok(read) => Ok(read),
                Err(e) => Err(e.to_string()),
            };
            match read {
                Ok((mime, bytes)) => {
                    left -= bytes.len();
                    *media = Media::bytes(mime, bytes);
                }
                Err(e) => *part = Part::Text(format!("[{kind} left out: {e}]")),
            }
        }
    }
}

async fn read(
    kind: &str,
    address: &str,
    assets: &dyn Assets,
) -> Result<(String, Bytes), NodeError> {
    if let Some(Value::Bytes(bytes)) = decode_data_uri(address) {
        let head = address["data:".len()..].split([';', ',']).next();
        return Ok((mime_of(kind, head.unwrap_or_default(), &bytes), bytes));
    }
    let reference = Value::map([("type", kind.into()), ("uri", Value::from(address))]);
    let bytes = assets.read(&reference).await?;
    let by_name = content_types::type_of_name(address);
    Ok((mime_of(kind, by_name, &bytes), bytes))
}

/// The type of contents: by what they begin with, else as they are called, else what such contents are mostly.
pub(crate) fn mime_of(kind: &str, called: &str, bytes: &[u8]) -> String {
    if let Some(found) = sniff(bytes) {
        return found.to_owned();
    }
    let vague = ["", "application/octet-stream"];
    if !vague.contains(&called) {
        return called.to_owned();
    }
    let usual = match kind {
        "image" => "image/png",
        "audio" => "audio/wav",
        "video" => "video/mp4",
        _ => "application/octet-stream",
    };
    usual.to_owned()
}

/// Stores contents as an asset named by what is in them, and gives the reference.
pub(crate) async fn keep_media(
    kind: &'static str,
    called: &str,
    data: Bytes,
    assets: &dyn Assets,
) -> Result<Value, NodeError> {
    let content_type = mime_of(kind, called, &data);
    let digest = Sha256::digest(&data);
    let digest: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    let ending = content_types::extension_of(&content_type);
    let asset = NewAsset {
        kind,
        name: format!("{digest}.{ending}"),
        content_type,
        data,
        parent_id: None,
        node_id: None,
    };
    assets.create(asset).await
}

/// The content of a message as it is stored: a text where that is all there is, else its parts. Files become assets.
async fn kept(parts: &[Part], assets: &dyn Assets) -> Result<Value, NodeError> {
    let plain = |part: &Part| match part {
        Part::Text(_) => true,
        // Reasoning that no provider wants back need not be kept.
        Part::Thought { signature, .. } => signature.is_none(),
        _ => false,
    };
    if parts.iter().all(plain) {
        let texts = parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            _ => None,
        });
        let text = texts.collect::<String>();
        return Ok(match text.is_empty() {
            true => Value::Null,
            false => text.into(),
        });
    }
    let mut stored = Vec::with_capacity(parts.len());
    for part in parts {
        let (tag, key, kind, media) = match part {
            Part::Text(text) => {
                let text = text.as_str().into();
                stored.push(Value::map([("type", "text".into()), ("text", text)]));
                continue;
            }
            Part::Thought {
                signature: None, ..
            } => continue,
            Part::Thought { text, signature } => {
                stored.push(Value::map([
                    ("type", Value::from("thought")),
                    ("text", text.as_str().into()),
                    ("thought_signature", signature.clone().into()),
                ]));
                continue;
            }
            Part::Image(media) => ("image_url", "image", "image", media),
            Part::Audio(media) => ("audio", "audio", "audio", media),
            Part::Video(media) => ("video", "video", "video", media),
            Part::Document(media) => ("document", "document", "document", media),
        };
        let reference = match &media.source {
            MediaSource::Bytes(data) => keep_media(kind, &media.mime, data.clone(), assets).await?,
            MediaSource::Url(address) => Value::map([
                ("type", Value::from(kind)),
                ("uri", address.as_str().into()),
                ("asset_id", Value::Null),
                ("data", Value::Null),
                ("metadata", Value::Null),
            ]),
        };
        stored.push(Value::map([("type", tag.into()), (key, reference)]));
    }
    Ok(Value::list(stored))
}

/// What a message becomes in the store; its id, thread and time are the caller's to set.
pub(crate) async fn to_row(
    message: &ChatMessage,
    assets: &dyn Assets,
) -> Result<MessageRow, NodeError> {
    let content = kept(&message.parts, assets).await?;
    let text = |value: &Value| (!value.is_null()).then(|| serde_json::to_string(value));
    let text = |value: &Value| {
        text(value)
            .transpose()
            .map_err(|e| NodeError::new(format!("a message cannot be written as JSON: {e}")))
    };
    let calls = match message.tool_calls.is_empty() {
        true => Value::Null,
        false => Value::list(message.tool_calls.iter().map(stored_call)),
    };
    Ok(MessageRow {
        role: word(message.role).to_owned(),
        name: message.name.clone(),
        content: text(&content)?,
        tool_call_id: message.tool_call_id.clone(),
        tool_calls: text(&calls)?,
        ..MessageRow::default()
    })
}

/// A tool call as it is stored. Arguments that are none are kept as the model wrote them.
fn stored_call(call: &ToolCall) -> Value {
    let read = read_arguments(&call.arguments);
    let mut stored = Map::new();
    stored.insert("id".into(), call.id.as_str().into());
    stored.insert("name".into(), call.name.as_str().into());
    if read.is_err() {
        stored.insert("arguments".into(), call.arguments.as_str().into());
    }
    stored.insert("args".into(), read.unwrap_or_default().into());
    for key in ["result", "step_id", "message"] {
        stored.insert(key.into(), Value::Null);
    }
    if let Some(signature) = &call.signature {
        stored.insert("signature".into(), signature.as_str().into());
    }
    stored.into()
}

/// Bytes of a text that should be base64.
pub(crate) fn base64_bytes(text: &str) -> Option<Bytes> {
    match decode_data_uri(text) {
        Some(Value::Bytes(bytes)) => Some(bytes),
        _ => STANDARD.decode(text.trim()).ok().map(Bytes::from),
    }
}

#[cfg(test)]
mod tests;

//! A conversation as chat completions write it.

use nodetool_sdk::models::{
    ChatMessage, Media, MediaSource, ModelError, Part, Role, ToolCall, read_arguments,
};
use nodetool_sdk::protocol::Value;

use super::Client;
use super::body::{Body, object, plain_name, tagged};
use super::contents;
use super::dialect::{Documents, Thoughts};

impl Client {
    /// The messages of a conversation.
    pub(super) fn messages(&self, messages: &[ChatMessage]) -> Result<Vec<Value>, ModelError> {
        // Reasoning belongs to the turn that is going on; that of earlier turns only costs tokens.
        let turn = messages.iter().rposition(|m| m.role == Role::User);
        let mut written = Vec::with_capacity(messages.len());
        // Tools answer in text only: what else they gave follows as a message of the user.
        let mut shown = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            if message.role != Role::Tool {
                written.extend(self.shown(std::mem::take(&mut shown)));
            }
            let parts = &message.parts;
            let param = |part: usize| format!("messages[{at}].content[{part}]");
            written.push(match message.role {
                Role::System => self.plain(message, "system", texts(parts)),
                Role::User => {
                    let mut whole = Vec::new();
                    for (n, part) in parts.iter().enumerate() {
                        whole.extend(self.part(part, &param(n))?);
                    }
                    let content = match &parts[..] {
                        [] => "".into(),
                        [Part::Text(text)] => text.as_str().into(),
                        _ => whole.into(),
                    };
                    self.plain(message, "user", content)
                }
                Role::Assistant => self.spoken(message, turn.is_none_or(|turn| at > turn)),
                Role::Tool => {
                    for (n, part) in parts.iter().enumerate() {
                        if !matches!(part, Part::Text(_)) {
                            shown.extend(self.part(part, &param(n))?);
                        }
                    }
                    let id = message.tool_call_id.as_deref().unwrap_or_default();
                    let mut body = Body::default();
                    body.set("role", "tool");
                    body.set("tool_call_id", self.call_id(id));
                    body.set("content", texts(parts));
                    body.into_value()
                }
            });
        }
        written.extend(self.shown(shown));
        Ok(written)
    }

    fn shown(&self, mut parts: Vec<Value>) -> Option<Value> {
        if parts.is_empty() {
            return None;
        }
        parts.insert(0, tagged("text", "text", "The tool gave this:"));
        Some(object([("role", "user".into()), ("content", parts.into())]))
    }

    fn plain(&self, message: &ChatMessage, role: &str, content: Value) -> Value {
        let mut body = Body::default();
        body.set("role", role);
        if let Some(name) = message.name.as_deref().filter(|_| self.dialect.takes_names) {
            body.set("name", plain_name(name, "someone"));
        }
        body.set("content", content);
        body.into_value()
    }

    /// What the model said itself. Pictures it made have no word on this wire and are left out.
    fn spoken(&self, message: &ChatMessage, is_current: bool) -> Value {
        let mut text = message.plain_text();
        let thoughts = message.parts.iter().filter_map(|part| match part {
            Part::Thought { text, .. } if is_current => Some(text.as_str()),
            _ => None,
        });
        let thoughts: String = thoughts.collect();
        let mut body = Body::default();
        body.set("role", "assistant");
        if let Some(name) = message.name.as_deref().filter(|_| self.dialect.takes_names) {
            body.set("name", plain_name(name, "assistant"));
        }
        if !thoughts.is_empty() {
            match self.dialect.thoughts {
                Thoughts::Dropped => {}
                Thoughts::Field(field) => body.set(field, thoughts),
                Thoughts::Tags => text = format!("<think>\n{thoughts}\n</think>\n\n{text}"),
            }
        }
        match text.is_empty() && !message.tool_calls.is_empty() {
            true => body.set("content", Value::Null),
            false => body.set("content", text),
        }
        if !message.tool_calls.is_empty() {
            let calls = message.tool_calls.iter().map(|call| self.call(call));
            body.set("tool_calls", Value::list(calls));
        }
        body.into_value()
    }

    fn call(&self, call: &ToolCall) -> Value {
        let function = object([
            ("name", call.name.as_str().into()),
            (
                "arguments",
                arguments(call, self.dialect.reads_arguments).into(),
            ),
        ]);
        object([
            ("id", self.call_id(&call.id).into()),
            ("type", "function".into()),
            ("function", function),
        ])
    }

    /// The id of a call, the same for call and answer.
    fn call_id(&self, id: &str) -> String {
        let fits = id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !self.dialect.short_ids || fits {
            return id.to_owned();
        }
        const LETTERS: &[u8; 62] =
            b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let mut rest = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut letter = || {
            let letter = LETTERS[(rest % 62) as usize];
            rest /= 62;
            char::from(letter)
        };
        (0..9).map(|_| letter()).collect()
    }

    fn part(&self, part: &Part, param: &str) -> Result<Option<Value>, ModelError> {
        Ok(Some(match part {
            Part::Text(text) => tagged("text", "text", text.as_str()),
            Part::Thought { .. } => return Ok(None),
            Part::Image(image) => {
                let url = object([("url", contents::address(image).into())]);
                tagged("image_url", "image_url", url)
            }
            Part::Audio(sound) => {
                let MediaSource::Bytes(bytes) = &sound.source else {
                    return Err(self.unsupported(param, "sounds at an address: send the contents"));
                };
                let mime = contents::mime(sound);
                let Some(format) = contents::sound_ending(&mime) else {
                    return Err(
                        self.unsupported(param, format_args!("sounds of the type `{mime}`"))
                    );
                };
                let data = crate::inline::base64(bytes);
                let sound = match self.dialect.plain_sounds {
                    true => data.into(),
                    false => object([("data", data.into()), ("format", format.into())]),
                };
                tagged("input_audio", "input_audio", sound)
            }
            Part::Video(video) if self.dialect.takes_video => {
                let url = object([("url", contents::address(video).into())]);
                tagged("video_url", "video_url", url)
            }
            Part::Video(_) => return Err(self.unsupported(param, "videos in a conversation")),
            Part::Document(document) => self.document(document, param)?,
        }))
    }

    fn document(&self, document: &Media, param: &str) -> Result<Value, ModelError> {
        if let Some(text) = written_out(document) {
            return Ok(tagged("text", "text", text));
        }
        let mime = contents::mime(document);
        match (&document.source, self.dialect.documents) {
            (_, Documents::None) => {
                let what = format_args!("documents of the type `{mime}`");
                Err(self.unsupported(param, what))
            }
            (MediaSource::Url(_), Documents::Contents) => {
                Err(self.unsupported(param, "documents at an address: send the contents"))
            }
            _ => {
                let name = document.name.as_deref().unwrap_or("document.pdf");
                let file = object([
                    ("filename", name.into()),
                    ("file_data", contents::address(document).into()),
                ]);
                Ok(tagged("file", "file", file))
            }
        }
    }
}

/// The arguments of an earlier call: as the model wrote them, so that it sees what was wrong. Servers that read them
/// refuse a whole conversation for what is no JSON object; there the tool's answer alone says what was wrong.
pub(super) fn arguments(call: &ToolCall, are_read: bool) -> &str {
    if call.arguments.trim().is_empty() {
        return "{}";
    }
    match read_arguments(&call.arguments) {
        Err(_) if are_read => "{}",
        _ => &call.arguments,
    }
}

/// A document of text, as text.
pub(super) fn written_out(document: &Media) -> Option<String> {
    let MediaSource::Bytes(bytes) = &document.source else {
        return None;
    };
    if !contents::is_text(&contents::mime(document)) {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let name = document.name.as_deref().unwrap_or("document");
    Some(format!("{name}:\n\n{text}"))
}

/// Text of a message that can have nothing else: a text, or a list of texts.
fn texts(parts: &[Part]) -> Value {
    let mut texts = parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        _ => None,
    });
    match (texts.next(), texts.next()) {
        (None, _) => "".into(),
        (Some(text), None) => text.into(),
        (Some(first), Some(second)) => {
            let all = [first, second].into_iter().chain(texts);
            Value::list(all.map(|text| tagged("text", "text", text)))
        }
    }
}

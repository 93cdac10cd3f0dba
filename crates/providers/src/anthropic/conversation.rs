//! A conversation in the words of the Messages API: turns of user and assistant by turns, made of blocks.

use nodetool_sdk::Value;
use nodetool_sdk::models::{
    ChatMessage, Media, MediaSource, ModelError, Part, Role, ToolCall, read_arguments,
};
use serde::Serialize;

use crate::Account;
use crate::inline::{base64, is_text, mime_of};
use crate::signature::{Signature, split_characters};

/// Tag of signatures of readable thinking.
pub(super) const SIGNED: &str = "anthropic";
/// Tag of thinking that only the provider can read.
pub(super) const REDACTED: &str = "anthropic-redacted";
/// Most characters of the title of a document.
const MAX_TITLE: usize = 200;

/// A conversation.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// All that the system says.
    pub(super) system: String,
    /// The turns; those of one speaker behind each other are one.
    pub(super) turns: Vec<Turn>,
}

/// What one speaker says.
#[derive(Debug, Serialize)]
pub(super) struct Turn {
    role: &'static str,
    content: Vec<Block>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        text: String,
    },
    Image {
        source: Source,
    },
    Document {
        source: Source,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
    ToolUse {
        id: String,
        name: String,
        input: Value,
    },
    ToolResult {
        tool_use_id: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block>,
    },
    #[serde(untagged)]
    Thought(Thought),
}

/// Thinking of an earlier turn.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thought {
    Thinking { thinking: String, signature: String },
    RedactedThinking { data: String },
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Source {
    Base64 {
        media_type: String,
        data: String,
    },
    Url {
        url: String,
    },
    Text {
        media_type: &'static str,
        data: String,
    },
}

impl Conversation {
    /// Writes down messages.
    pub(super) fn of(account: &Account, messages: &[ChatMessage]) -> Result<Self, ModelError> {
        let mut conversation = Conversation::default();
        for (at, message) in messages.iter().enumerate() {
            let field = format!("messages[{at}]");
            match message.role {
                Role::System => conversation.instruct(&system(account, &field, message)?),
                Role::User => {
                    let content = said(account, &field, message)?;
                    conversation.say("user", content);
                }
                Role::Assistant => {
                    let mut content = said(account, &field, message)?;
                    content.extend(message.tool_calls.iter().map(tool_use));
                    conversation.say("assistant", content);
                }
                Role::Tool => {
                    let Some(id) = &message.tool_call_id else {
                        let field = format!("{field}.tool_call_id");
                        return Err(account.wrong(field, "a tool's message has no tool_call_id"));
                    };
                    let result = Block::ToolResult {
                        tool_use_id: tool_id(id),
                        content: said(account, &field, message)?,
                    };
                    conversation.say("user", vec![result]);
                }
            }
        }
        conversation.trim_prefill();
        Ok(conversation)
    }

    /// Adds to what the system says.
    pub(super) fn instruct(&mut self, text: &str) {
        if !self.system.is_empty() && !text.is_empty() {
            self.system.push_str("\n\n");
        }
        self.system.push_str(text);
    }

    fn say(&mut self, role: &'static str, content: Vec<Block>) {
        if content.is_empty() {
            return;
        }
        match self.turns.last_mut() {
            Some(turn) if turn.role == role => turn.content.extend(content),
            _ => self.turns.push(Turn { role, content }),
        }
    }

    /// An answer that is begun for the model must not end with space.
    fn trim_prefill(&mut self) {
        if let Some(turn) = self.turns.last_mut()
            && turn.role == "assistant"
            && let Some(Block::Text { text }) = turn.content.last_mut()
        {
            text.truncate(text.trim_end().len());
        }
    }
}

fn system(account: &Account, field: &str, message: &ChatMessage) -> Result<String, ModelError> {
    let mut text = String::new();
    for (at, part) in message.parts.iter().enumerate() {
        match part {
            Part::Text(piece) => text.push_str(piece),
            Part::Thought { .. } => {}
            _ => {
                let field = format!("{field}.content[{at}]");
                return Err(account.cannot(field, "media in system messages"));
            }
        }
    }
    Ok(text.trim().to_owned())
}

fn said(account: &Account, field: &str, message: &ChatMessage) -> Result<Vec<Block>, ModelError> {
    let mut thinking = Vec::new();
    let mut content = Vec::new();
    for (at, part) in message.parts.iter().enumerate() {
        let field = || format!("{field}.content[{at}]");
        match part {
            // The API refuses texts without a visible character.
            Part::Text(text) if text.trim().is_empty() => {}
            Part::Text(text) => content.push(Block::Text { text: text.clone() }),
            Part::Thought { text, signature } if message.role == Role::Assistant => {
                let thoughts = thoughts(text, signature.as_deref());
                thinking.extend(thoughts.into_iter().map(Block::Thought));
            }
            Part::Thought { .. } => {}
            // The model's own pictures are not taken back as its own.
            _ if message.role == Role::Assistant => {}
            Part::Image(media) | Part::Document(media) => {
                let document = matches!(part, Part::Document(_));
                content.push(shown(account, field(), media, document)?);
            }
            Part::Audio(_) => return Err(account.cannot(field(), "sound in messages")),
            Part::Video(_) => return Err(account.cannot(field(), "video in messages")),
        }
    }
    thinking.extend(content);
    Ok(thinking)
}

/// Thinking that may be sent back: none without signatures of this provider.
pub(super) fn thoughts(text: &str, signature: Option<&str>) -> Vec<Thought> {
    let signatures = Signature::read(signature.unwrap_or_default());
    let mut thoughts = Vec::new();
    let mut rest = text;
    for signature in signatures {
        let Some((thinking, more)) = split_characters(rest, signature.characters) else {
            return Vec::new();
        };
        rest = more;
        match signature.tag {
            SIGNED if !signature.value.is_empty() => thoughts.push(Thought::Thinking {
                thinking: thinking.to_owned(),
                signature: signature.value.to_owned(),
            }),
            REDACTED => thoughts.push(Thought::RedactedThinking {
                data: signature.value.to_owned(),
            }),
            _ => {}
        }
    }
    match rest.is_empty() {
        true => thoughts,
        // It is not what was signed.
        false => Vec::new(),
    }
}

fn shown(
    account: &Account,
    field: String,
    media: &Media,
    document: bool,
) -> Result<Block, ModelError> {
    let mime = mime_of(media);
    let title = || {
        let name = media.name.as_deref().unwrap_or_default().trim();
        (!name.is_empty()).then(|| name.chars().take(MAX_TITLE).collect())
    };
    let block = match &media.source {
        MediaSource::Url(url) => {
            let source = Source::Url { url: url.clone() };
            match mime.as_str() {
                "application/pdf" => Block::Document {
                    source,
                    title: title(),
                },
                "" if document => Block::Document {
                    source,
                    title: title(),
                },
                mime if mime.starts_with("image/") || mime.is_empty() => Block::Image { source },
                mime => {
                    let what = format_args!("documents of type `{mime}` at an address");
                    return Err(account.cannot(field, what));
                }
            }
        }
        MediaSource::Bytes(bytes) => match mime.as_str() {
            "image/png" | "image/jpeg" | "image/gif" | "image/webp" => Block::Image {
                source: Source::Base64 {
                    media_type: mime,
                    data: base64(bytes),
                },
            },
            "application/pdf" => Block::Document {
                source: Source::Base64 {
                    media_type: mime,
                    data: base64(bytes),
                },
                title: title(),
            },
            kind if is_text(kind) || kind.is_empty() && document => {
                let Ok(text) = std::str::from_utf8(bytes) else {
                    return Err(account.wrong(field, "a document of text is not UTF-8"));
                };
                Block::Document {
                    source: Source::Text {
                        media_type: "text/plain",
                        data: text.to_owned(),
                    },
                    title: title(),
                }
            }
            kind => {
                let what = match kind {
                    "" => "images of an unknown type; expected PNG, JPEG, GIF or WebP".to_owned(),
                    kind => format!(
                        "contents of type `{kind}`; expected PNG, JPEG, GIF, WebP, PDF or text"
                    ),
                };
                return Err(account.cannot(field, what));
            }
        },
    };
    Ok(block)
}

fn tool_use(call: &ToolCall) -> Block {
    let input = read_arguments(&call.arguments).unwrap_or_else(|_| {
        // The API takes objects only; the model shall see what it wrote.
        [("arguments".into(), Value::str(call.arguments.as_str()))].into()
    });
    Block::ToolUse {
        id: tool_id(&call.id),
        name: call.name.clone(),
        input: Value::map(input),
    }
}

/// Ids of other providers may have characters this one refuses.
fn tool_id(id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    id.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}

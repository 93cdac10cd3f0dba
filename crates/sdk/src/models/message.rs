//! Messages of a conversation with a model.

use bytes::Bytes;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Whoever set up the conversation.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool the model has called.
    Tool,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatMessage {
    /// Who speaks.
    pub role: Role,
    /// Name of the speaker or tool.
    pub name: Option<String>,
    /// What is said, in order.
    pub parts: Vec<Part>,
    /// Tools the model has called in this message.
    pub tool_calls: Vec<ToolCall>,
    /// The call this message answers, when a tool speaks.
    pub tool_call_id: Option<String>,
}

impl ChatMessage {
    /// A message of text only.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        ChatMessage {
            role,
            name: None,
            parts: vec![Part::Text(text.into())],
            tool_calls: Vec::new(),
            tool_call_id: None,
        }
    }

    /// The answer of a tool, JSON text.
    pub fn tool(call: &ToolCall, content: impl Into<String>) -> Self {
        ChatMessage {
            name: Some(call.name.clone()),
            tool_call_id: Some(call.id.clone()),
            ..ChatMessage::text(Role::Tool, content)
        }
    }

    /// All text of it, without reasoning.
    pub fn plain_text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("")
    }
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text.
    Text(String),
    /// An image.
    Image(Media),
    /// A sound.
    Audio(Media),
    /// A video.
    Video(Media),
    /// A document, such as a PDF.
    Document(Media),
    /// Reasoning of an earlier turn, for providers that want it back.
    Thought {
        /// The reasoning.
        text: String,
        /// What the provider gave with it.
        signature: Option<String>,
    },
}

/// Contents that are no text.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// MIME type, such as `image/png`; empty when it is not known.
    pub mime: String,
    /// File name, where it has one.
    pub name: Option<String>,
    /// Where the contents are.
    pub source: MediaSource,
}

/// Where contents are.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaSource {
    /// Here.
    Bytes(Bytes),
    /// At a public `http` or `https` address, which the provider is to fetch itself.
    Url(String),
}

impl Media {
    /// Contents that are here.
    pub fn bytes(mime: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Media {
            mime: mime.into(),
            name: None,
            source: MediaSource::Bytes(bytes.into()),
        }
    }
}

/// A model's wish to have a tool called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// Which call of the turn, from 0.
    pub index: u32,
    /// Its id.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Arguments as the model wrote them, which should be the JSON text of an object.
    pub arguments: String,
    /// What the provider wants back with this call (Gemini).
    pub signature: Option<String>,
}

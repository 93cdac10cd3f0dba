//! Contents and parts: the words of which requests of the Gemini API are made.

use nodetool_sdk::Value;
use nodetool_sdk::models::{Media, MediaSource};
use serde::Serialize;

use crate::inline::{base64, mime_of};

/// What one speaker says.
#[derive(Debug, Serialize)]
pub(super) struct Content {
    /// `user` or `model`; absent for instructions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<&'static str>,
    /// In order.
    pub(super) parts: Vec<Part>,
}

impl Content {
    /// What the user says.
    pub(super) fn user(parts: Vec<Part>) -> Self {
        Content {
            role: Some("user"),
            parts,
        }
    }
}

/// A piece of what is said.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part {
    #[serde(flatten)]
    kind: Kind,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    thought: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Kind {
    Text(String),
    InlineData {
        mime_type: String,
        data: String,
    },
    FileData {
        #[serde(skip_serializing_if = "String::is_empty")]
        mime_type: String,
        file_uri: String,
    },
    FunctionCall {
        id: String,
        name: String,
        args: Value,
    },
    FunctionResponse {
        id: String,
        name: String,
        response: Value,
    },
}

impl From<Kind> for Part {
    fn from(kind: Kind) -> Self {
        Part {
            kind,
            thought: false,
            thought_signature: None,
        }
    }
}

impl Part {
    /// Text.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Kind::Text(text.into()).into()
    }

    /// An image, a sound, a video, a document.
    pub(super) fn media(media: &Media) -> Self {
        let mime_type = mime_of(media);
        match &media.source {
            MediaSource::Url(url) => Kind::FileData {
                mime_type,
                file_uri: url.clone(),
            },
            MediaSource::Bytes(bytes) => Kind::InlineData {
                mime_type,
                data: base64(bytes),
            },
        }
        .into()
    }

    /// A call the model made.
    pub(super) fn call(id: &str, name: &str, args: Value) -> Self {
        Kind::FunctionCall {
            id: id.to_owned(),
            name: name.to_owned(),
            args,
        }
        .into()
    }

    /// What came of a call.
    pub(super) fn response(id: &str, name: &str, response: Value) -> Self {
        Kind::FunctionResponse {
            id: id.to_owned(),
            name: name.to_owned(),
            response,
        }
        .into()
    }

    /// The part as one of the model's thoughts.
    pub(super) fn thought(mut self) -> Self {
        self.thought = true;
        self
    }

    /// The part with what the API gave with it.
    pub(super) fn signed(mut self, signature: Option<&str>) -> Self {
        self.thought_signature = signature.map(str::to_owned);
        self
    }
}

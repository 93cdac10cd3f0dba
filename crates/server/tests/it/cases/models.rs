//! Models for runs of workflows that ask some: the provider `fake` with a script, whatever model a workflow names, and
//! conversations kept in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use nodetool_protocol::{Map, Value};
use nodetool_providers::{Account, Patience, Provider, find};
use nodetool_sdk::collections::Conversations;
use nodetool_sdk::models::{
    ChatMessage, ChatRequest, ChatStream, EmbedRequest, Embeddings, ImageRequest, Media,
    ModelError, Models, SpeechRequest, SpeechStream, TranscribeRequest, Transcript, VideoRequest,
};
use nodetool_sdk::{BoxFuture, NodeError};

use super::tables;

/// What the provider calls its models, by the type of what selects one.
const NAMES: [(&str, &str); 6] = [
    ("language_model", "fake-model-v1"),
    ("image_model", "fake-image-model"),
    ("video_model", "fake-video"),
    ("tts_model", "fake-tts"),
    ("asr_model", "fake-asr"),
    ("embedding_model", "fake-embedding"),
];

/// Whether a value selects a model, and which kind.
fn kind(value: &Value) -> Option<&'static str> {
    let tag = value.get("type")?.as_str()?;
    NAMES.iter().find(|(kind, _)| *kind == tag).map(|n| n.1)
}

/// Whether a graph selects a model anywhere, or keeps a conversation with one.
pub(super) fn asked_in(value: &Value) -> bool {
    let node = value
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    kind(value).is_some()
        || node.starts_with("nodetool.agents.")
        || match value {
            Value::List(items) => items.iter().any(asked_in),
            Value::Map(map) => map.values().any(asked_in),
            _ => false,
        }
}

/// The same with models of the provider where none is chosen.
pub(crate) fn filled(value: Value) -> Value {
    let chosen = |value: &Value| value.get("id").is_some_and(|id| id.as_str() != Some(""));
    let name = kind(&value).filter(|_| !chosen(&value));
    match value {
        Value::List(items) => Value::list(items.iter().cloned().map(filled)),
        Value::Map(map) => {
            let mut map: Map = map
                .iter()
                .map(|(k, v)| (k.clone(), filled(v.clone())))
                .collect();
            if let Some(name) = name {
                map.insert("provider".into(), "fake".into());
                map.insert("id".into(), name.into());
            }
            map.into()
        }
        other => other,
    }
}

/// The provider with the script of these tests.
pub(super) struct Scripted(Provider);

impl Scripted {
    pub(super) fn new() -> Self {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let script = tables::own("model-script.json");
        let definition = find("fake").expect("the provider for tests");
        let account = Account {
            provider: "fake".into(),
            key: None,
            address: script.to_str().expect("a path that is text").into(),
            context_length: None,
            client: reqwest::Client::new(),
            patience: Patience::default(),
        };
        Scripted((definition.make)(&account))
    }
}

fn has_none<'a, T: Send + 'a>(what: &'static str) -> BoxFuture<'a, Result<T, ModelError>> {
    Box::pin(async move { Err(ModelError::unsupported("fake", what)) })
}

impl Models for Scripted {
    /// Answers for every model.
    fn chat<'a>(
        &'a self,
        mut request: ChatRequest,
    ) -> BoxFuture<'a, Result<ChatStream, ModelError>> {
        request.model = "fake-model-v1".into();
        self.0.chat.as_ref().expect("it talks").chat(request)
    }
    fn embed<'a>(&'a self, request: EmbedRequest) -> BoxFuture<'a, Result<Embeddings, ModelError>> {
        self.0.embed.as_ref().expect("it embeds").embed(request)
    }
    fn image<'a>(&'a self, request: ImageRequest) -> BoxFuture<'a, Result<Vec<Media>, ModelError>> {
        self.0.draw.as_ref().expect("it draws").draw(request)
    }
    fn video<'a>(&'a self, _: VideoRequest) -> BoxFuture<'a, Result<Media, ModelError>> {
        has_none("videos")
    }
    fn speech<'a>(
        &'a self,
        request: SpeechRequest,
    ) -> BoxFuture<'a, Result<SpeechStream, ModelError>> {
        self.0.speak.as_ref().expect("it speaks").speak(request)
    }
    fn transcribe<'a>(
        &'a self,
        request: TranscribeRequest,
    ) -> BoxFuture<'a, Result<Transcript, ModelError>> {
        self.0
            .transcribe
            .as_ref()
            .expect("it listens")
            .transcribe(request)
    }
}

/// Conversations in memory.
#[derive(Default)]
pub(super) struct Remembered(Mutex<HashMap<String, Vec<ChatMessage>>>);

impl Conversations for Remembered {
    fn ensure<'a>(
        &'a self,
        id: &'a str,
        title: &'a str,
    ) -> BoxFuture<'a, Result<String, NodeError>> {
        let mut all = self.0.lock().unwrap();
        let id = match all.contains_key(id) {
            true => id.to_owned(),
            false => format!("{title} {}", all.len()),
        };
        all.entry(id.clone()).or_default();
        Box::pin(async move { Ok(id) })
    }
    fn messages<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Vec<ChatMessage>, NodeError>> {
        let said = self.0.lock().unwrap().get(id).cloned().unwrap_or_default();
        Box::pin(async move { Ok(said) })
    }
    fn add<'a>(
        &'a self,
        id: &'a str,
        messages: Vec<ChatMessage>,
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        let mut all = self.0.lock().unwrap();
        all.entry(id.to_owned()).or_default().extend(messages);
        Box::pin(async { Ok(()) })
    }
}

/// Both, for the services of runs.
pub(super) fn services() -> (Arc<dyn Models>, Arc<dyn Conversations>) {
    (Arc::new(Scripted::new()), Arc::new(Remembered::default()))
}

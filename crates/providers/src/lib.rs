//! Clients of model providers: one file or folder for each wire, a table of who speaks which.
//!
//! It must not know users, stored secrets, runs or the server. An [`Account`] is all it gets; what it gives are the
//! words of [`nodetool_sdk::models`].

use std::sync::Arc;

use nodetool_sdk::BoxFuture;
use nodetool_sdk::models::{
    ChatRequest, ChatStream, EmbedRequest, Embeddings, ImageRequest, Media, ModelError,
    SpeechRequest, SpeechStream, TranscribeRequest, Transcript, VideoRequest,
};

mod account;
mod answer;
mod anthropic;
mod call;
mod demo;
mod emulated_tools;
mod fake;
mod fal;
mod gemini;
mod huggingface;
mod inline;
mod media;
mod ollama;
mod openai;
mod replicate;
mod signature;
mod sse;
#[cfg(test)]
mod stub;
mod table;

pub use account::{Account, Key, Patience};
pub use fake::{FAKE, Script, ScriptedTurn};
pub use openai::compatible;
pub use table::{Definition, all, find};

/// Has language models answer.
pub trait Chat: Send + Sync {
    /// Begins an answer; a refusal of the provider is an error of this future, not of the stream.
    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatStream, ModelError>>;
}

/// Turns texts into vectors.
pub trait Embed: Send + Sync {
    /// Vectors in the order of the texts.
    fn embed(&self, request: EmbedRequest) -> BoxFuture<'_, Result<Embeddings, ModelError>>;
}

/// Draws and redraws.
pub trait Draw: Send + Sync {
    /// The pictures.
    fn draw(&self, request: ImageRequest) -> BoxFuture<'_, Result<Vec<Media>, ModelError>>;
}

/// Makes videos.
pub trait Film: Send + Sync {
    /// The video.
    fn film(&self, request: VideoRequest) -> BoxFuture<'_, Result<Media, ModelError>>;
}

/// Speaks.
pub trait Speak: Send + Sync {
    /// Begins to speak: 16 bit little-endian mono PCM at 24 kHz.
    fn speak(&self, request: SpeechRequest) -> BoxFuture<'_, Result<SpeechStream, ModelError>>;
}

/// Writes down what is said.
pub trait Transcribe: Send + Sync {
    /// The words.
    fn transcribe(
        &self,
        request: TranscribeRequest,
    ) -> BoxFuture<'_, Result<Transcript, ModelError>>;
}

/// Tells which models there are.
pub trait List: Send + Sync {
    /// All models of the account, of every kind.
    fn models(&self) -> BoxFuture<'_, Result<Vec<ListedModel>, ModelError>>;
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ModelKind {
    /// Conversation.
    Language,
    /// Pictures.
    Image,
    /// Videos.
    Video,
    /// Speech.
    Tts,
    /// Speech recognition.
    Asr,
    /// Vectors.
    Embedding,
}

/// A model a provider has.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedModel {
    /// Its id at the provider.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// What it is for.
    pub kind: ModelKind,
    /// Tasks such as `text_to_image`, `image_to_image`, `text_to_video`, `image_to_video`; empty for other kinds.
    pub tasks: Vec<String>,
    /// Voices of a speaking model.
    pub voices: Vec<String>,
    /// Length of an embedding model's vectors; 0 when it is not known.
    pub dimensions: u32,
    /// Tokens of conversation and answer together, where the provider says so.
    pub context: Option<u32>,
}

impl ListedModel {
    /// A model of which only this is known.
    pub fn new(id: impl Into<String>, kind: ModelKind) -> Self {
        let id = id.into();
        ListedModel {
            name: id.clone(),
            id,
            kind,
            tasks: Vec::new(),
            voices: Vec::new(),
            dimensions: 0,
            context: None,
        }
    }
}

/// What an account at a provider can do. Cheap to clone.
#[derive(Clone, Default)]
pub struct Provider {
    /// Conversation.
    pub chat: Option<Arc<dyn Chat>>,
    /// Vectors.
    pub embed: Option<Arc<dyn Embed>>,
    /// Pictures from text, and from pictures.
    pub draw: Option<Arc<dyn Draw>>,
    /// Videos from text, and from pictures.
    pub film: Option<Arc<dyn Film>>,
    /// Speech.
    pub speak: Option<Arc<dyn Speak>>,
    /// Speech recognition.
    pub transcribe: Option<Arc<dyn Transcribe>>,
    /// Its models.
    pub list: Option<Arc<dyn List>>,
}

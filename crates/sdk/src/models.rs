//! Words for calls of models: what is asked, what comes back, and why it fails. Shared by nodes, agents, providers and
//! the server.
//!
//! It must not know any provider: the shapes of their wires are theirs. Whoever drops a stream or a future of a call
//! cancels the call.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use nodetool_protocol::{Map, Value};

mod error;
mod media;
mod message;

pub use error::{ModelError, ModelErrorKind};
pub use media::{
    EmbedRequest, Embeddings, ImageRequest, SpeechRequest, TranscribeRequest, Transcript,
    VideoRequest,
};
pub use message::{ChatMessage, Media, MediaSource, Part, Role, ToolCall};

use crate::BoxFuture;

/// A tool a model may call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolSpec {
    /// `[A-Za-z0-9_-]{1,64}`.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// JSON Schema of its arguments, an object schema.
    pub parameters: Value,
    /// Whether the provider has to see to it that arguments fit the schema; its own choice when absent.
    pub strict: Option<bool>,
}

/// Whether and which tools the model has to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it likes.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
}

/// The form of the answer.
#[derive(Clone, Debug, PartialEq)]
pub enum ResponseFormat {
    /// Free text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that fits a schema.
    JsonSchema {
        /// A name for it.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// The schema.
        schema: Value,
        /// Whether it must be followed exactly.
        strict: Option<bool>,
    },
}

/// A turn asked of a language model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatRequest {
    /// Id of the provider, such as `openai`; empty when it is to be found out from the model.
    pub provider: String,
    /// Id of the model, as the provider calls it.
    pub model: String,
    /// The conversation, oldest first.
    pub messages: Vec<ChatMessage>,
    /// Tools it may call.
    pub tools: Vec<ToolSpec>,
    /// Whether it has to.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once.
    pub parallel_tool_calls: Option<bool>,
    /// The form of the answer.
    pub response_format: Option<ResponseFormat>,
    /// Most tokens of the answer.
    pub max_tokens: Option<u32>,
    /// 0 to 2.
    pub temperature: Option<f64>,
    /// 0 to 1.
    pub top_p: Option<f64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// For answers that can be repeated.
    pub seed: Option<i64>,
    /// -2 to 2.
    pub presence_penalty: Option<f64>,
    /// -2 to 2.
    pub frequency_penalty: Option<f64>,
    /// Alternatives per token whose probabilities are wanted; `Some(0)` for the chosen tokens only.
    pub logprobs: Option<u8>,
    /// `none`, `minimal`, `low`, `medium`, `high`; as the provider understands it.
    pub reasoning_effort: Option<String>,
    /// Who asks on whose behalf, for the provider's abuse checks.
    pub end_user: Option<String>,
    /// Fields of OpenAI's wire that do not change what is answered, as they were given: `service_tier`, `verbosity`,
    /// `prompt_cache_key`, `safety_identifier`, `store`, `metadata`. Providers that do not have them leave them out.
    pub openai_fields: Map,
    /// Which node asks, for the cost table.
    pub node_id: Option<Arc<str>>,
    /// In which workflow, for the cost table.
    pub workflow_id: Option<Arc<str>>,
}

/// Why a model stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// It was done, or came to a stop text.
    Stop,
    /// It reached `max_tokens` or the end of its context.
    Length,
    /// It wants tools called.
    ToolCalls,
    /// The provider withheld the rest.
    ContentFilter,
}

/// Tokens of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Read, including those from the provider's cache.
    pub input: u64,
    /// Written, including reasoning.
    pub output: u64,
    /// Of `input`: from the provider's cache.
    pub cached: u64,
    /// Of `output`: reasoning.
    pub reasoning: u64,
    /// US dollars, where the provider says so itself.
    pub cost: Option<f64>,
}

/// What comes from a model while it answers.
///
/// A stream that ends well has exactly one `Finish`, before it at most one `Usage`, and nothing after. A tool call is
/// one `ToolCall` followed by its arguments in any number of pieces; pieces of several calls may be interleaved.
#[derive(Clone, Debug, PartialEq)]
pub enum ChatEvent {
    /// A piece of the answer.
    Text(String),
    /// A piece of its reasoning.
    Reasoning(String),
    /// What the provider wants back with the reasoning of this turn (Anthropic, Gemini).
    ReasoningSignature(String),
    /// A whole file the model made: an image, a sound.
    File(Media),
    /// A tool call begins.
    ToolCall {
        /// Which call of the turn, from 0.
        index: u32,
        /// Its id; made up where the provider has none.
        id: String,
        /// The tool.
        name: String,
        /// What the provider wants back with this call (Gemini).
        signature: Option<String>,
    },
    /// A piece of a call's arguments, JSON text.
    ToolArguments {
        /// Which call of the turn, from 0.
        index: u32,
        /// The piece.
        text: String,
    },
    /// Probabilities of the tokens of the piece before, as OpenAI writes `logprobs.content`.
    Logprobs(Value),
    /// What the call took so far; the last one counts.
    Usage(Usage),
    /// The end.
    Finish(FinishReason),
}

/// Events of one answer. Dropping it cancels the call.
pub type ChatStream = Pin<Box<dyn Stream<Item = Result<ChatEvent, ModelError>> + Send>>;

/// Pieces of speech: 16 bit little-endian mono PCM at 24 kHz. Dropping it cancels the call.
pub type SpeechStream = Pin<Box<dyn Stream<Item = Result<Bytes, ModelError>> + Send>>;

/// A whole answer, put together from a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// The reasoning.
    pub reasoning: String,
    /// What the provider wants back with the reasoning.
    pub signature: Option<String>,
    /// Files it made.
    pub files: Vec<Media>,
    /// Tools it wants called.
    pub tool_calls: Vec<ToolCall>,
    /// Pieces of `logprobs.content`, in order.
    pub logprobs: Vec<Value>,
    /// Why it stopped.
    pub finish: Option<FinishReason>,
    /// What it took.
    pub usage: Option<Usage>,
}

impl Answer {
    /// Adds the next event.
    pub fn add(&mut self, event: ChatEvent) {
        match event {
            ChatEvent::Text(piece) => self.text.push_str(&piece),
            ChatEvent::Reasoning(piece) => self.reasoning.push_str(&piece),
            ChatEvent::ReasoningSignature(piece) => {
                self.signature.get_or_insert_default().push_str(&piece);
            }
            ChatEvent::File(file) => self.files.push(file),
            ChatEvent::ToolCall {
                index,
                id,
                name,
                signature,
            } => self.tool_calls.push(ToolCall {
                index,
                id,
                name,
                arguments: String::new(),
                signature,
            }),
            ChatEvent::ToolArguments { index, text } => {
                let call = self.tool_calls.iter_mut().find(|c| c.index == index);
                if let Some(call) = call {
                    call.arguments.push_str(&text);
                }
            }
            ChatEvent::Logprobs(piece) => self.logprobs.push(piece),
            ChatEvent::Usage(usage) => self.usage = Some(usage),
            ChatEvent::Finish(reason) => self.finish = Some(reason),
        }
    }

    /// Reads a stream to its end.
    pub async fn of(mut stream: ChatStream) -> Result<Self, ModelError> {
        use futures_util::StreamExt;
        let mut answer = Answer::default();
        while let Some(event) = stream.next().await {
            answer.add(event?);
        }
        Ok(answer)
    }

    /// The message it is in a conversation.
    pub fn into_message(self) -> ChatMessage {
        let mut parts = Vec::new();
        if !self.reasoning.is_empty() || self.signature.is_some() {
            parts.push(Part::Thought {
                text: self.reasoning,
                signature: self.signature,
            });
        }
        if !self.text.is_empty() {
            parts.push(Part::Text(self.text));
        }
        ChatMessage {
            role: Role::Assistant,
            name: None,
            parts,
            tool_calls: self.tool_calls,
            tool_call_id: None,
        }
    }
}

/// Models of all providers the user of a run may use. Keys, retries, and rows of the cost table are its business.
pub trait Models: Send + Sync {
    /// Has a language model answer. Fails before the first event for whatever is known by then.
    fn chat<'a>(&'a self, request: ChatRequest) -> BoxFuture<'a, Result<ChatStream, ModelError>>;
    /// Turns texts into vectors.
    fn embed<'a>(&'a self, request: EmbedRequest) -> BoxFuture<'a, Result<Embeddings, ModelError>>;
    /// Draws, or redraws when the request has sources.
    fn image<'a>(&'a self, request: ImageRequest) -> BoxFuture<'a, Result<Vec<Media>, ModelError>>;
    /// Makes a video from a text, or from an image when the request has one.
    fn video<'a>(&'a self, request: VideoRequest) -> BoxFuture<'a, Result<Media, ModelError>>;
    /// Speaks.
    fn speech<'a>(
        &'a self,
        request: SpeechRequest,
    ) -> BoxFuture<'a, Result<SpeechStream, ModelError>>;
    /// Writes down what is said.
    fn transcribe<'a>(
        &'a self,
        request: TranscribeRequest,
    ) -> BoxFuture<'a, Result<Transcript, ModelError>>;
}

/// Reads the arguments of a tool call: an object, or an error that says what came.
pub fn read_arguments(text: &str) -> Result<Map, String> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Map(map)) => Ok(Arc::unwrap_or_clone(map)),
        Ok(_) => Err("the arguments are JSON, but not an object".into()),
        Err(e) => Err(format!("the arguments are not JSON: {e}")),
    }
}

//! The Gemini API of Google (`generativelanguage`, v1beta): conversation, vectors, pictures, videos, speech.
//!
//! The key goes into a header and never into an address, so that no message about an address can hold it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use nodetool_sdk::BoxFuture;
use nodetool_sdk::models::{
    ChatRequest, ChatStream, EmbedRequest, Embeddings, ImageRequest, Media, ModelError,
    ModelErrorKind, SpeechRequest, SpeechStream, TranscribeRequest, Transcript, VideoRequest,
};
use reqwest::{Method, RequestBuilder, header};
use serde::Serialize;
use serde_json::Value;

use crate::{
    Account, Chat, Definition, Draw, Embed, Film, List, ListedModel, Provider, Speak, Transcribe,
};

mod answer;
mod body;
mod content;
mod conversation;
mod embedding;
mod image;
mod list;
mod schema;
mod sound;
#[cfg(test)]
mod tests;
mod thinking;
mod video;

const KEY: &str = "GEMINI_API_KEY";
const KEY_HEADER: &str = "x-goog-api-key";

pub(crate) const DEFINITION: Definition = Definition {
    id: "gemini",
    name: "Google Gemini",
    key: Some(KEY),
    needs_key: true,
    address: "https://generativelanguage.googleapis.com/v1beta",
    address_setting: None,
    path: "",
    other_address: None,
    context_setting: None,
    make: |account| Gemini::new(account.clone(), Duration::from_secs(8)).provider(),
};

struct Gemini {
    account: Account,
    /// Between two looks at a video that is being made.
    pause: Duration,
}

impl Gemini {
    fn new(account: Account, pause: Duration) -> Self {
        Gemini { account, pause }
    }

    fn provider(self) -> Provider {
        let gemini = Arc::new(self);
        Provider {
            chat: Some(gemini.clone()),
            embed: Some(gemini.clone()),
            draw: Some(gemini.clone()),
            film: Some(gemini.clone()),
            speak: Some(gemini.clone()),
            transcribe: Some(gemini.clone()),
            list: Some(gemini),
        }
    }

    fn request(&self, method: Method, url: &str) -> Result<RequestBuilder, ModelError> {
        let key = self.account.key_header(KEY)?;
        let request = self.account.client.request(method, url);
        Ok(request.header(KEY_HEADER, key))
    }

    /// A request to a method of a model, such as `generateContent`.
    fn ask(
        &self,
        model: &str,
        method: &str,
        body: &impl Serialize,
    ) -> Result<RequestBuilder, ModelError> {
        let account = &self.account;
        let url = format!("{}/models/{}:{method}", account.address, self.name(model)?);
        let body = serde_json::to_vec(body).map_err(|e| account.nonsense(e))?;
        let request = self.request(Method::POST, &url)?;
        Ok(request
            .header(header::CONTENT_TYPE, "application/json")
            .body(body))
    }

    /// Asks a method of a model that answers in one piece.
    async fn call(
        &self,
        model: &str,
        method: &str,
        body: &impl Serialize,
        patience: Duration,
    ) -> Result<Value, ModelError> {
        let request = self.ask(model, method, body)?;
        self.account.json(request, patience).await
    }

    /// How long to wait for something that is made in one go.
    fn patience(&self, seconds: Option<f64>) -> Duration {
        let asked = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let most = self.account.patience.whole;
        asked
            .filter(|asked| !asked.is_zero())
            .map_or(most, |asked| asked.min(most))
    }

    /// The name of a model without `models/`; it becomes part of an address.
    fn name<'a>(&self, model: &'a str) -> Result<&'a str, ModelError> {
        let name = model.strip_prefix("models/").unwrap_or(model);
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        match !name.is_empty() && name.bytes().all(plain) && !name.starts_with('.') {
            true => Ok(name),
            false => {
                let shown: String = model.chars().take(100).collect();
                let message = format!("`gemini` has no model `{shown}`");
                Err(self.account.error(ModelErrorKind::UnknownModel, message))
            }
        }
    }

    async fn answer(&self, request: ChatRequest) -> Result<ChatStream, ModelError> {
        let mut account = self.account.clone();
        let (body, form) = body::body(&account, &request)?;
        let asked = self.ask(&request.model, "streamGenerateContent?alt=sse", &body)?;
        let asked = asked.header(header::ACCEPT, "text/event-stream");
        let response = account.send(asked, account.patience.first_byte).await?;
        // The head comes at once and then nothing until the model has thought: there are no pings.
        let patience = &mut account.patience;
        patience.next_byte = patience.next_byte.max(patience.first_byte);
        let one_call = request.parallel_tool_calls == Some(false);
        let reader = answer::Answer::new(account.clone(), form, one_call);
        account.begin(response, reader).await
    }
}

impl Chat for Gemini {
    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatStream, ModelError>> {
        self.answer(request).boxed()
    }
}

impl Embed for Gemini {
    fn embed(&self, request: EmbedRequest) -> BoxFuture<'_, Result<Embeddings, ModelError>> {
        self.vectors(request).boxed()
    }
}

impl Draw for Gemini {
    fn draw(&self, request: ImageRequest) -> BoxFuture<'_, Result<Vec<Media>, ModelError>> {
        self.pictures(request).boxed()
    }
}

impl Film for Gemini {
    fn film(&self, request: VideoRequest) -> BoxFuture<'_, Result<Media, ModelError>> {
        self.video(request).boxed()
    }
}

impl Speak for Gemini {
    fn speak(&self, request: SpeechRequest) -> BoxFuture<'_, Result<SpeechStream, ModelError>> {
        self.speech(request).boxed()
    }
}

impl Transcribe for Gemini {
    fn transcribe(
        &self,
        request: TranscribeRequest,
    ) -> BoxFuture<'_, Result<Transcript, ModelError>> {
        self.transcript(request).boxed()
    }
}

impl List for Gemini {
    fn models(&self) -> BoxFuture<'_, Result<Vec<ListedModel>, ModelError>> {
        self.list().boxed()
    }
}

//! The wire that OpenAI made and many speak: conversation (both of its forms), vectors, pictures, speech, speech
//! recognition, lists of models.
//!
//! What callers ask for is passed on, and the provider's own refusal is shown. A [`Dialect`] says only how a provider
//! names things, what it must not be sent of our own accord, and which parts of the wire it has. It must not know
//! other wires.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::FutureExt;
use nodetool_sdk::BoxFuture;
use nodetool_sdk::models::{
    ChatRequest, ChatStream, EmbedRequest, Embeddings, ImageRequest, Media, ModelError,
    ModelErrorKind, SpeechRequest, SpeechStream, TranscribeRequest, Transcript,
};
use nodetool_sdk::protocol::Value;
use reqwest::{RequestBuilder, header};

use crate::{Account, Chat, Draw, Embed, List, ListedModel, Provider, Speak, Transcribe};

mod answer;
mod body;
mod chat;
mod chunks;
mod contents;
mod dialect;
mod embeddings;
mod images;
mod messages;
mod models;
mod responses;
mod speech;
mod table;
mod thinking;
mod tool_calls;
mod transcription;

pub(crate) use dialect::Dialect;
pub(crate) use table::ROWS;

/// The client of a server that speaks OpenAI's wire and of which nothing else is known, such as one an operator names.
pub fn compatible(account: &Account) -> Provider {
    provider(account, Dialect::OPEN)
}

/// The client of a provider that speaks a dialect.
fn provider(account: &Account, dialect: Dialect) -> Provider {
    let client = Arc::new(Client {
        account: account.clone(),
        dialect,
        no_summaries: AtomicBool::new(false),
    });
    Provider {
        chat: Some(client.clone()),
        embed: dialect.embeds.map(|_| client.clone() as Arc<dyn Embed>),
        draw: dialect.draws.map(|_| client.clone() as Arc<dyn Draw>),
        film: None,
        speak: dialect.speaks.then(|| client.clone() as Arc<dyn Speak>),
        transcribe: dialect
            .transcribes
            .then(|| client.clone() as Arc<dyn Transcribe>),
        list: Some(client),
    }
}

/// An account at a provider of the family.
struct Client {
    account: Account,
    dialect: Dialect,
    /// The provider has said that this account gets no summaries of reasoning.
    no_summaries: AtomicBool,
}

impl Client {
    /// A request, with the key.
    fn request(&self, method: reqwest::Method, path: &str) -> Result<RequestBuilder, ModelError> {
        let account = &self.account;
        if account.address.is_empty() {
            let message = format!("the address of {} is not set", account.provider);
            return Err(account.error(ModelErrorKind::Connection, message));
        }
        let address = format!("{}{path}", account.address.trim_end_matches('/'));
        let request = account.client.request(method, address);
        let Some(key) = &account.key else {
            return Ok(request);
        };
        let key = key.expose().trim();
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = format!(
                "the key of {} holds characters that no key has",
                account.provider
            );
            return Err(account.error(ModelErrorKind::Unauthorized, message));
        }
        Ok(request.bearer_auth(key))
    }

    /// A request with a JSON body.
    fn post(&self, path: &str, body: &Value) -> Result<RequestBuilder, ModelError> {
        let body = serde_json::to_vec(body)
            .map_err(|e| self.account.error(ModelErrorKind::Internal, e.to_string()))?;
        let request = self.request(reqwest::Method::POST, path)?;
        Ok(request
            .header(header::CONTENT_TYPE, "application/json")
            .body(body))
    }

    /// The model as the provider calls it.
    fn model(&self, model: &str) -> Result<String, ModelError> {
        if model.trim().is_empty() {
            let message = format!("no model of {} is named", self.account.provider);
            return Err(self.account.error(ModelErrorKind::NoModel, message));
        }
        Ok(match self.dialect.suffix {
            Some(suffix) if !model.contains(':') => format!("{model}:{suffix}"),
            _ => model.to_owned(),
        })
    }

    /// Something this provider, or this model, has no word for.
    fn unsupported(&self, param: impl Into<String>, what: impl std::fmt::Display) -> ModelError {
        ModelError {
            param: Some(param.into()),
            ..ModelError::unsupported(&self.account.provider, what)
        }
    }
}

impl Chat for Client {
    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatStream, ModelError>> {
        async move {
            if !self.dialect.responses {
                return self.complete(&request).await;
            }
            if responses::suits(&request) {
                return self.respond(&request).await;
            }
            match self.complete(&request).await {
                // A model that is newer than the table.
                Err(e) if responses::is_meant(&e) => self.respond(&request).await,
                result => result,
            }
        }
        .boxed()
    }
}

impl Embed for Client {
    fn embed(&self, request: EmbedRequest) -> BoxFuture<'_, Result<Embeddings, ModelError>> {
        self.vectors(request).boxed()
    }
}

impl Draw for Client {
    fn draw(&self, request: ImageRequest) -> BoxFuture<'_, Result<Vec<Media>, ModelError>> {
        self.pictures(request).boxed()
    }
}

impl Speak for Client {
    fn speak(&self, request: SpeechRequest) -> BoxFuture<'_, Result<SpeechStream, ModelError>> {
        self.speech(request).boxed()
    }
}

impl Transcribe for Client {
    fn transcribe(
        &self,
        request: TranscribeRequest,
    ) -> BoxFuture<'_, Result<Transcript, ModelError>> {
        self.transcript(request).boxed()
    }
}

impl List for Client {
    fn models(&self) -> BoxFuture<'_, Result<Vec<ListedModel>, ModelError>> {
        self.listed().boxed()
    }
}

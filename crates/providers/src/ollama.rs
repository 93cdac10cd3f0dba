//! Ollama, by its own protocol: `/api/chat`, `/api/embed`, `/api/tags`.
//!
//! The OpenAI-compatible side of Ollama knows neither the length of the context nor whether to think, hence this one.
//! Which models take tools is learned from their refusals: those that do not get them in words.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use nodetool_sdk::BoxFuture;
use nodetool_sdk::models::{
    ChatRequest, ChatStream, EmbedRequest, Embeddings, ModelError, ModelErrorKind, ToolChoice,
    Usage,
};
use reqwest::Url;
use serde_json::{Value, json};

use crate::emulated_tools;
use crate::media::with_json;
use crate::{Account, Chat, Definition, Embed, List, ListedModel, Provider};

mod list;
mod reply;
mod request;
#[cfg(test)]
mod tests;

/// Most models that are known to take no tools.
const MOST_REMEMBERED: usize = 256;

pub(crate) const DEFINITION: Definition = Definition {
    id: "ollama",
    name: "Ollama",
    key: None,
    needs_key: false,
    address: "http://127.0.0.1:11434",
    address_setting: Some("OLLAMA_API_URL"),
    path: "",
    other_address: None,
    context_setting: Some("OLLAMA_CONTEXT_LENGTH"),
    make: provider,
};

/// The client. Without a context length models get what the Ollama server was set up with.
fn provider(account: &Account) -> Provider {
    let ollama = Arc::new(Ollama {
        account: account.clone(),
        toolless: Mutex::default(),
    });
    Provider {
        chat: Some(ollama.clone()),
        embed: Some(ollama.clone()),
        list: Some(ollama),
        ..Provider::default()
    }
}

struct Ollama {
    account: Account,
    /// Models that have refused tools.
    toolless: Mutex<HashSet<String>>,
}

impl Ollama {
    fn post(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.account.address);
        with_json(self.account.client.post(url), body)
    }

    async fn answer(&self, request: ChatRequest) -> Result<ChatStream, ModelError> {
        let tools = emulated_tools::chosen(&request.tools, request.tool_choice.as_ref());
        if let Some(ToolChoice::Named(name)) = &request.tool_choice
            && tools.is_empty()
        {
            let message = format!("tool_choice names `{name}`, which is not among the tools");
            return Err(self.account.error(ModelErrorKind::BadRequest, message));
        }
        let must = matches!(
            request.tool_choice,
            Some(ToolChoice::Required | ToolChoice::Named(_))
        );
        if tools.is_empty() {
            return self.in_words(&request).await;
        }
        // A call cannot be demanded from Ollama, but the form of an answer can.
        if must || self.is_toolless(&request.model) {
            return self.in_words(&request).await;
        }
        match self.begin(&request).await {
            Ok(lines) => Ok(reply::events(self.account.clone(), lines, None)),
            Err(e) if e.message.contains("does not support tools") => {
                self.remember_toolless(&request.model);
                self.in_words(&request).await
            }
            Err(e) => Err(e),
        }
    }

    /// Asks without tools; those there are become words.
    async fn in_words(&self, request: &ChatRequest) -> Result<ChatStream, ModelError> {
        let tools = emulated_tools::chosen(&request.tools, request.tool_choice.as_ref());
        let mut plain = match request.tools.is_empty() && !has_calls(request) {
            true => request.clone(),
            false => emulated_tools::without_tools(request),
        };
        if matches!(
            request.tool_choice,
            Some(ToolChoice::Required | ToolChoice::Named(_))
        ) {
            plain.response_format = Some(nodetool_sdk::models::ResponseFormat::JsonSchema {
                name: "tool_call".to_owned(),
                description: None,
                schema: request::to_wire(&emulated_tools::forced(&tools)),
                strict: None,
            });
        }
        let lines = self.begin(&plain).await?;
        let reader = (!tools.is_empty()).then(|| emulated_tools::Reader::new(tools));
        Ok(reply::events(self.account.clone(), lines, reader))
    }

    async fn begin(&self, request: &ChatRequest) -> Result<reqwest::Response, ModelError> {
        let body = request::chat(&self.account, request, self.account.context_length)?;
        let sent = self.account.send(
            self.post("/api/chat", &body),
            self.account.patience.first_byte,
        );
        sent.await.map_err(|e| self.explained(e))
    }

    fn is_toolless(&self, model: &str) -> bool {
        let toolless = self.toolless.lock().unwrap_or_else(PoisonError::into_inner);
        toolless.contains(model)
    }

    fn remember_toolless(&self, model: &str) {
        let mut toolless = self.toolless.lock().unwrap_or_else(PoisonError::into_inner);
        if toolless.len() >= MOST_REMEMBERED {
            toolless.clear();
        }
        toolless.insert(model.to_owned());
    }

    /// A failure with what its reader can do about it.
    fn explained(&self, mut e: ModelError) -> ModelError {
        let unable = [
            "does not support",
            "doesn't support",
            "does not have support",
        ];
        if e.status.is_some_and(|status| status < 500)
            && unable.iter().any(|sign| e.message.contains(sign))
        {
            e.kind = ModelErrorKind::Unsupported;
        }
        if e.kind == ModelErrorKind::Connection && e.message.contains("cannot be reached") {
            e.message = format!("{}; is it running at {}?", e.message, self.place());
        }
        e
    }

    /// Where it is, without what must not be shown.
    fn place(&self) -> String {
        match Url::parse(&self.account.address) {
            Ok(url) => url.origin().ascii_serialization(),
            Err(_) => "the address of the setting".to_owned(),
        }
    }

    async fn vectors(&self, request: EmbedRequest) -> Result<Embeddings, ModelError> {
        if request.texts.is_empty() {
            return Ok(Embeddings::default());
        }
        let mut body = json!({ "model": request.model, "input": request.texts });
        if let Some(dimensions) = request.dimensions {
            body["dimensions"] = dimensions.into();
        }
        let account = &self.account;
        let answer = account.json(self.post("/api/embed", &body), account.patience.first_byte);
        let answer = answer.await.map_err(|e| self.explained(e))?;
        let vectors =
            crate::media::vectors::read(account, &answer["embeddings"], request.texts.len())?;
        let usage = answer["prompt_eval_count"].as_u64().map(|input| Usage {
            input,
            ..Usage::default()
        });
        Ok(Embeddings { vectors, usage })
    }

    async fn listed(&self) -> Result<Vec<ListedModel>, ModelError> {
        let account = &self.account;
        let request = account.client.get(format!("{}/api/tags", account.address));
        let answer = account.json(request, account.patience.list).await;
        list::read(account, &answer.map_err(|e| self.explained(e))?)
    }
}

fn has_calls(request: &ChatRequest) -> bool {
    request
        .messages
        .iter()
        .any(|message| !message.tool_calls.is_empty() || message.tool_call_id.is_some())
}

impl Chat for Ollama {
    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatStream, ModelError>> {
        self.answer(request).boxed()
    }
}

impl Embed for Ollama {
    fn embed(&self, request: EmbedRequest) -> BoxFuture<'_, Result<Embeddings, ModelError>> {
        self.vectors(request).boxed()
    }
}

impl List for Ollama {
    fn models(&self) -> BoxFuture<'_, Result<Vec<ListedModel>, ModelError>> {
        self.listed().boxed()
    }
}

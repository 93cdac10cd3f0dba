//! The Messages API of Anthropic.
//!
//! Answers are always streamed, whatever the caller wants, so that long ones do not run into time limits. What the API
//! has no word for is refused: `logprobs`, `seed`, and penalties other than 0.

use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use nodetool_sdk::BoxFuture;
use nodetool_sdk::models::{ChatRequest, ChatStream, ModelError};
use reqwest::{Method, RequestBuilder, Url, header};
use serde::Deserialize;

use crate::{Account, Chat, Definition, List, ListedModel, ModelKind, Provider};

mod answer;
mod body;
mod conversation;
mod schema;
#[cfg(test)]
mod tests;
mod thinking;

const KEY: &str = "ANTHROPIC_API_KEY";
const VERSION: &str = "2023-06-01";
/// Most pages of the list of models.
const MAX_PAGES: usize = 20;
/// Models of a page; the most the API gives.
const PAGE: &str = "1000";

pub(crate) const DEFINITION: Definition = Definition {
    id: "anthropic",
    name: "Anthropic",
    key: Some(KEY),
    needs_key: true,
    address: "https://api.anthropic.com/v1",
    address_setting: None,
    path: "",
    other_address: None,
    context_setting: None,
    make: |account| {
        let anthropic = Arc::new(Anthropic {
            account: account.clone(),
        });
        Provider {
            chat: Some(anthropic.clone()),
            list: Some(anthropic),
            ..Provider::default()
        }
    },
};

struct Anthropic {
    account: Account,
}

impl Anthropic {
    fn request(&self, method: Method, url: &str) -> Result<RequestBuilder, ModelError> {
        let account = &self.account;
        let request = account.client.request(method, url);
        Ok(request
            .header("x-api-key", account.key_header(KEY)?)
            .header("anthropic-version", VERSION))
    }

    async fn answer(&self, request: ChatRequest) -> Result<ChatStream, ModelError> {
        let account = &self.account;
        let (body, form) = body::body(account, &request)?;
        let body = serde_json::to_vec(&body).map_err(|e| account.nonsense(e))?;
        let url = format!("{}/messages", account.address);
        let request = self.request(Method::POST, &url)?;
        let request = request
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream")
            .body(body);
        let response = account.send(request, account.patience.first_byte).await?;
        let reader = answer::Answer::new(account.clone(), form);
        account.begin(response, reader).await
    }

    async fn list(&self) -> Result<Vec<ListedModel>, ModelError> {
        let account = &self.account;
        let until = Instant::now() + account.patience.list;
        let mut models = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let url = format!("{}/models", account.address);
            let mut url = Url::parse(&url).map_err(|e| account.nonsense(e))?;
            url.query_pairs_mut()
                .append_pair("limit", PAGE)
                .extend_pairs(after.iter().map(|after| ("after_id", after)));
            let request = self.request(Method::GET, url.as_str())?;
            let left = until.saturating_duration_since(Instant::now());
            let page = account.json(request, left).await?;
            let page = Page::deserialize(page).map_err(|e| account.nonsense(e))?;
            let there = page.data.into_iter().filter(|model| !model.is_retired());
            models.extend(there.map(ListedModel::from));
            match page.last_id {
                Some(last) if page.has_more && after.as_ref() != Some(&last) => after = Some(last),
                _ => break,
            }
        }
        Ok(models)
    }
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Model>,
    #[serde(default)]
    has_more: bool,
    last_id: Option<String>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
    display_name: Option<String>,
    max_input_tokens: Option<u32>,
    lifecycle: Option<String>,
}

impl Model {
    /// Whether it is listed for the record only: requests that name it fail.
    fn is_retired(&self) -> bool {
        self.lifecycle.as_deref() == Some("retired")
    }
}

impl From<Model> for ListedModel {
    fn from(model: Model) -> Self {
        let mut listed = ListedModel::new(model.id, ModelKind::Language);
        if let Some(name) = model.display_name.filter(|name| !name.is_empty()) {
            listed.name = name;
        }
        listed.context = model.max_input_tokens.filter(|tokens| *tokens > 0);
        listed
    }
}

impl Chat for Anthropic {
    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatStream, ModelError>> {
        self.answer(request).boxed()
    }
}

impl List for Anthropic {
    fn models(&self) -> BoxFuture<'_, Result<Vec<ListedModel>, ModelError>> {
        self.list().boxed()
    }
}

//! The OpenAI-compatible routes (HTTP spec 6.20): models of all providers and workflows that converse, in the words of
//! OpenAI's API. They need models only, so that a server without a store has them, too.
//!
//! It must not know how a provider is called or a workflow run; that is the business of `services`.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use nodetool_sdk::models::{ChatRequest, ChatStream, ModelError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::services::{Caller, ModelService, WORKFLOW_PREFIX, WorkflowModels};

mod asked;
mod audio;
mod begin;
mod completions;
mod embeddings;
mod errors;
mod files;
mod form;
mod images;
mod media;
mod messages;
mod models;
mod responses;
mod stream;
mod usage;

pub(super) use errors::{OpenAiError, shape};

/// The setting that limits bodies: they hold pictures and documents.
const GRAPH_LIMIT: &str = "graph_limit";

/// What the routes work with.
pub(crate) struct OpenAiParts {
    pub(crate) models: ModelService,
    pub(crate) workflows: WorkflowModels,
    /// Largest JSON body in bytes.
    pub(crate) body_limit: usize,
    /// Whether an answer streams when the request does not say.
    pub(crate) stream_by_default: bool,
}

/// What the routes work with; clones share it.
#[derive(Clone)]
pub(crate) struct OpenAiState(Arc<OpenAiParts>);

impl std::ops::Deref for OpenAiState {
    type Target = OpenAiParts;

    fn deref(&self) -> &OpenAiParts {
        &self.0
    }
}

/// The routes, which need nothing else of the server.
pub(super) fn router<S: Clone + Send + Sync + 'static>(state: OpenAiState) -> OpenApiRouter<S> {
    OpenApiRouter::<OpenAiState>::new()
        .routes(routes!(models::list_provider_models))
        .routes(routes!(models::get_provider_model))
        .routes(routes!(completions::create_chat_completion))
        .routes(routes!(responses::create_response))
        .routes(routes!(embeddings::create_embeddings))
        .routes(routes!(images::create_image))
        .routes(routes!(images::edit_image))
        .routes(routes!(audio::create_speech))
        .routes(routes!(audio::create_transcription))
        .with_state(state)
}

impl FromRequestParts<OpenAiState> for Caller {
    type Rejection = OpenAiError;

    async fn from_request_parts(parts: &mut Parts, _: &OpenAiState) -> Result<Self, OpenAiError> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.ok_or_else(|| OpenAiError::unauthorized("Authentication required"))
    }
}

impl OpenAiState {
    pub(crate) fn new(parts: OpenAiParts) -> Self {
        OpenAiState(Arc::new(parts))
    }

    /// Writes into a request whom it means; gives the name of the model for the answer.
    async fn choose(
        &self,
        caller: &Caller,
        request: &mut ChatRequest,
    ) -> Result<String, OpenAiError> {
        if request.model.starts_with(WORKFLOW_PREFIX) {
            return Ok(request.model.clone());
        }
        let asked = std::mem::take(&mut request.model);
        let (provider, model, shown) = self.meant(caller, &asked).await?;
        (request.provider, request.model) = (provider, model);
        Ok(shown)
    }

    /// Provider and model that a name means, and the name for the answer.
    async fn meant(
        &self,
        caller: &Caller,
        asked: &str,
    ) -> Result<(String, String, String), OpenAiError> {
        if asked.starts_with(WORKFLOW_PREFIX) {
            let message = "Workflows answer at /v1/chat/completions and /v1/responses only.";
            return Err(OpenAiError::unsupported("model", message));
        }
        let choice = self.models.choose(&caller.user_id, "", asked).await?;
        let shown = match asked {
            "" | "default" => format!("{}/{}", choice.provider, choice.model),
            asked => asked.to_owned(),
        };
        Ok((choice.provider, choice.model, shown))
    }

    /// Has a model or a workflow answer.
    fn open(
        &self,
        caller: Caller,
        request: ChatRequest,
    ) -> impl Future<Output = Result<ChatStream, ModelError>> + Send + 'static {
        let state = self.clone();
        async move {
            let name = request.model.strip_prefix(WORKFLOW_PREFIX);
            match name.filter(|_| request.provider.is_empty()) {
                Some(name) => state.workflows.chat(caller, name, &request).await,
                None => state.models.of(&caller).chat(request).await,
            }
        }
    }
}

/// A new id that says what it is of.
fn unique(prefix: &str) -> String {
    format!("{prefix}{}", uuid::Uuid::new_v4().simple())
}

fn now_seconds() -> u64 {
    u64::try_from(nodetool_store::now_micros() / 1_000_000).unwrap_or_default()
}

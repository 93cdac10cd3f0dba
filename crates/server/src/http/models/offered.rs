//! Models of providers: which providers the caller can use, and what each offers (HTTP spec 6.9, socket spec 10.3).

use axum::extract::State;
use axum::response::Response;
use nodetool_providers::{ListedModel, ModelKind, Provider};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::error::FieldError;
use super::super::extract::Path;
use super::super::{AppState, Refusal, json as json_body};
use super::ApiError;
use crate::services::{Caller, PROVIDERS, of_kind};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_providers))
        .routes(routes!(list_language_models))
        .routes(routes!(list_image_models))
        .routes(routes!(list_video_models))
        .routes(routes!(list_all_tts_models))
        .routes(routes!(list_tts_models))
        .routes(routes!(list_asr_models))
        .routes(routes!(list_embedding_models))
}

/// A provider and what it can do.
#[derive(Serialize, ToSchema)]
struct ProviderInfo {
    provider: String,
    /// `generate_message`, `generate_messages`, `generate_embedding`, `text_to_image`, `image_to_image`,
    /// `text_to_speech`, `automatic_speech_recognition`, `text_to_video`, `image_to_video`
    capabilities: Vec<&'static str>,
}

/// A model for conversations.
#[derive(Serialize, ToSchema)]
struct OfferedLanguageModel {
    /// `language_model`
    #[serde(rename = "type")]
    kind: &'static str,
    provider: String,
    id: String,
    name: String,
    path: Option<String>,
    supported_tasks: Vec<String>,
}

/// A model that draws.
#[derive(Serialize, ToSchema)]
struct OfferedImageModel {
    /// `image_model`
    #[serde(rename = "type")]
    kind: &'static str,
    provider: String,
    id: String,
    name: String,
    path: Option<String>,
    supported_tasks: Vec<String>,
}

/// A model that makes videos.
#[derive(Serialize, ToSchema)]
struct OfferedVideoModel {
    /// `video_model`
    #[serde(rename = "type")]
    kind: &'static str,
    provider: String,
    id: String,
    name: String,
    path: Option<String>,
    supported_tasks: Vec<String>,
}

/// A model that speaks.
#[derive(Serialize, ToSchema)]
struct OfferedTtsModel {
    /// `tts_model`
    #[serde(rename = "type")]
    kind: &'static str,
    provider: String,
    id: String,
    name: String,
    path: Option<String>,
    voices: Vec<String>,
    selected_voice: String,
}

/// A model that writes down what is said.
#[derive(Serialize, ToSchema)]
struct OfferedAsrModel {
    /// `asr_model`
    #[serde(rename = "type")]
    kind: &'static str,
    provider: String,
    id: String,
    name: String,
    path: Option<String>,
}

/// A model that makes vectors of texts.
#[derive(Serialize, ToSchema)]
struct OfferedEmbeddingModel {
    /// `embedding_model`
    #[serde(rename = "type")]
    kind: &'static str,
    provider: String,
    id: String,
    name: String,
    /// Length of its vectors; 0 when it is not known.
    dimensions: u32,
}

fn capabilities(provider: &Provider) -> Vec<&'static str> {
    let all: [(bool, &[&str]); 6] = [
        (
            provider.chat.is_some(),
            &["generate_message", "generate_messages"],
        ),
        (provider.embed.is_some(), &["generate_embedding"]),
        (
            provider.draw.is_some(),
            &["text_to_image", "image_to_image"],
        ),
        (provider.speak.is_some(), &["text_to_speech"]),
        (
            provider.transcribe.is_some(),
            &["automatic_speech_recognition"],
        ),
        (
            provider.film.is_some(),
            &["text_to_video", "image_to_video"],
        ),
    ];
    let can = all.iter().filter(|(can, _)| *can);
    can.flat_map(|(_, words)| words.iter().copied()).collect()
}

/// The models of a kind that a provider offers; nothing when it does not answer. Fails for a word that is no provider.
async fn offered<T>(
    app: &AppState,
    caller: &Caller,
    provider: &str,
    kind: ModelKind,
    shown: impl Fn(&str, &ListedModel) -> T,
) -> Result<Vec<T>, ApiError> {
    if !PROVIDERS.contains(&provider) && !app.models.knows(provider) {
        let msg = "Input should be the name of a model provider";
        let error = FieldError::at("enum", &["path", "provider"], msg);
        return Err(ApiError::invalid(vec![error]));
    }
    let models = app.models.list(&caller.user_id, provider).await;
    let models = of_kind(&models, kind).into_iter();
    Ok(models.map(|model| shown(provider, model)).collect())
}

fn tts(provider: &str, model: &ListedModel) -> OfferedTtsModel {
    OfferedTtsModel {
        kind: "tts_model",
        provider: provider.to_owned(),
        id: model.id.clone(),
        name: model.name.clone(),
        path: None,
        voices: model.voices.clone(),
        selected_voice: String::new(),
    }
}

/// The providers the caller can use now.
#[utoipa::path(get, path = "/api/models/providers", tag = "models",
    responses((status = 200, body = Vec<ProviderInfo>)))]
async fn list_providers(State(app): State<AppState>, caller: Caller) -> Response {
    let found = app.models.providers(&caller.user_id).await.into_iter();
    let found = found.map(|(provider, open)| ProviderInfo {
        provider,
        capabilities: capabilities(&open),
    });
    json_body(&found.collect::<Vec<_>>())
}

/// The models of a provider for conversations.
#[utoipa::path(get, path = "/api/models/llm/{provider}", tag = "models", params(("provider" = String, Path)),
    responses((status = 200, body = Vec<OfferedLanguageModel>), (status = 422, body = Refusal)))]
async fn list_language_models(
    State(app): State<AppState>,
    caller: Caller,
    Path(provider): Path,
) -> Result<Response, ApiError> {
    let shown = |provider: &str, model: &ListedModel| OfferedLanguageModel {
        kind: "language_model",
        provider: provider.to_owned(),
        id: model.id.clone(),
        name: model.name.clone(),
        path: None,
        supported_tasks: model.tasks.clone(),
    };
    let models = offered(&app, &caller, &provider, ModelKind::Language, shown).await?;
    Ok(json_body(&models))
}

/// The models of a provider that draw.
#[utoipa::path(get, path = "/api/models/image/{provider}", tag = "models", params(("provider" = String, Path)),
    responses((status = 200, body = Vec<OfferedImageModel>), (status = 422, body = Refusal)))]
async fn list_image_models(
    State(app): State<AppState>,
    caller: Caller,
    Path(provider): Path,
) -> Result<Response, ApiError> {
    let shown = |provider: &str, model: &ListedModel| OfferedImageModel {
        kind: "image_model",
        provider: provider.to_owned(),
        id: model.id.clone(),
        name: model.name.clone(),
        path: None,
        supported_tasks: model.tasks.clone(),
    };
    let models = offered(&app, &caller, &provider, ModelKind::Image, shown).await?;
    Ok(json_body(&models))
}

/// The models of a provider that make videos.
#[utoipa::path(get, path = "/api/models/video/{provider}", tag = "models", params(("provider" = String, Path)),
    responses((status = 200, body = Vec<OfferedVideoModel>), (status = 422, body = Refusal)))]
async fn list_video_models(
    State(app): State<AppState>,
    caller: Caller,
    Path(provider): Path,
) -> Result<Response, ApiError> {
    let shown = |provider: &str, model: &ListedModel| OfferedVideoModel {
        kind: "video_model",
        provider: provider.to_owned(),
        id: model.id.clone(),
        name: model.name.clone(),
        path: None,
        supported_tasks: model.tasks.clone(),
    };
    let models = offered(&app, &caller, &provider, ModelKind::Video, shown).await?;
    Ok(json_body(&models))
}

/// The models of all providers that speak.
#[utoipa::path(get, path = "/api/models/tts", tag = "models",
    responses((status = 200, body = Vec<OfferedTtsModel>)))]
async fn list_all_tts_models(State(app): State<AppState>, caller: Caller) -> Response {
    let all = app.models.list_all(&caller.user_id).await;
    let speaking = all.iter().flat_map(|of| {
        let models = of_kind(&of.models, ModelKind::Tts).into_iter();
        models.map(|model| tts(&of.provider, model))
    });
    json_body(&speaking.collect::<Vec<_>>())
}

/// The models of a provider that speak.
#[utoipa::path(get, path = "/api/models/tts/{provider}", tag = "models", params(("provider" = String, Path)),
    responses((status = 200, body = Vec<OfferedTtsModel>), (status = 422, body = Refusal)))]
async fn list_tts_models(
    State(app): State<AppState>,
    caller: Caller,
    Path(provider): Path,
) -> Result<Response, ApiError> {
    let models = offered(&app, &caller, &provider, ModelKind::Tts, tts).await?;
    Ok(json_body(&models))
}

/// The models of a provider that write down what is said.
#[utoipa::path(get, path = "/api/models/asr/{provider}", tag = "models", params(("provider" = String, Path)),
    responses((status = 200, body = Vec<OfferedAsrModel>), (status = 422, body = Refusal)))]
async fn list_asr_models(
    State(app): State<AppState>,
    caller: Caller,
    Path(provider): Path,
) -> Result<Response, ApiError> {
    let shown = |provider: &str, model: &ListedModel| OfferedAsrModel {
        kind: "asr_model",
        provider: provider.to_owned(),
        id: model.id.clone(),
        name: model.name.clone(),
        path: None,
    };
    let models = offered(&app, &caller, &provider, ModelKind::Asr, shown).await?;
    Ok(json_body(&models))
}

/// The models of a provider that make vectors of texts.
#[utoipa::path(get, path = "/api/models/embedding/{provider}", tag = "models", params(("provider" = String, Path)),
    responses((status = 200, body = Vec<OfferedEmbeddingModel>), (status = 422, body = Refusal)))]
async fn list_embedding_models(
    State(app): State<AppState>,
    caller: Caller,
    Path(provider): Path,
) -> Result<Response, ApiError> {
    let shown = |provider: &str, model: &ListedModel| OfferedEmbeddingModel {
        kind: "embedding_model",
        provider: provider.to_owned(),
        id: model.id.clone(),
        name: model.name.clone(),
        dimensions: model.dimensions,
    };
    let models = offered(&app, &caller, &provider, ModelKind::Embedding, shown).await?;
    Ok(json_body(&models))
}

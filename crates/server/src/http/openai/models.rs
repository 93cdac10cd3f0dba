//! `GET /v1/models`: the models of every provider the caller can call, and the workflows that converse.

use std::collections::HashSet;

use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::{ApiError, json};
use super::OpenAiState;
use super::errors::{OpenAiError, OpenAiRefusal};
use crate::services::{Caller, WorkflowError};

/// A model.
#[derive(Serialize, ToSchema)]
pub(super) struct OpenAiModel {
    /// What requests name it by.
    id: String,
    /// `model`.
    object: &'static str,
    created: u64,
    /// Id of the provider, or `workflow`.
    owned_by: String,
}

/// All models.
#[derive(Serialize, ToSchema)]
pub(super) struct OpenAiModels {
    /// `list`.
    object: &'static str,
    data: Vec<OpenAiModel>,
}

impl From<WorkflowError> for OpenAiError {
    fn from(e: WorkflowError) -> Self {
        ApiError::from(e).into()
    }
}

impl OpenAiModel {
    fn new(id: String, owned_by: &str) -> Self {
        OpenAiModel {
            id,
            object: "model",
            created: 0,
            owned_by: owned_by.to_owned(),
        }
    }
}

/// Every model once. Of two providers with a model of the same id the first is meant by the id; that of the other is
/// named with its provider.
async fn all(state: &OpenAiState, caller: &Caller) -> Result<Vec<OpenAiModel>, OpenAiError> {
    let (providers, workflows) = tokio::join!(
        state.models.list_all(&caller.user_id),
        state.workflows.list(caller),
    );
    let mut seen = HashSet::new();
    let mut models = Vec::new();
    for provider in &providers {
        let owner = &provider.provider;
        for model in &*provider.models {
            let name = if model.id.is_empty() {
                &model.name
            } else {
                &model.id
            };
            let id = match seen.contains(name) {
                true => format!("{owner}/{name}"),
                false => name.clone(),
            };
            if seen.insert(id.clone()) {
                models.push(OpenAiModel::new(id, owner));
            }
        }
    }
    let workflows = workflows?.into_iter();
    models.extend(workflows.map(|id| OpenAiModel::new(id, "workflow")));
    Ok(models)
}

/// The models the caller can use, with workflows that take a message as `workflow/<name>`.
#[utoipa::path(get, path = "/v1/models", tag = "openai", responses((status = 200, body = OpenAiModels)))]
pub(super) async fn list_provider_models(
    State(state): State<OpenAiState>,
    caller: Caller,
) -> Result<Response, OpenAiError> {
    let data = all(&state, &caller).await?;
    let object = "list";
    Ok(json(&OpenAiModels { object, data }))
}

/// One model, by the id it is listed under or as `provider/model`.
#[utoipa::path(get, path = "/v1/models/{*id}", tag = "openai", params(("id" = String, Path)),
    responses((status = 200, body = OpenAiModel), (status = 400, body = OpenAiRefusal), (status = 404, body = OpenAiRefusal)))]
pub(super) async fn get_provider_model(
    State(state): State<OpenAiState>,
    caller: Caller,
    id: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<Response, OpenAiError> {
    let Ok(Path(id)) = id else {
        let message = "Invalid 'id': the path is no UTF-8 after percent-decoding.";
        return Err(OpenAiError::value("id", message));
    };
    let mut models = all(&state, &caller).await?;
    if let Some(at) = models.iter().position(|model| model.id == id) {
        return Ok(json(&models.swap_remove(at)));
    }
    let with_provider = |model: &OpenAiModel| {
        id.strip_prefix(&*model.owned_by)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|rest| rest == model.id)
    };
    match models.iter().find(|model| with_provider(model)) {
        Some(model) => Ok(json(&OpenAiModel::new(id.clone(), &model.owned_by))),
        None => Err(OpenAiError::no_model(&id)),
    }
}

//! Memory of this process, and of the models in it, of which there are none (HTTP spec 6.16).

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, Query};
use super::{ApiError, AppState, Refusal, json};
use crate::services::MachineError;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get_memory))
        .routes(routes!(list_loaded_models))
        .routes(routes!(unload_model))
        .routes(routes!(clear_models))
        .routes(routes!(clear_memory))
        .routes(routes!(clear_gpu))
}

impl From<MachineError> for ApiError {
    fn from(e: MachineError) -> Self {
        match e {
            MachineError::Thread(e) => ApiError::internal("the machine cannot be looked at", &e),
            MachineError::Store(e) => e.into(),
            MachineError::System(e) => ApiError::internal("the machine cannot be looked at", &e),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct MemoryBody {
    ram_mb: f64,
    ram_total_mb: Option<f64>,
    gpu_allocated_mb: Option<f64>,
    gpu_reserved_mb: Option<f64>,
    gpu_total_mb: Option<f64>,
    memory_cache_count: u64,
    loaded_models_count: u64,
    loaded_models_memory_mb: f64,
}

/// A model in memory.
#[derive(Serialize, ToSchema)]
struct LoadedModel {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    memory_mb: f64,
    device: String,
    offloaded: bool,
    model_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct LoadedModels {
    models: Vec<LoadedModel>,
    total_memory_mb: f64,
}

#[derive(Serialize, ToSchema)]
struct Unloaded {
    success: bool,
    model_id: String,
    message: String,
    memory_freed_mb: f64,
}

#[derive(Serialize, ToSchema)]
struct Cleared {
    success: bool,
    message: &'static str,
    ram_freed_mb: f64,
    models_unloaded: u64,
    cache_items_cleared: u64,
}

/// Memory of this process and its machine in MiB.
#[utoipa::path(get, path = "/api/memory", tag = "memory", responses((status = 200, body = MemoryBody)))]
async fn get_memory(State(app): State<AppState>) -> Result<Response, ApiError> {
    let memory = app.machine.memory().await?;
    Ok(json(&MemoryBody {
        ram_mb: memory.used,
        ram_total_mb: memory.total,
        gpu_allocated_mb: None,
        gpu_reserved_mb: None,
        gpu_total_mb: None,
        memory_cache_count: 0,
        loaded_models_count: 0,
        loaded_models_memory_mb: 0.0,
    }))
}

/// The models in memory: none, as this server runs no models in its own process.
#[utoipa::path(get, path = "/api/memory/models", tag = "memory", responses((status = 200, body = LoadedModels)))]
async fn list_loaded_models() -> Response {
    json(&LoadedModels {
        models: Vec::new(),
        total_memory_mb: 0.0,
    })
}

/// Unloads a model.
#[utoipa::path(delete, path = "/api/memory/models/{model_id}", tag = "memory",
    params(
        ("model_id" = String, Path),
        ("force" = Option<bool>, Query, description = "Even when it is in use"),
    ),
    responses((status = 200, body = Unloaded), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn unload_model(Path(id): Path, query: Query) -> Result<Response, ApiError> {
    query.boolean("force", false)?;
    let id: String = id.chars().take(256).collect();
    Err(ApiError::not_found(&format!("Model '{id}' not found")))
}

fn nothing_loaded(query: &Query) -> Result<Response, ApiError> {
    query.boolean("force", false)?;
    Ok(json(&Cleared {
        success: true,
        message: "No models were loaded",
        ram_freed_mb: 0.0,
        models_unloaded: 0,
        cache_items_cleared: 0,
    }))
}

/// Unloads every model, of which there are none.
#[utoipa::path(post, path = "/api/memory/models/clear", tag = "memory",
    params(("force" = Option<bool>, Query, description = "Even those in use")),
    responses((status = 200, body = Cleared), (status = 422, body = Refusal)))]
async fn clear_models(query: Query) -> Result<Response, ApiError> {
    nothing_loaded(&query)
}

/// Frees what can be freed, which is nothing.
#[utoipa::path(post, path = "/api/memory/all", tag = "memory",
    params(("force" = Option<bool>, Query, description = "Even what is in use")),
    responses((status = 200, body = Cleared), (status = 422, body = Refusal)))]
async fn clear_memory(query: Query) -> Result<Response, ApiError> {
    nothing_loaded(&query)
}

/// Frees memory of the GPU, which this server does not use.
#[utoipa::path(post, path = "/api/memory/gpu", tag = "memory", responses((status = 200, body = Cleared)))]
async fn clear_gpu() -> Response {
    json(&Cleared {
        success: false,
        message: "This server uses no GPU",
        ram_freed_mb: 0.0,
        models_unloaded: 0,
        cache_items_cleared: 0,
    })
}

//! The cache of models of a deployed server (HTTP spec 6.19), for administrators. Its folder is the server's, whatever a
//! caller names.

use std::path::PathBuf;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::error::FieldError;
use super::super::extract::{Path, Query};
use super::super::gate::Admin;
use super::super::{ApiError, AppState, Refusal, json as json_body};
use crate::services::downloads::{Inventory, LibraryError, RepoId};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(scan_model_cache))
        .routes(routes!(get_cache_size))
        .routes(routes!(delete_hub_model))
}

/// What the hub's cache holds.
#[derive(Serialize, ToSchema)]
struct CacheScan {
    /// `completed`
    status: &'static str,
    #[schema(value_type = Object)]
    cache_info: Inventory,
}

/// Lists what the hub's cache holds.
#[utoipa::path(get, path = "/admin/cache/scan", tag = "admin",
    responses((status = 200, body = CacheScan), (status = 401, body = Refusal), (status = 403, body = Refusal)))]
async fn scan_model_cache(
    State(app): State<AppState>,
    Admin(_): Admin,
) -> Result<Response, ApiError> {
    Ok(json_body(&CacheScan {
        status: "completed",
        cache_info: app.library.scan().await?,
    }))
}

/// How large the hub's cache is.
#[derive(Serialize, ToSchema)]
struct CacheSize {
    success: bool,
    /// What was measured.
    cache_dir: String,
    total_size_bytes: u64,
    size_gb: f64,
}

/// Measures the hub's cache, or a folder within it.
#[utoipa::path(get, path = "/admin/cache/size", tag = "admin",
    params(("cache_dir" = Option<String>, Query, description = "A folder within the cache; any other is not looked at")),
    responses((status = 200, body = CacheSize), (status = 401, body = Refusal), (status = 403, body = Refusal),
        (status = 422, body = Refusal)))]
async fn get_cache_size(
    State(app): State<AppState>,
    Admin(_): Admin,
    query: Query,
) -> Result<Response, ApiError> {
    let part = query.text("cache_dir").map(PathBuf::from);
    let (measured, bytes) = app.library.size(part).await?;
    let gigabytes = bytes as f64 / f64::from(1 << 30);
    Ok(json_body(&CacheSize {
        success: true,
        cache_dir: measured.to_string_lossy().into_owned(),
        total_size_bytes: bytes,
        size_gb: (gigabytes * 100.0).round() / 100.0,
    }))
}

/// How the deletion of a model ended.
#[derive(Serialize, ToSchema)]
struct Deletion {
    /// `completed` or `error`
    status: &'static str,
    repo_id: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
}

/// Takes a model out of the hub's cache.
#[utoipa::path(delete, path = "/admin/models/huggingface/{*repo_id}", tag = "admin",
    params(("repo_id" = String, Path, description = "`owner/name`",
        pattern = r"^[A-Za-z0-9_]+((-(\.-)*\.?|\.(-\.)*-?)[A-Za-z0-9_]+)*/[A-Za-z0-9_]+((-(\.-)*\.?|\.(-\.)*-?)[A-Za-z0-9_]+)*$", max_length = 193)),
    responses((status = 200, body = Deletion), (status = 401, body = Refusal), (status = 403, body = Refusal),
        (status = 422, body = Refusal)))]
async fn delete_hub_model(
    State(app): State<AppState>,
    Admin(caller): Admin,
    Path(repo_id): Path,
) -> Result<Response, ApiError> {
    let repo = RepoId::parse(&repo_id).map_err(|e| {
        ApiError::invalid(vec![FieldError::at(
            "value_error",
            &["path", "repo_id"],
            e.to_string(),
        )])
    })?;
    let error = match app.library.delete(&app.downloads, repo).await {
        Ok(true) => None,
        Ok(false) => Some(format!("{repo_id} is not in the cache")),
        Err(e @ LibraryError::Busy(_)) => Some(e.to_string()),
        Err(e) => return Err(e.into()),
    };
    if error.is_none() {
        tracing::info!(target: "audit", event = "model.deleted", user.id = %caller.user_id, repo.id = %repo_id, "a model was deleted");
    }
    Ok(json_body(&Deletion {
        status: if error.is_none() {
            "completed"
        } else {
            "error"
        },
        message: match &error {
            None => format!("{repo_id} is deleted"),
            Some(error) => error.clone(),
        },
        repo_id,
        error,
    }))
}

//! Routes of the product that this server refuses as a whole, each with its reason (HTTP spec 6.18, 6.23).

use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::gate::Admin;
use super::{ApiError, AppState, Refusal};
use crate::services::Caller;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(generate_app))
}

/// Those of an author's own machine.
pub(super) fn desktop_router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(export_debug_bundle))
        .routes(routes!(log_in_with_oauth))
        .routes(routes!(finish_oauth))
}

/// Those that administer collections.
pub(super) fn admin_router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(
            list_deployed_collections,
            create_deployed_collection
        ))
        .routes(routes!(
            get_deployed_collection,
            update_deployed_collection,
            delete_deployed_collection
        ))
        .routes(routes!(add_to_deployed_collection))
}

/// Those by which programs fill collections.
pub(super) fn collections_router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(index_deployed_collection))
}

fn unavailable(reason: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_IMPLEMENTED, reason)
}

/// Would pack what helps to find a fault.
#[utoipa::path(post, path = "/api/debug/export", tag = "debug", responses((status = 501, body = Refusal)))]
async fn export_debug_bundle() -> ApiError {
    unavailable(
        "Debug bundles cannot be exported: this server keeps no log files; its log goes to standard error",
    )
}

/// Would have a model write a workflow's app.
#[utoipa::path(post, path = "/api/vibecoding/generate", tag = "vibecoding", responses((status = 501, body = Refusal)))]
async fn generate_app() -> ApiError {
    unavailable("Apps cannot be generated: this server has no model provider yet")
}

fn gone() -> ApiError {
    ApiError::new(
        StatusCode::GONE,
        "This way to log in is gone; see /api/oauth",
    )
}

/// An old way to log in.
#[utoipa::path(post, path = "/api/auth/oauth/login", tag = "users", responses((status = 410, body = Refusal)))]
async fn log_in_with_oauth() -> ApiError {
    gone()
}

/// The end of an old way to log in.
#[utoipa::path(post, path = "/api/auth/oauth/callback", tag = "users", responses((status = 410, body = Refusal)))]
async fn finish_oauth() -> ApiError {
    gone()
}

fn no_collections() -> ApiError {
    unavailable("Collections are not available: this server has no vector store yet")
}

/// Would list collections.
#[utoipa::path(get, path = "/admin/collections", tag = "collections",
    responses((status = 401, body = Refusal), (status = 403, body = Refusal), (status = 501, body = Refusal)))]
async fn list_deployed_collections(_: Admin) -> ApiError {
    no_collections()
}

/// Would make a collection.
#[utoipa::path(post, path = "/admin/collections", tag = "collections",
    responses((status = 401, body = Refusal), (status = 403, body = Refusal), (status = 501, body = Refusal)))]
async fn create_deployed_collection(_: Admin) -> ApiError {
    no_collections()
}

/// Would show a collection.
#[utoipa::path(get, path = "/admin/collections/{name}", tag = "collections", params(("name" = String, Path)),
    responses((status = 401, body = Refusal), (status = 403, body = Refusal), (status = 501, body = Refusal)))]
async fn get_deployed_collection(_: Admin) -> ApiError {
    no_collections()
}

/// Would change a collection.
#[utoipa::path(put, path = "/admin/collections/{name}", tag = "collections", params(("name" = String, Path)),
    responses((status = 401, body = Refusal), (status = 403, body = Refusal), (status = 501, body = Refusal)))]
async fn update_deployed_collection(_: Admin) -> ApiError {
    no_collections()
}

/// Would delete a collection.
#[utoipa::path(delete, path = "/admin/collections/{name}", tag = "collections", params(("name" = String, Path)),
    responses((status = 401, body = Refusal), (status = 403, body = Refusal), (status = 501, body = Refusal)))]
async fn delete_deployed_collection(_: Admin) -> ApiError {
    no_collections()
}

/// Would add documents to a collection.
#[utoipa::path(post, path = "/admin/collections/{name}/add", tag = "collections", params(("name" = String, Path)),
    responses((status = 401, body = Refusal), (status = 403, body = Refusal), (status = 501, body = Refusal)))]
async fn add_to_deployed_collection(_: Admin) -> ApiError {
    no_collections()
}

/// Would add a file to a collection.
#[utoipa::path(post, path = "/collections/{name}/index", tag = "collections", params(("name" = String, Path)),
    responses((status = 501, body = Refusal)))]
async fn index_deployed_collection(_: Caller) -> ApiError {
    unavailable("Collections cannot be indexed: this server has no vector store yet")
}

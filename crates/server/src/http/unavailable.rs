//! Routes of the product that this server refuses as a whole, each with its reason (HTTP spec 6.18, 6.23).

use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ApiError, AppState, Refusal};

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

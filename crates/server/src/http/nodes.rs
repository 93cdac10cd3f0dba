//! The node catalogue.

use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{AppState, json_response};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_metadata))
}

/// Every node type of this server.
#[utoipa::path(get, path = "/api/nodes/metadata", tag = "nodes", responses((status = 200, body = [Object])))]
async fn list_metadata(State(app): State<AppState>) -> Response {
    json_response(app.metadata.clone())
}

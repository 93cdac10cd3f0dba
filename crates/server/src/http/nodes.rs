//! The node catalogue.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use super::{AppState, json_response};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/api/nodes/metadata", get(list_metadata))
        .route("/api/nodes/metadata/", get(list_metadata))
}

/// `GET /api/nodes/metadata`: every node type of this server.
async fn list_metadata(State(app): State<AppState>) -> Response {
    json_response(app.metadata.clone())
}

//! Health and pings.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use chrono::Utc;

use super::{AppState, json, json_response};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/health", get(health))
        .route("/health/", get(health))
        .route("/ping", get(ping))
        .route("/ping/", get(ping))
        .route("/api/health", get(api_health))
        .route("/api/health/", get(api_health))
}

/// `GET /health`: the JSON string `"OK"`.
async fn health() -> Response {
    json_response(bytes::Bytes::from_static(b"\"OK\""))
}

/// `GET /ping`.
async fn ping() -> Response {
    let now = Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, false);
    json(&serde_json::json!({ "status": "healthy", "timestamp": now }))
}

/// `GET /api/health`: version and seconds since the start.
async fn api_health(State(app): State<AppState>) -> Response {
    json(
        &serde_json::json!({ "version": env!("CARGO_PKG_VERSION"), "uptime": app.started.elapsed().as_secs() }),
    )
}

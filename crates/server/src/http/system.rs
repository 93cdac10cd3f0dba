//! Health and pings.

use axum::extract::State;
use axum::response::Response;
use chrono::Utc;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{AppState, json, json_response};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get_health))
        .routes(routes!(get_ping))
        .routes(routes!(get_api_health))
}

/// Whether the server answers: the JSON string `"OK"`.
#[utoipa::path(get, path = "/health", tag = "system", responses((status = 200, body = String, content_type = "application/json")))]
async fn get_health() -> Response {
    json_response(bytes::Bytes::from_static(b"\"OK\""))
}

#[derive(Serialize, ToSchema)]
struct Pong {
    status: &'static str,
    #[schema(format = DateTime)]
    timestamp: String,
}

#[derive(Serialize, ToSchema)]
struct Health {
    version: &'static str,
    /// Seconds since the start.
    uptime: u64,
}

/// Whether the server answers, and its time.
#[utoipa::path(get, path = "/ping", tag = "system", responses((status = 200, body = Pong)))]
async fn get_ping() -> Response {
    json(&Pong {
        status: "healthy",
        timestamp: Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, false),
    })
}

/// The server's version and the seconds since its start.
#[utoipa::path(get, path = "/api/health", tag = "system", responses((status = 200, body = Health)))]
async fn get_api_health(State(app): State<AppState>) -> Response {
    json(&Health {
        version: env!("CARGO_PKG_VERSION"),
        uptime: app.started.elapsed().as_secs(),
    })
}

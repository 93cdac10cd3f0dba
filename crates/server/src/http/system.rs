//! Health and pings.

use axum::extract::State;
use axum::response::Response;
use chrono::Utc;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{AppState, json};
use crate::config::Mode;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get_health))
        .routes(routes!(get_ping))
        .routes(routes!(get_api_health))
}

/// Whether the server answers: the JSON string `"OK"`, or an object like that of `/ping` from a server in private mode.
#[utoipa::path(get, path = "/health", tag = "system", responses((status = 200, body = Health, content_type = "application/json")))]
async fn get_health(State(app): State<AppState>) -> Response {
    json(&match app.mode {
        Mode::Desktop | Mode::Public => Health::Word("OK"),
        Mode::Private => Health::Object(Pong::now()),
    })
}

/// That the server answers.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Health {
    Word(&'static str),
    Object(Pong),
}

#[derive(Serialize, ToSchema)]
struct Pong {
    status: &'static str,
    #[schema(format = DateTime)]
    timestamp: String,
}

impl Pong {
    fn now() -> Self {
        Pong {
            status: "healthy",
            timestamp: Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, false),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct ApiHealth {
    version: &'static str,
    /// Seconds since the start.
    uptime: u64,
}

/// Whether the server answers, and its time.
#[utoipa::path(get, path = "/ping", tag = "system", responses((status = 200, body = Pong)))]
pub(super) async fn get_ping() -> Response {
    json(&Pong::now())
}

/// The server's version and the seconds since its start.
#[utoipa::path(get, path = "/api/health", tag = "system", responses((status = 200, body = ApiHealth)))]
async fn get_api_health(State(app): State<AppState>) -> Response {
    json(&ApiHealth {
        version: env!("CARGO_PKG_VERSION"),
        uptime: app.started.elapsed().as_secs(),
    })
}

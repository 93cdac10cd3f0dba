//! What a deployed server offers whoever administers it: its health, rows and assets of all users, collections
//! (HTTP spec 6.19).

use axum::response::Response;
use chrono::{SecondsFormat, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::gate::Admin;
use super::{AppState, Refusal, json};

mod assets;
mod collections;
mod rows;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get_admin_health))
        .merge(assets::router())
        .merge(collections::router())
        .merge(rows::router())
}

#[derive(Serialize, ToSchema)]
struct AdminHealth {
    status: &'static str,
    #[schema(format = DateTime)]
    timestamp: String,
    version: &'static str,
}

/// What became of a change.
#[derive(Serialize, ToSchema)]
struct Done {
    status: &'static str,
}

const DONE: Done = Done { status: "ok" };

/// Notes what was changed by way of administration.
fn note(admin: &Admin, event: &str, kind: &str, id: &str) {
    tracing::info!(target: "audit", event, user.id = %admin.0.user_id, row.kind = kind, row.id = id, "row changed by administration");
}

/// Whether the server answers, its time and its version.
#[utoipa::path(get, path = "/admin/health", tag = "system",
    responses((status = 200, body = AdminHealth), (status = 401, body = Refusal), (status = 403, body = Refusal)))]
async fn get_admin_health(_: Admin) -> Response {
    json(&AdminHealth {
        status: "healthy",
        timestamp: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, false),
        version: env!("CARGO_PKG_VERSION"),
    })
}

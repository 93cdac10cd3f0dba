//! Starts the browser of a session before anybody needs it (orchestrator spec 3.10, other routes).

use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Envelope;
use super::browser_sessions::SessionBody;
use super::error::EnvelopeBody;
use crate::http::extract::Path;
use crate::http::{AppState, json};
use crate::services::Caller;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(launch_browser))
}

/// Starts the browser of a session, to be watched at `/ws/video/`; one that nobody uses ends after a while.
#[utoipa::path(post, path = "/api/browser-sessions/{id}/launch_browser", tag = "browsers", params(("id" = String, Path)),
    responses((status = 200, body = SessionBody), (status = 404, body = EnvelopeBody), (status = 503, body = EnvelopeBody)))]
async fn launch_browser(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, Envelope> {
    let session = app.browsers.launch(&caller, &id).await?;
    Ok(json(&SessionBody::from(session)))
}

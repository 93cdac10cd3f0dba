//! Numbers for Prometheus.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::gate::not_admin;
use super::peer::Peer;
use super::{ApiError, AppState, Refusal};
use crate::sensitive::Sensitive;

const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_metrics))
}

/// Who may see the numbers, besides administrators.
pub(crate) struct NumbersAccess {
    /// Programs on this machine.
    pub(crate) local: bool,
    /// Whoever shows this token.
    pub(crate) token: Option<Sensitive>,
}

/// Admits those who may see the numbers.
struct MayCount;

impl FromRequestParts<AppState> for MayCount {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let access = &app.numbers;
        let Ok(peer) = Peer::from_request_parts(parts, app).await;
        if access.local && peer.local {
            return Ok(MayCount);
        }
        let shown = parts.headers.get(header::AUTHORIZATION);
        let shown = shown.and_then(|value| value.to_str().ok()?.split_once(' '));
        if let (Some(token), Some((scheme, shown))) = (&access.token, shown)
            && scheme.eq_ignore_ascii_case("bearer")
            && token.is(shown.trim())
        {
            return Ok(MayCount);
        }
        let enforced = app.door.accounts.enforced();
        if enforced && app.door.holder(parts).await?.admin {
            return Ok(MayCount);
        }
        Err(not_admin(enforced))
    }
}

/// Numbers about this server in the text format of OpenMetrics, which Prometheus reads.
///
/// For programs on the server's own machine in desktop mode, for administrators, and for the bearer of the token that is
/// set up for this.
#[utoipa::path(get, path = "/metrics", tag = "system", operation_id = "get_metrics", responses(
    (status = 200, body = String, content_type = "application/openmetrics-text"),
    (status = 401, body = Refusal),
    (status = 403, body = Refusal),
))]
async fn get_metrics(_: MayCount, State(app): State<AppState>) -> Result<Response, ApiError> {
    let text = app.metrics.text(app.sockets.count()).await?;
    let kind = HeaderValue::from_static(KIND);
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

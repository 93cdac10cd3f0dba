//! Who may use a route: the caller, and the gate before what only administrators may do (HTTP spec 3.6).

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::peer::Peer;
use super::{ApiError, AppState};
use crate::services::Caller;

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let Ok(peer) = Peer::from_request_parts(parts, app).await;
        Ok(Caller {
            admin: peer.local,
            ..Caller::local()
        })
    }
}

/// A caller who may do everything.
pub(super) struct Admin(pub(super) Caller);

impl FromRequestParts<AppState> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        if caller.admin {
            return Ok(Admin(caller));
        }
        Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "Authentication required",
        ))
    }
}

//! Who may use a route: the caller the door let in, and the gate before what only administrators may do (HTTP spec 3.6).

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::{ApiError, AppState};
use crate::services::{Caller, OWNER};

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.ok_or_else(|| ApiError::unauthorized("Authentication required"))
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
        // Whoever has signed in as somebody is that somebody, also where nobody has to.
        let known = app.door.accounts.enforced() || caller.user_id != OWNER;
        Err(not_admin(known))
    }
}

/// What somebody is told who may not administer; without accounts there is nobody to be, so that it is a matter of
/// where one asks from.
pub(crate) fn not_admin(enforced: bool) -> ApiError {
    if enforced {
        ApiError::new(StatusCode::FORBIDDEN, "Admin access required")
    } else {
        ApiError::unauthorized("Authentication required")
    }
}

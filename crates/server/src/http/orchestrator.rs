//! The Orchestrator API: workflows as loops under `/api/workflow`, their steps, webhooks and tasks (orchestrator
//! spec 3).

mod error;
mod people;

use utoipa_axum::router::OpenApiRouter;

use super::AppState;

pub(crate) use error::{Envelope, ErrorCode};

/// The routes; a trailing slash is dropped before they are asked.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().merge(people::router())
}

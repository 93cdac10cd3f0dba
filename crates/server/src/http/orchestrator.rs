//! The Orchestrator API: workflows as loops under `/api/workflow`, their steps, webhooks and tasks (orchestrator
//! spec 3).

mod asked;
mod connections;
mod discovery;
mod error;
mod files;
mod icons;
mod nodes;
mod people;
mod shape;
mod upload;
mod workflows;

use utoipa_axum::router::OpenApiRouter;

use super::AppState;

pub(crate) use error::{Envelope, ErrorCode};
pub(super) use shape::shape;

/// Where the pictures of step types are, for everybody.
pub(super) const ICONS: &str = "/node-icons/";

/// The routes; a trailing slash is dropped before they are asked.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(workflows::router())
        .merge(nodes::router())
        .merge(connections::router())
        .merge(files::router())
        .merge(discovery::router())
        .merge(people::router())
}

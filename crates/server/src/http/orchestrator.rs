//! The Orchestrator API: workflows as loops under `/api/workflow`, their steps, webhooks and tasks (orchestrator
//! spec 3).

mod answers;
mod asked;
mod browser_launch;
mod browser_pools;
mod browser_sessions;
mod connections;
mod discovery;
mod enquiries;
mod error;
mod execution;
mod files;
mod google;
mod icons;
mod nodes;
mod people;
mod shape;
mod tasks;
mod upload;
mod webhooks;
mod workflows;

use axum::middleware;
use nodetool_sdk::steps::Compat;
use utoipa_axum::router::OpenApiRouter;

use super::AppState;

pub(super) use enquiries::is_enquiry;
pub(crate) use error::{Envelope, ErrorCode};
pub(super) use shape::shape;
pub(super) use webhooks::is_signed_call;

/// Where the pictures of step types are, for everybody.
pub(super) const ICONS: &str = "/node-icons/";

/// The routes in this profile; a trailing slash is dropped before they are asked.
pub(super) fn router(compat: Compat) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(workflows::router())
        .merge(nodes::router())
        .merge(connections::router())
        .merge(files::router())
        .merge(discovery::router())
        .merge(execution::router())
        .merge(webhooks::router())
        .merge(tasks::router())
        .merge(people::router())
        .merge(google::router())
        .merge(browser_sessions::router())
        .merge(browser_launch::router())
        .merge(browser_pools::router())
        .merge(enquiries::router())
        .layer(middleware::map_response(move |response| {
            std::future::ready(error::told_as(compat, response))
        }))
}

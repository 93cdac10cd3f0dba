//! Tasks by their id (orchestrator spec 3.9, 6.2).

use axum::extract::State;
use axum::response::Response;
use nodetool_protocol::Value;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Envelope;
use super::asked::Parted;
use super::error::EnvelopeBody;
use crate::http::{AppState, json};
use crate::services::Caller;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_task))
}

/// A task, and what it gave.
#[derive(Serialize, ToSchema)]
struct TaskDetail {
    /// `PENDING`, `STARTED`, `SUCCESS`, `FAILURE` or `REVOKED`.
    state: &'static str,
    task_id: String,
    #[schema(value_type = Option<Object>)]
    result: Value,
    /// Why it failed or was not finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A task of the caller's; an id that nobody knows is of one that is still to come.
#[utoipa::path(get, path = "/api/celery/task/{task_id}/status", tag = "orchestrator",
    params(("task_id" = String, Path)),
    responses((status = 200, body = TaskDetail), (status = 404, body = EnvelopeBody)))]
async fn get_task(
    State(app): State<AppState>,
    caller: Caller,
    Parted(task_id): Parted<String>,
) -> Result<Response, Envelope> {
    let task = app.loops.task(&caller, &task_id).await?;
    Ok(json(&TaskDetail {
        state: task.state.as_str(),
        task_id: task.id,
        result: task.result,
        error: task.error,
    }))
}

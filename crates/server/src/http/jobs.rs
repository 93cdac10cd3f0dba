//! Jobs: what ran, what runs (HTTP spec 6.4).

use axum::extract::State;
use axum::response::Response;
use nodetool_store::{JobRow, JobStatus, StoreError};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, Query};
use super::{ApiError, AppState, Refusal, json};
use crate::services::{Caller, ListJobs, TimeText};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_jobs))
        .routes(routes!(get_job))
}

/// A job as clients see it.
#[derive(Serialize, ToSchema)]
struct JobBody {
    id: String,
    user_id: String,
    job_type: String,
    status: &'static str,
    workflow_id: String,
    started_at: TimeText,
    finished_at: Option<TimeText>,
    error: Option<String>,
    cost: Option<f64>,
    suspended_node_id: Option<String>,
    suspension_reason: Option<String>,
    error_message: Option<String>,
    execution_strategy: Option<String>,
    is_resumable: bool,
    etag: String,
}

impl JobBody {
    fn of(row: JobRow) -> Self {
        let is_resumable = matches!(
            row.status,
            JobStatus::Running
                | JobStatus::Suspended
                | JobStatus::Paused
                | JobStatus::Recovering
                | JobStatus::Failed
        );
        JobBody {
            etag: row.etag(),
            is_resumable,
            status: row.status.as_str(),
            id: row.id,
            user_id: row.user_id,
            job_type: row.job_type,
            workflow_id: row.workflow_id,
            started_at: TimeText(row.started_at),
            finished_at: row.finished_at.map(TimeText),
            error: row.error,
            cost: row.cost,
            suspended_node_id: row.suspended_node_id,
            suspension_reason: row.suspension_reason,
            error_message: row.error_message,
            execution_strategy: row.execution_strategy,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct JobList {
    jobs: Vec<JobBody>,
    next_start_key: String,
}

/// The caller's jobs, last started first.
#[utoipa::path(get, path = "/api/jobs", tag = "jobs", operation_id = "list_jobs",
    params(
        ("workflow_id" = Option<String>, Query, description = "Only jobs of this workflow"),
        ("limit" = Option<usize>, Query, description = "1 to 1000; 100 when absent"),
        ("start_key" = Option<String>, Query, description = "`next_start_key` of the page before"),
    ),
    responses((status = 200, body = JobList)))]
async fn list_jobs(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let list = ListJobs {
        workflow_id: query
            .text("workflow_id")
            .filter(|s| !s.is_empty())
            .map(Into::into),
        limit: query.int("limit", 100usize, 1, 1000)?,
        cursor: query.text("start_key").unwrap_or_default().into(),
    };
    let page = app.jobs.list(&caller, list).await.map_err(|e| match e {
        StoreError::BadCursor { .. } => ApiError::bad_cursor("start_key"),
        e => e.into(),
    })?;
    Ok(json(&JobList {
        jobs: page.rows.into_iter().map(JobBody::of).collect(),
        next_start_key: page.next,
    }))
}

/// One job.
#[utoipa::path(get, path = "/api/jobs/{job_id}", tag = "jobs", params(("job_id" = String, Path)),
    responses((status = 200, body = JobBody), (status = 404, body = Refusal)))]
async fn get_job(
    State(app): State<AppState>,
    caller: Caller,
    Path(job_id): Path,
) -> Result<Response, ApiError> {
    match app.jobs.get(&caller, &job_id).await? {
        Some(row) => Ok(json(&JobBody::of(row))),
        None => Err(ApiError::not_found("Job not found")),
    }
}

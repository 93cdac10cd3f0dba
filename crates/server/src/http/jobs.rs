//! Jobs: what ran, what runs (HTTP spec 6.4).

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use nodetool_store::{JobRow, JobStatus, StoreError};
use serde::Serialize;

use super::extract::{Path, Query};
use super::{ApiError, AppState, json};
use crate::services::{Caller, ListJobs, TimeText};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/api/jobs", get(list_jobs))
        .route("/api/jobs/", get(list_jobs))
        .route("/api/jobs/{job_id}", get(get_job))
        .route("/api/jobs/{job_id}/", get(get_job))
}

/// A job as clients see it.
#[derive(Serialize)]
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

#[derive(Serialize)]
struct JobList {
    jobs: Vec<JobBody>,
    next_start_key: String,
}

/// `GET /api/jobs`
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

/// `GET /api/jobs/{job_id}`
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

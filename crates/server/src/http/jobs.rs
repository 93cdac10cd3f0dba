//! Jobs: what ran, what runs, and the grip on it (HTTP spec 6.4).

use axum::extract::State;
use axum::response::Response;
use nodetool_engine::AssetMode;
use nodetool_protocol::Map;
use nodetool_store::{JobRow, JobStatus, StoreError};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{Fields, GraphBody, Path, Query};
use super::openapi::shapes::{ResumeJob, StartJob};
use super::{ApiError, AppState, Refusal, json};
use crate::services::{ActiveJob, Caller, ListJobs, LogLine, StartRun, TimeText};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_jobs, start_job))
        .routes(routes!(list_running_jobs))
        .routes(routes!(cancel_workflow_jobs))
        .routes(routes!(get_job))
        .routes(routes!(get_job_logs))
        .routes(routes!(get_job_outputs))
        .routes(routes!(cancel_job))
        .routes(routes!(pause_job))
        .routes(routes!(resume_job))
        .routes(routes!(retry_job))
}

/// A job as clients see it.
#[derive(Serialize, ToSchema)]
pub(super) struct JobBody {
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
    pub(super) fn of(row: JobRow) -> Self {
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

/// A job and whether it is at work.
#[derive(Serialize, ToSchema)]
struct BackgroundJob {
    job_id: String,
    status: String,
    workflow_id: String,
    created_at: Option<TimeText>,
    is_running: bool,
    is_completed: bool,
}

impl BackgroundJob {
    fn at_work(job: ActiveJob) -> Self {
        BackgroundJob {
            job_id: job.job_id.to_string(),
            status: job.status.as_str().to_owned(),
            workflow_id: job.workflow_id.to_string(),
            created_at: Some(TimeText(job.started_at)),
            is_running: true,
            is_completed: false,
        }
    }
}

/// The caller's jobs, last started first.
#[utoipa::path(get, path = "/api/jobs", tag = "jobs", operation_id = "list_jobs",
    params(
        ("workflow_id" = Option<String>, Query, description = "Only jobs of this workflow"),
        ("limit" = Option<usize>, Query, description = "1 to 1000; 100 when absent"),
        ("start_key" = Option<String>, Query, description = "`next_start_key` of the page before"),
        ("cursor" = Option<String>, Query, description = "Another name of `start_key`"),
    ),
    responses((status = 200, body = JobList), (status = 422, body = Refusal)))]
async fn list_jobs(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let named = query.spelling("start_key", "cursor");
    let list = ListJobs {
        workflow_id: query
            .text("workflow_id")
            .filter(|s| !s.is_empty())
            .map(Into::into),
        limit: query.int("limit", 100usize, 1, 1000)?,
        cursor: query.text(named).unwrap_or_default().into(),
    };
    let page = app.jobs.list(&caller, list).await.map_err(|e| match e {
        StoreError::BadCursor { .. } => ApiError::bad_cursor(named),
        e => e.into(),
    })?;
    Ok(json(&JobList {
        jobs: page.rows.into_iter().map(JobBody::of).collect(),
        next_start_key: page.next,
    }))
}

/// Starts a job that goes on by itself, or gets it in line.
#[utoipa::path(post, path = "/api/jobs", tag = "jobs", request_body = StartJob,
    responses((status = 200, body = JobBody), (status = 404, body = Refusal), (status = 409, body = Refusal),
        (status = 422, body = Refusal), (status = 503, body = Refusal), (status = 507, body = Refusal)))]
async fn start_job(
    State(app): State<AppState>,
    caller: Caller,
    GraphBody(body): GraphBody,
) -> Result<Response, ApiError> {
    let body = body.object()?;
    let job_id = super::runs::chosen_id(&body)?;
    let mut f = Fields::new(body);
    let workflow_id = f.required_text("workflow_id");
    let params = f.object("params").unwrap_or_default();
    let concurrent = f.flag("concurrent").unwrap_or(false);
    f.finish()?;
    let workflow = app.workflows.load(&caller, &workflow_id).await?;
    let start = StartRun {
        assets: AssetMode::DataUri,
        job_id,
        limited: true,
        concurrent,
        ..StartRun::new(caller.clone(), workflow, params)
    };
    let feed = app.jobs.start(start).await?;
    job_reply(&app, &caller, &feed.subject().job_id).await
}

pub(super) async fn job_reply(
    app: &AppState,
    caller: &Caller,
    id: &str,
) -> Result<Response, ApiError> {
    match app.jobs.get(caller, id).await? {
        Some(row) => Ok(json(&JobBody::of(row))),
        None => Err(no_job()),
    }
}

fn no_job() -> ApiError {
    ApiError::not_found("Job not found")
}

/// The caller's jobs that have not ended.
#[utoipa::path(get, path = "/api/jobs/running/all", tag = "jobs", responses((status = 200, body = [BackgroundJob])))]
async fn list_running_jobs(State(app): State<AppState>, caller: Caller) -> Response {
    let jobs = app.jobs.active(&caller).into_iter();
    json(&jobs.map(BackgroundJob::at_work).collect::<Vec<_>>())
}

/// One job.
#[utoipa::path(get, path = "/api/jobs/{job_id}", tag = "jobs", params(("job_id" = String, Path)),
    responses((status = 200, body = JobBody), (status = 404, body = Refusal)))]
async fn get_job(
    State(app): State<AppState>,
    caller: Caller,
    Path(job_id): Path,
) -> Result<Response, ApiError> {
    job_reply(&app, &caller, &job_id).await
}

/// Lines of a job's log.
#[derive(Serialize, ToSchema)]
struct JobLogs {
    job_id: String,
    logs: Vec<LogBody>,
    count: usize,
}

#[derive(Serialize, ToSchema)]
struct LogBody {
    timestamp: TimeText,
    /// INFO, WARNING or ERROR.
    level: &'static str,
    /// Title of the node.
    logger: String,
    message: String,
    node_id: String,
}

impl LogBody {
    fn of(line: LogLine) -> Self {
        use nodetool_sdk::Severity;
        LogBody {
            timestamp: TimeText(line.at),
            level: match line.severity {
                Severity::Info => "INFO",
                Severity::Warning => "WARNING",
                Severity::Error => "ERROR",
            },
            logger: line.node_name,
            message: line.content,
            node_id: line.node_id,
        }
    }
}

/// What the nodes of a job wrote to its log, oldest first.
#[utoipa::path(get, path = "/api/jobs/{job_id}/logs", tag = "jobs",
    params(("job_id" = String, Path), ("limit" = Option<usize>, Query, description = "The last so many lines, 1 to 1000; 200 when absent")),
    responses((status = 200, body = JobLogs), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_job_logs(
    State(app): State<AppState>,
    caller: Caller,
    Path(job_id): Path,
    query: Query,
) -> Result<Response, ApiError> {
    let limit = query.int("limit", 200usize, 1, 1000)?;
    let lines = app.jobs.logs(&caller, &job_id).await?.ok_or_else(no_job)?;
    let skip = lines.len().saturating_sub(limit);
    let logs: Vec<LogBody> = lines.into_iter().skip(skip).map(LogBody::of).collect();
    Ok(json(&JobLogs {
        job_id,
        count: logs.len(),
        logs,
    }))
}

/// The outputs of a completed job: output name to the list of its values.
#[utoipa::path(get, path = "/api/jobs/{job_id}/outputs", tag = "jobs", params(("job_id" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Refusal)))]
async fn get_job_outputs(
    State(app): State<AppState>,
    caller: Caller,
    Path(job_id): Path,
) -> Result<Response, ApiError> {
    if app.jobs.get(&caller, &job_id).await?.is_none() {
        return Err(no_job());
    }
    let outputs = app.jobs.result(&caller, &job_id).await?;
    let outputs = outputs.ok_or_else(|| {
        ApiError::not_found("No outputs are kept: the job has not completed or had none")
    })?;
    Ok(json(&outputs))
}

/// Asks a job to end.
#[utoipa::path(post, path = "/api/jobs/{job_id}/cancel", tag = "jobs", params(("job_id" = String, Path)),
    responses((status = 200, body = BackgroundJob), (status = 404, body = Refusal), (status = 503, body = Refusal), (status = 507, body = Refusal)))]
async fn cancel_job(
    State(app): State<AppState>,
    caller: Caller,
    Path(job_id): Path,
) -> Result<Response, ApiError> {
    let row = app.jobs.get(&caller, &job_id).await?.ok_or_else(no_job)?;
    let cancelled = app.jobs.cancel(&caller, &job_id).await?;
    let status = if cancelled {
        "cancelled"
    } else {
        "not_found_or_completed"
    };
    Ok(json(&BackgroundJob {
        job_id,
        status: status.into(),
        workflow_id: row.workflow_id,
        created_at: Some(TimeText(row.started_at)),
        is_running: false,
        is_completed: !cancelled,
    }))
}

#[derive(Serialize, ToSchema)]
struct CancelledJobs {
    /// Jobs that were asked to end.
    job_ids: Vec<String>,
}

/// Asks every job of a workflow to end.
#[utoipa::path(post, path = "/api/jobs/workflow/{workflow_id}/cancel", tag = "jobs", params(("workflow_id" = String, Path)),
    responses((status = 200, body = CancelledJobs), (status = 503, body = Refusal), (status = 507, body = Refusal)))]
async fn cancel_workflow_jobs(
    State(app): State<AppState>,
    caller: Caller,
    Path(workflow_id): Path,
) -> Result<Response, ApiError> {
    let job_ids = app.jobs.cancel_workflow(&caller, &workflow_id).await?;
    Ok(json(&CancelledJobs { job_ids }))
}

/// Asks a job to begin no more nodes; those at work finish.
#[utoipa::path(post, path = "/api/jobs/{job_id}/pause", tag = "jobs", params(("job_id" = String, Path)),
    responses((status = 200, body = JobBody), (status = 404, body = Refusal), (status = 409, body = Refusal)))]
async fn pause_job(
    State(app): State<AppState>,
    caller: Caller,
    Path(job_id): Path,
) -> Result<Response, ApiError> {
    let row = app.jobs.get(&caller, &job_id).await?.ok_or_else(no_job)?;
    if !app.jobs.pause(&caller, &job_id).await? {
        let text = format!(
            "only a job at work can be paused, this one is {}",
            row.status
        );
        return Err(ApiError::conflict(text));
    }
    // What is answered is how the job stands now; it is paused once the nodes at work have ended.
    job_reply(&app, &caller, &job_id).await
}

/// Lets a suspended or paused job go on.
#[utoipa::path(post, path = "/api/jobs/{job_id}/resume", tag = "jobs", params(("job_id" = String, Path)), request_body = Option<ResumeJob>,
    responses((status = 200, body = JobBody), (status = 404, body = Refusal), (status = 409, body = Refusal),
        (status = 422, body = Refusal), (status = 503, body = Refusal), (status = 507, body = Refusal)))]
async fn resume_job(
    State(app): State<AppState>,
    caller: Caller,
    Path(job_id): Path,
    GraphBody(body): GraphBody,
) -> Result<Response, ApiError> {
    let mut body: Map = body.object_or_empty()?;
    let data = body.shift_remove("data").filter(|d| !d.is_null());
    if let Some(other) = body.keys().next() {
        let loc = ["body", other];
        let msg = "unknown key; expected data";
        return Err(ApiError::invalid(vec![FieldError::at(
            "extra_forbidden",
            &loc,
            msg,
        )]));
    }
    app.jobs.resume(&caller, &job_id, data).await?;
    job_reply(&app, &caller, &job_id).await
}

/// Starts a new job that does again what an ended one did.
#[utoipa::path(post, path = "/api/jobs/{job_id}/retry", tag = "jobs", params(("job_id" = String, Path)),
    responses((status = 200, body = JobBody), (status = 404, body = Refusal), (status = 409, body = Refusal), (status = 503, body = Refusal), (status = 507, body = Refusal)))]
async fn retry_job(
    State(app): State<AppState>,
    caller: Caller,
    Path(job_id): Path,
) -> Result<Response, ApiError> {
    let feed = app.jobs.retry(&caller, &job_id).await?;
    let id = feed.subject().job_id.clone();
    job_reply(&app, &caller, &id).await
}

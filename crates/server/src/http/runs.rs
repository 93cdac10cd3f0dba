//! Runs over HTTP, in three forms: the outputs, NDJSON, server-sent events (HTTP spec 6.3).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use nodetool_engine::{AssetMode, RunOutcome};
use nodetool_protocol::{JobStatus, Map, Value, encode_data_uri};
use tokio::sync::Notify;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{GraphBody, Path, Query};
use super::openapi::shapes::{RunRequest, WorkerRunRequest};
use super::streams::{Framing, stream_response};
use super::{ApiError, AppState, Refusal, json};
use crate::services::{Caller, StartRun};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(run_workflow))
        .routes(routes!(stream_workflow))
}

/// The routes of a worker.
pub(super) fn worker_router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(run_worker_workflow))
        .routes(routes!(stream_worker_workflow))
}

/// Keys that may stand beside `params` without being parameters themselves.
const BESIDE_PARAMS: [&str; 4] = ["job_id", "explicit_types", "execution_strategy", "env"];

/// Runs a workflow: outputs by name, or a stream with `?stream=true` or an event-stream `Accept`.
#[utoipa::path(post, path = "/api/workflows/{id}/run", tag = "runs",
    params(("id" = String, Path), ("stream" = Option<bool>, Query, description = "Messages as NDJSON lines instead of the outputs")),
    request_body = Option<RunRequest>,
    responses((status = 200, description = "Output name to value, or the messages of the run", content(
            (Object = "application/json"), (String = "application/x-ndjson"), (String = "text/event-stream"))), (status = 404, body = Refusal), (status = 409, body = Refusal), (status = 422, body = Refusal), (status = 500, description = "The run failed: `detail` says why", body = Refusal)))]
async fn run_workflow(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    query: Query,
    headers: HeaderMap,
    GraphBody(body): GraphBody,
) -> Result<Response, ApiError> {
    let body = body.object_or_empty()?;
    let sse = accepts_events(&headers);
    let stream = query.boolean("stream", false)? || sse;
    let params = match body.get("params") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Map(params)) => Map::clone(params),
        Some(other) => {
            let msg = format!(
                "expected an object of input names to values, got {}",
                other.kind()
            );
            return Err(ApiError::invalid(vec![FieldError::at(
                "dict_type",
                &["body", "params"],
                msg,
            )]));
        }
    };
    let job_id = if stream { chosen_id(&body)? } else { None };
    let start = start_of(&app, caller, &id, params, job_id, stream).await?;
    if stream {
        return events(
            &app,
            start,
            if sse { Framing::Events } else { Framing::Lines },
        )
        .await;
    }
    let outcome = app.jobs.run(start).await?;
    Ok(json(&Value::from(outputs_of(outcome)?)))
}

/// What a worker tells of a run.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "the shape of the body for the API description")]
struct WorkerResults {
    /// Output name to value.
    #[schema(value_type = Object)]
    results: (),
}

/// Runs a workflow as a worker does: `{"results": …}`.
#[utoipa::path(post, path = "/workflows/{id}/run", tag = "worker", params(("id" = String, Path)), request_body = Option<WorkerRunRequest>,
    responses((status = 200, body = WorkerResults), (status = 404, body = Refusal), (status = 409, body = Refusal), (status = 422, body = Refusal), (status = 500, description = "The run failed: `detail` says why", body = Refusal)))]
async fn run_worker_workflow(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    GraphBody(body): GraphBody,
) -> Result<Response, ApiError> {
    let body = body.object_or_empty()?;
    let params = wrapped_params(&body).unwrap_or(&body).clone();
    let start = start_of(&app, caller, &id, params, None, false).await?;
    let outcome = app.jobs.run(start).await?;
    let results = outputs_of(outcome)?;
    Ok(json(&Value::map([("results", Value::from(results))])))
}

/// Runs a workflow and streams its messages as server-sent events, `[DONE]` last.
#[utoipa::path(post, path = "/api/workflows/{id}/run/stream", tag = "runs", params(("id" = String, Path)), request_body = Option<WorkerRunRequest>,
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 404, body = Refusal), (status = 409, body = Refusal), (status = 422, body = Refusal)))]
async fn stream_workflow(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    GraphBody(body): GraphBody,
) -> Result<Response, ApiError> {
    let body = body.object_or_empty()?;
    let (params, job_id) = match wrapped_params(&body) {
        Some(params) => (params.clone(), chosen_id(&body)?),
        None => (body, None),
    };
    let start = start_of(&app, caller, &id, params, job_id, true).await?;
    events(&app, start, Framing::Events).await
}

/// Runs a workflow as a worker does and streams its messages as server-sent events, `[DONE]` last.
#[utoipa::path(post, path = "/workflows/{id}/run/stream", tag = "worker", params(("id" = String, Path)), request_body = Option<WorkerRunRequest>,
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 404, body = Refusal), (status = 409, body = Refusal), (status = 422, body = Refusal)))]
async fn stream_worker_workflow(
    state: State<AppState>,
    caller: Caller,
    id: Path,
    GraphBody(body): GraphBody,
) -> Result<Response, ApiError> {
    stream_workflow(state, caller, id, GraphBody(body)).await
}

fn accepts_events(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .any(|v| {
            v.split(',').any(|part| {
                part.trim()
                    .to_ascii_lowercase()
                    .starts_with("text/event-stream")
            })
        })
}

/// The parameters of a body that clearly wraps them; otherwise the worker takes the whole body as parameters.
fn wrapped_params(body: &Map) -> Option<&Map> {
    let wraps = |key: &str| key == "params" || BESIDE_PARAMS.contains(&key);
    let params = body.get("params").and_then(Value::as_map)?;
    body.keys().all(|key| wraps(key)).then_some(params)
}

/// The job id a client chose; it only makes sense where it is told back.
pub(super) fn chosen_id(body: &Map) -> Result<Option<String>, ApiError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    let (kind, msg) = match body.get("job_id") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Str(id)) if id.is_empty() => return Ok(None),
        Some(Value::Str(id)) if id.len() <= 128 && id.chars().all(plain) => {
            return Ok(Some(id.to_string()));
        }
        Some(Value::Str(_)) => (
            "value_error",
            "expected 1 to 128 letters, digits, '_', '.', ':' or '-'",
        ),
        Some(_) => ("string_type", "Input should be a valid string"),
    };
    Err(ApiError::invalid(vec![FieldError::at(
        kind,
        &["body", "job_id"],
        msg,
    )]))
}

async fn start_of(
    app: &AppState,
    caller: Caller,
    id: &str,
    params: Map,
    job_id: Option<String>,
    streamed: bool,
) -> Result<StartRun, ApiError> {
    let workflow = app.workflows.load(&caller, id).await?;
    let assets = if streamed {
        AssetMode::DataUri
    } else {
        AssetMode::Python
    };
    Ok(StartRun {
        assets,
        job_id,
        ..StartRun::new(caller, workflow, params)
    })
}

async fn events(app: &AppState, start: StartRun, framing: Framing) -> Result<Response, ApiError> {
    let wake = Arc::new(Notify::new());
    let run = app.jobs.follow(start, wake.clone()).await?;
    Ok(stream_response(run, wake, framing))
}

/// The last value of each output, or the error of the run.
fn outputs_of(outcome: RunOutcome) -> Result<Map, ApiError> {
    match outcome.status {
        JobStatus::Completed => Ok(outcome
            .last
            .into_iter()
            .map(|(k, v)| (k, inline(v)))
            .collect()),
        JobStatus::Cancelled => Err(ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The run was cancelled",
        )),
        JobStatus::Suspended => {
            let text = outcome
                .suspended
                .map_or_else(String::new, |(node, reason, _)| {
                    format!("Workflow suspended at node {node}: {reason}")
                });
            Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, text))
        }
        _ => {
            let text = outcome.error.unwrap_or_else(|| "The run failed".into());
            Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, text))
        }
    }
}

/// Bytes in an object's `data` leave as a data URI in `uri`; loose bytes become such objects in lists.
fn inline(value: Value) -> Value {
    let uri = |b: &bytes::Bytes| Value::from(encode_data_uri("application/octet-stream", b));
    match value {
        Value::Map(map) if matches!(map.get("data"), Some(Value::Bytes(_))) => {
            let mut map = Arc::unwrap_or_clone(map);
            if let Some(Value::Bytes(b)) = map.get("data").cloned() {
                map.insert("uri".into(), uri(&b));
                map.insert("data".into(), Value::Null);
            }
            map.into()
        }
        Value::List(items)
            if items
                .iter()
                .any(|v| matches!(v, Value::Bytes(_) | Value::Map(_))) =>
        {
            Value::list(items.iter().map(|v| match v {
                Value::Bytes(b) => Value::map([("uri", uri(b)), ("data", Value::Null)]),
                other => inline(other.clone()),
            }))
        }
        other => other,
    }
}

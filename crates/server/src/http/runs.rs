//! Runs over HTTP, in three forms: the outputs, NDJSON, server-sent events (HTTP spec 6.3).

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::post;
use nodetool_engine::{AssetMode, RunOutcome};
use nodetool_protocol::{JobStatus, Map, Value, encode_data_uri};

use super::error::FieldError;
use super::extract::{JsonBody, Query};
use super::streams::{Framing, stream_response};
use super::{ApiError, AppState, json};
use crate::services::{Caller, StartRun, channel};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/api/workflows/{id}/run", post(run_workflow))
        .route("/api/workflows/{id}/run/", post(run_workflow))
        .route("/api/workflows/{id}/run/stream", post(stream_workflow))
        .route("/workflows/{id}/run", post(run_worker_workflow))
        .route("/workflows/{id}/run/", post(run_worker_workflow))
        .route("/workflows/{id}/run/stream", post(stream_workflow))
        .route("/workflows/{id}/run/stream/", post(stream_workflow))
}

/// Keys that may stand beside `params` without being parameters themselves.
const BESIDE_PARAMS: [&str; 4] = ["job_id", "explicit_types", "execution_strategy", "env"];

/// `POST /api/workflows/{id}/run`: outputs by name, or a stream with `?stream=true` or an event-stream `Accept`.
async fn run_workflow(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    query: Query,
    headers: HeaderMap,
    body: JsonBody,
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
    let start = start_of(&app, caller, &id, params, &body, stream).await?;
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

/// `POST /workflows/{id}/run`: `{"results": …}`.
async fn run_worker_workflow(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let body = body.object_or_empty()?;
    let params = worker_params(&body);
    let start = start_of(&app, caller, &id, params, &body, false).await?;
    let outcome = app.jobs.run(start).await?;
    let results = outputs_of(outcome)?;
    Ok(json(&Value::map([("results", Value::from(results))])))
}

/// `POST /workflows/{id}/run/stream`: server-sent events, `[DONE]` last.
async fn stream_workflow(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let body = body.object_or_empty()?;
    let params = worker_params(&body);
    let start = start_of(&app, caller, &id, params, &body, true).await?;
    events(&app, start, Framing::Events).await
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

/// The worker takes the whole body as parameters, unless it clearly wraps them.
fn worker_params(body: &Map) -> Map {
    match body.get("params") {
        Some(Value::Map(params))
            if body
                .keys()
                .all(|k| &**k == "params" || BESIDE_PARAMS.contains(&&**k)) =>
        {
            Map::clone(params)
        }
        _ => body.clone(),
    }
}

async fn start_of(
    app: &AppState,
    caller: Caller,
    id: &str,
    params: Map,
    body: &Map,
    streamed: bool,
) -> Result<StartRun, ApiError> {
    let workflow = app.workflows.load(&caller, id).await?;
    // A chosen id only makes sense where it is told back.
    let job_id = body
        .get("job_id")
        .and_then(Value::as_str)
        .filter(|s| streamed && !s.is_empty())
        .map(str::to_owned);
    if let Some(id) = &job_id {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
        if id.len() > 128 || !id.chars().all(plain) {
            let msg = "expected 1 to 128 letters, digits, '_', '.', ':' or '-'";
            return Err(ApiError::invalid(vec![FieldError::at(
                "value_error",
                &["body", "job_id"],
                msg,
            )]));
        }
    }
    let assets = if streamed {
        AssetMode::DataUri
    } else {
        AssetMode::Python
    };
    Ok(StartRun {
        caller,
        workflow,
        params,
        assets,
        job_id,
    })
}

async fn events(app: &AppState, start: StartRun, framing: Framing) -> Result<Response, ApiError> {
    let (sink, stream) = channel();
    let started = app.jobs.start(start, sink).await?;
    Ok(stream_response(stream, started, framing))
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

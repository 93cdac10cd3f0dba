//! Triggers: start and stop those of a workflow, list them, send them events (HTTP spec 6.4).

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use nodetool_protocol::{Map, Value, encode_data_uri};
use nodetool_store::ListedTrigger;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{GraphBody, Path, Room, read_up_to};
use super::rate::address_of;
use super::{ApiError, AppState, Refusal, json};
use crate::services::{Accepted, Caller, TimeText, TriggerJob, WebhookRequest};

/// Largest body of a webhook.
const WEBHOOK_LIMIT: usize = 1 << 20;
/// The header that holds the secret of a webhook.
const SECRET: &str = "x-webhook-secret";
/// Headers that do not concern the workflow: they hold secrets.
const KEPT_BACK: [&str; 4] = [SECRET, "authorization", "cookie", "proxy-authorization"];
/// Headers by which a sender tells that a request is the same as one before.
const KEYS: [&str; 2] = ["idempotency-key", "x-delivery-id"];

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_running_triggers))
        .routes(routes!(start_triggers))
        .routes(routes!(stop_triggers))
        .routes(routes!(list_triggers))
        .routes(routes!(fire_trigger))
        .routes(routes!(post_webhook, put_webhook, get_webhook))
}

/// The triggers of one workflow.
#[derive(Serialize, ToSchema)]
struct TriggerJobBody {
    workflow_id: String,
    job_id: Option<String>,
    status: &'static str,
    is_running: bool,
}

impl From<TriggerJob> for TriggerJobBody {
    fn from(job: TriggerJob) -> Self {
        TriggerJobBody {
            workflow_id: job.workflow_id,
            job_id: job.job_id,
            status: job.status,
            is_running: job.is_running,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct RunningTriggers {
    workflows: Vec<TriggerJobBody>,
}

/// One trigger node and when it fires.
#[derive(Serialize, ToSchema)]
struct TriggerBody {
    workflow_id: String,
    node_id: String,
    kind: String,
    active: bool,
    started_at: TimeText,
    next_due: Option<TimeText>,
    last_fired: Option<TimeText>,
    fired: i64,
    last_job_id: Option<String>,
    last_job_status: Option<String>,
    last_error: Option<String>,
}

impl From<ListedTrigger> for TriggerBody {
    fn from(listed: ListedTrigger) -> Self {
        let row = listed.row;
        TriggerBody {
            workflow_id: row.workflow_id,
            node_id: row.node_id,
            kind: row.kind,
            active: row.active,
            started_at: TimeText(row.started_at),
            next_due: row.next_due.map(TimeText),
            last_fired: row.last_fired.map(TimeText),
            fired: row.fired,
            last_job_id: row.last_job_id,
            last_job_status: listed.job_status,
            last_error: row.last_error.or(listed.job_error),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct TriggerList {
    triggers: Vec<TriggerBody>,
}

/// An event that was taken: the job it becomes.
#[derive(Serialize, ToSchema)]
struct AcceptedBody {
    job_id: String,
    /// `accepted`, or `duplicate` for an event that was sent before.
    status: &'static str,
}

/// What is sent along with a manual event.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct FireRequest {
    #[schema(required = false, value_type = Object)]
    data: Value,
}

/// Workflow and node in a route's path.
struct TriggerPath(String, String);

impl FromRequestParts<AppState> for TriggerPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        match axum::extract::Path::<(String, String)>::from_request_parts(parts, app).await {
            Ok(axum::extract::Path((workflow, node))) => Ok(TriggerPath(workflow, node)),
            Err(_) => Err(ApiError::invalid(vec![FieldError::at(
                "string_unicode",
                &["path"],
                "the path is no UTF-8 after percent-decoding",
            )])),
        }
    }
}

/// The caller's workflows whose triggers run.
#[utoipa::path(get, path = "/api/jobs/triggers/running", tag = "triggers",
    responses((status = 200, body = RunningTriggers)))]
async fn list_running_triggers(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let running = app.triggers.running(&caller).await?;
    let workflows = running.into_iter().map(TriggerJobBody::from).collect();
    Ok(json(&RunningTriggers { workflows }))
}

/// Starts the triggers of a workflow; those that run already go on.
#[utoipa::path(post, path = "/api/jobs/triggers/{workflow_id}/start", tag = "triggers",
    params(("workflow_id" = String, Path)),
    responses((status = 200, body = TriggerJobBody), (status = 400, body = Refusal), (status = 403, body = Refusal),
        (status = 404, body = Refusal), (status = 409, body = Refusal), (status = 422, body = Refusal)))]
async fn start_triggers(
    State(app): State<AppState>,
    caller: Caller,
    Path(workflow_id): Path,
) -> Result<Response, ApiError> {
    let started = app.triggers.start(&caller, &workflow_id).await?;
    Ok(json(&TriggerJobBody::from(started)))
}

/// Stops the triggers of a workflow; runs at work go on.
#[utoipa::path(post, path = "/api/jobs/triggers/{workflow_id}/stop", tag = "triggers",
    params(("workflow_id" = String, Path)),
    responses((status = 200, body = TriggerJobBody), (status = 403, body = Refusal), (status = 404, body = Refusal),
        (status = 422, body = Refusal)))]
async fn stop_triggers(
    State(app): State<AppState>,
    caller: Caller,
    Path(workflow_id): Path,
) -> Result<Response, ApiError> {
    let stopped = app.triggers.stop(&caller, &workflow_id).await?;
    Ok(json(&TriggerJobBody::from(stopped)))
}

/// The caller's triggers by workflow and node: when they fire next, how their last run went.
#[utoipa::path(get, path = "/api/triggers", tag = "triggers", responses((status = 200, body = TriggerList)))]
async fn list_triggers(State(app): State<AppState>, caller: Caller) -> Result<Response, ApiError> {
    let listed = app.triggers.list(&caller).await?;
    let triggers = listed.into_iter().map(TriggerBody::from).collect();
    Ok(json(&TriggerList { triggers }))
}

/// Fires a manual trigger: one run of its workflow.
#[utoipa::path(post, path = "/api/triggers/{workflow_id}/{node_id}/fire", tag = "triggers",
    params(("workflow_id" = String, Path), ("node_id" = String, Path),
        ("idempotency-key" = Option<String>, Header, description = "The same for an event that is sent again")),
    request_body = FireRequest,
    responses((status = 202, body = AcceptedBody), (status = 200, body = AcceptedBody), (status = 400, body = Refusal),
        (status = 404, body = Refusal), (status = 409, body = Refusal), (status = 413, body = Refusal),
        (status = 422, body = Refusal)))]
async fn fire_trigger(
    State(app): State<AppState>,
    caller: Caller,
    TriggerPath(workflow, node): TriggerPath,
    headers: HeaderMap,
    GraphBody(body): GraphBody,
) -> Result<Response, ApiError> {
    let data = body.object_or_empty()?.shift_remove("data");
    let data = data.unwrap_or(Value::Null);
    let key = key_of(&headers);
    let accepted = app
        .triggers
        .fire(&caller, &workflow, &node, data, key)
        .await?;
    Ok(answer(accepted))
}

/// Delivers a request to a webhook trigger.
#[utoipa::path(post, path = "/api/triggers/{workflow_id}/{node_id}/webhook", tag = "triggers",
    params(("workflow_id" = String, Path), ("node_id" = String, Path),
        ("x-webhook-secret" = Option<String>, Header, description = "The trigger's secret; a bearer token does, too"),
        ("idempotency-key" = Option<String>, Header, description = "The same for a request that is sent again")),
    request_body(content = String, description = "Anything up to 1 MiB", content_type = "application/octet-stream"),
    responses((status = 202, body = AcceptedBody), (status = 200, body = AcceptedBody), (status = 400, body = Refusal),
        (status = 401, body = Refusal), (status = 404, body = Refusal), (status = 405, body = Refusal),
        (status = 409, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn post_webhook(
    State(app): State<AppState>,
    path: TriggerPath,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    deliver(&app, path, request).await
}

/// Delivers a request to a webhook trigger that takes this method.
#[utoipa::path(put, path = "/api/triggers/{workflow_id}/{node_id}/webhook", tag = "triggers",
    params(("workflow_id" = String, Path), ("node_id" = String, Path),
        ("x-webhook-secret" = Option<String>, Header, description = "The trigger's secret; a bearer token does, too"),
        ("idempotency-key" = Option<String>, Header, description = "The same for a request that is sent again")),
    request_body(content = String, description = "Anything up to 1 MiB", content_type = "application/octet-stream"),
    responses((status = 202, body = AcceptedBody), (status = 200, body = AcceptedBody), (status = 400, body = Refusal),
        (status = 401, body = Refusal), (status = 404, body = Refusal), (status = 405, body = Refusal),
        (status = 409, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn put_webhook(
    State(app): State<AppState>,
    path: TriggerPath,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    deliver(&app, path, request).await
}

/// Delivers a request without a body to a webhook trigger that takes this method.
#[utoipa::path(get, path = "/api/triggers/{workflow_id}/{node_id}/webhook", tag = "triggers",
    params(("workflow_id" = String, Path), ("node_id" = String, Path),
        ("x-webhook-secret" = Option<String>, Header, description = "The trigger's secret; a bearer token does, too"),
        ("idempotency-key" = Option<String>, Header, description = "The same for a request that is sent again")),
    responses((status = 202, body = AcceptedBody), (status = 200, body = AcceptedBody), (status = 400, body = Refusal),
        (status = 401, body = Refusal), (status = 404, body = Refusal), (status = 405, body = Refusal),
        (status = 409, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn get_webhook(
    State(app): State<AppState>,
    path: TriggerPath,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    deliver(&app, path, request).await
}

async fn deliver(
    app: &AppState,
    TriggerPath(workflow, node): TriggerPath,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let from = address_of(request.extensions());
    let uri = request.uri().clone();
    let method = request.method().as_str().to_owned();
    let headers = request.headers().clone();
    let query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri);
    let query = query.map_err(|e| {
        ApiError::invalid(vec![FieldError::at(
            "query_invalid",
            &["query"],
            e.body_text(),
        )])
    })?;
    let room = Room {
        bytes: WEBHOOK_LIMIT,
        setting: None,
    };
    let bytes = read_up_to(request, room).await?;
    let webhook = WebhookRequest {
        method,
        body: body_of(&headers, &bytes),
        query: grouped(query.0),
        key: key_of(&headers),
        headers: shown(&headers),
    };
    let secret = secret_of(&headers);
    let logins = &app.door.failed_logins;
    if !logins.allowed(from) {
        return Err(ApiError::too_many(
            "Too many failed attempts; try again in a minute",
        ));
    }
    let delivered = app
        .triggers
        .deliver(&workflow, &node, secret, webhook)
        .await;
    if matches!(delivered, Err(crate::services::TriggerError::WrongSecret)) {
        logins.failed(from);
    }
    Ok(answer(delivered?))
}

/// New events are 202, those that were sent before 200.
fn answer(accepted: Accepted) -> Response {
    let (code, status) = if accepted.fresh {
        (StatusCode::ACCEPTED, "accepted")
    } else {
        (StatusCode::OK, "duplicate")
    };
    let mut response = json(&AcceptedBody {
        job_id: accepted.job_id,
        status,
    });
    *response.status_mut() = code;
    response
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn secret_of(headers: &HeaderMap) -> Option<&str> {
    let bearer = || {
        let (scheme, token) = text(headers, header::AUTHORIZATION.as_str())?.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then_some(token.trim())
    };
    text(headers, SECRET).or_else(bearer)
}

fn key_of(headers: &HeaderMap) -> Option<String> {
    let key = KEYS.iter().find_map(|name| headers.get(*name))?;
    Some(String::from_utf8_lossy(key.as_bytes()).into_owned())
}

/// The headers a workflow gets to see.
fn shown(headers: &HeaderMap) -> Map {
    let names = headers.keys().filter(|n| !KEPT_BACK.contains(&n.as_str()));
    let joined = |name| {
        let values: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|v| String::from_utf8_lossy(v.as_bytes()))
            .collect();
        Value::from(values.join(", "))
    };
    names
        .map(|name| (name.as_str().into(), joined(name)))
        .collect()
}

/// Pairs as an object; what is there more than once is a list.
fn grouped(pairs: Vec<(String, String)>) -> Map {
    let mut lists: indexmap::IndexMap<String, Vec<String>> = indexmap::IndexMap::new();
    for (key, value) in pairs {
        lists.entry(key).or_default().push(value);
    }
    let value = |mut values: Vec<String>| match (values.len(), values.pop()) {
        (1, Some(only)) => Value::from(only),
        (_, last) => Value::list(values.into_iter().chain(last).map(Value::from)),
    };
    lists
        .into_iter()
        .map(|(key, values)| (key.into(), value(values)))
        .collect()
}

/// A body as its content type says: JSON and forms as values, other text as text, the rest as a data URI.
fn body_of(headers: &HeaderMap, bytes: &Bytes) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    let kind = text(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    let is_json = kind.is_empty() || kind == "application/json" || kind.ends_with("+json");
    if is_json && let Ok(value) = serde_json::from_slice(bytes) {
        return value;
    }
    if kind == "application/x-www-form-urlencoded" {
        let pairs = url::form_urlencoded::parse(bytes).into_owned();
        return grouped(pairs.collect()).into();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) if kind.is_empty() => encode_data_uri("application/octet-stream", bytes).into(),
        Err(_) => encode_data_uri(&kind, bytes).into(),
    }
}

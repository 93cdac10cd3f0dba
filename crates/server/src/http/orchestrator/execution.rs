//! Runs of workflows and of single nodes (orchestrator spec 3.3, 3.5 to 3.7).
//!
//! Starting and stopping is a GET for the clients that know it so; pages of other sites are kept from it.

use std::time::Instant;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use nodetool_protocol::{Map, Value};
use nodetool_sdk::steps::StepRequest;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::{Asked, Parted};
use super::error::EnvelopeBody;
use super::{Envelope, ErrorCode};
use crate::http::extract::Query;
use crate::http::{ApiError, AppState, json};
use crate::services::Caller;
use crate::services::loops::{
    Answer, ApiCall, DirectRun, LONGEST_TIMEOUT, LoopFailure, NodeRun, Task, ids,
    without_credentials,
};

/// How long a call may take unless it says otherwise, in seconds.
const TIMEOUT: f64 = 300.0;
/// Longest id in a body, in characters.
const MAX_ID: usize = 128;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(start_execution, post_start_execution))
        .routes(routes!(stop_execution, post_stop_execution))
        .routes(routes!(get_task_status))
        .routes(routes!(get_execution_state))
        .routes(routes!(list_dead_letters))
        .routes(routes!(execute_workflow))
        .routes(routes!(execute_and_save_node))
        .routes(routes!(execute_for_each_iteration))
        .routes(routes!(execute_node))
        .routes(routes!(reset_session))
}

/// A task and how it stands.
#[derive(Serialize, ToSchema)]
struct TaskBody {
    task_id: String,
    /// `PENDING`, `STARTED`, `SUCCESS`, `FAILURE` or `REVOKED`.
    status: &'static str,
}

impl From<Task> for TaskBody {
    fn from(task: Task) -> Self {
        TaskBody {
            task_id: task.id,
            status: task.state.as_str(),
        }
    }
}

impl From<LoopFailure> for Envelope {
    fn from(e: LoopFailure) -> Self {
        let text = e.to_string();
        match e {
            LoopFailure::NoWorkflow => Envelope::not_found("Workflow", text),
            LoopFailure::NoNode { .. } => Envelope::not_found("Node", text),
            LoopFailure::NoNodeType(_) => Envelope::not_found("NodeType", text),
            LoopFailure::Refused(_) => Envelope::invalid(text),
            LoopFailure::TimedOut(seconds) => Envelope::new(ErrorCode::ExecutionTimeout, text)
                .with("timeout", number(seconds))
                .with("error_type", "ExecutionTimeout"),
            LoopFailure::Form { node, faults } => {
                let fields = faults.fields.iter().map(|(field, messages)| {
                    let messages = messages.iter().map(|m| Value::from(m.as_str()));
                    (field.as_str(), Value::list(messages))
                });
                let details = Map::from_iter([(node.into(), Value::map(fields))]);
                Envelope::new(ErrorCode::Validation, text)
                    .details(details)
                    .with("error_type", "FormValidationError")
                    .with("form", faults.schema.clone().unwrap_or_default())
            }
            LoopFailure::Run(e) => ApiError::from(e).into(),
        }
    }
}

/// A whole number as one.
fn number(n: f64) -> Value {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "only where nothing is lost"
    )]
    let whole = n as i64;
    #[expect(
        clippy::cast_precision_loss,
        reason = "compared with what it came from"
    )]
    let same = whole as f64 == n;
    if same {
        Value::Int(whole)
    } else {
        Value::Float(n)
    }
}

/// Whom and what an order to start or stop names.
type Order = (State<AppState>, Caller, Parted<String>);

/// Not a page of another site, which could not read the answer of a GET but have it change something.
struct FromHere;

impl<S: Sync> FromRequestParts<S> for FromHere {
    type Rejection = Envelope;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Envelope> {
        let site = parts.headers.get("sec-fetch-site");
        match site.and_then(|v| v.to_str().ok()) {
            Some("cross-site" | "same-site") => {
                let text = "Pages of other sites may not start or stop workflows";
                Err(Envelope::new(ErrorCode::Forbidden, text))
            }
            _ => Ok(FromHere),
        }
    }
}

/// Starts a workflow; one that runs already answers with the task of that run.
#[utoipa::path(get, path = "/api/workflow/{workflow_id}/start_execution", tag = "orchestrator", params(("workflow_id" = String, Path)),
    responses((status = 200, body = TaskBody), (status = 400, body = EnvelopeBody), (status = 403, body = EnvelopeBody),
        (status = 404, body = EnvelopeBody), (status = 429, body = EnvelopeBody), (status = 503, body = EnvelopeBody)))]
async fn start_execution(_: FromHere, order: Order) -> Result<Response, Envelope> {
    start(order).await
}

/// Starts a workflow; one that runs already answers with the task of that run.
#[utoipa::path(post, path = "/api/workflow/{workflow_id}/start_execution", tag = "orchestrator", params(("workflow_id" = String, Path)),
    responses((status = 200, body = TaskBody), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 429, body = EnvelopeBody), (status = 503, body = EnvelopeBody)))]
async fn post_start_execution(order: Order) -> Result<Response, Envelope> {
    start(order).await
}

async fn start((State(app), caller, Parted(id)): Order) -> Result<Response, Envelope> {
    let task = app.loops.start_execution(&caller, &id).await?;
    Ok(json(&TaskBody::from(task)))
}

/// Stops a workflow and waits up to five seconds for its end; answers the operation that did.
#[utoipa::path(get, path = "/api/workflow/{workflow_id}/stop_execution", tag = "orchestrator", params(("workflow_id" = String, Path)),
    responses((status = 200, body = TaskBody), (status = 403, body = EnvelopeBody), (status = 404, body = EnvelopeBody)))]
async fn stop_execution(_: FromHere, order: Order) -> Result<Response, Envelope> {
    stop(order).await
}

/// Stops a workflow and waits up to five seconds for its end; answers the operation that did.
#[utoipa::path(post, path = "/api/workflow/{workflow_id}/stop_execution", tag = "orchestrator", params(("workflow_id" = String, Path)),
    responses((status = 200, body = TaskBody), (status = 404, body = EnvelopeBody)))]
async fn post_stop_execution(order: Order) -> Result<Response, Envelope> {
    stop(order).await
}

async fn stop((State(app), caller, Parted(id)): Order) -> Result<Response, Envelope> {
    let task = app.loops.stop_execution(&caller, &id).await?;
    Ok(json(&TaskBody::from(task)))
}

/// How the newest run of a workflow stands.
#[utoipa::path(get, path = "/api/workflow/{workflow_id}/task_status", tag = "orchestrator", params(("workflow_id" = String, Path)),
    responses((status = 200, body = TaskBody), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody)))]
async fn get_task_status(
    State(app): State<AppState>,
    caller: Caller,
    Parted(id): Parted<String>,
) -> Result<Response, Envelope> {
    let task = app.loops.task_of(&caller, &id).await?;
    let task = task.ok_or_else(|| Envelope::invalid("No task associated with this workflow"))?;
    Ok(json(&TaskBody::from(task)))
}

/// The state of a workflow's newest run, as `state_sync` tells it on the socket.
#[utoipa::path(get, path = "/api/workflow/{workflow_id}/execution_state", tag = "orchestrator", params(("workflow_id" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = EnvelopeBody)))]
async fn get_execution_state(
    State(app): State<AppState>,
    caller: Caller,
    Parted(id): Parted<String>,
) -> Result<Response, Envelope> {
    Ok(json(&app.loops.state(&caller, &id).await?))
}

/// What a step could not work on.
#[derive(Serialize, ToSchema)]
struct DeadLetterBody {
    id: String,
    task_id: String,
    node_id: String,
    created_at: String,
    error: String,
    /// The id and the data of what it was given; `truncated` when the data was too large to keep.
    #[schema(value_type = Object)]
    token: Value,
}

/// The newest inputs that steps of a workflow have failed on, newest first.
#[utoipa::path(get, path = "/api/workflow/{workflow_id}/dead_letters", tag = "orchestrator", params(("workflow_id" = String, Path)),
    responses((status = 200, body = [DeadLetterBody]), (status = 404, body = EnvelopeBody)))]
async fn list_dead_letters(
    State(app): State<AppState>,
    caller: Caller,
    Parted(id): Parted<String>,
) -> Result<Response, Envelope> {
    let letters = app.loops.dead_letters(&caller, &id).await?;
    let letters = letters.into_iter().map(|letter| DeadLetterBody {
        id: ids::shown(&letter.id),
        task_id: ids::shown(&letter.job_id),
        node_id: ids::node_id(&id, &letter.node_id),
        created_at: crate::services::zulu_text(letter.created_at),
        error: letter.error,
        token: serde_json::from_str(&letter.token).unwrap_or_default(),
    });
    Ok(json(&letters.collect::<Vec<_>>()))
}

/// What a call of a workflow says.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct WorkflowCallRequest {
    /// What the workflow is given.
    #[schema(required = false, value_type = Object)]
    input: Map,
    /// Seconds it may take.
    #[schema(required = false, minimum = 0, maximum = 3600)]
    timeout: f64,
}

/// What a call of a workflow gave.
#[derive(Serialize, ToSchema)]
struct WorkflowCallBody {
    success: bool,
    workflow_id: String,
    /// The data of the last step.
    #[schema(value_type = Object)]
    output: Value,
    execution_time_ms: u64,
}

/// Why a call gave nothing.
#[derive(Serialize, ToSchema)]
struct CallFault {
    /// False; absent where the request itself could not be read.
    #[schema(required = false)]
    success: bool,
    error: String,
    #[schema(required = false)]
    workflow_id: String,
    #[schema(required = false)]
    execution_time_ms: u64,
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Runs an API workflow once and answers with the data of its last step, or as its http-response step says.
#[utoipa::path(post, path = "/api/workflow/{workflow_id}/execute", tag = "orchestrator", params(("workflow_id" = String, Path)),
    request_body = WorkflowCallRequest,
    responses((status = 200, body = WorkflowCallBody), (status = 204, description = "An http-response step says so"),
        (status = 400, body = CallFault), (status = 404, body = EnvelopeBody), (status = 413, body = EnvelopeBody),
        (status = 415, body = EnvelopeBody), (status = "default", description = "As an http-response step says")))]
async fn execute_workflow(
    State(app): State<AppState>,
    caller: Caller,
    Parted(id): Parted<String>,
    headers: HeaderMap,
    query: Query,
    mut asked: Asked,
) -> Result<Response, Envelope> {
    let began = Instant::now();
    let workflow_id = ids::shown(&app.loops.stored_id(&caller, &id).await?);
    let refused = |error: String, execution_time_ms: u64| {
        let body = CallFault {
            success: false,
            error,
            workflow_id: workflow_id.clone(),
            execution_time_ms,
        };
        let mut response = (StatusCode::BAD_REQUEST, json(&body)).into_response();
        // Calls are refused in words of their own.
        response.extensions_mut().insert(super::error::Shaped);
        response
    };
    let input = match asked.take("input") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Map(input)) => std::sync::Arc::unwrap_or_clone(input),
        Some(_) => return Ok(refused("input must be an object".into(), 0)),
    };
    let timeout = timeout(&mut asked);
    asked.finish()?;
    let call = ApiCall {
        input,
        request: StepRequest {
            method: "POST".into(),
            headers: shown_headers(&headers),
            query_params: query.lists(),
        },
        timeout,
    };
    match app.loops.call(&caller, &id, call).await {
        Ok(Answer::Output(output)) => Ok(json(&WorkflowCallBody {
            success: true,
            workflow_id,
            output: output.into(),
            execution_time_ms: milliseconds(began),
        })),
        Ok(Answer::Response(status, body)) => Ok(made(status, &body)),
        Err(LoopFailure::Refused(error)) => Ok(refused(error, milliseconds(began))),
        Err(e) => Err(e.into()),
    }
}

/// The response a step has made.
fn made(status: u16, body: &Value) -> Response {
    // Only statuses that end an answer come here.
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let bodiless = [
        StatusCode::NO_CONTENT,
        StatusCode::RESET_CONTENT,
        StatusCode::NOT_MODIFIED,
    ];
    let mut response = if bodiless.contains(&status) {
        status.into_response()
    } else {
        (status, json(body)).into_response()
    };
    // It is the workflow that speaks, also when it refuses.
    response.extensions_mut().insert(super::error::Shaped);
    response
}

/// Headers as steps get to see them.
pub(super) fn shown_headers(headers: &HeaderMap) -> Map {
    let texts = headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    without_credentials(texts)
}

/// Seconds a run may take.
fn timeout(asked: &mut Asked) -> f64 {
    let given = match asked.take("timeout") {
        None | Some(Value::Null) => return TIMEOUT,
        Some(value) => value,
    };
    match given.as_f64().filter(|n| *n > 0.0 && *n <= LONGEST_TIMEOUT) {
        Some(seconds) => seconds,
        None => {
            let text = format!("Expected seconds, more than 0 and at most {LONGEST_TIMEOUT}.");
            asked.fault("timeout", text);
            TIMEOUT
        }
    }
}

/// An object that may be null.
fn object(asked: &mut Asked, name: &str) -> Option<Map> {
    match asked.take(name)? {
        Value::Null => None,
        Value::Map(map) => Some(std::sync::Arc::unwrap_or_clone(map)),
        other => {
            let kind = other.kind();
            let message = format!("Expected a dictionary of items but got type \"{kind}\".");
            asked.fault(name, message);
            None
        }
    }
}

/// Reads what all runs of one node of a workflow say.
fn node_run(asked: &mut Asked) -> Result<NodeRun, Envelope> {
    let node_id = asked.text("node_id", MAX_ID).flatten();
    let Some(node_id) = node_id.filter(|id| !id.is_empty()) else {
        return Err(Envelope::invalid("node_id is required").with("success", false));
    };
    Ok(NodeRun {
        node_id,
        form: object(asked, "form_values"),
        input: object(asked, "input_data").unwrap_or_default(),
        session: asked.text("session_id", MAX_ID).flatten(),
        timeout: timeout(asked),
    })
}

/// What a run of a node of a workflow says.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct NodeRunRequest {
    node_id: String,
    /// Becomes the form of the node; without it the node runs with the one it has.
    #[schema(required = false, value_type = Object)]
    form_values: Map,
    /// Values beside, and before, those the nodes before it last gave.
    #[schema(required = false, value_type = Object)]
    input_data: Map,
    /// The same for runs that go on with the same step.
    session_id: Option<String>,
    /// Seconds it may take.
    #[schema(required = false, minimum = 0, maximum = 3600)]
    timeout: f64,
}

/// What a run of a node gave; without `success` only the error and the node.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the shape of what is written, for the API description"
)]
struct NodeRunBody {
    success: bool,
    node_id: String,
    node_type: String,
    error: Option<String>,
    error_type: Option<String>,
    /// Id, data and metadata of what it gave.
    #[schema(required = false, value_type = Object)]
    output: Option<Map>,
}

/// Runs one node with a form and an input of its own; both are kept before it runs, and its output if it is well.
#[utoipa::path(post, path = "/api/workflow/{workflow_id}/execute_and_save_node", tag = "orchestrator",
    params(("workflow_id" = String, Path)), request_body = NodeRunRequest,
    responses((status = 200, body = NodeRunBody), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody), (status = 422, body = EnvelopeBody),
        (status = 429, body = EnvelopeBody), (status = 503, body = EnvelopeBody)))]
async fn execute_and_save_node(
    State(app): State<AppState>,
    caller: Caller,
    Parted(id): Parted<String>,
    mut asked: Asked,
) -> Result<Response, Envelope> {
    let run = node_run(&mut asked)?;
    asked.finish()?;
    let session = run.session.clone();
    let executed = app.loops.execute_node(&caller, &id, run).await?;
    let mut body = Map::from_iter([
        ("success".into(), Value::Bool(executed.output.is_ok())),
        ("node_id".into(), executed.node_id.into()),
        ("node_type".into(), Value::Str(executed.node_type)),
    ]);
    match executed.output {
        Ok((output, route)) => body.extend([
            ("input_data".into(), Value::from(executed.input)),
            ("form_values".into(), Value::from(executed.form)),
            ("output".into(), output),
            ("route".into(), Value::Str(route)),
            ("error".into(), Value::Null),
            ("error_type".into(), Value::Null),
            ("message".into(), Value::Null),
            ("form".into(), Value::Null),
            ("session_id".into(), session.into()),
        ]),
        Err(error) => body.extend([
            ("error".into(), Value::from(error)),
            ("error_type".into(), "ExecutionError".into()),
        ]),
    }
    Ok(json(&Value::from(body)))
}

/// What a run of one item says, beside what each run of a node does.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct ItemRequest {
    node_id: String,
    #[schema(required = false, value_type = Object)]
    form_values: Map,
    #[schema(required = false, value_type = Object)]
    input_data: Map,
    /// Which item, from 0; without it the one after the last.
    #[schema(minimum = 0)]
    iteration_index: Option<i64>,
    #[schema(required = false, minimum = 0, maximum = 3600)]
    timeout: f64,
}

/// Runs the body of a for-each node for one item.
#[utoipa::path(post, path = "/api/workflow/{workflow_id}/execute_for_each_iteration", tag = "orchestrator",
    params(("workflow_id" = String, Path)), request_body = ItemRequest,
    responses((status = 200, body = Object), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody), (status = 422, body = EnvelopeBody),
        (status = 429, body = EnvelopeBody), (status = 503, body = EnvelopeBody)))]
async fn execute_for_each_iteration(
    State(app): State<AppState>,
    caller: Caller,
    Parted(id): Parted<String>,
    mut asked: Asked,
) -> Result<Response, Envelope> {
    let run = node_run(&mut asked)?;
    let index = match asked.take("iteration_index") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let index = value.as_i64().and_then(|n| usize::try_from(n).ok());
            if index.is_none() {
                asked.fault("iteration_index", "Expected a whole number, 0 or more.");
            }
            index
        }
    };
    asked.finish()?;
    let ran = app.loops.execute_item(&caller, &id, run, index).await?;
    let mut body = Map::from_iter([
        ("success".into(), Value::Bool(ran.output.is_ok())),
        ("node_id".into(), ran.node_id.into()),
        ("forEachNode".into(), Value::from(ran.for_each)),
    ]);
    match ran.output {
        Ok((sinks, data)) => {
            let sinks = sinks.into_iter().map(Value::from);
            body.insert("iteration_output".into(), Value::list(sinks));
            let output = Value::map([("data", Value::from(data))]);
            body.insert("output".into(), output);
        }
        Err(error) => {
            body.insert("error".into(), error.into());
            body.insert("results".into(), Value::list([]));
        }
    }
    Ok(json(&Value::from(body)))
}

/// What a run of a step type says.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct DirectRequest {
    #[schema(required = false, value_type = Object)]
    input_data: Map,
    #[schema(required = false, value_type = Object)]
    form_data: Map,
    session_id: Option<String>,
    #[schema(required = false, minimum = 0, maximum = 3600)]
    timeout: f64,
}

/// Runs a step type with a form and an input, outside of any workflow.
#[utoipa::path(post, path = "/api/nodes/{identifier}/execute", tag = "orchestrator",
    params(("identifier" = String, Path)), request_body = DirectRequest,
    responses((status = 200, body = Object), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 408, body = EnvelopeBody), (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody),
        (status = 422, body = EnvelopeBody), (status = 429, body = EnvelopeBody), (status = 503, body = EnvelopeBody)))]
async fn execute_node(
    State(app): State<AppState>,
    caller: Caller,
    Parted(identifier): Parted<String>,
    mut asked: Asked,
) -> Result<Response, Envelope> {
    let direct = DirectRun {
        input: object(&mut asked, "input_data").unwrap_or_default(),
        form: object(&mut asked, "form_data").unwrap_or_default(),
        session: asked.text("session_id", MAX_ID).flatten(),
        timeout: timeout(&mut asked),
    };
    asked.finish()?;
    let said = direct.clone();
    let ran = app.loops.execute_directly(&caller, &identifier, direct);
    let (def, output) = ran.await?;
    let name = def.label.as_ref().unwrap_or(&def.class).clone();
    let node = [
        ("name", Value::Str(name)),
        ("identifier", Value::Str(def.identifier.clone())),
    ];
    let mut body = Map::from_iter([
        ("success".into(), Value::Bool(output.is_ok())),
        ("node".into(), Value::map(node)),
    ]);
    match output {
        Ok(output) => body.extend([
            ("input".into(), Value::from(said.input)),
            ("form_data".into(), Value::from(said.form)),
            ("session_id".into(), said.session.into()),
            ("output".into(), output),
        ]),
        Err(error) => body.extend([
            ("error".into(), Value::from(error)),
            ("error_type".into(), "ExecutionError".into()),
        ]),
    }
    Ok(json(&Value::from(body)))
}

/// Which session is to be forgotten.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct ResetRequest {
    session_id: String,
}

/// What a reset found.
#[derive(Serialize, ToSchema)]
struct ResetBody {
    success: bool,
    session_id: String,
    /// Whether anything was kept.
    cleared: bool,
}

/// Forgets all steps that are kept for a session of the caller's.
#[utoipa::path(post, path = "/api/nodes/{identifier}/reset-session", tag = "orchestrator",
    params(("identifier" = String, Path)), request_body = ResetRequest,
    responses((status = 200, body = ResetBody), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn reset_session(
    State(app): State<AppState>,
    caller: Caller,
    Parted(identifier): Parted<String>,
    mut asked: Asked,
) -> Result<Response, Envelope> {
    if app.loops.steps().get(&identifier).is_none() {
        return Err(LoopFailure::NoNodeType(identifier.chars().take(MAX_ID).collect()).into());
    }
    asked.require("session_id");
    let session = asked.filled("session_id", MAX_ID);
    asked.finish()?;
    let session_id = session.unwrap_or_default();
    let cleared = app.loops.reset_session(&caller, &session_id);
    Ok(json(&ResetBody {
        success: true,
        session_id,
        cleared,
    }))
}

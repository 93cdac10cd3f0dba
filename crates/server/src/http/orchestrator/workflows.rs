//! Workflows of the Orchestrator (spec 3.2, 3.3), but for their runs.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use nodetool_engine::LoopPlanError;
use nodetool_protocol::{Map, Value};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::{Asked, Parted};
use super::error::EnvelopeBody;
use super::{Envelope, ErrorCode};
use crate::http::extract::Query;
use crate::http::{AppState, json};
use crate::services::Caller;
use crate::services::loops::{
    Canvas, EditError, MAX_NAME, Ordering, RawConfig, Unfit, WorkflowChange, WorkflowObject, ids,
};

/// Longest description, in characters.
const MAX_DESCRIPTION: usize = 255;
/// Longest category, in characters.
const MAX_CATEGORY: usize = 50;
/// Most tags.
const MAX_TAGS: usize = 100;
/// Longest tag, in characters.
const MAX_TAG: usize = 100;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_loops, create_loop))
        .routes(routes!(get_loop, replace_loop, update_loop, delete_loop))
        .routes(routes!(get_canvas))
        .routes(routes!(get_raw_config))
        .routes(routes!(activate_loop))
        .routes(routes!(deactivate_loop))
        .routes(routes!(duplicate_loop))
        .routes(routes!(clear_node_output))
        .routes(routes!(validate_loop))
}

/// A workflow as clients send it; what cannot be set is passed over.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct LoopRequest {
    /// At most 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[schema(max_length = 255)]
    description: Option<String>,
    #[schema(max_length = 50)]
    category: Option<String>,
    /// `production` or `api`.
    #[schema(pattern = "^(production|api)$", required = false)]
    workflow_type: String,
    /// `active`, `inactive` or `error`; only of workflows that are called.
    #[schema(pattern = "^(active|inactive|error)$", required = false)]
    status: String,
    /// What becomes of a run that a lost process left behind.
    #[schema(pattern = "^(never|on-boot)$", required = false)]
    restart: String,
    next_run: Option<String>,
    #[schema(required = false)]
    tags: Vec<String>,
    #[schema(value_type = Object, required = false)]
    env: Map,
    #[schema(value_type = Object, required = false)]
    runtime_state: Map,
}

/// Whether a workflow may be called now.
#[derive(Serialize, ToSchema)]
struct Switched {
    status: &'static str,
    message: String,
}

/// A node of the workflow.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct NodeAsked {
    node_id: String,
}

/// It was done.
#[derive(Serialize, ToSchema)]
struct Succeeded {
    success: bool,
}

/// It can run.
#[derive(Serialize, ToSchema)]
struct Valid {
    valid: bool,
}

fn read_change(mut asked: Asked, name_required: bool) -> Result<WorkflowChange, Envelope> {
    if name_required {
        asked.require("name");
    }
    let mut change = WorkflowChange {
        name: asked.filled("name", MAX_NAME),
        description: asked.text("description", MAX_DESCRIPTION),
        category: asked.text("category", MAX_CATEGORY),
        workflow_type: asked.word("workflow_type", &["production", "api"]),
        status: asked.word("status", &["active", "inactive", "error"]),
        restart: asked.word("restart", &["never", "on-boot"]),
        next_run: None,
        tags: asked.texts("tags", MAX_TAGS, MAX_TAG),
        env: asked.object("env"),
        runtime_state: asked.object("runtime_state"),
    };
    if let Some(next_run) = asked.text("next_run", 40) {
        let time = |text: &str| chrono::DateTime::parse_from_rfc3339(text).ok();
        match next_run.filter(|text| !text.is_empty()) {
            None => change.next_run = Some(None),
            Some(text) => match time(&text) {
                Some(time) => change.next_run = Some(Some(time.timestamp_micros())),
                None => asked.fault(
                    "next_run",
                    "Datetime has wrong format. Use this format instead: \
                     YYYY-MM-DDThh:mm:ss[.uuuuuu][+HH:MM|-HH:MM|Z].",
                ),
            },
        }
    }
    asked.finish()?;
    Ok(change)
}

fn created(object: &impl Serialize) -> Response {
    (StatusCode::CREATED, json(object)).into_response()
}

/// The caller's workflows, newest first.
#[utoipa::path(get, path = "/api/workflow", tag = "orchestrator",
    params(
        ("ordering" = Option<String>, Query, description = "A field, with `-` before it for the other way round"),
        ("dialect" = Option<String>, Query, description = "Only `loop` or only `dataflow` workflows"),
    ),
    responses((status = 200, body = [WorkflowObject]), (status = 400, body = EnvelopeBody),
        (status = 422, body = EnvelopeBody)))]
async fn list_loops(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, Envelope> {
    let order = query.text("ordering").and_then(Ordering::of);
    let loops = match query.text("dialect") {
        None | Some("") => None,
        Some("loop") => Some(true),
        Some("dataflow") => Some(false),
        Some(_) => {
            let text = "dialect: expected 'loop' or 'dataflow'";
            return Err(Envelope::invalid(text).field("dialect", text));
        }
    };
    // Words that name no field change nothing, as clients are used to.
    let order = order.unwrap_or(Ordering::NEWEST);
    Ok(json(
        &app.loops.list_workflows(&caller, loops, order).await?,
    ))
}

/// Makes a workflow.
#[utoipa::path(post, path = "/api/workflow", tag = "orchestrator", request_body = LoopRequest,
    responses((status = 201, body = WorkflowObject), (status = 400, body = EnvelopeBody),
        (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn create_loop(
    State(app): State<AppState>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Envelope> {
    let change = read_change(asked, true)?;
    Ok(created(&app.loops.create_workflow(&caller, change).await?))
}

/// One workflow of the caller's.
#[utoipa::path(get, path = "/api/workflow/{workflow_id}", tag = "orchestrator", params(("workflow_id" = String, Path)),
    responses((status = 200, body = WorkflowObject), (status = 404, body = EnvelopeBody)))]
async fn get_loop(
    State(app): State<AppState>,
    caller: Caller,
    Parted(id): Parted<String>,
) -> Result<Response, Envelope> {
    Ok(json(&app.loops.get_workflow(&caller, &id).await?))
}

/// Changes a workflow; its name has to be there.
#[utoipa::path(put, path = "/api/workflow/{workflow_id}", tag = "orchestrator", params(("workflow_id" = String, Path)),
    request_body = LoopRequest,
    responses((status = 200, body = WorkflowObject), (status = 400, body = EnvelopeBody),
        (status = 404, body = EnvelopeBody), (status = 409, body = EnvelopeBody),
        (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn replace_loop(
    State(app): State<AppState>,
    caller: Caller,
    Parted(id): Parted<String>,
    asked: Asked,
) -> Result<Response, Envelope> {
    change(app, caller, id, asked, true).await
}

/// Changes what is given of a workflow.
#[utoipa::path(patch, path = "/api/workflow/{workflow_id}", tag = "orchestrator", params(("workflow_id" = String, Path)),
    request_body = LoopRequest,
    responses((status = 200, body = WorkflowObject), (status = 400, body = EnvelopeBody),
        (status = 404, body = EnvelopeBody), (status = 409, body = EnvelopeBody),
        (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn update_loop(
    State(app): State<AppState>,
    caller: Caller,
    Parted(id): Parted<String>,
    asked: Asked,
) -> Result<Response, Envelope> {
    change(app, caller, id, asked, false).await
}

async fn change(
    app: AppState,
    caller: Caller,
    id: String,
    asked: Asked,
    name_required: bool,
) -> Result<Response, Envelope> {
    // What is not there is not found, whatever was asked of it.
    app.loops.get_workflow(&caller, &id).await?;
    let change = read_change(asked, name_required)?;
    let changed = app.loops.change_workflow(&caller, &id, change).await?;
    Ok(json(&changed))
}

/// Deletes a workflow with its nodes, connections and files; a run of it is stopped first.
#[utoipa::path(delete, path = "/api/workflow/{workflow_id}", tag = "orchestrator", params(("workflow_id" = String, Path)),
    responses((status = 204), (status = 404, body = EnvelopeBody)))]
async fn delete_loop(
    State(app): State<AppState>,
    caller: Caller,
    Parted(id): Parted<String>,
) -> Result<StatusCode, Envelope> {
    let blobs = app.assets.blobs();
    app.loops.delete_workflow(&caller, &id, blobs).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All that an editor shows of a workflow.
#[utoipa::path(get, path = "/api/workflow/{workflow_id}/canvas_data", tag = "orchestrator", params(("workflow_id" = String, Path)),
    responses((status = 200, body = Canvas), (status = 404, body = EnvelopeBody)))]
async fn get_canvas(
    State(app): State<AppState>,
    caller: Caller,
    Parted(id): Parted<String>,
) -> Result<Response, Envelope> {
    Ok(json(&app.loops.canvas(&caller, &id).await?))
}

/// A workflow with all that it is made of, as the engine reads it.
#[utoipa::path(get, path = "/api/workflow/{workflow_id}/rawconfig", tag = "orchestrator", params(("workflow_id" = String, Path)),
    responses((status = 200, body = RawConfig), (status = 404, body = EnvelopeBody)))]
async fn get_raw_config(
    State(app): State<AppState>,
    caller: Caller,
    Parted(id): Parted<String>,
) -> Result<Response, Envelope> {
    Ok(json(&app.loops.raw_config(&caller, &id).await?))
}

/// Lets a workflow be called.
#[utoipa::path(post, path = "/api/workflow/{workflow_id}/activate", tag = "orchestrator", params(("workflow_id" = String, Path)),
    responses((status = 200, body = Switched), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody)))]
async fn activate_loop(
    State(app): State<AppState>,
    caller: Caller,
    Parted(id): Parted<String>,
) -> Result<Response, Envelope> {
    switch(app, caller, id, true).await
}

/// Lets a workflow no longer be called.
#[utoipa::path(post, path = "/api/workflow/{workflow_id}/deactivate", tag = "orchestrator", params(("workflow_id" = String, Path)),
    responses((status = 200, body = Switched), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody)))]
async fn deactivate_loop(
    State(app): State<AppState>,
    caller: Caller,
    Parted(id): Parted<String>,
) -> Result<Response, Envelope> {
    switch(app, caller, id, false).await
}

async fn switch(
    app: AppState,
    caller: Caller,
    id: String,
    active: bool,
) -> Result<Response, Envelope> {
    let (status, word) = if active {
        ("active", "activated")
    } else {
        ("inactive", "deactivated")
    };
    let switched = app.loops.set_called(&caller, &id, active).await?;
    let Some(workflow) = switched else {
        let text = format!("Only API workflows can be {word}; this one is a production workflow.");
        return Err(Envelope::invalid(text));
    };
    let message = format!("Workflow '{}' is {word}.", workflow.name);
    Ok(json(&Switched { status, message }))
}

/// A copy of a workflow, under another name and with ids of its own.
#[utoipa::path(post, path = "/api/workflow/{workflow_id}/duplicate", tag = "orchestrator", params(("workflow_id" = String, Path)),
    responses((status = 201, body = WorkflowObject), (status = 404, body = EnvelopeBody)))]
async fn duplicate_loop(
    State(app): State<AppState>,
    caller: Caller,
    Parted(id): Parted<String>,
) -> Result<Response, Envelope> {
    Ok(created(&app.loops.duplicate_workflow(&caller, &id).await?))
}

/// Forgets what a node last gave.
#[utoipa::path(post, path = "/api/workflow/{workflow_id}/clear_node_output", tag = "orchestrator",
    params(("workflow_id" = String, Path)), request_body = NodeAsked,
    responses((status = 200, body = Succeeded), (status = 400, body = EnvelopeBody),
        (status = 404, body = EnvelopeBody), (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn clear_node_output(
    State(app): State<AppState>,
    caller: Caller,
    Parted(id): Parted<String>,
    mut asked: Asked,
) -> Result<Response, Envelope> {
    app.loops.get_workflow(&caller, &id).await?;
    let failed = |text: String| Envelope::invalid(text).with("success", false);
    let node = asked.take("node_id");
    let Some(node_id) = node
        .as_ref()
        .and_then(Value::as_str)
        .filter(|n| !n.is_empty())
    else {
        return Err(failed("node_id is required".into()));
    };
    match app.loops.clear_output(&caller, &id, node_id).await {
        Ok(()) => Ok(json(&Succeeded { success: true })),
        Err(EditError::NoNode) => {
            let node_id: String = node_id.chars().take(80).collect();
            Err(failed(format!("Node not found: {node_id}")))
        }
        Err(e) => Err(e.into()),
    }
}

/// Says whether a workflow can run, and if not, why.
#[utoipa::path(post, path = "/api/workflow/{workflow_id}/validate", tag = "orchestrator", params(("workflow_id" = String, Path)),
    responses((status = 200, body = Valid), (status = 404, body = EnvelopeBody), (status = 422, body = EnvelopeBody)))]
async fn validate_loop(
    State(app): State<AppState>,
    caller: Caller,
    Parted(id): Parted<String>,
) -> Result<Response, Envelope> {
    match app.loops.validate(&caller, &id).await? {
        None => Ok(json(&Valid { valid: true })),
        Some(unfit) => Err(unfit_envelope(&unfit)),
    }
}

/// What is wrong with a workflow, by node and field; what is of no node stands under `workflow`.
fn unfit_envelope(unfit: &Unfit) -> Envelope {
    let mut details = Map::new();
    let mut add = |node: String, field: &str, messages: Vec<Value>| {
        let node = details.entry(node.into());
        let fields = node.or_insert_with(|| Map::new().into());
        if let Value::Map(fields) = fields {
            let fields = std::sync::Arc::make_mut(fields);
            let before = fields.get(field).and_then(Value::as_list);
            let mut all = before.map(<[Value]>::to_vec).unwrap_or_default();
            all.extend(messages);
            fields.insert(field.into(), all.into());
        }
    };
    let texts = |texts: &[String]| texts.iter().map(|t| Value::from(t.as_str())).collect();
    match unfit {
        Unfit::Loops {
            fault: LoopPlanError::Graph(faults),
            ..
        } => add("workflow".into(), "graph", texts(faults)),
        Unfit::Loops {
            workflow_id,
            fault: LoopPlanError::Forms(nodes),
        } => {
            for node in nodes {
                let id = ids::node_id(workflow_id, &node.node_id);
                for (field, messages) in &node.faults.fields {
                    add(id.clone(), field, texts(messages));
                }
            }
        }
        Unfit::Streams(error) => {
            for fault in &error.faults {
                let node = fault.node_id.as_deref().unwrap_or("workflow").to_owned();
                let field = fault.handle.as_deref().unwrap_or("graph");
                add(node, field, vec![fault.message.as_str().into()]);
            }
        }
    }
    Envelope::new(ErrorCode::Validation, "Workflow validation failed")
        .details(details)
        .with("valid", false)
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use nodetool_engine::NodeFaults;
    use nodetool_sdk::steps::FormFaults;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_workflow_that_cannot_run_is_told_by_node_and_field() {
        let faults = FormFaults {
            fields: vec![("url".into(), vec!["This field is required.".into()])],
            readiness: true,
            schema: None,
        };
        let id = "0190a0b0c0d070008000000000000001";
        let unfit = Unfit::Loops {
            workflow_id: "w".into(),
            fault: LoopPlanError::Forms(vec![NodeFaults {
                node_id: id.into(),
                faults,
            }]),
        };
        let response = unfit_envelope(&unfit).into_response();
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"], "Workflow validation failed");
        assert_eq!(body["code"], "VALIDATION_ERROR");
        let fields = json!({ "url": ["This field is required."] });
        assert_eq!(body["details"], json!({ ids::shown(id): fields }));
    }
}

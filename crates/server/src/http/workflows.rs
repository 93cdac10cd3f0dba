//! Saved workflows (HTTP spec 6.2, and the worker's routes of 6.3).

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use nodetool_protocol::Graph;
use nodetool_store::{Page, WorkflowFilter, WorkflowRow};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::conditions::{if_match, is_known, not_modified, with_etag};
use super::error::FieldError;
use super::extract::{Fields, GraphBody, JsonBody, Path, Query};
use super::openapi::shapes::{Nothing, WorkflowPage};
use super::{ApiError, AppState, Refusal, json, json_response};
use crate::services::workflow_body::{Beyond, WorkflowBody, WorkflowRequest, write, write_list};
use crate::services::{Caller, SaveWorkflow, WorkflowError};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_workflows, create_workflow))
        .routes(routes!(list_public_workflows))
        .routes(routes!(get_public_workflow))
        .routes(routes!(list_workflow_tools))
        .routes(routes!(get_workflow, update_workflow, delete_workflow))
        .routes(routes!(get_workflow_interface))
}

/// The routes of a worker.
pub(super) fn worker_router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_worker_workflows))
        .routes(routes!(
            get_worker_workflow,
            update_worker_workflow,
            delete_worker_workflow
        ))
}

/// Columns a list may be asked to hold.
const COLUMNS: [&str; 13] = [
    "id",
    "name",
    "description",
    "thumbnail",
    "thumbnail_url",
    "access",
    "user_id",
    "created_at",
    "updated_at",
    "tags",
    "graph",
    "settings",
    "run_mode",
];

#[derive(Serialize, ToSchema)]
struct WorkflowTool {
    name: String,
    #[schema(required)]
    tool_name: Option<String>,
    #[schema(required)]
    description: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct WorkflowToolList {
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    next: Option<String>,
    workflows: Vec<WorkflowTool>,
}

/// What a workflow takes and gives.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the shape of what is written, for the API description"
)]
struct WorkflowInterface {
    version: i64,
    workflow_id: String,
    #[schema(value_type = Object)]
    input_schema: serde_json::Value,
    #[schema(value_type = Object)]
    output_schema: serde_json::Value,
}

/// What a worker says of a deletion.
#[derive(Serialize, ToSchema)]
struct Deleted {
    status: &'static str,
    message: String,
}

/// Reads a `WorkflowRequest`, naming everything that is wrong with it.
pub(super) fn read_request(body: JsonBody) -> Result<SaveWorkflow, ApiError> {
    let mut f = Fields::new(body.object()?);
    let graph = f.take("graph");
    if f.take("comfy_workflow").is_some() && graph.is_none() {
        return Err(ApiError::bad_request(
            "Workflows in ComfyUI's format cannot be imported by this server",
        ));
    }
    let mut save = SaveWorkflow {
        name: f.required_text("name"),
        access: f.required_word("access", &["private", "public"]),
        tool_name: f.text("tool_name"),
        package_name: f.text("package_name"),
        tags: f.texts("tags"),
        description: f.text("description"),
        thumbnail: f.text("thumbnail"),
        thumbnail_url: f.text("thumbnail_url"),
        graph: None,
        settings: f.object("settings"),
        run_mode: f.text("run_mode"),
        workspace_id: f.text("workspace_id"),
        html_app: f.text("html_app"),
    };
    match graph.map(Graph::from_value).transpose() {
        Ok(graph) => save.graph = graph,
        Err(faults) => f.refuse(faults.iter().map(FieldError::from)),
    }
    f.finish()?;
    Ok(save)
}

/// The row as an answer, with its etag.
pub(super) fn reply(row: &WorkflowRow) -> Response {
    with_etag(json_response(write(row, Beyond::default())), &row.etag())
}

fn page_reply(page: &Page<WorkflowRow>, columns: Option<&[&'static str]>) -> Response {
    let beyond = Beyond {
        columns,
        ..Beyond::default()
    };
    let rows = page.rows.iter().map(|row| (row, beyond));
    json_response(write_list(Some(&page.next), rows))
}

/// Saves a new workflow, or a copy of an example under a new name.
#[utoipa::path(post, path = "/api/workflows", tag = "workflows",
    params(
        ("from_example_package" = Option<String>, Query, description = "Package of the example to copy"),
        ("from_example_name" = Option<String>, Query, description = "Name of the example to copy; only both together count"),
    ),
    request_body = WorkflowRequest,
    responses((status = 200, body = WorkflowBody), (status = 400, body = Refusal), (status = 404, body = Refusal),
        (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn create_workflow(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
    GraphBody(body): GraphBody,
) -> Result<Response, ApiError> {
    let mut save = read_request(body)?;
    let named = |key: &str| query.text(key).filter(|t| !t.is_empty());
    if let (Some(package), Some(name)) = (named("from_example_package"), named("from_example_name"))
    {
        let example = app.examples.find(package, name);
        let example = example.ok_or_else(|| ApiError::not_found("Example not found"))?;
        save = save.with_example(&example)?;
    }
    let row = app.workflows.create(&caller, save).await?;
    Ok(reply(&row))
}

/// The caller's workflows, last saved first.
#[utoipa::path(get, path = "/api/workflows", tag = "workflows",
    params(
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<i64>, Query, description = "1 to 1000; 100 when absent"),
        ("columns" = Option<String>, Query, description = "Comma-separated fields the rows are cut down to"),
        ("run_mode" = Option<String>, Query, description = "Only workflows of this run mode"),
        ("dialect" = Option<String>, Query, description = "Only `loop` or only `dataflow` workflows"),
    ),
    responses((status = 200, body = WorkflowPage), (status = 400, body = Refusal), (status = 422, body = Refusal)))]
async fn list_workflows(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let filter = WorkflowFilter {
        user_id: Some(caller.user_id),
        run_mode: query
            .text("run_mode")
            .filter(|s| !s.is_empty())
            .map(Into::into),
        loops: match query.text("dialect") {
            None | Some("") => None,
            Some("loop") => Some(true),
            Some("dataflow") => Some(false),
            Some(_) => {
                let msg = "Input should be 'loop' or 'dataflow'";
                let error = FieldError::at("enum", &["query", "dialect"], msg);
                return Err(ApiError::invalid(vec![error]));
            }
        },
        ..WorkflowFilter::default()
    };
    list(&app, filter, &query).await
}

/// Every user's public workflows, last saved first.
#[utoipa::path(get, path = "/api/workflows/public", tag = "workflows",
    params(
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<i64>, Query, description = "1 to 1000; 100 when absent"),
        ("columns" = Option<String>, Query, description = "Comma-separated fields the rows are cut down to"),
    ),
    responses((status = 200, body = WorkflowPage), (status = 400, body = Refusal), (status = 422, body = Refusal)))]
async fn list_public_workflows(
    State(app): State<AppState>,
    query: Query,
) -> Result<Response, ApiError> {
    let filter = WorkflowFilter {
        access: Some("public".into()),
        ..WorkflowFilter::default()
    };
    list(&app, filter, &query).await
}

async fn list(
    app: &AppState,
    mut filter: WorkflowFilter,
    query: &Query,
) -> Result<Response, ApiError> {
    let limit = query.int("limit", 100usize, 1, 1000)?;
    let columns = read_columns(query)?;
    filter.columns.clone_from(&columns);
    let page = app
        .workflows
        .list(filter, limit, query.text("cursor").unwrap_or_default())
        .await?;
    Ok(page_reply(&page, columns.as_deref()))
}

fn read_columns(query: &Query) -> Result<Option<Vec<&'static str>>, ApiError> {
    let Some(text) = query.text("columns").filter(|t| !t.is_empty()) else {
        return Ok(None);
    };
    let known = |name: &str| {
        let found = COLUMNS.iter().find(|c| **c == name.trim()).copied();
        found.ok_or_else(|| {
            let unknown: String = name.trim().chars().take(40).collect();
            ApiError::bad_request(format!(
                "Unknown column '{unknown}'; expected some of {}",
                COLUMNS.join(", ")
            ))
        })
    };
    text.split(',')
        .map(known)
        .collect::<Result<_, _>>()
        .map(Some)
}

/// A public workflow, whoever asks.
#[utoipa::path(get, path = "/api/workflows/public/{id}", tag = "workflows", params(("id" = String, Path)),
    responses((status = 200, body = WorkflowBody), (status = 304), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_public_workflow(
    State(app): State<AppState>,
    Path(id): Path,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let row = app.workflows.get_public(&id).await?;
    Ok(unless_known(&row, &headers))
}

/// The caller's workflows that agents may call as tools.
#[utoipa::path(get, path = "/api/workflows/tools", tag = "workflows",
    params(
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<i64>, Query, description = "1 to 1000; 100 when absent"),
    ),
    responses((status = 200, body = WorkflowToolList), (status = 422, body = Refusal)))]
async fn list_workflow_tools(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let limit = query.int("limit", 100usize, 1, 1000)?;
    let filter = WorkflowFilter {
        user_id: Some(caller.user_id),
        run_mode: Some("tool".into()),
        has_tool_name: true,
        columns: Some(vec!["name", "tool_name", "description"]),
        ..WorkflowFilter::default()
    };
    let page = app
        .workflows
        .list(filter, limit, query.text("cursor").unwrap_or_default())
        .await?;
    let tool = |row: WorkflowRow| WorkflowTool {
        name: row.name,
        tool_name: row.tool_name,
        description: row.description,
    };
    Ok(json(&WorkflowToolList {
        next: Some(page.next).filter(|n| !n.is_empty()),
        workflows: page.rows.into_iter().map(tool).collect(),
    }))
}

/// The caller's workflows, up to 1000, as a worker lists them.
#[utoipa::path(get, path = "/workflows", tag = "worker",
    responses((status = 200, body = WorkflowPage)))]
async fn list_worker_workflows(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let filter = WorkflowFilter {
        user_id: Some(caller.user_id),
        ..WorkflowFilter::default()
    };
    let page = app.workflows.list(filter, 1000, "").await?;
    Ok(page_reply(&page, None))
}

/// One workflow of the caller's own, or a public one.
#[utoipa::path(get, path = "/api/workflows/{id}", tag = "workflows",
    params(("id" = String, Path), ("If-None-Match" = Option<String>, Header, description = "Etags the client has")),
    responses((status = 200, body = WorkflowBody), (status = 304), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_workflow(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let row = app.workflows.get(&caller, &id).await?;
    Ok(unless_known(&row, &headers))
}

fn unless_known(row: &WorkflowRow, headers: &HeaderMap) -> Response {
    let etag = row.etag();
    if is_known(headers, &etag) {
        not_modified(&etag)
    } else {
        with_etag(json_response(write(row, Beyond::default())), &etag)
    }
}

/// What a workflow takes and gives, as JSON Schemas.
#[utoipa::path(get, path = "/api/workflows/{id}/interface", tag = "workflows",
    params(("id" = String, Path), ("version" = Option<i64>, Query, description = "Of this description; 1 is the only one")),
    responses((status = 200, body = WorkflowInterface), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_workflow_interface(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    query: Query,
) -> Result<Response, ApiError> {
    if query.int("version", 1i64, i64::MIN, i64::MAX)? != 1 {
        let msg = "Input should be 1";
        let place = &["query", "version"];
        return Err(ApiError::invalid(vec![FieldError::at(
            "literal_error",
            place,
            msg,
        )]));
    }
    let row = app.workflows.get(&caller, &id).await?;
    let id = serde_json::Value::from(row.id);
    let text = format!(
        "{{\"version\":1,\"workflow_id\":{id},\"input_schema\":{},\"output_schema\":{}}}",
        row.input_schema.as_deref().unwrap_or("null"),
        row.output_schema.as_deref().unwrap_or("null")
    );
    Ok(json_response(text))
}

/// Refuses ids that are no plain names.
pub(super) fn check_new_id(id: &str) -> Result<(), ApiError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    if id.is_empty() || id.len() > 128 || !id.chars().all(plain) {
        let msg = "expected 1 to 128 letters, digits, '_', '.', ':' or '-'";
        return Err(ApiError::invalid(vec![FieldError::at(
            "value_error",
            &["path", "id"],
            msg,
        )]));
    }
    Ok(())
}

/// Changes a workflow, or creates it under this id.
#[utoipa::path(put, path = "/api/workflows/{id}", tag = "workflows",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "Etags the stored workflow may have")),
    request_body = WorkflowRequest,
    responses((status = 200, body = WorkflowBody), (status = 400, body = Refusal), (status = 404, body = Refusal),
        (status = 412, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn update_workflow(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    headers: HeaderMap,
    GraphBody(body): GraphBody,
) -> Result<Response, ApiError> {
    check_new_id(&id)?;
    let save = read_request(body)?;
    let expected = if_match(&headers);
    let row = app.workflows.save(&caller, &id, save, expected).await?;
    Ok(reply(&row))
}

/// Deletes a workflow and its versions; answers `null`.
#[utoipa::path(delete, path = "/api/workflows/{id}", tag = "workflows",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "Etags the stored workflow may have")),
    responses((status = 200, body = Nothing), (status = 404, body = Refusal), (status = 412, body = Refusal), (status = 422, body = Refusal)))]
async fn delete_workflow(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let expected = if_match(&headers);
    app.workflows.delete(&caller, &id, expected).await?;
    Ok(json_response(bytes::Bytes::from_static(b"null")))
}

/// One workflow, as a worker gives it.
#[utoipa::path(get, path = "/workflows/{id}", tag = "worker",
    params(("id" = String, Path), ("If-None-Match" = Option<String>, Header, description = "Etags the client has")),
    responses((status = 200, body = WorkflowBody), (status = 304), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_worker_workflow(
    state: State<AppState>,
    caller: Caller,
    id: Path,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    get_workflow(state, caller, id, headers).await
}

/// A worker tells that a workflow is somebody else's.
fn told_by_worker(e: WorkflowError) -> ApiError {
    match e {
        WorkflowError::Foreign => ApiError::new(StatusCode::FORBIDDEN, e.to_string()),
        e => e.into(),
    }
}

/// Changes a workflow, or creates it under this id, as a worker does.
#[utoipa::path(put, path = "/workflows/{id}", tag = "worker",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "Etags the stored workflow may have")),
    request_body = WorkflowRequest,
    responses((status = 200, body = WorkflowBody), (status = 400, body = Refusal), (status = 403, body = Refusal),
        (status = 412, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn update_worker_workflow(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    headers: HeaderMap,
    GraphBody(body): GraphBody,
) -> Result<Response, ApiError> {
    check_new_id(&id)?;
    let save = read_request(body)?;
    let expected = if_match(&headers);
    let saved = app.workflows.save(&caller, &id, save, expected).await;
    Ok(reply(&saved.map_err(told_by_worker)?))
}

/// Deletes a workflow and its versions, as a worker does.
#[utoipa::path(delete, path = "/workflows/{id}", tag = "worker",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "Etags the stored workflow may have")),
    responses((status = 200, body = Deleted), (status = 403, body = Refusal), (status = 404, body = Refusal),
        (status = 412, body = Refusal), (status = 422, body = Refusal)))]
async fn delete_worker_workflow(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let expected = if_match(&headers);
    let deleted = app.workflows.delete(&caller, &id, expected).await;
    deleted.map_err(told_by_worker)?;
    Ok(json(&Deleted {
        status: "ok",
        message: format!("Workflow {id} deleted"),
    }))
}

//! Saved workflows (HTTP spec 6.2).

use axum::extract::State;
use axum::response::Response;
use nodetool_protocol::{Graph, Value};
use nodetool_store::{WorkflowFilter, WorkflowRow};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{Fields, JsonBody, Path, Query};
use super::{ApiError, AppState, Refusal, json, json_response};
use crate::services::{Caller, SaveWorkflow, TimeText, interface_schemas};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_workflows, create_workflow))
        .routes(routes!(get_workflow, update_workflow, delete_workflow))
        .routes(routes!(list_worker_workflows))
        .routes(routes!(get_worker_workflow))
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

/// A workflow as clients see it.
#[derive(Serialize, ToSchema)]
pub(super) struct WorkflowBody {
    id: String,
    access: String,
    created_at: TimeText,
    updated_at: TimeText,
    name: String,
    tool_name: Option<String>,
    description: String,
    #[schema(value_type = Vec<String>)]
    tags: Box<RawValue>,
    thumbnail: String,
    thumbnail_url: Option<String>,
    #[schema(value_type = Object)]
    graph: Box<RawValue>,
    #[schema(value_type = Object)]
    input_schema: Value,
    #[schema(value_type = Object)]
    output_schema: Value,
    #[schema(value_type = Option<Object>)]
    settings: Option<Box<RawValue>>,
    package_name: Option<String>,
    path: Option<String>,
    run_mode: Option<String>,
    workspace_id: Option<String>,
    required_providers: Option<Vec<String>>,
    required_models: Option<Vec<String>>,
    html_app: Option<String>,
    etag: String,
}

impl WorkflowBody {
    fn of(row: WorkflowRow) -> Result<Self, ApiError> {
        let raw = |text: &str| {
            RawValue::from_string(text.to_owned())
                .map_err(|e| ApiError::internal("a stored column is no JSON", &e))
        };
        let graph: Graph = serde_json::from_str(&row.graph)
            .map_err(|e| ApiError::internal("a stored graph cannot be read", &e))?;
        let (input_schema, output_schema) = interface_schemas(&graph);
        Ok(WorkflowBody {
            etag: row.etag(),
            tags: raw(&row.tags)?,
            graph: raw(&row.graph)?,
            settings: row.settings.as_deref().map(raw).transpose()?,
            input_schema,
            output_schema,
            id: row.id,
            access: row.access,
            created_at: TimeText(row.created_at),
            updated_at: TimeText(row.updated_at),
            name: row.name,
            tool_name: row.tool_name,
            description: row.description.unwrap_or_default(),
            thumbnail: row.thumbnail.unwrap_or_default(),
            thumbnail_url: row.thumbnail_url,
            package_name: row.package_name,
            path: None,
            run_mode: row.run_mode,
            workspace_id: row.workspace_id,
            required_providers: None,
            required_models: None,
            html_app: row.html_app,
        })
    }
}

#[derive(Serialize, ToSchema)]
struct WorkflowList<T> {
    next: String,
    workflows: Vec<T>,
}

/// Reads a `WorkflowRequest`, naming everything that is wrong with it.
fn read_request(body: JsonBody) -> Result<SaveWorkflow, ApiError> {
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

/// Saves a new workflow.
#[utoipa::path(post, path = "/api/workflows", tag = "workflows", request_body = Object,
    responses((status = 200, body = WorkflowBody), (status = 400, body = Refusal), (status = 422, body = Refusal)))]
async fn create_workflow(
    State(app): State<AppState>,
    caller: Caller,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let row = app.workflows.create(&caller, read_request(body)?).await?;
    Ok(json(&WorkflowBody::of(row)?))
}

/// The caller's workflows, last saved first.
#[utoipa::path(get, path = "/api/workflows", tag = "workflows",
    params(
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<usize>, Query, description = "1 to 1000; 100 when absent"),
        ("columns" = Option<String>, Query, description = "Comma-separated fields the rows are cut down to"),
        ("run_mode" = Option<String>, Query, description = "Only workflows of this run mode"),
    ),
    responses((status = 200, body = WorkflowList<WorkflowBody>), (status = 400, body = Refusal), (status = 422, body = Refusal)))]
async fn list_workflows(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let limit = query.int("limit", 100usize, 1, 1000)?;
    let columns = read_columns(&query)?;
    let filter = WorkflowFilter {
        user_id: Some(caller.user_id),
        run_mode: query
            .text("run_mode")
            .filter(|s| !s.is_empty())
            .map(Into::into),
        ..WorkflowFilter::default()
    };
    let page = app
        .workflows
        .list(filter, limit, query.text("cursor").unwrap_or_default())
        .await?;
    let rows = page
        .rows
        .into_iter()
        .map(WorkflowBody::of)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(match columns {
        None => json(&WorkflowList {
            next: page.next,
            workflows: rows,
        }),
        Some(columns) => {
            let pick = |row: &WorkflowBody| {
                let mut value = serde_json::to_value(row).unwrap_or_default();
                if let Some(map) = value.as_object_mut() {
                    map.retain(|k, _| columns.iter().any(|c| c == k));
                }
                value
            };
            json(&WorkflowList {
                next: page.next,
                workflows: rows.iter().map(pick).collect(),
            })
        }
    })
}

fn read_columns(query: &Query) -> Result<Option<Vec<String>>, ApiError> {
    let Some(text) = query.text("columns").filter(|t| !t.is_empty()) else {
        return Ok(None);
    };
    let columns: Vec<String> = text.split(',').map(|c| c.trim().to_owned()).collect();
    match columns.iter().find(|c| !COLUMNS.contains(&c.as_str())) {
        Some(unknown) => {
            let unknown: String = unknown.chars().take(40).collect();
            Err(ApiError::bad_request(format!(
                "Unknown column '{unknown}'; expected some of {}",
                COLUMNS.join(", ")
            )))
        }
        None => Ok(Some(columns)),
    }
}

/// The caller's workflows, up to 1000, as a worker lists them.
#[utoipa::path(get, path = "/workflows", tag = "worker",
    responses((status = 200, body = WorkflowList<WorkflowBody>)))]
async fn list_worker_workflows(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let filter = WorkflowFilter {
        user_id: Some(caller.user_id),
        ..WorkflowFilter::default()
    };
    let page = app.workflows.list(filter, 1000, "").await?;
    let workflows = page
        .rows
        .into_iter()
        .map(WorkflowBody::of)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(json(&WorkflowList {
        next: page.next,
        workflows,
    }))
}

/// One workflow of the caller's own, or a public one.
#[utoipa::path(get, path = "/api/workflows/{id}", tag = "workflows", params(("id" = String, Path)),
    responses((status = 200, body = WorkflowBody), (status = 404, body = Refusal)))]
async fn get_workflow(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, ApiError> {
    let row = app.workflows.get(&caller, &id).await?;
    Ok(json(&WorkflowBody::of(row)?))
}

/// Changes a workflow, or creates it under this id.
#[utoipa::path(put, path = "/api/workflows/{id}", tag = "workflows", params(("id" = String, Path)), request_body = Object,
    responses((status = 200, body = WorkflowBody), (status = 400, body = Refusal), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn update_workflow(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    if id.is_empty() || id.len() > 128 || !id.chars().all(plain) {
        let msg = "expected 1 to 128 letters, digits, '_', '.', ':' or '-'";
        return Err(ApiError::invalid(vec![FieldError::at(
            "value_error",
            &["path", "id"],
            msg,
        )]));
    }
    let row = app
        .workflows
        .save(&caller, &id, read_request(body)?)
        .await?;
    Ok(json(&WorkflowBody::of(row)?))
}

/// Deletes a workflow; answers `null`.
#[utoipa::path(delete, path = "/api/workflows/{id}", tag = "workflows", params(("id" = String, Path)),
    responses((status = 200), (status = 404, body = Refusal)))]
async fn delete_workflow(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, ApiError> {
    app.workflows.delete(&caller, &id).await?;
    Ok(json_response(bytes::Bytes::from_static(b"null")))
}

/// One workflow, as a worker gives it.
#[utoipa::path(get, path = "/workflows/{id}", tag = "worker", params(("id" = String, Path)),
    responses((status = 200, body = WorkflowBody), (status = 404, body = Refusal)))]
async fn get_worker_workflow(
    state: State<AppState>,
    caller: Caller,
    id: Path,
) -> Result<Response, ApiError> {
    get_workflow(state, caller, id).await
}

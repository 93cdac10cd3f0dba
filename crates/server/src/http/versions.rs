//! Versions of workflows and autosaves (HTTP spec 6.2).

use std::str::FromStr;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::Response;
use nodetool_protocol::{Graph, Value};
use nodetool_store::{Autosaved, VersionRow};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::conditions::with_etag;
use super::error::FieldError;
use super::extract::{Fields, GraphBody, JsonBody, Path, Query};
use super::{ApiError, AppState, Refusal, json, json_response};
use crate::services::workflow_body::{Beyond, WorkflowBody, write};
use crate::services::{Autosave, Caller, SaveType, TimeText};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_versions, create_version))
        .routes(routes!(get_version, delete_version))
        .routes(routes!(restore_version))
        .routes(routes!(autosave_workflow))
}

/// A version as clients see it.
#[derive(Serialize, ToSchema)]
struct WorkflowVersion {
    id: String,
    workflow_id: String,
    version: i64,
    created_at: TimeText,
    name: String,
    description: String,
    #[schema(value_type = Object)]
    graph: Box<RawValue>,
    save_type: String,
    #[schema(value_type = Object)]
    autosave_metadata: Box<RawValue>,
}

impl WorkflowVersion {
    fn of(row: VersionRow) -> Result<Self, ApiError> {
        let raw = |text: &str| {
            RawValue::from_string(text.to_owned())
                .map_err(|e| ApiError::internal("a stored version cannot be read", &e))
        };
        Ok(WorkflowVersion {
            graph: raw(&row.graph)?,
            autosave_metadata: raw(&row.autosave_metadata)?,
            id: row.id,
            workflow_id: row.workflow_id,
            version: row.version,
            created_at: TimeText(row.created_at),
            name: row.name,
            description: row.description,
            save_type: row.save_type,
        })
    }
}

#[derive(Serialize, ToSchema)]
struct WorkflowVersionList {
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    next: Option<String>,
    versions: Vec<WorkflowVersion>,
}

/// What becomes of an autosave.
#[derive(Serialize, ToSchema)]
struct AutosaveResponse {
    #[schema(required)]
    version: Option<WorkflowVersion>,
    message: &'static str,
    skipped: bool,
}

/// What a version is called.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct CreateVersion {
    name: Option<String>,
    description: Option<String>,
}

/// What an editor wants saved by the way.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct AutosaveRequest {
    /// `autosave`, `manual`, `checkpoint` or `restore`; `autosave` when absent.
    #[schema(pattern = "^(autosave|manual|checkpoint|restore)$")]
    save_type: Option<String>,
    description: Option<String>,
    /// Saves however short ago the last autosave was.
    force: Option<bool>,
    client_id: Option<String>,
    /// The graph to save; what is no graph, or absent, gives way to the stored one.
    #[schema(value_type = Option<Object>)]
    graph: Option<Value>,
    /// Autosaves to keep; 0 or absent for as many as the settings say.
    #[schema(minimum = 0)]
    max_versions: Option<i64>,
}

/// The two variable parts of the path of a version.
struct VersionPath {
    workflow: String,
    version: String,
}

impl FromRequestParts<AppState> for VersionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let path = axum::extract::Path::<(String, String)>::from_request_parts(parts, app).await;
        match path {
            Ok(path) => Ok(VersionPath {
                workflow: path.0.0,
                version: path.0.1,
            }),
            Err(_) => Err(ApiError::invalid(vec![FieldError::at(
                "string_unicode",
                &["path"],
                "the path is no UTF-8 after percent-decoding",
            )])),
        }
    }
}

impl VersionPath {
    fn number(&self) -> Result<i64, ApiError> {
        i64::from_str(&self.version).map_err(|_| {
            let msg = "Input should be a valid integer, unable to parse string as an integer";
            let mut error = FieldError::at("int_parsing", &["path", "version"], msg);
            error.input = Some(self.version.chars().take(256).collect());
            ApiError::invalid(vec![error])
        })
    }
}

/// Keeps the graph of a workflow as its next version.
#[utoipa::path(post, path = "/api/workflows/{id}/versions", tag = "versions", params(("id" = String, Path)),
    request_body = CreateVersion,
    responses((status = 200, body = WorkflowVersion), (status = 404, body = Refusal), (status = 413, body = Refusal),
        (status = 422, body = Refusal)))]
async fn create_version(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    GraphBody(body): GraphBody,
) -> Result<Response, ApiError> {
    let mut f = Fields::new(body.object()?);
    let name = f.text("name").unwrap_or_default();
    let description = f.text("description").unwrap_or_default();
    f.finish()?;
    let row = app.versions.create(&caller, &id, name, description).await?;
    Ok(json(&WorkflowVersion::of(row)?))
}

/// The versions of a workflow, newest first.
#[utoipa::path(get, path = "/api/workflows/{id}/versions", tag = "versions",
    params(
        ("id" = String, Path),
        ("cursor" = Option<i64>, Query, description = "`next` of the page before: only versions below it"),
        ("limit" = Option<i64>, Query, description = "1 to 1000; 100 when absent"),
    ),
    responses((status = 200, body = WorkflowVersionList), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn list_versions(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    query: Query,
) -> Result<Response, ApiError> {
    let limit = query.int("limit", 100usize, 1, 1000)?;
    let below = query.int("cursor", i64::MAX, i64::MIN, i64::MAX)?;
    let (rows, next) = app.versions.list(&caller, &id, below, limit).await?;
    let versions = rows.into_iter().map(WorkflowVersion::of);
    Ok(json(&WorkflowVersionList {
        next: next.map(|n| n.to_string()),
        versions: versions.collect::<Result<_, _>>()?,
    }))
}

/// One version, by its number.
#[utoipa::path(get, path = "/api/workflows/{id}/versions/{version}", tag = "versions",
    params(("id" = String, Path), ("version" = String, Path, description = "Number of the version; row id to delete")),
    responses((status = 200, body = WorkflowVersion), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_version(
    State(app): State<AppState>,
    caller: Caller,
    path: VersionPath,
) -> Result<Response, ApiError> {
    let number = path.number()?;
    let row = app.versions.get(&caller, &path.workflow, number).await?;
    Ok(json(&WorkflowVersion::of(row)?))
}

/// Deletes a version, by its row id.
#[utoipa::path(delete, path = "/api/workflows/{id}/versions/{version}", tag = "versions",
    params(("id" = String, Path), ("version" = String, Path, description = "Row id of the version")),
    responses((status = 200, body = Object), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn delete_version(
    State(app): State<AppState>,
    caller: Caller,
    path: VersionPath,
) -> Result<Response, ApiError> {
    app.versions
        .delete(&caller, &path.workflow, &path.version)
        .await?;
    Ok(json_response(bytes::Bytes::from_static(
        b"{\"success\":true}",
    )))
}

/// Puts the graph of a version, by its number, in place of the workflow's own.
#[utoipa::path(post, path = "/api/workflows/{id}/versions/{version}/restore", tag = "versions",
    params(("id" = String, Path), ("version" = i64, Path, description = "Number of the version")),
    responses((status = 200, body = WorkflowBody), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn restore_version(
    State(app): State<AppState>,
    caller: Caller,
    path: VersionPath,
) -> Result<Response, ApiError> {
    let number = path.number()?;
    let row = app
        .versions
        .restore(&caller, &path.workflow, number)
        .await?;
    Ok(with_etag(
        json_response(write(&row, Beyond::default())),
        &row.etag(),
    ))
}

/// Saves what an editor shows as a version, unless that was done a moment ago or there is nothing in it.
#[utoipa::path(post, path = "/api/workflows/{id}/autosave", tag = "versions", params(("id" = String, Path)),
    request_body = Option<AutosaveRequest>,
    responses((status = 200, body = AutosaveResponse), (status = 404, body = Refusal), (status = 413, body = Refusal),
        (status = 422, body = Refusal)))]
async fn autosave_workflow(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    GraphBody(body): GraphBody,
) -> Result<Response, ApiError> {
    let request = read_autosave(body)?;
    let (version, message) = match app.versions.autosave(&caller, &id, request).await? {
        Autosaved::Saved(row) => (Some(WorkflowVersion::of(*row)?), "autosaved"),
        Autosaved::TooSoon => (None, "skipped (too soon)"),
        Autosaved::Empty => (None, "skipped (empty workflow)"),
    };
    Ok(json(&AutosaveResponse {
        skipped: version.is_none(),
        version,
        message,
    }))
}

fn read_autosave(body: JsonBody) -> Result<Autosave, ApiError> {
    let mut f = Fields::new(body.object_or_empty()?);
    let word = f.text("save_type");
    let save_type = word
        .as_deref()
        .map_or(Some(SaveType::Autosave), SaveType::of);
    if save_type.is_none() {
        let msg = format!("Input should be '{}'", SaveType::WORDS.join("' or '"));
        let mut error = FieldError::at("enum", &["body", "save_type"], msg);
        error.input = word.map(|w| w.chars().take(80).collect());
        f.refuse([error]);
    }
    let force = match f.take("force") {
        None => false,
        Some(Value::Bool(force)) => force,
        Some(other) => {
            f.refuse([wrong("bool_type", "force", "boolean", &other)]);
            false
        }
    };
    let max_versions = match f.take("max_versions") {
        None => None,
        Some(Value::Int(n)) => match usize::try_from(n) {
            Ok(n) => Some(n),
            Err(_) => {
                let msg = "Input should be greater than or equal to 0";
                let place = &["body", "max_versions"];
                f.refuse([FieldError::at("greater_than_equal", place, msg)]);
                None
            }
        },
        Some(other) => {
            f.refuse([wrong("int_type", "max_versions", "integer", &other)]);
            None
        }
    };
    let graph = f.object("graph").map(Value::from);
    let autosave = Autosave {
        save_type: save_type.unwrap_or(SaveType::Autosave),
        description: f.text("description").unwrap_or_default(),
        force,
        client_id: f.text("client_id"),
        graph: graph.and_then(|graph| Graph::from_value(graph).ok()),
        max_versions,
    };
    f.finish()?;
    Ok(autosave)
}

fn wrong(kind: &'static str, key: &str, expected: &str, got: &Value) -> FieldError {
    let msg = format!("Input should be a valid {expected}");
    let mut error = FieldError::at(kind, &["body", key], msg);
    error.input = Some(got.preview(80));
    error
}

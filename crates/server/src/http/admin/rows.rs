//! Rows of the tables that a deployment carries over, as they are stored.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, NaiveDateTime};
use nodetool_protocol::{Graph, Value};
use nodetool_store::{AssetRow, WorkflowRow, now_micros};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::assets::{raw, size};
use super::super::error::FieldError;
use super::super::extract::{Fields, JsonBody, Path, PathPair};
use super::super::gate::Admin;
use super::super::workflows::check_new_id;
use super::super::{ApiError, AppState, Refusal, json};
use super::assets::check_texts;
use super::{DONE, Done, note};
use crate::services::{OWNER, TimeText, to_json};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(save_row))
        .routes(routes!(get_row, delete_row))
}

/// The tables whose rows are carried over.
#[derive(Clone, Copy)]
enum Table {
    Workflows,
    Assets,
}

impl Table {
    fn parse(name: &str) -> Result<Self, ApiError> {
        match name {
            "workflows" => Ok(Table::Workflows),
            "assets" => Ok(Table::Assets),
            _ => Err(not_found()),
        }
    }
}

fn not_found() -> ApiError {
    ApiError::not_found("Not found")
}

/// The same text for every row that is not there.
fn plain<E: Into<ApiError>>(e: E) -> ApiError {
    let e: ApiError = e.into();
    if e.is_not_found() { not_found() } else { e }
}

#[derive(Serialize)]
struct WorkflowRecord {
    id: String,
    user_id: String,
    access: String,
    created_at: TimeText,
    updated_at: TimeText,
    name: String,
    tool_name: Option<String>,
    tags: Option<Box<RawValue>>,
    description: Option<String>,
    package_name: Option<String>,
    thumbnail: Option<String>,
    thumbnail_url: Option<String>,
    settings: Option<Box<RawValue>>,
    receive_clipboard: bool,
    run_mode: Option<String>,
    workspace_id: Option<String>,
    input_schema: Option<Box<RawValue>>,
    output_schema: Option<Box<RawValue>>,
    html_app: Option<String>,
    graph: Option<Box<RawValue>>,
}

impl WorkflowRecord {
    fn of(row: WorkflowRow) -> Result<Self, ApiError> {
        Ok(WorkflowRecord {
            tags: raw(Some(&row.tags))?,
            settings: raw(row.settings.as_deref())?,
            input_schema: raw(row.input_schema.as_deref())?,
            output_schema: raw(row.output_schema.as_deref())?,
            graph: raw(Some(&row.graph))?,
            id: row.id,
            user_id: row.user_id,
            access: row.access,
            created_at: TimeText(row.created_at),
            updated_at: TimeText(row.updated_at),
            name: row.name,
            tool_name: row.tool_name,
            description: row.description,
            package_name: row.package_name,
            thumbnail: row.thumbnail,
            thumbnail_url: row.thumbnail_url,
            receive_clipboard: row.receive_clipboard,
            run_mode: row.run_mode,
            workspace_id: row.workspace_id,
            html_app: row.html_app,
        })
    }
}

#[derive(Serialize)]
struct AssetRecord {
    id: String,
    user_id: String,
    workflow_id: Option<String>,
    parent_id: String,
    file_id: String,
    name: String,
    content_type: String,
    size: Option<i64>,
    metadata: Option<Box<RawValue>>,
    created_at: TimeText,
    updated_at: TimeText,
    duration: Option<f64>,
    node_id: Option<String>,
    job_id: Option<String>,
}

impl AssetRecord {
    fn of(row: AssetRow) -> Result<Self, ApiError> {
        Ok(AssetRecord {
            metadata: raw(row.metadata.as_deref())?,
            id: row.id,
            user_id: row.user_id,
            workflow_id: row.workflow_id,
            parent_id: row.parent_id,
            file_id: row.file_id,
            name: row.name,
            content_type: row.content_type,
            size: row.size,
            created_at: TimeText(row.created_at),
            updated_at: TimeText(row.updated_at),
            duration: row.duration,
            node_id: row.node_id,
            job_id: row.job_id,
        })
    }
}

/// A time as ISO 8601 text, with or without its offset from UTC; now when it is not given.
fn time(f: &mut Fields, key: &str) -> i64 {
    let Some(text) = f.text(key) else {
        return now_micros();
    };
    let read = DateTime::parse_from_rfc3339(&text).map(|time| time.timestamp_micros());
    let bare = || {
        let text = text.replacen(' ', "T", 1);
        let time = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f");
        time.map(|time| time.and_utc().timestamp_micros())
    };
    read.or_else(|_| bare()).unwrap_or_else(|_| {
        let msg = "Input should be a valid datetime, like 2026-01-02T03:04:05Z";
        let mut error = FieldError::at("datetime_parsing", &["body", key], msg);
        error.input = Some(text.chars().take(80).collect());
        f.refuse([error]);
        0
    })
}

fn read_workflow(mut f: Fields) -> Result<(WorkflowRow, Graph), ApiError> {
    let graph = f.take("graph");
    let (created_at, updated_at) = (time(&mut f, "created_at"), time(&mut f, "updated_at"));
    let row = WorkflowRow {
        id: f.required_text("id"),
        user_id: f.text("user_id").unwrap_or_else(|| OWNER.into()),
        access: if f.is_absent("access") {
            "private".into()
        } else {
            f.required_word("access", &["private", "public"])
        },
        created_at,
        updated_at,
        name: f.required_text("name"),
        tool_name: f.text("tool_name"),
        tags: to_json(&f.texts("tags").unwrap_or_default()),
        description: f.text("description"),
        package_name: f.text("package_name"),
        thumbnail: f.text("thumbnail"),
        thumbnail_url: f.text("thumbnail_url"),
        settings: f.object("settings").map(|s| to_json(&Value::from(s))),
        receive_clipboard: f.flag("receive_clipboard").unwrap_or_default(),
        run_mode: f.text("run_mode"),
        workspace_id: f.text("workspace_id"),
        html_app: f.text("html_app"),
        ..WorkflowRow::default()
    };
    let graph = match graph.map(Graph::from_value).transpose() {
        Ok(graph) => graph,
        Err(faults) => {
            f.refuse(faults.iter().map(FieldError::from));
            None
        }
    };
    if !row.id.is_empty() && check_new_id(&row.id).is_err() {
        let msg = "expected 1 to 128 letters, digits, '_', '.', ':' or '-'";
        f.refuse([FieldError::at("value_error", &["body", "id"], msg)]);
    }
    f.finish()?;
    Ok((row, graph.unwrap_or_default()))
}

fn read_asset(mut f: Fields) -> Result<AssetRow, ApiError> {
    let (created_at, updated_at) = (time(&mut f, "created_at"), time(&mut f, "updated_at"));
    let duration = f.take("duration");
    let seconds = duration.as_ref().and_then(Value::as_f64);
    let good = |seconds: &f64| seconds.is_finite() && *seconds >= 0.0;
    if duration.is_some() && seconds.filter(good).is_none() {
        let msg = "Input should be a valid number of at least 0";
        f.refuse([FieldError::at("float_type", &["body", "duration"], msg)]);
    }
    let row = AssetRow {
        id: f.required_text("id"),
        user_id: f.text("user_id").unwrap_or_else(|| OWNER.into()),
        workflow_id: f.text("workflow_id"),
        parent_id: f.text("parent_id").unwrap_or_default(),
        file_id: f.text("file_id").unwrap_or_default(),
        name: f.required_text("name"),
        content_type: f.required_text("content_type"),
        size: size(&mut f),
        metadata: f.object("metadata").map(|m| to_json(&Value::from(m))),
        created_at,
        updated_at,
        duration: seconds,
        node_id: f.text("node_id"),
        job_id: f.text("job_id"),
    };
    f.finish()?;
    check_texts(&row)?;
    Ok(row)
}

/// Stores a row as it is given, in place of one with its id; an id stays its owner's.
#[utoipa::path(post, path = "/admin/db/{table}/save", tag = "system",
    params(("table" = String, Path, description = "`workflows` or `assets`")), request_body = Object,
    responses((status = 200, body = Done), (status = 401, body = Refusal), (status = 403, body = Refusal), (status = 404, body = Refusal), (status = 409, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn save_row(
    State(app): State<AppState>,
    admin: Admin,
    Path(table): Path,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let table = Table::parse(&table)?;
    let fields = Fields::new(body.object()?);
    match table {
        Table::Workflows => {
            let (row, graph) = read_workflow(fields)?;
            let id = row.id.clone();
            app.workflows.put(row, graph).await?;
            note(&admin, "admin.db.save", "workflow", &id);
        }
        Table::Assets => {
            let row = read_asset(fields)?;
            let id = row.id.clone();
            app.assets.put(row).await?;
            note(&admin, "admin.db.save", "asset", &id);
        }
    }
    Ok(json(&DONE))
}

/// A row as it is stored.
#[utoipa::path(get, path = "/admin/db/{table}/{key}", tag = "system",
    params(("table" = String, Path, description = "`workflows` or `assets`"), ("key" = String, Path, description = "Id of the row")),
    responses((status = 200, body = Object), (status = 401, body = Refusal), (status = 403, body = Refusal), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_row(
    State(app): State<AppState>,
    _: Admin,
    PathPair(table, key): PathPair,
) -> Result<Response, ApiError> {
    Ok(match Table::parse(&table)? {
        Table::Workflows => {
            let row = app.workflows.find(&key).await.map_err(plain)?;
            json(&WorkflowRecord::of(row)?)
        }
        Table::Assets => {
            let row = app.assets.find(&key).await.map_err(plain)?;
            json(&AssetRecord::of(row)?)
        }
    })
}

/// Deletes a row and what belongs to it, whoever owns it.
#[utoipa::path(delete, path = "/admin/db/{table}/{key}", tag = "system",
    params(("table" = String, Path, description = "`workflows` or `assets`"), ("key" = String, Path, description = "Id of the row")),
    responses((status = 200, body = Done), (status = 401, body = Refusal), (status = 403, body = Refusal), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn delete_row(
    State(app): State<AppState>,
    admin: Admin,
    PathPair(table, key): PathPair,
) -> Result<Response, ApiError> {
    match Table::parse(&table)? {
        Table::Workflows => {
            app.workflows.remove(&key).await.map_err(plain)?;
            note(&admin, "admin.db.delete", "workflow", &key);
        }
        Table::Assets => {
            app.assets.remove(&key).await.map_err(plain)?;
            note(&admin, "admin.db.delete", "asset", &key);
        }
    }
    Ok(json(&DONE))
}

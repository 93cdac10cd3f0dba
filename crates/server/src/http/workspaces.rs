//! Workspaces and the files in them (HTTP spec 6.17).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{Fields, JsonBody, Path, PathPair, Query};
use super::peer::Peer;
use super::transfer::{FileInfo, Upload, UploadBody, attachment, too_large};
use super::{ApiError, AppState, Refusal, json};
use crate::services::{Caller, FolderError, SaveWorkspace, TimeText, Workspace, WorkspaceError};

/// Longest name in characters.
const MAX_NAME: usize = 256;

/// Longest path in characters.
const MAX_PATH: usize = 4096;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_workspaces, create_workspace))
        .routes(routes!(get_default_workspace))
        .routes(routes!(get_workspace, update_workspace, delete_workspace))
        .routes(routes!(list_workspace_files))
        .routes(routes!(download_workspace_file))
        .routes(routes!(upload_workspace_file))
}

impl From<WorkspaceError> for ApiError {
    fn from(e: WorkspaceError) -> Self {
        match e {
            WorkspaceError::NotFound(_) | WorkspaceError::NoWorkspace => {
                ApiError::not_found(&e.to_string())
            }
            WorkspaceError::BadPath(reason) => ApiError::bad_request(reason),
            WorkspaceError::Linked => ApiError::bad_request(
                "Workspace is used by workflows; give them another workspace first",
            ),
            WorkspaceError::Folder(e) => match e {
                FolderError::Outside => ApiError::new(
                    StatusCode::FORBIDDEN,
                    "Access denied: path outside workspace",
                ),
                FolderError::Missing => ApiError::not_found("Path not found"),
                e => folder_refusal(e),
            },
            WorkspaceError::Workflow(e) => e.into(),
            WorkspaceError::Store(e) => e.into(),
        }
    }
}

/// What both families of files say alike.
pub(super) fn folder_refusal(e: FolderError) -> ApiError {
    match e {
        FolderError::Outside => {
            ApiError::new(StatusCode::FORBIDDEN, "Access to this path is forbidden")
        }
        FolderError::Missing => ApiError::not_found("Path not found"),
        FolderError::Exists => ApiError::new(
            StatusCode::CONFLICT,
            "There is a file or folder of that name",
        ),
        FolderError::TooMany => ApiError::bad_request("The folder has too many entries to list"),
        FolderError::TooLarge { limit } => too_large(limit),
        FolderError::Broken => {
            ApiError::bad_request("The multipart body could not be read to its end")
        }
        FolderError::Io(e) => ApiError::internal("a file operation failed", &e),
    }
}

/// A workspace as clients see it.
#[derive(Serialize, ToSchema)]
struct WorkspaceBody {
    id: String,
    user_id: String,
    name: String,
    path: String,
    is_default: bool,
    is_accessible: bool,
    created_at: TimeText,
    updated_at: TimeText,
}

impl From<Workspace> for WorkspaceBody {
    fn from(workspace: Workspace) -> Self {
        let Workspace { row, is_accessible } = workspace;
        WorkspaceBody {
            id: row.id,
            user_id: row.user_id,
            name: row.name,
            path: row.path,
            is_default: row.is_default,
            is_accessible,
            created_at: TimeText(row.created_at),
            updated_at: TimeText(row.updated_at),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct WorkspaceList {
    workspaces: Vec<WorkspaceBody>,
    next_cursor: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct CreateWorkspace {
    #[schema(min_length = 1, max_length = 256)]
    name: String,
    /// Absolute path of a folder that exists and can be written.
    #[schema(max_length = 4096)]
    path: String,
    is_default: Option<bool>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct UpdateWorkspace {
    #[schema(min_length = 1, max_length = 256)]
    name: Option<String>,
    /// Absolute path of a folder that exists and can be written.
    #[schema(max_length = 4096)]
    path: Option<String>,
    is_default: Option<bool>,
}

fn read_workspace(body: JsonBody, peer: Peer, whole: bool) -> Result<SaveWorkspace, ApiError> {
    let mut f = Fields::new(body.object()?);
    let mut text = |key| {
        if whole {
            Some(f.required_text(key))
        } else {
            f.text(key)
        }
    };
    let (name, path) = (text("name"), text("path"));
    f.at_most("name", name.as_deref(), MAX_NAME);
    f.at_most("path", path.as_deref(), MAX_PATH);
    let is_default = f.flag("is_default");
    let faulty = f.is_faulty();
    if !faulty && name.as_deref() == Some("") {
        let msg = "String should have at least 1 character";
        f.refuse([FieldError::at("string_too_short", &["body", "name"], msg)]);
    }
    f.finish()?;
    Ok(SaveWorkspace {
        name,
        path,
        is_default,
        local: peer.local,
    })
}

/// Makes a folder of the server's machine a workspace.
#[utoipa::path(post, path = "/api/workspaces", tag = "workspaces", request_body = CreateWorkspace,
    responses((status = 201, body = WorkspaceBody), (status = 400, body = Refusal), (status = 413, body = Refusal),
        (status = 422, body = Refusal)))]
async fn create_workspace(
    State(app): State<AppState>,
    caller: Caller,
    Ok(peer): Result<Peer, std::convert::Infallible>,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let save = read_workspace(body, peer, true)?;
    let workspace = app.workspaces.create(&caller, save).await?;
    let body = json(&WorkspaceBody::from(workspace));
    Ok((StatusCode::CREATED, body).into_response())
}

/// The caller's workspaces, last changed first.
#[utoipa::path(get, path = "/api/workspaces", tag = "workspaces",
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<usize>, Query, description = "1 to 1000; 100 when absent"),
    ),
    responses((status = 200, body = WorkspaceList), (status = 422, body = Refusal)))]
async fn list_workspaces(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let limit = query.int("limit", 100usize, 1, 1000)?;
    let cursor = query.text("cursor").unwrap_or_default();
    let page = app.workspaces.list(&caller, limit, cursor).await?;
    Ok(json(&WorkspaceList {
        workspaces: page.rows.into_iter().map(Into::into).collect(),
        next_cursor: page.next,
    }))
}

/// The caller's default workspace, or `null`.
#[utoipa::path(get, path = "/api/workspaces/default", tag = "workspaces",
    responses((status = 200, body = Option<WorkspaceBody>)))]
async fn get_default_workspace(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let workspace = app.workspaces.get_default(&caller).await?;
    Ok(json(&workspace.map(WorkspaceBody::from)))
}

/// One workspace.
#[utoipa::path(get, path = "/api/workspaces/{workspace_id}", tag = "workspaces",
    params(("workspace_id" = String, Path)),
    responses((status = 200, body = WorkspaceBody), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_workspace(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, ApiError> {
    let workspace = app.workspaces.get(&caller, &id).await?;
    Ok(json(&WorkspaceBody::from(workspace)))
}

/// Changes what the body names.
#[utoipa::path(put, path = "/api/workspaces/{workspace_id}", tag = "workspaces",
    params(("workspace_id" = String, Path)), request_body = UpdateWorkspace,
    responses((status = 200, body = WorkspaceBody), (status = 400, body = Refusal), (status = 404, body = Refusal),
        (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn update_workspace(
    State(app): State<AppState>,
    caller: Caller,
    Ok(peer): Result<Peer, std::convert::Infallible>,
    Path(id): Path,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let save = read_workspace(body, peer, false)?;
    let workspace = app.workspaces.update(&caller, &id, save).await?;
    Ok(json(&WorkspaceBody::from(workspace)))
}

/// Forgets a workspace that no workflow uses; its folder stays.
#[utoipa::path(delete, path = "/api/workspaces/{workspace_id}", tag = "workspaces",
    params(("workspace_id" = String, Path)),
    responses((status = 204), (status = 400, body = Refusal), (status = 404, body = Refusal),
        (status = 422, body = Refusal)))]
async fn delete_workspace(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, ApiError> {
    app.workspaces.delete(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What is in a folder of a workflow's workspace, hidden files included. Links are left out.
#[utoipa::path(get, path = "/api/workspaces/workflow/{workflow_id}/files", tag = "workspaces",
    params(
        ("workflow_id" = String, Path),
        ("path" = Option<String>, Query, description = "Relative to the workspace; `.` when absent"),
    ),
    responses((status = 200, body = Vec<FileInfo>), (status = 400, body = Refusal), (status = 403, body = Refusal),
        (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn list_workspace_files(
    State(app): State<AppState>,
    caller: Caller,
    Path(workflow): Path,
    query: Query,
) -> Result<Response, ApiError> {
    let path = query.text("path").unwrap_or(".");
    let entries = app.workspaces.list_files(&caller, &workflow, path).await?;
    let entries: Vec<FileInfo> = entries.into_iter().map(Into::into).collect();
    Ok(json(&entries))
}

/// A file of a workflow's workspace.
#[utoipa::path(get, path = "/api/workspaces/workflow/{workflow_id}/download/{*file_path}", tag = "workspaces",
    params(("workflow_id" = String, Path), ("file_path" = String, Path, description = "Relative to the workspace")),
    responses((status = 200, body = [u8], content_type = "application/octet-stream"),
        (status = 403, body = Refusal), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn download_workspace_file(
    State(app): State<AppState>,
    caller: Caller,
    PathPair(workflow, path): PathPair,
) -> Result<Response, ApiError> {
    let (file, entry) = app.workspaces.read_file(&caller, &workflow, &path).await?;
    Ok(attachment(file, &entry))
}

/// Stores a file in a workflow's workspace, in place of one of that name; folders on the way are created.
#[utoipa::path(post, path = "/api/workspaces/workflow/{workflow_id}/upload/{*file_path}", tag = "workspaces",
    params(("workflow_id" = String, Path), ("file_path" = String, Path, description = "Relative to the workspace")),
    request_body(content = UploadBody, content_type = "multipart/form-data"),
    responses((status = 200, body = FileInfo), (status = 400, body = Refusal), (status = 403, body = Refusal),
        (status = 404, body = Refusal), (status = 409, body = Refusal), (status = 413, body = Refusal),
        (status = 422, body = Refusal)))]
async fn upload_workspace_file(
    State(app): State<AppState>,
    caller: Caller,
    PathPair(workflow, path): PathPair,
    mut upload: Upload,
) -> Result<Response, ApiError> {
    while let Some(part) = upload.next().await? {
        if part.name() == Some("file") {
            let chunks = part.contents();
            let entry = app.workspaces.write_file(&caller, &workflow, &path, chunks);
            return Ok(json(&FileInfo::from(entry.await?)));
        }
    }
    Err(Upload::without_file())
}

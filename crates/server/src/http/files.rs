//! Files of the server's machine, for programs on it (HTTP spec 6.11).

use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, Query};
use super::peer::LocalOnly;
use super::transfer::{FileInfo, Upload, UploadBody, attachment};
use super::workspaces::folder_refusal;
use super::{ApiError, AppState, Refusal, json};
use crate::services::FolderError;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_files))
        .routes(routes!(get_file_info))
        .routes(routes!(download_file))
        .routes(routes!(upload_file))
}

/// What went wrong with a path, which the client has named itself.
fn refusal(e: FolderError, path: &str) -> ApiError {
    match e {
        FolderError::Missing => {
            let path: String = path.chars().take(256).collect();
            ApiError::not_found(&format!("Path not found: {path}"))
        }
        e => folder_refusal(e),
    }
}

/// What is in a folder and not hidden. Links are left out.
#[utoipa::path(get, path = "/api/files/list", tag = "files",
    params(("path" = Option<String>, Query,
        description = "Absolute, or relative to the first shared folder, which `.` and `~` are")),
    responses((status = 200, body = Vec<FileInfo>), (status = 400, body = Refusal), (status = 403, body = Refusal),
        (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn list_files(
    State(app): State<AppState>,
    _: LocalOnly,
    query: Query,
) -> Result<Response, ApiError> {
    let path = query.text("path").unwrap_or(".");
    let entries = app.files.list(path).await;
    let entries = entries.map_err(|e| refusal(e, path))?;
    let entries: Vec<FileInfo> = entries.into_iter().map(Into::into).collect();
    Ok(json(&entries))
}

/// What a path is.
#[utoipa::path(get, path = "/api/files/info", tag = "files",
    params(("path" = String, Query, description = "Absolute, or relative to the first shared folder")),
    responses((status = 200, body = FileInfo), (status = 403, body = Refusal), (status = 404, body = Refusal),
        (status = 422, body = Refusal)))]
async fn get_file_info(
    State(app): State<AppState>,
    _: LocalOnly,
    query: Query,
) -> Result<Response, ApiError> {
    let path = query.required("path")?;
    let entry = app.files.info(path).await;
    let entry = entry.map_err(|e| refusal(e, path))?;
    Ok(json(&FileInfo::from(entry)))
}

/// A file.
#[utoipa::path(get, path = "/api/files/download/{*path}", tag = "files",
    params(("path" = String, Path, description = "Absolute, or relative to the first shared folder")),
    responses((status = 200, body = [u8], content_type = "application/octet-stream"),
        (status = 403, body = Refusal), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn download_file(
    State(app): State<AppState>,
    _: LocalOnly,
    Path(path): Path,
) -> Result<Response, ApiError> {
    let read = app.files.read(&path).await;
    let (file, entry) = read.map_err(|e| refusal(e, &path))?;
    Ok(attachment(file, &entry))
}

/// Stores a file; folders on the way are created.
#[utoipa::path(post, path = "/api/files/upload/{*path}", tag = "files",
    params(
        ("path" = String, Path, description = "Absolute, or relative to the first shared folder"),
        ("overwrite" = Option<bool>, Query, description = "Whether it takes the place of a file of that name"),
    ),
    request_body(content = UploadBody, content_type = "multipart/form-data"),
    responses((status = 200, body = FileInfo), (status = 400, body = Refusal), (status = 403, body = Refusal),
        (status = 404, body = Refusal), (status = 409, body = Refusal), (status = 413, body = Refusal),
        (status = 422, body = Refusal)))]
async fn upload_file(
    State(app): State<AppState>,
    _: LocalOnly,
    Path(path): Path,
    query: Query,
    mut upload: Upload,
) -> Result<Response, ApiError> {
    let overwrite = query.boolean("overwrite", false)?;
    while let Some(part) = upload.next().await? {
        if part.name() == Some("file") {
            let entry = app.files.write(&path, overwrite, part.contents()).await;
            let entry = entry.map_err(|e| refusal(e, &path))?;
            return Ok(json(&FileInfo::from(entry)));
        }
    }
    Err(Upload::without_file())
}

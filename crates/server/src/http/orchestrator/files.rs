//! Files of nodes, and the addresses their contents are read at (spec 3.4).

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use nodetool_store::NodeFileRow;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Envelope;
use super::asked::Parted;
use super::error::EnvelopeBody;
use super::upload::{self, FileForm};
use crate::http::storage::file_response;
use crate::http::{AppState, json};
use crate::services::loops::{check_key, ids};
use crate::services::{Caller, content_types, zulu_text};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_node_files, create_node_file))
        .routes(routes!(upload_node_file))
        .routes(routes!(get_node_file, delete_node_file))
        .routes(routes!(replace_node_file, update_node_file))
        .routes(routes!(read_node_file))
}

/// A file of a node.
#[derive(Serialize, ToSchema)]
struct NodeFile {
    id: String,
    node: String,
    key: String,
    /// Where its contents are.
    file: String,
    created_at: String,
    updated_at: String,
}

/// A form with a file.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct FileUpload {
    /// The node again.
    node: Option<String>,
    /// Its name among the node's files; at most 100 characters, without slashes.
    key: Option<String>,
    /// At most 100 MiB.
    #[schema(format = Binary)]
    file: String,
}

fn encoded(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

fn shown(app: &AppState, row: &NodeFileRow) -> NodeFile {
    let (key, name) = (encoded(&row.key), encoded(&row.file_name));
    let address = app.api_url.trim_end_matches('/');
    NodeFile {
        id: ids::shown(&row.id),
        node: row.node_id.clone(),
        key: row.key.clone(),
        file: format!("{address}/media/node_files/{}/{key}/{name}", row.node_id),
        created_at: zulu_text(row.created_at),
        updated_at: zulu_text(row.updated_at),
    }
}

/// The files of a node.
#[utoipa::path(get, path = "/api/workflow/{workflow_id}/nodes/{node_id}/files", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("node_id" = String, Path)),
    responses((status = 200, body = [NodeFile]), (status = 404, body = EnvelopeBody)))]
async fn list_node_files(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, nid)): Parted<(String, String)>,
) -> Result<Response, Envelope> {
    let place = app.loops.file_place(&caller, &wid, &nid).await?;
    let rows = app.loops.files(&place).await?;
    let files: Vec<_> = rows.iter().map(|row| shown(&app, row)).collect();
    Ok(json(&files))
}

/// Gives a node a file under a key that none of its files has.
#[utoipa::path(post, path = "/api/workflow/{workflow_id}/nodes/{node_id}/files", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("node_id" = String, Path)),
    request_body(content = FileUpload, content_type = "multipart/form-data"),
    responses((status = 201, body = NodeFile), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn create_node_file(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, nid)): Parted<(String, String)>,
    request: Request<Body>,
) -> Result<Response, Envelope> {
    store(&app, &caller, &wid, &nid, request, false).await
}

/// Gives a node a file; one with the same key is replaced.
#[utoipa::path(post, path = "/api/workflow/{workflow_id}/nodes/{node_id}/files/upload", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("node_id" = String, Path)),
    request_body(content = FileUpload, content_type = "multipart/form-data"),
    responses((status = 201, body = NodeFile), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn upload_node_file(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, nid)): Parted<(String, String)>,
    request: Request<Body>,
) -> Result<Response, Envelope> {
    store(&app, &caller, &wid, &nid, request, true).await
}

async fn store(
    app: &AppState,
    caller: &Caller,
    wid: &str,
    nid: &str,
    request: Request<Body>,
    replace: bool,
) -> Result<Response, Envelope> {
    let place = app.loops.file_place(caller, wid, nid).await?;
    let blobs = app.assets.blobs();
    let FileForm { key, node, file } = upload::read(blobs, request).await?;
    let key = key.ok_or_else(|| upload::missing("key"))?;
    check_key(&key)?;
    // A form may name the node again; another one is not meant.
    if let Some(node) = node.filter(|node| !node.is_empty() && !place.is(node)) {
        let node: String = node.chars().take(80).collect();
        let text = format!("Invalid pk \"{node}\" - expected the node of the address.");
        return Err(Envelope::invalid(format!("node: {text}")).field("node", text));
    }
    let (name, contents) = upload::require(file)?;
    let put = app
        .loops
        .put_file(blobs, &place, &key, (&name, contents), replace);
    let row = put.await?;
    Ok((StatusCode::CREATED, json(&shown(app, &row))).into_response())
}

/// One file of a node.
#[utoipa::path(get, path = "/api/workflow/{workflow_id}/nodes/{node_id}/files/{file_id}", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("node_id" = String, Path), ("file_id" = String, Path)),
    responses((status = 200, body = NodeFile), (status = 404, body = EnvelopeBody)))]
async fn get_node_file(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, nid, fid)): Parted<(String, String, String)>,
) -> Result<Response, Envelope> {
    let place = app.loops.file_place(&caller, &wid, &nid).await?;
    let row = app.loops.file(&place, &fid).await?;
    Ok(json(&shown(&app, &row)))
}

/// Takes a file from a node.
#[utoipa::path(delete, path = "/api/workflow/{workflow_id}/nodes/{node_id}/files/{file_id}", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("node_id" = String, Path), ("file_id" = String, Path)),
    responses((status = 204), (status = 404, body = EnvelopeBody)))]
async fn delete_node_file(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, nid, fid)): Parted<(String, String, String)>,
) -> Result<StatusCode, Envelope> {
    let place = app.loops.file_place(&caller, &wid, &nid).await?;
    let blobs = app.assets.blobs();
    app.loops.delete_file(blobs, &place, &fid).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a file other contents; its key stays.
#[utoipa::path(put, path = "/api/workflow/{workflow_id}/nodes/{node_id}/files/{file_id}/update-file", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("node_id" = String, Path), ("file_id" = String, Path)),
    request_body(content = FileUpload, content_type = "multipart/form-data"),
    responses((status = 200, body = NodeFile), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn replace_node_file(
    State(app): State<AppState>,
    caller: Caller,
    Parted(ids): Parted<(String, String, String)>,
    request: Request<Body>,
) -> Result<Response, Envelope> {
    replace(&app, &caller, ids, request).await
}

/// The same.
#[utoipa::path(patch, path = "/api/workflow/{workflow_id}/nodes/{node_id}/files/{file_id}/update-file", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("node_id" = String, Path), ("file_id" = String, Path)),
    request_body(content = FileUpload, content_type = "multipart/form-data"),
    responses((status = 200, body = NodeFile), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn update_node_file(
    State(app): State<AppState>,
    caller: Caller,
    Parted(ids): Parted<(String, String, String)>,
    request: Request<Body>,
) -> Result<Response, Envelope> {
    replace(&app, &caller, ids, request).await
}

async fn replace(
    app: &AppState,
    caller: &Caller,
    (wid, nid, fid): (String, String, String),
    request: Request<Body>,
) -> Result<Response, Envelope> {
    let place = app.loops.file_place(caller, &wid, &nid).await?;
    let before = app.loops.file(&place, &fid).await?;
    let blobs = app.assets.blobs();
    let form = upload::read(blobs, request).await?;
    let (name, contents) = upload::require(form.file)?;
    let put = app
        .loops
        .put_file(blobs, &place, &before.key, (&name, contents), true);
    let row = put.await?;
    Ok(json(&shown(app, &row)))
}

/// The contents of a file of a node, for its owner.
#[utoipa::path(get, path = "/media/node_files/{node_id}/{key}/{filename}", tag = "orchestrator",
    params(("node_id" = String, Path), ("key" = String, Path), ("filename" = String, Path)),
    responses((status = 200, content_type = "*/*"), (status = 206, content_type = "*/*"), (status = 304), (status = 416),
        (status = 404, body = EnvelopeBody)))]
async fn read_node_file(
    State(app): State<AppState>,
    caller: Caller,
    Parted((nid, key, filename)): Parted<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Envelope> {
    let blobs = app.assets.blobs();
    let named = [nid.as_str(), key.as_str(), filename.as_str()];
    let blob = app.loops.open_file(&caller, blobs, named).await?;
    let kind = content_types::type_of_name(&filename);
    Ok(file_response(&headers, blob, kind, None))
}

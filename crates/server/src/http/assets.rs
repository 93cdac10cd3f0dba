//! Assets: files and folders of a user (HTTP spec 6.6).

use std::collections::HashMap;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use nodetool_protocol::{Value, decode_data_uri};
use nodetool_store::{AssetFilter, AssetRow, PlacedAsset};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{Fields, GraphBody, JsonBody, Path, Query};
use super::storage::file_response;
use super::{ApiError, AppState, Refusal, json};
use crate::services::{
    AssetError, Caller, ChangeAsset, CreateAsset, THUMBNAIL, Thumbnail, TimeText,
};

mod upload;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_assets, create_asset))
        .routes(routes!(search_assets))
        .routes(routes!(list_package_assets))
        .routes(routes!(list_assets_of_package))
        .routes(routes!(get_package_asset))
        .routes(routes!(download_assets))
        .routes(routes!(get_asset_by_file_name))
        .routes(routes!(get_asset, update_asset, delete_asset))
        .routes(routes!(get_asset_thumbnail, create_asset_thumbnail))
        .routes(routes!(download_asset))
        .routes(routes!(list_folder_recursively))
        // Uploads are counted while they are written, against a limit of their own.
        .layer(axum::extract::DefaultBodyLimit::disable())
}

/// When an asset was made; the root never was.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Made {
    At(TimeText),
    Never(&'static str),
}

/// An asset as clients see it.
#[derive(Serialize, ToSchema)]
pub(super) struct AssetBody {
    id: String,
    user_id: String,
    workflow_id: Option<String>,
    parent_id: String,
    name: String,
    content_type: String,
    size: Option<i64>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    #[schema(value_type = String)]
    created_at: Made,
    get_url: Option<String>,
    thumb_url: Option<String>,
    duration: Option<f64>,
    node_id: Option<String>,
    job_id: Option<String>,
    etag: Option<String>,
}

pub(super) fn raw(text: Option<&str>) -> Result<Option<Box<RawValue>>, ApiError> {
    let raw = text.map(|text| RawValue::from_string(text.to_owned()));
    raw.transpose()
        .map_err(|e| ApiError::internal("the metadata of an asset is no JSON", &e))
}

fn thumb_url(row: &AssetRow) -> Option<String> {
    let pictured = ["image/", "video/"]
        .iter()
        .any(|kind| row.content_type.starts_with(kind));
    let updated = row.updated_at.div_euclid(1_000_000);
    pictured.then(|| format!("/api/assets/{}/thumbnail?t={updated}", row.id))
}

impl AssetBody {
    pub(super) fn of(app: &AppState, row: AssetRow) -> Result<Self, ApiError> {
        let stored = row.created_at != 0;
        Ok(AssetBody {
            etag: stored.then(|| row.etag()),
            created_at: if stored {
                Made::At(TimeText(row.created_at))
            } else {
                Made::Never("")
            },
            get_url: app.assets.address(&row),
            thumb_url: thumb_url(&row),
            metadata: raw(row.metadata.as_deref())?,
            id: row.id,
            user_id: row.user_id,
            workflow_id: row.workflow_id,
            parent_id: row.parent_id,
            name: row.name,
            content_type: row.content_type,
            size: row.size,
            duration: row.duration,
            node_id: row.node_id,
            job_id: row.job_id,
        })
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct AssetList {
    pub(super) next: String,
    pub(super) assets: Vec<AssetBody>,
}

/// An asset and the folder it is in.
#[derive(Serialize, ToSchema)]
struct AssetWithPath {
    id: String,
    user_id: String,
    workflow_id: Option<String>,
    parent_id: Option<String>,
    name: String,
    content_type: String,
    size: Option<i64>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    created_at: TimeText,
    get_url: Option<String>,
    thumb_url: Option<String>,
    duration: Option<f64>,
    node_id: Option<String>,
    job_id: Option<String>,
    folder_name: String,
    folder_path: String,
    folder_id: String,
}

impl AssetWithPath {
    fn of(app: &AppState, placed: PlacedAsset) -> Result<Self, ApiError> {
        let PlacedAsset { row, folders } = placed;
        let folder_name = folders.last().map_or("Home", String::as_str).to_owned();
        let mut folder_path = "Home".to_owned();
        for folder in &folders {
            folder_path.push_str(" / ");
            folder_path.push_str(folder);
        }
        Ok(AssetWithPath {
            folder_name,
            folder_path,
            folder_id: row.parent_id.clone(),
            get_url: app.assets.address(&row),
            thumb_url: thumb_url(&row),
            metadata: raw(row.metadata.as_deref())?,
            id: row.id,
            user_id: row.user_id,
            workflow_id: row.workflow_id,
            parent_id: Some(row.parent_id),
            name: row.name,
            content_type: row.content_type,
            size: row.size,
            created_at: TimeText(row.created_at),
            duration: row.duration,
            node_id: row.node_id,
            job_id: row.job_id,
        })
    }
}

#[derive(Serialize, ToSchema)]
struct AssetSearch {
    assets: Vec<AssetWithPath>,
    next_cursor: String,
    total_count: usize,
    is_global_search: bool,
}

/// A row as it is stored, with what is in it if it is a folder.
#[derive(Serialize, ToSchema)]
#[schema(no_recursion)]
struct AssetTree {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    user_id: String,
    workflow_id: Option<String>,
    parent_id: String,
    file_id: String,
    name: String,
    content_type: String,
    size: Option<i64>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    created_at: TimeText,
    updated_at: TimeText,
    duration: Option<f64>,
    node_id: Option<String>,
    job_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    children: Option<Vec<AssetTree>>,
}

impl AssetTree {
    fn of(row: AssetRow, children: Vec<AssetTree>) -> Result<Self, ApiError> {
        Ok(AssetTree {
            children: row.is_folder().then_some(children),
            metadata: raw(row.metadata.as_deref())?,
            kind: "asset",
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

    /// The tree of rows that come folder first.
    fn grow(rows: Vec<PlacedAsset>) -> Result<Option<Self>, ApiError> {
        let mut below: HashMap<String, Vec<AssetTree>> = HashMap::new();
        let mut rows = rows.into_iter();
        let top = rows.next();
        for placed in rows.rev() {
            let mut children = below.remove(&placed.row.id).unwrap_or_default();
            // They came last one first.
            children.reverse();
            let parent = placed.row.parent_id.clone();
            let tree = AssetTree::of(placed.row, children)?;
            below.entry(parent).or_default().push(tree);
        }
        let top = top.map(|placed| {
            let mut children = below.remove(&placed.row.id).unwrap_or_default();
            children.reverse();
            AssetTree::of(placed.row, children)
        });
        top.transpose()
    }
}

#[derive(Serialize, ToSchema)]
struct AssetTreeList {
    assets: Vec<AssetTree>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct DeletedAssets {
    pub(super) deleted_asset_ids: Vec<String>,
}

/// A file that comes with a package.
#[derive(Serialize, ToSchema)]
struct PackageAsset {
    id: String,
    name: String,
    package_name: String,
    virtual_path: String,
}

#[derive(Serialize, ToSchema)]
struct PackageAssetList {
    assets: Vec<PackageAsset>,
}

pub(super) fn filled(query: &Query, key: &str) -> Option<String> {
    query
        .text(key)
        .filter(|text| !text.is_empty())
        .map(Into::into)
}

/// The caller's assets; those of the root folder when nothing is asked for.
#[utoipa::path(get, path = "/api/assets", tag = "assets",
    params(
        ("parent_id" = Option<String>, Query, description = "Only those directly in this folder"),
        ("content_type" = Option<String>, Query, description = "Only content types that begin like this"),
        ("workflow_id" = Option<String>, Query, description = "Only those of this workflow"),
        ("node_id" = Option<String>, Query, description = "Only those of this node"),
        ("job_id" = Option<String>, Query, description = "Only those of this job"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
        ("page_size" = Option<usize>, Query, description = "1 to 10000; 10000 when absent"),
        ("limit" = Option<usize>, Query, description = "Another name of `page_size`"),
    ),
    responses((status = 200, body = AssetList), (status = 422, body = Refusal)))]
async fn list_assets(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let limit = query.int(query.spelling("page_size", "limit"), 10_000usize, 1, 10_000)?;
    let filter = AssetFilter {
        parent_id: filled(&query, "parent_id"),
        content_type: filled(&query, "content_type"),
        workflow_id: filled(&query, "workflow_id"),
        node_id: filled(&query, "node_id"),
        job_id: filled(&query, "job_id"),
        ..AssetFilter::default()
    };
    let cursor = query.text("cursor").unwrap_or_default();
    let page = app.assets.list(&caller, filter, limit, cursor).await?;
    let assets = page.rows.into_iter().map(|row| AssetBody::of(&app, row));
    Ok(json(&AssetList {
        next: page.next,
        assets: assets.collect::<Result<_, _>>()?,
    }))
}

/// What a client sends to create an asset.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of the body for the API description")]
struct CreateAssetForm {
    /// The asset as JSON text: `name`, `content_type`, and `workflow_id`, `parent_id`, `metadata`, `size`, `node_id`,
    /// `job_id` where they are known.
    json: String,
    /// Its contents.
    #[schema(value_type = Option<String>, format = Binary, required = false)]
    file: Option<Vec<u8>>,
}

/// Stores a file or makes a folder.
#[utoipa::path(post, path = "/api/assets", tag = "assets",
    request_body(content = CreateAssetForm, content_type = "multipart/form-data"),
    responses((status = 200, body = AssetBody), (status = 400, body = Refusal), (status = 404, body = Refusal), (status = 408, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn create_asset(
    State(app): State<AppState>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let form = upload::read(&app.assets, &caller, request).await?;
    let row = app.assets.create(&caller, form.asset, form.file).await?;
    Ok(json(&AssetBody::of(&app, row)?))
}

/// Assets whose name contains a text, wherever they are.
#[utoipa::path(get, path = "/api/assets/search", tag = "assets",
    params(
        ("query" = String, Query, description = "Text of at least two characters"),
        ("content_type" = Option<String>, Query, description = "Only content types that begin like this"),
        ("page_size" = Option<usize>, Query, description = "1 to 10000; 100 when absent, 200 for 0"),
        ("limit" = Option<usize>, Query, description = "Another name of `page_size`"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, body = AssetSearch), (status = 400, body = Refusal), (status = 422, body = Refusal)))]
async fn search_assets(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let Some(text) = query.text("query") else {
        let missing = FieldError::at("missing", &["query", "query"], "Field required");
        return Err(ApiError::invalid(vec![missing]));
    };
    let named = query.spelling("page_size", "limit");
    let limit = match query.int(named, 100usize, 0, 10_000)? {
        0 => 200,
        limit => limit,
    };
    let content_type = filled(&query, "content_type");
    let cursor = query.text("cursor").unwrap_or_default();
    let found = app
        .assets
        .search(&caller, text, content_type, limit, cursor)
        .await?;
    let assets = found
        .rows
        .into_iter()
        .map(|placed| AssetWithPath::of(&app, placed));
    let assets = assets.collect::<Result<Vec<_>, _>>()?;
    Ok(json(&AssetSearch {
        total_count: assets.len(),
        assets,
        next_cursor: found.next,
        is_global_search: true,
    }))
}

/// Files that come with packages: this server has no packages with files.
#[utoipa::path(get, path = "/api/assets/packages", tag = "assets",
    responses((status = 200, body = PackageAssetList)))]
async fn list_package_assets() -> Response {
    json(&PackageAssetList { assets: Vec::new() })
}

/// Files that come with one package.
#[utoipa::path(get, path = "/api/assets/packages/{package_name}", tag = "assets",
    params(("package_name" = String, Path)),
    responses((status = 200, body = PackageAssetList)))]
async fn list_assets_of_package() -> Response {
    json(&PackageAssetList { assets: Vec::new() })
}

/// A file that comes with a package.
#[utoipa::path(get, path = "/api/assets/packages/{package_name}/{asset_name}", tag = "assets",
    params(("package_name" = String, Path), ("asset_name" = String, Path)),
    responses((status = 404, body = Refusal)))]
async fn get_package_asset() -> ApiError {
    ApiError::not_found("Package asset not found")
}

/// One asset; the caller's own id is the root folder.
#[utoipa::path(get, path = "/api/assets/{id}", tag = "assets", params(("id" = String, Path)),
    responses((status = 200, body = AssetBody), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_asset(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, ApiError> {
    let row = app.assets.get(&caller, &id).await?;
    Ok(json(&AssetBody::of(&app, row)?))
}

/// The asset whose contents are stored under a name.
#[utoipa::path(get, path = "/api/assets/by-filename/{filename}", tag = "assets", params(("filename" = String, Path)),
    responses((status = 200, body = AssetBody), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_asset_by_file_name(
    State(app): State<AppState>,
    caller: Caller,
    Path(name): Path,
) -> Result<Response, ApiError> {
    let row = app.assets.by_file_name(&caller, &name).await?;
    Ok(json(&AssetBody::of(&app, row)?))
}

/// A number of bytes.
pub(super) fn size(f: &mut Fields) -> Option<i64> {
    let value = f.take("size")?;
    let size = match &value {
        Value::Int(size) => Some(*size),
        Value::Float(size) if size.fract() == 0.0 && size.abs() < 9e15 => Some(*size as i64),
        _ => None,
    };
    if size.is_none_or(|size| size < 0) {
        let msg = "Input should be a valid integer of at least 0";
        f.refuse([FieldError::at("int_type", &["body", "size"], msg)]);
        return None;
    }
    size
}

/// Reads an `AssetCreate`.
fn read_create(body: JsonBody) -> Result<CreateAsset, ApiError> {
    let mut f = Fields::new(body.object()?);
    let create = CreateAsset {
        name: f.required_text("name"),
        content_type: f.required_text("content_type"),
        parent_id: f.text("parent_id").filter(|id| !id.is_empty()),
        workflow_id: f.text("workflow_id").filter(|id| !id.is_empty()),
        node_id: f.text("node_id"),
        job_id: f.text("job_id"),
        metadata: f.object("metadata"),
        size: size(&mut f),
    };
    f.finish()?;
    Ok(create)
}

/// Reads an `AssetUpdate`; what is empty changes nothing.
fn read_change(body: JsonBody) -> Result<ChangeAsset, ApiError> {
    let mut f = Fields::new(body.object()?);
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let mut change = ChangeAsset {
        name: some(f.text("name")),
        parent_id: some(f.text("parent_id")),
        content_type: some(f.text("content_type")),
        metadata: f.object("metadata").filter(|m| !m.is_empty()),
        size: size(&mut f).filter(|size| *size != 0),
        data: None,
    };
    let data = some(f.text("data"));
    let encoding = some(f.text("data_encoding"));
    match (data, encoding.as_deref()) {
        (None, _) => {}
        (Some(text), None) => change.data = Some(text.into()),
        (Some(text), Some("base64")) => {
            let plain = match decode_data_uri(&text) {
                Some(Value::Bytes(bytes)) => Some(bytes),
                _ => STANDARD.decode(text.trim()).ok().map(Into::into),
            };
            match plain {
                Some(bytes) => change.data = Some(bytes),
                None => f.refuse([FieldError::at(
                    "value_error",
                    &["body", "data"],
                    "Input should be valid base64",
                )]),
            }
        }
        (Some(_), Some(_)) => f.refuse([FieldError::at(
            "enum",
            &["body", "data_encoding"],
            "Input should be 'base64'",
        )]),
    }
    f.finish()?;
    Ok(change)
}

/// Changes an asset: its name, folder, type, metadata or contents.
#[utoipa::path(put, path = "/api/assets/{id}", tag = "assets", params(("id" = String, Path)), request_body = Object,
    responses((status = 200, body = AssetBody), (status = 404, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn update_asset(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    GraphBody(body): GraphBody,
) -> Result<Response, ApiError> {
    let row = app.assets.update(&caller, &id, read_change(body)?).await?;
    Ok(json(&AssetBody::of(&app, row)?))
}

/// Deletes an asset and all that is in it.
#[utoipa::path(delete, path = "/api/assets/{id}", tag = "assets", params(("id" = String, Path)),
    responses((status = 200, body = DeletedAssets), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn delete_asset(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, ApiError> {
    let deleted_asset_ids = app.assets.delete(&caller, &id).await?;
    Ok(json(&DeletedAssets { deleted_asset_ids }))
}

/// Makes the thumbnail of a video; this server has no video decoder, so it says so.
#[utoipa::path(post, path = "/api/assets/{id}/thumbnail", tag = "assets", params(("id" = String, Path)),
    responses((status = 200, body = AssetBody), (status = 400, body = Refusal), (status = 404, body = Refusal), (status = 422, body = Refusal), (status = 501, body = Refusal)))]
async fn create_asset_thumbnail(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, ApiError> {
    let row = app.assets.make_video_thumbnail(&caller, &id).await?;
    Ok(json(&AssetBody::of(&app, row)?))
}

/// A small JPEG of an image.
#[utoipa::path(get, path = "/api/assets/{id}/thumbnail", tag = "assets",
    params(
        ("id" = String, Path),
        ("width" = Option<u32>, Query, description = "64 to 1024; 512 when absent"),
        ("height" = Option<u32>, Query, description = "64 to 1024; 512 when absent"),
    ),
    responses((status = 200, body = Vec<u8>, content_type = "image/jpeg"), (status = 206, body = Vec<u8>, content_type = "image/jpeg"), (status = 304), (status = 400, body = Refusal), (status = 404, body = Refusal), (status = 416), (status = 422, body = Refusal), (status = 500, body = Refusal)))]
async fn get_asset_thumbnail(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let width = query.int("width", THUMBNAIL, 64, 1024)?;
    let height = query.int("height", THUMBNAIL, 64, 1024)?;
    let jpeg = "image/jpeg";
    let mut response = match app.assets.thumbnail(&caller, &id, width, height).await? {
        Thumbnail::Stored(blob) => file_response(&headers, blob, jpeg, None),
        Thumbnail::Made(bytes) => ([(header::CONTENT_TYPE, jpeg)], bytes).into_response(),
    };
    let private = HeaderValue::from_static("private, max-age=86400");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, private);
    Ok(response)
}

/// Which assets to pack.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of the body for the API description")]
struct DownloadAssets {
    asset_ids: Vec<String>,
}

/// Assets as a ZIP archive; folders with all that is in them.
#[utoipa::path(post, path = "/api/assets/download", tag = "assets", request_body = DownloadAssets,
    responses((status = 200, body = Vec<u8>, content_type = "application/zip"), (status = 400, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal), (status = 503, body = Refusal)))]
async fn download_assets(
    State(app): State<AppState>,
    caller: Caller,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let mut f = Fields::new(body.object()?);
    let ids = f.texts("asset_ids");
    if ids.is_none() {
        f.refuse(missing_ids());
    }
    f.finish()?;
    let archive = app.assets.archive(&caller, ids.unwrap_or_default()).await?;
    let pieces = stream::unfold(archive, |mut archive| async move {
        let piece = archive.next().await?;
        Some((piece, archive))
    });
    let name = chrono::Utc::now().format("attachment; filename=assets_%Y%m%d_%H%M%S.zip");
    let headers = [
        (header::CONTENT_TYPE, "application/zip"),
        (header::CACHE_CONTROL, "no-store, no-cache, must-revalidate"),
        (header::PRAGMA, "no-cache"),
        (header::EXPIRES, "0"),
    ];
    let named = [(header::CONTENT_DISPOSITION, name.to_string())];
    Ok((StatusCode::OK, headers, named, Body::from_stream(pieces)).into_response())
}

fn missing_ids() -> [FieldError; 1] {
    [FieldError::at(
        "missing",
        &["body", "asset_ids"],
        "Field required",
    )]
}

/// The contents of an asset, or a range of them, to be saved as a file.
#[utoipa::path(get, path = "/api/assets/{id}/download", tag = "assets", params(("id" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "*/*"), (status = 206, body = Vec<u8>, content_type = "*/*"), (status = 304), (status = 404, body = Refusal), (status = 416), (status = 422, body = Refusal)))]
async fn download_asset(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (row, blob) = app
        .assets
        .open_asset(&caller, &id)
        .await
        .map_err(|e| match e {
            AssetError::NoContents => ApiError::not_found("The asset has no file"),
            e => e.into(),
        })?;
    let name = Some(row.name.as_str());
    Ok(file_response(&headers, blob, &row.content_type, name))
}

/// A folder with all that is in it.
#[utoipa::path(get, path = "/api/assets/{id}/recursive", tag = "assets", params(("id" = String, Path)),
    responses((status = 200, body = AssetTreeList), (status = 422, body = Refusal)))]
async fn list_folder_recursively(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, ApiError> {
    let rows = app.assets.walk(&caller, &id).await?;
    let assets = AssetTree::grow(rows)?.into_iter().collect();
    Ok(json(&AssetTreeList { assets }))
}

//! Files by key: contents of assets and temporary files, over every family of routes that serves them (HTTP spec 6.7).
//!
//! The families differ in who may come in, how far they reach, and what a deletion answers; all else is the same.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::StreamExt;
use nodetool_store::{BlobCondition, BlobKey};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::conditions::{if_match, if_none_match};
use super::extract::Path;
use super::gate::Admin;
use super::openapi::shapes::Nothing;
use super::{ApiError, AppState, Refusal, json_response};
use crate::services::{AssetError, Bucket, Caller, Incoming, Reach};

mod reply;

pub(super) use reply::file_response;

/// How long a sender may keep the server waiting for the next bytes.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a refused file that are still read, so that its sender gets to see the refusal.
pub(super) const DISCARD_LIMIT: u64 = 64 << 20;

/// The caller's own files.
pub(super) fn router() -> OpenApiRouter<AppState> {
    // A description has no word for the rest of a path, so the routes are mounted by hand.
    let described = OpenApiRouter::<AppState>::new()
        .routes(routes!(
            get_stored_file,
            put_stored_file,
            delete_stored_file
        ))
        .routes(routes!(get_temp_file, put_temp_file, delete_temp_file))
        .into_openapi();
    OpenApiRouter::with_openapi(described)
        .route(
            "/api/storage/{*key}",
            get(get_stored_file)
                .put(put_stored_file)
                .delete(delete_stored_file),
        )
        .route(
            "/api/storage/temp/{*key}",
            get(get_temp_file)
                .put(put_temp_file)
                .delete(delete_temp_file),
        )
}

/// Files under the addresses of a deployed server: for administration, and to read.
pub(super) fn deploy_router() -> OpenApiRouter<AppState> {
    let described = OpenApiRouter::<AppState>::new()
        .routes(routes!(get_any_file, put_any_file, delete_any_file))
        .routes(routes!(
            get_admin_temp_file,
            put_admin_temp_file,
            delete_admin_temp_file
        ))
        .routes(routes!(get_public_file))
        .routes(routes!(get_public_asset_file))
        .routes(routes!(get_public_temp_file))
        .into_openapi();
    OpenApiRouter::with_openapi(described)
        .route(
            "/admin/storage/assets/{*key}",
            get(get_any_file).put(put_any_file).delete(delete_any_file),
        )
        .route(
            "/admin/storage/temp/{*key}",
            get(get_admin_temp_file)
                .put(put_admin_temp_file)
                .delete(delete_admin_temp_file),
        )
        .route("/storage/{*key}", get(get_public_file))
        .route("/storage/assets/{*key}", get(get_public_asset_file))
        .route("/storage/temp/{*key}", get(get_public_temp_file))
}

/// Whoever reads stored files: a caller, or anybody where storage is public.
struct Reader(Reach);

impl FromRequestParts<AppState> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await;
        if app.door.public_storage {
            return Ok(Reader(Reach::Public(caller.ok())));
        }
        Ok(Reader(Reach::Own(caller?)))
    }
}

/// How far one reaches who was let in like this, and what they are told of a deletion.
trait Entry {
    const ADMINISTERS: bool;
    fn reach(self) -> Reach;
}

impl Entry for Caller {
    const ADMINISTERS: bool = false;
    fn reach(self) -> Reach {
        Reach::Own(self)
    }
}

impl Entry for Admin {
    const ADMINISTERS: bool = true;
    fn reach(self) -> Reach {
        Reach::All(self.0)
    }
}

impl Entry for Reader {
    const ADMINISTERS: bool = false;
    fn reach(self) -> Reach {
        self.0
    }
}

/// Notes what was changed by way of administration.
fn note(reach: &Reach, event: &str, bucket: Bucket, key: &BlobKey) {
    if let Reach::All(caller) = reach {
        let key = key.as_str();
        tracing::info!(target: "audit", event, user.id = %caller.user_id, storage.bucket = ?bucket, storage.key = key, "stored file changed by administration");
    }
}

async fn read<E: Entry>(
    app: &AppState,
    entry: E,
    bucket: Bucket,
    key: &str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let key = BlobKey::parse(key).map_err(AssetError::from)?;
    let opened = app.assets.open_key(&entry.reach(), bucket, &key).await;
    let (blob, content_type) = opened?;
    Ok(file_response(headers, blob, &content_type, None))
}

async fn write<E: Entry>(
    app: &AppState,
    entry: E,
    bucket: Bucket,
    key: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let key = BlobKey::parse(key).map_err(AssetError::from)?;
    let reach = entry.reach();
    let condition = BlobCondition {
        matches: if_match(headers),
        matches_not: if_none_match(headers),
    };
    let begun = app
        .assets
        .begin_put(&reach, bucket, &key, condition, declared(headers));
    let (slot, mut upload) = begun.await?;
    check_length(headers, app.assets.upload_limit())?;
    receive(body, &mut upload).await?;
    app.assets.finish_put(slot, upload).await?;
    note(&reach, "admin.storage.put", bucket, &key);
    Ok(StatusCode::OK.into_response())
}

async fn remove<E: Entry>(
    app: &AppState,
    entry: E,
    bucket: Bucket,
    key: &str,
) -> Result<Response, ApiError> {
    let key = BlobKey::parse(key).map_err(AssetError::from)?;
    let reach = entry.reach();
    match app.assets.delete_key(&reach, bucket, &key).await {
        Ok(()) if E::ADMINISTERS => {
            note(&reach, "admin.storage.delete", bucket, &key);
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Ok(()) => Ok(json_response(Bytes::from_static(b"null"))),
        Err(AssetError::NoContents) => Ok(StatusCode::NOT_FOUND.into_response()),
        Err(e) => Err(e.into()),
    }
}

/// The handlers, each with its description; what they do stands above.
macro_rules! handlers {
    ($($(#[$doc:meta])* read $name:ident $path:literal $entry:ident $bucket:ident [$($refusal:literal)*];)*) => {$(
        $(#[$doc])*
        #[utoipa::path(get, path = $path, tag = "storage",
            params(("key" = String, Path, description = "Key of the file; may hold slashes")),
            responses((status = 200, body = Vec<u8>, content_type = "*/*"), (status = 206, body = Vec<u8>, content_type = "*/*"), (status = 304), (status = 400, body = Refusal), $((status = $refusal, body = Refusal),)* (status = 404, body = Refusal), (status = 416), (status = 422, body = Refusal)))]
        async fn $name(
            State(app): State<AppState>,
            entry: $entry,
            Path(key): Path,
            headers: HeaderMap,
        ) -> Result<Response, ApiError> {
            read(&app, entry, Bucket::$bucket, &key, &headers).await
        }
    )*};
    ($($(#[$doc:meta])* write $name:ident $path:literal $entry:ident $bucket:ident [$($refusal:literal)*];)*) => {$(
        $(#[$doc])*
        #[utoipa::path(put, path = $path, tag = "storage",
            params(("key" = String, Path, description = "Key of the file; may hold slashes"),
                ("if-match" = Option<String>, Header, description = "Only replace a file with one of these etags, or any for `*`"),
                ("if-none-match" = Option<String>, Header, description = "Replace no file with one of these etags, or none at all for `*`")),
            request_body(content = Vec<u8>, content_type = "application/octet-stream"),
            responses((status = 200), (status = 400, body = Refusal), $((status = $refusal, body = Refusal),)* (status = 404, body = Refusal), (status = 408, body = Refusal), (status = 411, body = Refusal), (status = 412, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal)))]
        async fn $name(
            State(app): State<AppState>,
            entry: $entry,
            Path(key): Path,
            headers: HeaderMap,
            body: Body,
        ) -> Result<Response, ApiError> {
            write(&app, entry, Bucket::$bucket, &key, &headers, body).await
        }
    )*};
    ($($(#[$doc:meta])* remove $name:ident $path:literal $entry:ident $bucket:ident $answer:tt [$($refusal:literal)*];)*) => {$(
        $(#[$doc])*
        #[utoipa::path(delete, path = $path, tag = "storage",
            params(("key" = String, Path, description = "Key of the file; may hold slashes")),
            responses($answer, (status = 400, body = Refusal), $((status = $refusal, body = Refusal),)* (status = 404), (status = 422, body = Refusal)))]
        async fn $name(
            State(app): State<AppState>,
            entry: $entry,
            Path(key): Path,
        ) -> Result<Response, ApiError> {
            remove(&app, entry, Bucket::$bucket, &key).await
        }
    )*};
}

handlers! {
    /// A stored file, or a range of it.
    read get_stored_file "/api/storage/{key}" Caller Assets [];
    /// A temporary file of the caller's, or a range of it.
    read get_temp_file "/api/storage/temp/{key}" Caller Temp [];
    /// Any stored file, whoever owns it.
    read get_any_file "/admin/storage/assets/{key}" Admin Assets [401 403];
    /// A temporary file of the administrator's.
    read get_admin_temp_file "/admin/storage/temp/{key}" Admin Temp [401 403];
    /// A stored file under its short address.
    read get_public_file "/storage/{key}" Reader Assets [];
    /// A stored file under its worker address.
    read get_public_asset_file "/storage/assets/{key}" Reader Assets [];
    /// A temporary file under its worker address.
    read get_public_temp_file "/storage/temp/{key}" Reader Temp [];
}

handlers! {
    /// Stores the body as a file, in place of one that is there.
    write put_stored_file "/api/storage/{key}" Caller Assets [];
    /// Keeps the body as a temporary file for a day.
    write put_temp_file "/api/storage/temp/{key}" Caller Temp [];
    /// Stores the body as any file, whoever owns it.
    write put_any_file "/admin/storage/assets/{key}" Admin Assets [401 403];
    /// Keeps the body as a temporary file of the administrator's.
    write put_admin_temp_file "/admin/storage/temp/{key}" Admin Temp [401 403];
}

handlers! {
    /// Deletes a file; answers `null`.
    remove delete_stored_file "/api/storage/{key}" Caller Assets (status = 200, body = Nothing) [];
    /// Deletes a temporary file; answers `null`.
    remove delete_temp_file "/api/storage/temp/{key}" Caller Temp (status = 200, body = Nothing) [];
    /// Deletes any file, whoever owns it.
    remove delete_any_file "/admin/storage/assets/{key}" Admin Assets (status = 204) [401 403];
    /// Deletes a temporary file of the administrator's.
    remove delete_admin_temp_file "/admin/storage/temp/{key}" Admin Temp (status = 204) [401 403];
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// Refuses a body that says it is too large, and one that does not say where it ends.
fn check_length(headers: &HeaderMap, limit: u64) -> Result<(), ApiError> {
    match declared(headers) {
        // One that is only a little too large is read, so that its sender sees the answer.
        Some(length) if length > limit.saturating_add(DISCARD_LIMIT) => {
            Err(AssetError::TooLarge { limit }.into())
        }
        Some(length) if length > limit && headers.contains_key(header::EXPECT) => {
            Err(AssetError::TooLarge { limit }.into())
        }
        None if !headers.contains_key(header::TRANSFER_ENCODING) => Err(ApiError::new(
            StatusCode::LENGTH_REQUIRED,
            "Content-Length or Transfer-Encoding: chunked is required",
        )),
        _ => Ok(()),
    }
}

/// Streams a body into an upload. What is too large is read on for a while, but not kept.
async fn receive(body: Body, upload: &mut Incoming) -> Result<(), ApiError> {
    let mut pieces = body.into_data_stream();
    let mut refused: Option<(AssetError, u64)> = None;
    loop {
        let piece = tokio::time::timeout(PATIENCE, pieces.next());
        let piece = match piece.await {
            Ok(None) => break,
            Ok(Some(piece)) => piece.map_err(|e| {
                tracing::debug!(error = %e, "a body could not be read");
                ApiError::bad_request("The body could not be read to its end")
            })?,
            Err(_) => return Err(too_slow()),
        };
        match &mut refused {
            None => {
                if let Err(e) = upload.write(&piece).await {
                    refused = Some((e, 0));
                }
            }
            Some((_, discarded)) => {
                *discarded += piece.len() as u64;
                if *discarded > DISCARD_LIMIT {
                    break;
                }
            }
        }
    }
    refused.map_or(Ok(()), |(error, _)| Err(error.into()))
}

/// The sender has kept the server waiting for too long.
pub(super) fn too_slow() -> ApiError {
    ApiError::new(
        StatusCode::REQUEST_TIMEOUT,
        "The body did not come in time; nothing came for 60 seconds",
    )
}

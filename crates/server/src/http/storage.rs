//! Files by key: contents of assets, temporary files, ranges and caching (HTTP spec 6.7).

use std::io;
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use nodetool_store::{Blob, BlobInfo, BlobKey, Upload};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::Path;
use super::hygiene::Embeddable;
use super::openapi::shapes::Nothing;
use super::{ApiError, AppState, Refusal, json_response};
use crate::services::{AssetError, Bucket, Caller, content_types};

/// How long a sender may keep the server waiting for the next bytes.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a refused file that are still read, so that its sender gets to see the refusal.
pub(super) const DISCARD_LIMIT: u64 = 64 << 20;

pub(super) fn router() -> OpenApiRouter<AppState> {
    // A description has no word for the rest of a path, so the routes are mounted by hand.
    let described = OpenApiRouter::<AppState>::new()
        .routes(routes!(
            get_stored_file,
            put_stored_file,
            delete_stored_file
        ))
        .routes(routes!(get_temp_file, put_temp_file, delete_temp_file))
        .routes(routes!(get_public_file))
        .routes(routes!(get_public_asset_file))
        .routes(routes!(get_public_temp_file))
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
        .route("/storage/{*key}", get(get_public_file))
        .route("/storage/assets/{*key}", get(get_public_asset_file))
        .route("/storage/temp/{*key}", get(get_public_temp_file))
}

async fn read(
    app: &AppState,
    caller: &Caller,
    bucket: Bucket,
    key: &str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let key = BlobKey::parse(key).map_err(AssetError::from)?;
    let (blob, content_type) = app.assets.open_key(caller, bucket, &key).await?;
    Ok(file_response(headers, blob, &content_type, None))
}

async fn write(
    app: &AppState,
    caller: &Caller,
    bucket: Bucket,
    key: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let key = BlobKey::parse(key).map_err(AssetError::from)?;
    let (slot, mut upload) = app.assets.begin_put(caller, bucket, &key).await?;
    check_length(headers, app.assets.upload_limit())?;
    receive(body, &mut upload).await?;
    app.assets.finish_put(slot, upload).await?;
    Ok(StatusCode::OK.into_response())
}

async fn remove(
    app: &AppState,
    caller: &Caller,
    bucket: Bucket,
    key: &str,
) -> Result<Response, ApiError> {
    let key = BlobKey::parse(key).map_err(AssetError::from)?;
    match app.assets.delete_key(caller, bucket, &key).await {
        Ok(()) => Ok(json_response(Bytes::from_static(b"null"))),
        Err(AssetError::NoContents) => Ok(StatusCode::NOT_FOUND.into_response()),
        Err(e) => Err(e.into()),
    }
}

/// A stored file, or a range of it.
#[utoipa::path(get, path = "/api/storage/{key}", tag = "storage",
    params(("key" = String, Path, description = "Key of the file; may hold slashes")),
    responses((status = 200, body = Vec<u8>, content_type = "*/*"), (status = 206, body = Vec<u8>, content_type = "*/*"), (status = 304), (status = 400, body = Refusal), (status = 404, body = Refusal), (status = 416), (status = 422, body = Refusal)))]
async fn get_stored_file(
    State(app): State<AppState>,
    caller: Caller,
    Path(key): Path,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    read(&app, &caller, Bucket::Assets, &key, &headers).await
}

/// Stores the body as a file, in place of one that is there.
#[utoipa::path(put, path = "/api/storage/{key}", tag = "storage",
    params(("key" = String, Path, description = "Key of the file; may hold slashes")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200), (status = 400, body = Refusal), (status = 404, body = Refusal), (status = 408, body = Refusal), (status = 411, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn put_stored_file(
    State(app): State<AppState>,
    caller: Caller,
    Path(key): Path,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    write(&app, &caller, Bucket::Assets, &key, &headers, body).await
}

/// Deletes a file; answers `null`.
#[utoipa::path(delete, path = "/api/storage/{key}", tag = "storage",
    params(("key" = String, Path, description = "Key of the file; may hold slashes")),
    responses((status = 200, body = Nothing), (status = 400, body = Refusal), (status = 404), (status = 422, body = Refusal)))]
async fn delete_stored_file(
    State(app): State<AppState>,
    caller: Caller,
    Path(key): Path,
) -> Result<Response, ApiError> {
    remove(&app, &caller, Bucket::Assets, &key).await
}

/// A temporary file of the caller's, or a range of it.
#[utoipa::path(get, path = "/api/storage/temp/{key}", tag = "storage",
    params(("key" = String, Path, description = "Key of the file; may hold slashes")),
    responses((status = 200, body = Vec<u8>, content_type = "*/*"), (status = 206, body = Vec<u8>, content_type = "*/*"), (status = 304), (status = 400, body = Refusal), (status = 404, body = Refusal), (status = 416), (status = 422, body = Refusal)))]
async fn get_temp_file(
    State(app): State<AppState>,
    caller: Caller,
    Path(key): Path,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    read(&app, &caller, Bucket::Temp, &key, &headers).await
}

/// Keeps the body as a temporary file for a day.
#[utoipa::path(put, path = "/api/storage/temp/{key}", tag = "storage",
    params(("key" = String, Path, description = "Key of the file; may hold slashes")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200), (status = 400, body = Refusal), (status = 408, body = Refusal), (status = 411, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn put_temp_file(
    State(app): State<AppState>,
    caller: Caller,
    Path(key): Path,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    write(&app, &caller, Bucket::Temp, &key, &headers, body).await
}

/// Deletes a temporary file; answers `null`.
#[utoipa::path(delete, path = "/api/storage/temp/{key}", tag = "storage",
    params(("key" = String, Path, description = "Key of the file; may hold slashes")),
    responses((status = 200, body = Nothing), (status = 400, body = Refusal), (status = 404), (status = 422, body = Refusal)))]
async fn delete_temp_file(
    State(app): State<AppState>,
    caller: Caller,
    Path(key): Path,
) -> Result<Response, ApiError> {
    remove(&app, &caller, Bucket::Temp, &key).await
}

/// A stored file under its short address.
#[utoipa::path(get, path = "/storage/{key}", tag = "storage",
    params(("key" = String, Path, description = "Key of the file; may hold slashes")),
    responses((status = 200, body = Vec<u8>, content_type = "*/*"), (status = 206, body = Vec<u8>, content_type = "*/*"), (status = 304), (status = 400, body = Refusal), (status = 404, body = Refusal), (status = 416), (status = 422, body = Refusal)))]
async fn get_public_file(
    state: State<AppState>,
    caller: Caller,
    key: Path,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    get_stored_file(state, caller, key, headers).await
}

/// A stored file under its worker address.
#[utoipa::path(get, path = "/storage/assets/{key}", tag = "storage",
    params(("key" = String, Path, description = "Key of the file; may hold slashes")),
    responses((status = 200, body = Vec<u8>, content_type = "*/*"), (status = 206, body = Vec<u8>, content_type = "*/*"), (status = 304), (status = 400, body = Refusal), (status = 404, body = Refusal), (status = 416), (status = 422, body = Refusal)))]
async fn get_public_asset_file(
    state: State<AppState>,
    caller: Caller,
    key: Path,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    get_stored_file(state, caller, key, headers).await
}

/// A temporary file under its worker address.
#[utoipa::path(get, path = "/storage/temp/{key}", tag = "storage",
    params(("key" = String, Path, description = "Key of the file; may hold slashes")),
    responses((status = 200, body = Vec<u8>, content_type = "*/*"), (status = 206, body = Vec<u8>, content_type = "*/*"), (status = 304), (status = 400, body = Refusal), (status = 404, body = Refusal), (status = 416), (status = 422, body = Refusal)))]
async fn get_public_temp_file(
    state: State<AppState>,
    caller: Caller,
    key: Path,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    get_temp_file(state, caller, key, headers).await
}

/// Refuses a body that says it is too large, and one that does not say where it ends.
fn check_length(headers: &HeaderMap, limit: u64) -> Result<(), ApiError> {
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    match length {
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
async fn receive(body: Body, upload: &mut Upload) -> Result<(), ApiError> {
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
                    refused = Some((e.into(), 0));
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

/// A file, a part of it, or that nothing has changed. Pages may show it within themselves, as they do with documents;
/// what could act there comes sandboxed and as an attachment.
pub(super) fn file_response(
    request: &HeaderMap,
    blob: Blob,
    content_type: &str,
    file_name: Option<&str>,
) -> Response {
    let file = answer_of(request, blob, content_type, file_name);
    (Extension(Embeddable), file).into_response()
}

fn answer_of(
    request: &HeaderMap,
    blob: Blob,
    content_type: &str,
    file_name: Option<&str>,
) -> Response {
    let info = blob.info().clone();
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, text(&format!("\"{}\"", info.etag)));
    headers.insert(header::LAST_MODIFIED, text(&http_date(info.modified)));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if is_unchanged(request, &info) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let known = HeaderValue::from_str(content_type);
    let known = known.unwrap_or(HeaderValue::from_static(content_types::UNKNOWN));
    headers.insert(header::CONTENT_TYPE, known);
    if content_types::is_active(content_type) {
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("sandbox"),
        );
        let attachment = HeaderValue::from_static("attachment");
        headers.insert(header::CONTENT_DISPOSITION, attachment);
    }
    if let Some(name) = file_name {
        headers.insert(header::CONTENT_DISPOSITION, attachment(name));
    }
    let whole = 0..info.size;
    let (status, range) = match range_of(request, &info) {
        Wanted::All => (StatusCode::OK, whole),
        Wanted::Part(range) => {
            let (first, last) = (range.start, range.end.saturating_sub(1));
            let value = text(&format!("bytes {first}-{last}/{}", info.size));
            headers.insert(header::CONTENT_RANGE, value);
            (StatusCode::PARTIAL_CONTENT, range)
        }
        Wanted::Beyond => {
            let value = text(&format!("bytes */{}", info.size));
            headers.insert(header::CONTENT_RANGE, value);
            headers.remove(header::CONTENT_TYPE);
            return (StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response();
        }
    };
    let length = range.end - range.start;
    headers.insert(header::CONTENT_LENGTH, length.into());
    let reader = blob.read(range.start, length);
    let pieces = stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        match reader.next().await {
            Ok(None) => None,
            Ok(Some(piece)) => Some((Ok(piece), Some(reader))),
            Err(e) => {
                tracing::error!(error = %e, "a stored file could not be read to its end");
                Some((Err(io::Error::other(e)), None))
            }
        }
    });
    (status, headers, Body::from_stream(pieces)).into_response()
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

/// That a file is to be saved under this name.
fn attachment(name: &str) -> HeaderValue {
    let plain: String = name
        .chars()
        .map(|c| match c {
            '"' | '\\' | '/' => '_',
            c if c.is_ascii_graphic() || c == ' ' => c,
            _ => '_',
        })
        .take(200)
        .collect();
    let mut encoded = String::new();
    for byte in name.bytes().take(600) {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    text(&format!(
        "attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    ))
}

fn http_date(time: SystemTime) -> String {
    let time: DateTime<Utc> = time.into();
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Whether the client has this already. A tag is better than a date and decides alone.
fn is_unchanged(request: &HeaderMap, info: &BlobInfo) -> bool {
    if let Some(tags) = header_text(request, header::IF_NONE_MATCH) {
        return tags.split(',').any(|tag| {
            let tag = tag.trim();
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            tag == "*" || tag.trim_matches('"') == info.etag
        });
    }
    header_text(request, header::IF_MODIFIED_SINCE)
        .and_then(read_date)
        .is_some_and(|date| seconds(info.modified) <= date)
}

/// Seconds since 1970 of a date in a header. The name of the day says nothing that the rest does not.
fn read_date(text: &str) -> Option<i64> {
    let date = text.split_once(',').map_or(text, |(_, date)| date);
    let date = DateTime::parse_from_rfc2822(date.trim()).ok()?;
    Some(date.timestamp())
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    Beyond,
}

/// The range a request asks for, as far as the file goes. What is no single range asks for all.
fn range_of(request: &HeaderMap, info: &BlobInfo) -> Wanted {
    if let Some(condition) = header_text(request, header::IF_RANGE) {
        let date = http_date(info.modified);
        if condition.trim_matches('"') != info.etag && condition != date {
            return Wanted::All;
        }
    }
    let range = header_text(request, header::RANGE);
    range.map_or(Wanted::All, |range| parse_range(range, info.size))
}

fn parse_range(range: &str, size: u64) -> Wanted {
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // A number too large for us is beyond any file all the same.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let Some((unit, range)) = range.split_once('=') else {
        return Wanted::All;
    };
    let Some((first, last)) = range.trim().split_once('-') else {
        return Wanted::All;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::All;
    }
    match (number(first.trim()), number(last.trim())) {
        (None, Some(0)) if first.trim().is_empty() => Wanted::Beyond,
        (None, Some(_)) if first.trim().is_empty() && size == 0 => Wanted::Beyond,
        (None, Some(n)) if first.trim().is_empty() => Wanted::Part(size.saturating_sub(n)..size),
        (Some(first), None) if last.trim().is_empty() && first < size => Wanted::Part(first..size),
        (Some(_), None) if last.trim().is_empty() => Wanted::Beyond,
        (Some(first), Some(last)) if first > last => Wanted::All,
        (Some(first), Some(_)) if first >= size => Wanted::Beyond,
        (Some(first), Some(last)) => Wanted::Part(first..size.min(last.saturating_add(1))),
        _ => Wanted::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_59_ranges_are_brought_into_the_file() {
        for (range, wanted) in [
            ("bytes=1-2", Wanted::Part(1..3)),
            ("bytes=1-", Wanted::Part(1..5)),
            ("bytes=-2", Wanted::Part(3..5)),
            ("bytes=-9", Wanted::Part(0..5)),
            ("bytes=0-99", Wanted::Part(0..5)),
            ("bytes=9-", Wanted::Beyond),
            ("bytes=5-9", Wanted::Beyond),
            ("bytes=-0", Wanted::Beyond),
            ("bytes=99999999999999999999-", Wanted::Beyond),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=3-1", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes", Wanted::All),
            ("lines=1-2", Wanted::All),
            ("bytes=+1-2", Wanted::All),
        ] {
            assert_eq!(parse_range(range, 5), wanted, "{range}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Wanted::Beyond);
        assert_eq!(parse_range("bytes=-1", 0), Wanted::Beyond);
    }

    #[test]
    fn a_file_name_cannot_leave_its_header() {
        let value = attachment("a\"b\r\nx: ü/\\.png");
        let value = value.to_str().unwrap();
        assert_eq!(
            value,
            "attachment; filename=\"a_b__x: ___.png\"; filename*=UTF-8''a%22b%0D%0Ax%3A%20%C3%BC%2F%5C.png"
        );
    }
}

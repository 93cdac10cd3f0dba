//! Files as they go over the wire: multipart uploads and downloads, both streamed.

use std::io;

use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::io::AsyncReadExt;
use utoipa::ToSchema;

use super::error::FieldError;
use super::paced::{MAX_PARTS, Pace, paced};
use super::storage::{PATIENCE, too_slow};
use super::{ApiError, AppState};
use crate::services::{Entry, TimeText};

/// Bytes of a body beyond its file, and of a file beyond its limit, that are still read.
const SLACK: u64 = 65 << 20;

/// Bytes read from a file at once.
const CHUNK: usize = 256 << 10;

/// A file or folder as clients see it.
#[derive(Serialize, ToSchema)]
pub(super) struct FileInfo {
    name: String,
    path: String,
    size: u64,
    is_dir: bool,
    modified_at: TimeText,
}

impl From<Entry> for FileInfo {
    fn from(entry: Entry) -> Self {
        FileInfo {
            name: entry.name,
            path: entry.path,
            size: entry.size,
            is_dir: entry.is_dir,
            modified_at: TimeText(entry.modified_at),
        }
    }
}

/// The multipart body of an upload, for the API description.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
pub(super) struct UploadBody {
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// A multipart body no larger than an upload may be.
pub(super) struct Upload {
    form: Multipart,
    pace: Pace,
    parts: usize,
}

/// A part of a multipart body.
pub(super) struct Part<'a> {
    field: Field<'a>,
    pace: Pace,
}

impl<'a> Part<'a> {
    /// What the sender calls it.
    pub(super) fn name(&self) -> Option<&str> {
        self.field.name()
    }

    /// What the sender calls the file.
    pub(super) fn file_name(&self) -> Option<&str> {
        self.field.file_name()
    }

    /// Its bytes, as they come.
    pub(super) fn contents(self) -> impl Stream<Item = io::Result<Bytes>> + Unpin + use<'a> {
        let chunks = stream::unfold(self, |mut part| async move {
            let chunk = match tokio::time::timeout(PATIENCE, part.field.chunk()).await {
                Ok(Ok(chunk)) => Ok(chunk?),
                Ok(Err(e)) => Err(io::Error::other(e)),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            };
            part.pace.progress();
            Some((chunk, part))
        });
        Box::pin(chunks)
    }
}

impl FromRequest<AppState> for Upload {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        let most = app.upload_limit.saturating_add(SLACK);
        let headers = request.headers();
        let declared: u64 = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|v| v.to_str().ok()?.parse().ok())
            .unwrap_or(0);
        // One that waits to be asked for its body has not sent it yet.
        let waits = headers.contains_key(header::EXPECT);
        if declared > most || (waits && declared > app.upload_limit.saturating_add(1 << 20)) {
            return Err(too_large(app.upload_limit));
        }
        let (mut request, pace) = paced(request, most);
        DefaultBodyLimit::disable().apply(&mut request);
        match Multipart::from_request(request, app).await {
            Ok(form) => Ok(Upload {
                form,
                pace,
                parts: 0,
            }),
            Err(_) => {
                let msg = "expected a multipart/form-data body with a part named file";
                let error = FieldError::at("missing", &["body", "file"], msg);
                Err(ApiError::invalid(vec![error]))
            }
        }
    }
}

impl Upload {
    /// The next part; one that is not read to its end is skipped.
    pub(super) async fn next(&mut self) -> Result<Option<Part<'_>>, ApiError> {
        if self.parts == MAX_PARTS {
            let text = format!("The form has more than {MAX_PARTS} parts");
            return Err(ApiError::bad_request(text));
        }
        self.parts += 1;
        let field = tokio::time::timeout(PATIENCE, self.form.next_field()).await;
        let field = field.map_err(|_| too_slow())?.map_err(|e| broken(&e))?;
        self.pace.progress();
        let pace = self.pace.clone();
        Ok(field.map(|field| Part { field, pace }))
    }

    /// What an upload is told that has no part named `file`.
    pub(super) fn without_file() -> ApiError {
        let error = FieldError::at("missing", &["body", "file"], "Field required");
        ApiError::invalid(vec![error])
    }
}

fn broken(e: &MultipartError) -> ApiError {
    tracing::debug!(error = %e, "a multipart body could not be read");
    ApiError::bad_request("The multipart body could not be read to its end")
}

/// What an upload is told that is larger than the limit.
pub(super) fn too_large(limit: u64) -> ApiError {
    let text = format!("The file is larger than {limit} bytes");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, text)
}

/// A file for the client to keep.
pub(super) fn attachment(file: std::fs::File, entry: &Entry) -> Response {
    let file = tokio::fs::File::from_std(file);
    let chunks = stream::try_unfold((file, entry.size), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let room = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        let mut chunk = vec![0; room];
        let read = file.read(&mut chunk).await?;
        if read == 0 {
            // Shorter than it was announced: the client has to see that something is missing.
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        chunk.truncate(read);
        Ok::<_, io::Error>(Some((Bytes::from(chunk), (file, left - read as u64))))
    });
    let mut response = Body::from_stream(chunks).into_response();
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_LENGTH, entry.size.into());
    if let Ok(value) = HeaderValue::from_str(&disposition(&entry.name)) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// The name in plain letters for old clients and in full for the others.
fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| match c {
            '"' | '\\' | '%' => '_',
            c if c == ' ' || c.is_ascii_graphic() => c,
            _ => '_',
        })
        .collect();
    let mut whole = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            whole.push(char::from(byte));
        } else {
            whole.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_its_header() {
        assert_eq!(
            disposition("a\"b\r\nc ä.txt"),
            "attachment; filename=\"a_b__c _.txt\"; filename*=UTF-8''a%22b%0D%0Ac%20%C3%A4.txt"
        );
    }
}

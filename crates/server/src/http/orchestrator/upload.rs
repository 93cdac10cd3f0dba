//! A form with one file, streamed to where it is kept: its parts in any order, nothing held as a whole.

use axum::body::Body;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::header;
use bytes::Bytes;
use nodetool_store::{BlobError, Blobs, Upload};

use super::asked::unsupported;
use super::{Envelope, ErrorCode};
use crate::http::paced::{MAX_PARTS, Pace, paced};
use crate::http::storage::{DISCARD_LIMIT, PATIENCE, too_slow};
use crate::services::loops::{EditError, MAX_FILE};

/// Bytes that all parts but the file may have.
const OVERHEAD: u64 = 1 << 20;

/// What the form held.
pub(super) struct FileForm {
    pub(super) key: Option<String>,
    pub(super) node: Option<String>,
    /// The name the file came with, and its contents.
    pub(super) file: Option<(String, Upload)>,
}

fn too_large() -> Envelope {
    EditError::from(BlobError::TooLarge { limit: MAX_FILE }).into()
}

fn unreadable(e: &MultipartError) -> Envelope {
    tracing::debug!(error = %e, "a form could not be read");
    Envelope::invalid("Multipart form parse error - the form could not be read to its end")
}

fn slow() -> Envelope {
    too_slow().into()
}

/// Reads the form; a file that is too large is read on for a while, so that its sender sees the refusal.
pub(super) async fn read(blobs: &Blobs, request: Request<Body>) -> Result<FileForm, Envelope> {
    let headers = request.headers();
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("multipart/form-data") {
        return Err(unsupported(headers));
    }
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    let waits = headers.contains_key(header::EXPECT);
    let most = MAX_FILE + OVERHEAD;
    let readable = most + if waits { 0 } else { DISCARD_LIMIT };
    if length.is_some_and(|length| length > readable) {
        return Err(too_large());
    }
    let (mut request, pace) = paced(request, most + DISCARD_LIMIT);
    DefaultBodyLimit::disable().apply(&mut request);
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|e| {
        Envelope::invalid(format!("Multipart form parse error - {}", e.body_text()))
    })?;
    let mut read = FileForm {
        key: None,
        node: None,
        file: None,
    };
    let mut room = OVERHEAD;
    for _ in 0..=MAX_PARTS {
        let part = tokio::time::timeout(PATIENCE, form.next_field()).await;
        let part = part.map_err(|_| slow())?.map_err(|e| unreadable(&e))?;
        let Some(part) = part else {
            return Ok(read);
        };
        pace.progress();
        let name = part.name().unwrap_or_default().to_owned();
        if name == "file" && read.file.is_none() {
            let file_name = part.file_name().map(str::to_owned);
            let file_name = file_name.unwrap_or_else(|| "file".to_owned());
            let upload = blobs.upload(MAX_FILE).await.map_err(EditError::from)?;
            read.file = Some((file_name, contents(upload, part, &pace).await?));
            continue;
        }
        let text = text(part, &pace, &mut room).await?;
        match name.as_str() {
            "key" => read.key = Some(text.trim().to_owned()),
            "node" => read.node = Some(text.trim().to_owned()),
            _ => {}
        }
    }
    Err(Envelope::invalid(format!(
        "The form has more than {MAX_PARTS} parts"
    )))
}

async fn next(part: &mut Field<'_>, pace: &Pace) -> Result<Option<Bytes>, Envelope> {
    let piece = tokio::time::timeout(PATIENCE, part.chunk()).await;
    let piece = piece.map_err(|_| slow())?.map_err(|e| unreadable(&e))?;
    pace.progress();
    Ok(piece)
}

async fn text(mut part: Field<'_>, pace: &Pace, room: &mut u64) -> Result<String, Envelope> {
    let mut bytes = Vec::new();
    while let Some(piece) = next(&mut part, pace).await? {
        *room = room.checked_sub(piece.len() as u64).ok_or_else(|| {
            let text = "The parts of the form other than the file are larger than 1 MiB";
            Envelope::new(ErrorCode::TooLarge, text)
        })?;
        bytes.extend_from_slice(&piece);
    }
    String::from_utf8(bytes).map_err(|_| Envelope::invalid("A field of the form is no UTF-8 text"))
}

async fn contents(
    mut upload: Upload,
    mut part: Field<'_>,
    pace: &Pace,
) -> Result<Upload, Envelope> {
    let mut refused: Option<(BlobError, u64)> = None;
    while let Some(piece) = next(&mut part, pace).await? {
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
    match refused {
        None => Ok(upload),
        Some((error, _)) => Err(EditError::from(error).into()),
    }
}

/// A part that has to be there.
pub(super) fn missing(name: &str) -> Envelope {
    let text = "This field is required.";
    Envelope::invalid(format!("{name}: {text}")).field(name, text)
}

/// A form without a file is one whose file is missing.
pub(super) fn require(file: Option<(String, Upload)>) -> Result<(String, Upload), Envelope> {
    file.ok_or_else(|| missing("file"))
}

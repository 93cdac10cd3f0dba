//! The form that creates an asset: its parts in any order, its file streamed to where it is kept.

use axum::body::Body;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use bytes::Bytes;

use super::super::error::{ApiError, FieldError};
use super::super::extract::{JsonBody, parse_json};
use super::super::paced::{MAX_PARTS, Pace, paced};
use super::super::storage::{DISCARD_LIMIT, PATIENCE, too_slow};
use super::read_create;
use crate::services::{AssetError, AssetService, Caller, CreateAsset, Incoming};

/// Largest `json` part.
const JSON_LIMIT: usize = 1 << 20;
/// Bytes that all parts but the file may have.
const OVERHEAD: u64 = 4 << 20;

/// What the form held.
pub(super) struct Form {
    pub(super) asset: CreateAsset,
    pub(super) file: Option<Incoming>,
}

/// Reads the form; the contents of its file are on their way when this returns.
pub(super) async fn read(
    assets: &AssetService,
    caller: &Caller,
    request: Request<Body>,
) -> Result<Form, ApiError> {
    let limit = assets.upload_limit();
    let headers = request.headers();
    if !headers.contains_key(header::CONTENT_TYPE) {
        return Err(missing_json());
    }
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    let most = limit.saturating_add(OVERHEAD);
    let waits = headers.contains_key(header::EXPECT);
    let readable = most.saturating_add(if waits { 0 } else { DISCARD_LIMIT });
    if length.is_some_and(|length| length > readable) {
        return Err(AssetError::TooLarge { limit }.into());
    }
    // The file has at least what the other parts cannot have.
    let declared = length.map(|length| length.saturating_sub(OVERHEAD));
    let (request, pace) = paced(request, most.saturating_add(DISCARD_LIMIT));
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|e| {
        let msg = format!("expected multipart/form-data: {}", e.body_text());
        ApiError::invalid(vec![FieldError::at("form_type", &["body"], msg)])
    })?;
    let (mut json, mut file) = (None, None);
    for _ in 0..MAX_PARTS {
        let field = tokio::time::timeout(PATIENCE, form.next_field()).await;
        let Some(field) = field.map_err(|_| too_slow())?.map_err(unreadable)? else {
            let json: Bytes = json.ok_or_else(missing_json)?;
            let value = parse_json(&json, &["body", "json"])?;
            let asset = read_create(JsonBody(Some(value)))?;
            return Ok(Form { asset, file });
        };
        pace.progress();
        match field.name() {
            Some("json") if json.is_none() => json = Some(text(field, &pace).await?),
            Some("file") if file.is_none() => {
                let incoming = assets.upload(caller, declared).await?;
                file = Some(contents(incoming, field, &pace).await?);
            }
            Some("json" | "file") => {
                let msg = "Input should be given once";
                return Err(ApiError::invalid(vec![FieldError::at(
                    "value_error",
                    &["body", "form"],
                    msg,
                )]));
            }
            _ => drop(text(field, &pace).await?),
        }
    }
    Err(ApiError::bad_request(format!(
        "The form has more than {MAX_PARTS} parts"
    )))
}

fn missing_json() -> ApiError {
    ApiError::bad_request("Missing JSON body")
}

fn unreadable(e: MultipartError) -> ApiError {
    tracing::debug!(error = %e, "a form could not be read");
    ApiError::bad_request("The form could not be read to its end")
}

async fn next(field: &mut Field<'_>, pace: &Pace) -> Result<Option<Bytes>, ApiError> {
    let piece = tokio::time::timeout(PATIENCE, field.chunk()).await;
    let piece = piece.map_err(|_| too_slow())?.map_err(unreadable)?;
    pace.progress();
    Ok(piece)
}

/// A part that is small enough to be held.
async fn text(mut field: Field<'_>, pace: &Pace) -> Result<Bytes, ApiError> {
    let mut text = Vec::new();
    while let Some(piece) = next(&mut field, pace).await? {
        if text.len() + piece.len() > JSON_LIMIT {
            return Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "A part of the form other than the file is larger than 1 MiB",
            ));
        }
        text.extend_from_slice(&piece);
    }
    Ok(text.into())
}

/// The file, written as it comes. One that is too large is read on for a while, so that its sender sees the refusal.
async fn contents(
    mut upload: Incoming,
    mut field: Field<'_>,
    pace: &Pace,
) -> Result<Incoming, ApiError> {
    let mut refused: Option<(AssetError, u64)> = None;
    while let Some(piece) = next(&mut field, pace).await? {
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
        Some((error, _)) => Err(error.into()),
    }
}

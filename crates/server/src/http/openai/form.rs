//! Forms with files, as the SDKs send pictures and sounds: read to their end, within bounds.

use axum::body::Body;
use axum::extract::multipart::{Field, Multipart};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use bytes::Bytes;

use super::super::ApiError;
use super::super::paced::{MAX_PARTS, Pace, paced};
use super::super::storage::{PATIENCE, too_slow};
use super::OpenAiState;
use super::errors::OpenAiError;

/// Bytes of all files of a form.
const MAX_FILES: usize = 64 << 20;
/// Bytes of all other parts.
const MAX_FIELDS: usize = 1 << 20;

/// A file of a form.
pub(super) struct FormFile {
    pub(super) part: String,
    pub(super) name: String,
    pub(super) mime: String,
    pub(super) bytes: Bytes,
}

/// A form, read to its end.
pub(super) struct Form {
    fields: Vec<(String, String)>,
    pub(super) files: Vec<FormFile>,
}

impl FromRequest<OpenAiState> for Form {
    type Rejection = OpenAiError;

    async fn from_request(
        request: Request<Body>,
        _: &OpenAiState,
    ) -> Result<Self, Self::Rejection> {
        let most = MAX_FILES + MAX_FIELDS + (1 << 20);
        let (request, pace) = paced(request, most as u64);
        let parts = Multipart::from_request(request, &()).await;
        let mut parts = parts.map_err(|e| {
            let message = format!("Expected multipart/form-data: {}", e.body_text());
            OpenAiError::from(ApiError::bad_request(message))
        })?;
        let mut form = Form {
            fields: Vec::new(),
            files: Vec::new(),
        };
        let (mut files, mut fields) = (MAX_FILES, MAX_FIELDS);
        for _ in 0..=MAX_PARTS {
            let part = tokio::time::timeout(PATIENCE, parts.next_field()).await;
            let Some(part) = part.map_err(|_| too_slow())?.map_err(unreadable)? else {
                return Ok(form);
            };
            pace.progress();
            let name = part.name().unwrap_or_default().to_owned();
            let Some(file) = part.file_name().map(str::to_owned) else {
                let bytes = read(part, &pace, &mut fields).await?;
                let text = String::from_utf8(bytes).map_err(|_| {
                    OpenAiError::value(&name, format!("Invalid '{name}': no UTF-8 text."))
                })?;
                form.fields.push((name, text));
                continue;
            };
            let mime = part.content_type().unwrap_or_default().to_ascii_lowercase();
            let bytes = read(part, &pace, &mut files).await?.into();
            form.files.push(FormFile {
                part: name,
                name: file,
                mime,
                bytes,
            });
        }
        let message = format!("The form has more than {MAX_PARTS} parts");
        Err(ApiError::bad_request(message).into())
    }
}

fn unreadable(e: axum::extract::multipart::MultipartError) -> ApiError {
    tracing::debug!(error = %e, "a form could not be read");
    ApiError::bad_request("The form could not be read to its end")
}

async fn read(mut part: Field<'_>, pace: &Pace, room: &mut usize) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    loop {
        let piece = tokio::time::timeout(PATIENCE, part.chunk()).await;
        let Some(piece) = piece.map_err(|_| too_slow())?.map_err(unreadable)? else {
            return Ok(bytes);
        };
        pace.progress();
        *room = room.checked_sub(piece.len()).ok_or_else(|| {
            let text = format!(
                "The form is too large: its files may have {} MiB, the rest of it {} MiB",
                MAX_FILES >> 20,
                MAX_FIELDS >> 20
            );
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, text)
        })?;
        bytes.extend_from_slice(&piece);
    }
}

impl Form {
    /// The last value of a field that is not empty.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        let given = self.fields.iter().rev().find(|(name, _)| name == key);
        given
            .map(|(_, text)| text.as_str())
            .filter(|text| !text.is_empty())
    }

    /// All values of a field, under its name or with the brackets of a list.
    pub(super) fn texts(&self, key: &str) -> Vec<&str> {
        let fields = self.fields.iter();
        let named = fields.filter(|(name, _)| name.strip_suffix("[]").unwrap_or(name) == key);
        named.map(|(_, text)| text.as_str()).collect()
    }

    pub(super) fn need_text(&self, key: &str) -> Result<&str, OpenAiError> {
        self.text(key).ok_or_else(|| missing(key))
    }

    /// Text that has to be one of a few words.
    pub(super) fn word(&self, key: &str, words: &[&str]) -> Result<Option<&str>, OpenAiError> {
        match self.text(key) {
            Some(text) if !words.contains(&text) => {
                Err(super::asked::unknown_word(key, text, words))
            }
            text => Ok(text),
        }
    }

    /// A number in a range.
    pub(super) fn number(
        &self,
        key: &str,
        low: f64,
        high: f64,
    ) -> Result<Option<f64>, OpenAiError> {
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        let number = text.trim().parse::<f64>().ok();
        let number = number.filter(|number| (low..=high).contains(number));
        number.map(Some).ok_or_else(|| {
            let message = format!("Invalid '{key}': expected a number from {low} to {high}.");
            OpenAiError::value(key, message)
        })
    }

    /// Refuses what is given and not done here.
    pub(super) fn refuse(&self, key: &str, why: &str) -> Result<(), OpenAiError> {
        let file = self.files.iter().any(|file| file.part == key);
        if !file && self.text(key).is_none_or(|text| text == "false") {
            return Ok(());
        }
        let message = format!("'{key}' is not supported here: {why}.");
        Err(OpenAiError::bad(key, "unsupported_parameter", message))
    }
}

/// A part that has to be there.
pub(super) fn missing(key: &str) -> OpenAiError {
    let message = format!("Missing required parameter: '{key}'.");
    OpenAiError::bad(key, "missing_required_parameter", message)
}

//! `POST /v1/images/generations` and `/v1/images/edits`.

use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodetool_protocol::{Map, Value};
use nodetool_sdk::models::{ImageRequest, Media, MediaSource};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::json;
use super::asked::JsonObject;
use super::errors::{OpenAiError, OpenAiRefusal};
use super::form::{Form, missing};
use super::media::check_image;
use super::{OpenAiState, now_seconds};
use crate::services::Caller;

/// Most pictures of a request.
const MAX_IMAGES: i64 = 10;
/// Most pictures to start from.
const MAX_SOURCES: usize = 16;
/// Longest prompt in characters.
const MAX_PROMPT: usize = 32_000;
/// Longest side that can be asked for.
const MAX_SIDE: u32 = 16_384;
/// What is passed on under its own name, for providers that know it.
const PASSED: [&str; 7] = [
    "quality",
    "style",
    "background",
    "moderation",
    "output_format",
    "output_compression",
    "input_fidelity",
];
const NO_URL: &str = "Pictures are not stored here: ask for 'b64_json', which is also what comes when nothing is asked for.";

/// A picture to draw.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of the body for the API description")]
pub(super) struct ImageAsked {
    model: Option<String>,
    #[schema(min_length = 1, max_length = 32000)]
    prompt: String,
    #[schema(minimum = 1, maximum = 10)]
    n: Option<u32>,
    /// `1024x1024`, or `auto`.
    size: Option<String>,
    /// `b64_json`.
    response_format: Option<String>,
}

/// A form with a picture to change.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of the body for the API description")]
pub(super) struct ImageEditAsked {
    model: Option<String>,
    prompt: String,
    /// A picture; `image[]` for several.
    #[schema(format = Binary, value_type = String)]
    image: (),
    size: Option<String>,
}

/// Pictures.
#[derive(Serialize, ToSchema)]
pub(super) struct ImagesMade {
    created: u64,
    data: Vec<ImageMade>,
}

#[derive(Serialize, ToSchema)]
struct ImageMade {
    #[serde(skip_serializing_if = "Option::is_none")]
    b64_json: Option<String>,
    /// Where the provider keeps it, when it does not give the picture itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// Draws pictures.
#[utoipa::path(post, path = "/v1/images/generations", tag = "openai", request_body = ImageAsked,
    responses((status = 200, body = ImagesMade), (status = 400, body = OpenAiRefusal), (status = 404, body = OpenAiRefusal),
        (status = 502, body = OpenAiRefusal), (status = 504, body = OpenAiRefusal)))]
pub(super) async fn create_image(
    State(state): State<OpenAiState>,
    caller: Caller,
    body: JsonObject,
) -> Result<Response, OpenAiError> {
    let fields = body.fields();
    let (width, height) = size(fields.text("size")?)?;
    let count = fields.whole("n", 1, MAX_IMAGES)?;
    check_format(fields.text("response_format")?)?;
    fields.refuse("stream", "pictures come in one piece")?;
    fields.refuse("partial_images", "pictures come in one piece")?;
    let extra = PASSED
        .iter()
        .filter_map(|key| Some(((*key).into(), fields.get(key)?.clone())));
    let request = ImageRequest {
        prompt: prompt(fields.need_text("prompt")?)?,
        width,
        height,
        count: count.and_then(|n| u32::try_from(n).ok()),
        extra: extra.collect(),
        ..ImageRequest::default()
    };
    let asked = fields.text("model")?.unwrap_or_default().to_owned();
    draw(&state, &caller, &asked, request).await
}

/// Changes pictures.
#[utoipa::path(post, path = "/v1/images/edits", tag = "openai", request_body(content = ImageEditAsked, content_type = "multipart/form-data"),
    responses((status = 200, body = ImagesMade), (status = 400, body = OpenAiRefusal), (status = 404, body = OpenAiRefusal),
        (status = 502, body = OpenAiRefusal), (status = 504, body = OpenAiRefusal)))]
pub(super) async fn edit_image(
    State(state): State<OpenAiState>,
    caller: Caller,
    mut form: Form,
) -> Result<Response, OpenAiError> {
    form.refuse("mask", "say in the prompt what to change")?;
    form.refuse("stream", "pictures come in one piece")?;
    let (width, height) = size(form.text("size"))?;
    check_format(form.text("response_format"))?;
    let count = form.number("n", 1.0, MAX_IMAGES as f64)?;
    let prompt = prompt(form.need_text("prompt")?)?;
    let mut extra = Map::new();
    for key in PASSED {
        if let Some(text) = form.text(key) {
            extra.insert(key.into(), Value::from(text));
        }
    }
    let mut sources = Vec::new();
    for file in std::mem::take(&mut form.files) {
        if !matches!(file.part.as_str(), "image" | "image[]") {
            continue;
        }
        if sources.len() == MAX_SOURCES {
            let message = format!("Invalid 'image': expected at most {MAX_SOURCES} pictures.");
            return Err(OpenAiError::value("image", message));
        }
        let mut source = Media::bytes(file.mime, file.bytes);
        check_image(&mut source, "image")?;
        source.name = Some(file.name);
        sources.push(source);
    }
    if sources.is_empty() {
        return Err(missing("image"));
    }
    let request = ImageRequest {
        prompt,
        sources,
        width,
        height,
        count: count.map(|n| n as u32),
        extra,
        ..ImageRequest::default()
    };
    let asked = form.text("model").unwrap_or_default().to_owned();
    draw(&state, &caller, &asked, request).await
}

async fn draw(
    state: &OpenAiState,
    caller: &Caller,
    asked: &str,
    mut request: ImageRequest,
) -> Result<Response, OpenAiError> {
    let (provider, model, _) = state.meant(caller, asked).await?;
    (request.provider, request.model) = (provider, model);
    let drawn = state.models.of(caller).image(request).await?;
    let data = drawn.into_iter().map(|picture| match picture.source {
        MediaSource::Bytes(bytes) => ImageMade {
            b64_json: Some(STANDARD.encode(bytes)),
            url: None,
        },
        MediaSource::Url(url) => ImageMade {
            b64_json: None,
            url: Some(url),
        },
    });
    Ok(json(&ImagesMade {
        created: now_seconds(),
        data: data.collect(),
    }))
}

fn prompt(text: &str) -> Result<String, OpenAiError> {
    let length = text.chars().count();
    if length == 0 || length > MAX_PROMPT {
        let message =
            format!("Invalid 'prompt': expected 1 to {MAX_PROMPT} characters, but got {length}.");
        return Err(OpenAiError::value("prompt", message));
    }
    Ok(text.to_owned())
}

fn check_format(format: Option<&str>) -> Result<(), OpenAiError> {
    match format {
        None | Some("b64_json") => Ok(()),
        Some("url") => Err(OpenAiError::unsupported("response_format", NO_URL)),
        Some(other) => Err(super::asked::unknown_word(
            "response_format",
            other,
            &["b64_json"],
        )),
    }
}

/// `1024x768`; nothing for `auto`.
fn size(text: Option<&str>) -> Result<(Option<u32>, Option<u32>), OpenAiError> {
    let Some(text) = text.filter(|text| *text != "auto") else {
        return Ok((None, None));
    };
    let side = |text: &str| {
        let plain = text.bytes().all(|b| b.is_ascii_digit());
        let side = text.parse::<u32>().ok().filter(|_| plain);
        side.filter(|side| (1..=MAX_SIDE).contains(side))
    };
    let sides = text.split_once('x').map(|(w, h)| (side(w), side(h)));
    match sides {
        Some((Some(width), Some(height))) => Ok((Some(width), Some(height))),
        _ => {
            let message = format!(
                "Invalid 'size': expected 'auto', or width and height of 1 to {MAX_SIDE} pixels such as '1024x1024'."
            );
            Err(OpenAiError::value("size", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_two_sides_or_the_models_own() {
        assert_eq!(size(Some("640x480")).unwrap(), (Some(640), Some(480)));
        assert_eq!(size(Some("auto")).unwrap(), (None, None));
        assert_eq!(size(None).unwrap(), (None, None));
        for wrong in ["", "640", "0x1", "1x", "+1x1", "99999x1", "1x1x1"] {
            assert!(size(Some(wrong)).is_err(), "{wrong}");
        }
    }
}

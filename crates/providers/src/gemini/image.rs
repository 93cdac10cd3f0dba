//! Pictures: by language models that draw (`generateContent`), and by Imagen (`predict`).
//!
//! Neither has words for steps, guidance or strength, which are left to it, nor for what not to draw, which is added to
//! the prompt. Sizes become the nearest shape the API has. Imagen takes no `seed` and no pictures to start from.

use std::time::Instant;

use nodetool_sdk::Map;
use nodetool_sdk::models::{ImageRequest, Media, ModelError, ModelErrorKind};
use serde::Serialize;
use serde_json::Value;

use super::Gemini;
use super::answer::{blocked, file, finish};
use super::content::{Content, Part};
use crate::Account;
use crate::inline::from_base64;

/// Most pictures of a request.
const MOST: u32 = 8;
/// Most pictures Imagen makes at once.
const MOST_OF_IMAGEN: u32 = 4;

/// Shapes of language models that draw.
const SHAPES: &[(u32, u32)] = &[
    (1, 1),
    (2, 3),
    (3, 2),
    (3, 4),
    (4, 3),
    (4, 5),
    (5, 4),
    (9, 16),
    (16, 9),
    (21, 9),
];
/// Shapes of Imagen.
const SHAPES_OF_IMAGEN: &[(u32, u32)] = &[(1, 1), (3, 4), (4, 3), (9, 16), (16, 9)];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    contents: Vec<Content>,
    generation_config: Config,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    response_modalities: [&'static str; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i32>,
    #[serde(skip_serializing_if = "Shape::is_empty")]
    image_config: Shape,
}

#[derive(Serialize)]
struct ImagenBody {
    instances: [Instance; 1],
    parameters: Parameters,
}

#[derive(Serialize)]
struct Instance {
    prompt: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    sample_count: u32,
    #[serde(flatten)]
    shape: Shape,
}

/// The shape of a picture, and what else a request gives by the API's own names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    #[serde(skip_serializing_if = "Option::is_none")]
    aspect_ratio: Option<String>,
    #[serde(flatten)]
    extra: Map,
}

impl Shape {
    fn of(request: &ImageRequest, shapes: &[(u32, u32)]) -> Self {
        let mut extra = request.extra.clone();
        // It has its own place.
        extra.shift_remove("sampleCount");
        let told = extra.contains_key("aspectRatio");
        let size = request.width.zip(request.height).filter(|_| !told);
        Shape {
            aspect_ratio: size.and_then(|(width, height)| nearest(width, height, shapes)),
            extra,
        }
    }

    fn is_empty(&self) -> bool {
        self.aspect_ratio.is_none() && self.extra.is_empty()
    }
}

fn nearest(width: u32, height: u32, shapes: &[(u32, u32)]) -> Option<String> {
    if width == 0 || height == 0 {
        return None;
    }
    let wanted = (f64::from(width) / f64::from(height)).ln();
    let distance = |(w, h): &(u32, u32)| (wanted - (f64::from(*w) / f64::from(*h)).ln()).abs();
    let best = shapes
        .iter()
        .min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
    Some(format!("{}:{}", best.0, best.1))
}

fn prompt(request: &ImageRequest) -> String {
    match request.negative_prompt.as_deref().map(str::trim) {
        Some(not) if !not.is_empty() => format!("{}\n\nLeave out: {not}", request.prompt),
        _ => request.prompt.clone(),
    }
}

impl Gemini {
    pub(super) async fn pictures(&self, request: ImageRequest) -> Result<Vec<Media>, ModelError> {
        let imagen = self.name(&request.model)?.starts_with("imagen");
        let most = if imagen { MOST_OF_IMAGEN } else { MOST };
        let count = request.count.unwrap_or(1);
        if !(1..=most).contains(&count) {
            let message = format!("{count} pictures are asked for; expected 1 to {most}");
            return Err(self.account.wrong("n", message));
        }
        match imagen {
            true => self.predicted(&request, count).await,
            false => self.drawn(&request, count).await,
        }
    }

    /// Language models draw one picture each time they are asked.
    async fn drawn(&self, request: &ImageRequest, count: u32) -> Result<Vec<Media>, ModelError> {
        let account = &self.account;
        let mut parts = vec![Part::text(prompt(request))];
        parts.extend(request.sources.iter().map(Part::media));
        let body = Body {
            contents: vec![Content::user(parts)],
            generation_config: Config {
                response_modalities: ["TEXT", "IMAGE"],
                // Nodes say -1 for any.
                seed: request
                    .seed
                    .and_then(|seed| i32::try_from(seed).ok())
                    .filter(|s| *s >= 0),
                image_config: Shape::of(request, SHAPES),
            },
        };
        let until = Instant::now() + self.patience(request.timeout_s);
        let mut pictures = Vec::new();
        for _ in 0..count {
            let left = until.saturating_duration_since(Instant::now());
            let answer = self
                .call(&request.model, "generateContent", &body, left)
                .await?;
            for data in inline(account, &answer)? {
                pictures.push(file(account, data)?);
            }
            // Like Imagen: fewer than asked for are better than none.
            if pictures.is_empty() {
                return Err(withheld(account, &answer));
            }
        }
        Ok(pictures)
    }

    async fn predicted(
        &self,
        request: &ImageRequest,
        count: u32,
    ) -> Result<Vec<Media>, ModelError> {
        let account = &self.account;
        if !request.sources.is_empty() {
            let what = "pictures from pictures with Imagen; take a `gemini` model";
            return Err(account.cannot("image", what));
        }
        let body = ImagenBody {
            instances: [Instance {
                prompt: prompt(request),
            }],
            parameters: Parameters {
                sample_count: count,
                shape: Shape::of(request, SHAPES_OF_IMAGEN),
            },
        };
        let patience = self.patience(request.timeout_s);
        let answer = self
            .call(&request.model, "predict", &body, patience)
            .await?;
        let mut pictures = Vec::new();
        let mut reason = None;
        for prediction in answer["predictions"].as_array().into_iter().flatten() {
            if let Some(text) = prediction["bytesBase64Encoded"].as_str() {
                let bytes = from_base64(text)
                    .map_err(|e| account.nonsense(format_args!("a picture is no base64: {e}")))?;
                let mime = prediction["mimeType"].as_str().unwrap_or("image/png");
                pictures.push(Media::bytes(mime, bytes));
            } else if let Some(why) = prediction["raiFilteredReason"].as_str() {
                reason = Some(why);
            }
        }
        if pictures.is_empty() {
            let why = reason.unwrap_or("it does not say why");
            let message = format!("gemini withheld the picture: {why}");
            return Err(account.error(ModelErrorKind::Refused, message));
        }
        Ok(pictures)
    }
}

/// The `inlineData` of an answer that came in one piece.
pub(super) fn inline<'a>(
    account: &Account,
    answer: &'a Value,
) -> Result<Vec<&'a Value>, ModelError> {
    if let Some(refusal) = blocked(account, answer) {
        return Err(refusal);
    }
    let parts = answer["candidates"][0]["content"]["parts"].as_array();
    let parts = parts.into_iter().flatten();
    let made = parts.filter(|part| part["thought"].as_bool() != Some(true));
    Ok(made.filter_map(|part| part.get("inlineData")).collect())
}

/// Why an answer has nothing of what was asked for.
pub(super) fn withheld(account: &Account, answer: &Value) -> ModelError {
    let candidate = &answer["candidates"][0];
    let reason = candidate["finishReason"].as_str();
    if let Some(Err(broken)) = reason.map(|reason| finish(account, reason)) {
        return broken;
    }
    let parts = candidate["content"]["parts"].as_array();
    let words: Option<String> = parts.map(|parts| {
        let texts = parts.iter().filter_map(|part| part["text"].as_str());
        texts.collect::<String>().chars().take(500).collect()
    });
    let reason = reason.unwrap_or("no reason");
    let message = match words.filter(|words| !words.is_empty()) {
        Some(words) => format!("gemini made nothing ({reason}) and said: {words}"),
        None => format!("gemini made nothing ({reason})"),
    };
    ModelError {
        code: Some(reason.to_owned()),
        ..account.error(ModelErrorKind::Refused, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_become_the_nearest_shape() {
        for (width, height, shape) in [
            (512, 512, Some("1:1")),
            (1920, 1080, Some("16:9")),
            (1024, 768, Some("4:3")),
            (100, 4000, Some("9:16")),
            (0, 10, None),
        ] {
            assert_eq!(nearest(width, height, SHAPES).as_deref(), shape);
        }
    }
}

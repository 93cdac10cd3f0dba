//! What fal's models take, by their names for it.
//!
//! | ours | theirs |
//! |---|---|
//! | `prompt`, `negative_prompt`, `guidance_scale`, `num_inference_steps`, `seed`, `strength` | the same |
//! | `width` and `height` | `image_size: {width, height}`, when both are given |
//! | `count` | `num_images` |
//! | `safety_check` | `enable_safety_checker` |
//! | sources of a picture | `image_url`; `image_urls` for several, and for ids that end in `edit`, `edit-image` or `multi` |
//! | source of a film | `image_url` |
//! | `aspect_ratio`, `resolution`, `num_frames` | the same |
//! | text to speak | `text`; `prompt` for kokoro, `input` for playai, `gen_text` for f5-tts |
//! | `voice`, `speed` | the same, the speed only when it is not 1 |
//! | sound to write down | `audio_url`, with `task: "transcribe"`, `language` and `prompt` |
//!
//! Contents that are no address go as data URIs. What is in `extra` comes on top, as it is. Models ignore fields they do
//! not have.

use std::borrow::Cow;

use nodetool_sdk::models::{
    ImageRequest, ModelError, SpeechRequest, TranscribeRequest, VideoRequest,
};
use serde_json::{Value, json};

use crate::Account;
use crate::media::data_uri;
use crate::media::fields::Fields;

/// Models that redraw under another id than they draw.
const REDRAWS: &[(&str, &str)] = &[
    ("fal-ai/flux/dev", "fal-ai/flux/dev/image-to-image"),
    ("fal-ai/flux-lora", "fal-ai/flux-lora/image-to-image"),
    ("fal-ai/fast-sdxl", "fal-ai/fast-sdxl/image-to-image"),
    ("fal-ai/nano-banana", "fal-ai/nano-banana/edit"),
    ("fal-ai/nano-banana-pro", "fal-ai/nano-banana-pro/edit"),
];

/// Most steps of models that refuse more.
const MOST_STEPS: &[(&str, u32)] = &[("schnell", 12), ("turbo", 8), ("lightning", 8)];

/// The id a picture is asked from.
pub(super) fn image_model(request: &ImageRequest) -> Cow<'_, str> {
    let redraw = REDRAWS
        .iter()
        .find(|(id, _)| *id == request.model && !request.sources.is_empty());
    redraw.map_or(Cow::Borrowed(&request.model), |(_, redraw)| {
        Cow::Borrowed(redraw)
    })
}

pub(super) fn image(
    account: &Account,
    model: &str,
    request: &ImageRequest,
) -> Result<Value, ModelError> {
    let mut fields = Fields::default();
    fields.set("prompt", Some(&request.prompt));
    fields.set(
        "negative_prompt",
        request
            .negative_prompt
            .as_ref()
            .filter(|text| !text.is_empty()),
    );
    if let (Some(width), Some(height)) = (request.width, request.height) {
        fields.set(
            "image_size",
            Some(json!({ "width": width, "height": height })),
        );
    }
    fields.set("num_images", request.count);
    fields.set("guidance_scale", request.guidance_scale);
    let most = MOST_STEPS
        .iter()
        .find(|(part, _)| model.contains(part))
        .map_or(u32::MAX, |(_, most)| *most);
    fields.set(
        "num_inference_steps",
        request.num_inference_steps.map(|steps| steps.min(most)),
    );
    fields.set(
        "strength",
        request.strength.filter(|_| !request.sources.is_empty()),
    );
    fields.set("seed", request.seed.filter(|seed| *seed >= 0));
    fields.set("enable_safety_checker", request.safety_check);
    let sources = request.sources.iter().enumerate();
    let sources =
        sources.map(|(at, source)| data_uri::of(account, source, &format!("sources[{at}]")));
    let sources: Vec<String> = sources.collect::<Result<_, _>>()?;
    let last = model.rsplit('/').next().unwrap_or_default();
    match sources.as_slice() {
        [] => {}
        [one] if !matches!(last, "edit" | "edit-image" | "multi") => {
            fields.set("image_url", Some(one))
        }
        several => fields.set("image_urls", Some(json!(several))),
    }
    Ok(fields.with(&request.extra))
}

/// The id a film is asked from.
pub(super) fn video_model(request: &VideoRequest) -> Cow<'_, str> {
    let id = request.model.as_str();
    // The two halves of a model differ in their last word.
    match (&request.source, id.strip_suffix("/text-to-video")) {
        (Some(_), Some(family)) => Cow::Owned(format!("{family}/image-to-video")),
        _ => Cow::Borrowed(id),
    }
}

pub(super) fn video(account: &Account, request: &VideoRequest) -> Result<Value, ModelError> {
    let mut fields = Fields::default();
    fields.set(
        "prompt",
        Some(&request.prompt).filter(|text| !text.is_empty()),
    );
    fields.set(
        "negative_prompt",
        request
            .negative_prompt
            .as_ref()
            .filter(|text| !text.is_empty()),
    );
    fields.set("aspect_ratio", request.aspect_ratio.as_ref());
    fields.set("resolution", request.resolution.as_ref());
    fields.set("num_frames", request.num_frames);
    fields.set("guidance_scale", request.guidance_scale);
    fields.set("num_inference_steps", request.num_inference_steps);
    fields.set("seed", request.seed.filter(|seed| *seed >= 0));
    let source = request
        .source
        .as_ref()
        .map(|source| data_uri::of(account, source, "source"));
    fields.set("image_url", source.transpose()?);
    Ok(fields.with(&request.extra))
}

pub(super) fn speech(request: &SpeechRequest) -> Value {
    let text = match request.model.as_str() {
        model if model.contains("kokoro") => "prompt",
        model if model.contains("playai") => "input",
        model if model.contains("f5-tts") => "gen_text",
        _ => "text",
    };
    let mut fields = Fields::default();
    fields.set(text, Some(&request.text));
    fields.set(
        "voice",
        request.voice.as_ref().filter(|voice| !voice.is_empty()),
    );
    fields.set("speed", request.speed.filter(|speed| *speed != 1.0));
    fields.into()
}

/// The id speech is written down by; the open Whisper goes by its own name as well.
pub(super) fn transcribe_model(model: &str) -> &str {
    match model {
        "openai/whisper-large-v3" => "fal-ai/whisper",
        model => model,
    }
}

pub(super) fn transcribe(
    account: &Account,
    request: &TranscribeRequest,
) -> Result<Value, ModelError> {
    let mut fields = Fields::default();
    fields.set(
        "audio_url",
        Some(data_uri::of(account, &request.audio, "audio")?),
    );
    fields.set("task", Some("transcribe"));
    fields.set(
        "language",
        request.language.as_ref().filter(|code| !code.is_empty()),
    );
    fields.set(
        "prompt",
        request.prompt.as_ref().filter(|text| !text.is_empty()),
    );
    Ok(fields.into())
}

//! Models of fal that are well known. There are many more, and any id works; fal's catalogue changes too often to be
//! asked for each list.

use crate::media::catalogue::{Row, models as listed};
use crate::{ListedModel, ModelKind};

const MODELS: &[Row] = &[
    (
        "fal-ai/flux/schnell",
        "FLUX.1 schnell",
        ModelKind::Image,
        &["text_to_image"],
    ),
    (
        "fal-ai/flux/dev",
        "FLUX.1 dev",
        ModelKind::Image,
        &["text_to_image", "image_to_image"],
    ),
    (
        "fal-ai/flux-pro/v1.1-ultra",
        "FLUX1.1 pro ultra",
        ModelKind::Image,
        &["text_to_image"],
    ),
    (
        "fal-ai/flux-pro/kontext",
        "FLUX.1 Kontext pro",
        ModelKind::Image,
        &["image_to_image"],
    ),
    (
        "fal-ai/qwen-image",
        "Qwen Image",
        ModelKind::Image,
        &["text_to_image"],
    ),
    (
        "fal-ai/nano-banana",
        "Nano Banana",
        ModelKind::Image,
        &["text_to_image", "image_to_image"],
    ),
    (
        "fal-ai/recraft/v3/text-to-image",
        "Recraft V3",
        ModelKind::Image,
        &["text_to_image"],
    ),
    (
        "fal-ai/wan/v2.2-a14b/text-to-video",
        "Wan 2.2",
        ModelKind::Video,
        &["text_to_video", "image_to_video"],
    ),
    (
        "fal-ai/kling-video/v2.1/master/text-to-video",
        "Kling 2.1 Master",
        ModelKind::Video,
        &["text_to_video", "image_to_video"],
    ),
    (
        "fal-ai/minimax/hailuo-02/standard/text-to-video",
        "Hailuo 02",
        ModelKind::Video,
        &["text_to_video", "image_to_video"],
    ),
    (
        "fal-ai/kokoro/american-english",
        "Kokoro (American English)",
        ModelKind::Tts,
        &[],
    ),
    (
        "fal-ai/chatterbox/text-to-speech",
        "Chatterbox",
        ModelKind::Tts,
        &[],
    ),
    ("fal-ai/orpheus-tts", "Orpheus", ModelKind::Tts, &[]),
    ("fal-ai/whisper", "Whisper large v3", ModelKind::Asr, &[]),
    ("fal-ai/wizper", "Wizper", ModelKind::Asr, &[]),
];

/// Voices of models that have names for them.
const VOICES: &[(&str, &[&str])] = &[
    (
        "kokoro/american-english",
        &[
            "af_heart",
            "af_bella",
            "af_nicole",
            "af_sarah",
            "am_adam",
            "am_michael",
            "am_puck",
        ],
    ),
    (
        "orpheus",
        &["tara", "leah", "jess", "leo", "dan", "mia", "zac", "zoe"],
    ),
];

pub(super) fn models() -> Vec<ListedModel> {
    let mut models = listed(MODELS);
    for model in &mut models {
        let voices = VOICES.iter().find(|(part, _)| model.id.contains(part));
        model.voices = voices
            .map_or(&[][..], |(_, voices)| voices)
            .iter()
            .map(|v| (*v).to_owned())
            .collect();
    }
    models
}

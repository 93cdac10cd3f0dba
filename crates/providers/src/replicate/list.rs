//! Models of Replicate that are well known. There are many thousand more, and any id works.

use crate::media::catalogue::{self, Row};
use crate::{ListedModel, ModelKind};

const MODELS: &[Row] = &[
    (
        "black-forest-labs/flux-schnell",
        "FLUX.1 schnell",
        ModelKind::Image,
        &["text_to_image"],
    ),
    (
        "black-forest-labs/flux-dev",
        "FLUX.1 dev",
        ModelKind::Image,
        &["text_to_image", "image_to_image"],
    ),
    (
        "black-forest-labs/flux-1.1-pro",
        "FLUX1.1 pro",
        ModelKind::Image,
        &["text_to_image"],
    ),
    (
        "black-forest-labs/flux-kontext-pro",
        "FLUX.1 Kontext pro",
        ModelKind::Image,
        &["image_to_image"],
    ),
    (
        "google/imagen-4",
        "Imagen 4",
        ModelKind::Image,
        &["text_to_image"],
    ),
    (
        "google/nano-banana",
        "Nano Banana",
        ModelKind::Image,
        &["text_to_image", "image_to_image"],
    ),
    (
        "bytedance/seedream-4",
        "Seedream 4",
        ModelKind::Image,
        &["text_to_image", "image_to_image"],
    ),
    (
        "ideogram-ai/ideogram-v3-turbo",
        "Ideogram v3 turbo",
        ModelKind::Image,
        &["text_to_image"],
    ),
    (
        "google/veo-3-fast",
        "Veo 3 fast",
        ModelKind::Video,
        &["text_to_video", "image_to_video"],
    ),
    (
        "kwaivgi/kling-v2.1",
        "Kling 2.1",
        ModelKind::Video,
        &["image_to_video"],
    ),
    (
        "minimax/hailuo-02",
        "Hailuo 02",
        ModelKind::Video,
        &["text_to_video", "image_to_video"],
    ),
    (
        "bytedance/seedance-1-lite",
        "Seedance 1 lite",
        ModelKind::Video,
        &["text_to_video", "image_to_video"],
    ),
    ("jaaari/kokoro-82m", "Kokoro 82M", ModelKind::Tts, &[]),
    ("resemble-ai/chatterbox", "Chatterbox", ModelKind::Tts, &[]),
    ("openai/whisper", "Whisper large v3", ModelKind::Asr, &[]),
    (
        "vaibhavs10/incredibly-fast-whisper",
        "Incredibly fast Whisper",
        ModelKind::Asr,
        &[],
    ),
];

pub(super) fn models() -> Vec<ListedModel> {
    catalogue::models(MODELS)
}

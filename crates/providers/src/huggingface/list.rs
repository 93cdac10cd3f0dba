//! Models that Hugging Face runs itself and that are well known. Any id works; which others run changes daily.

use crate::media::catalogue::{self, Row};
use crate::{ListedModel, ModelKind};

const MODELS: &[Row] = &[
    (
        "black-forest-labs/FLUX.1-schnell",
        "FLUX.1 schnell",
        ModelKind::Image,
        &["text_to_image"],
    ),
    (
        "stabilityai/stable-diffusion-xl-base-1.0",
        "Stable Diffusion XL",
        ModelKind::Image,
        &["text_to_image"],
    ),
    (
        "stabilityai/stable-diffusion-3-medium-diffusers",
        "Stable Diffusion 3 medium",
        ModelKind::Image,
        &["text_to_image"],
    ),
    (
        "openai/whisper-large-v3",
        "Whisper large v3",
        ModelKind::Asr,
        &[],
    ),
    (
        "openai/whisper-large-v3-turbo",
        "Whisper large v3 turbo",
        ModelKind::Asr,
        &[],
    ),
    (
        "sentence-transformers/all-MiniLM-L6-v2",
        "all-MiniLM-L6-v2",
        ModelKind::Embedding,
        &[],
    ),
    (
        "BAAI/bge-small-en-v1.5",
        "BGE small (English)",
        ModelKind::Embedding,
        &[],
    ),
    ("BAAI/bge-m3", "BGE-M3", ModelKind::Embedding, &[]),
    (
        "intfloat/multilingual-e5-large",
        "Multilingual E5 large",
        ModelKind::Embedding,
        &[],
    ),
];

const DIMENSIONS: &[(&str, u32)] = &[
    ("sentence-transformers/all-MiniLM-L6-v2", 384),
    ("BAAI/bge-small-en-v1.5", 384),
    ("BAAI/bge-m3", 1024),
    ("intfloat/multilingual-e5-large", 1024),
];

pub(super) fn models() -> Vec<ListedModel> {
    let mut models = catalogue::models(MODELS);
    for model in &mut models {
        let known = DIMENSIONS.iter().find(|(id, _)| *id == model.id);
        model.dimensions = known.map_or(0, |(_, dimensions)| *dimensions);
    }
    models
}

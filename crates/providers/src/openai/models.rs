//! Which models there are, and what they are for, told from what providers say of them: often no more than an id.

use nodetool_sdk::models::ModelError;
use reqwest::Method;
use serde_json::Value;

use super::Client;
use crate::{ListedModel, ModelKind};

/// Most models of a list.
const MOST: usize = 10_000;
/// Most bytes of an id.
const MAX_ID: usize = 256;

/// Parts of ids, and what a model with one is for; `None` for models that nothing here calls. The first that fits
/// counts.
const SIGNS: &[(&str, Option<ModelKind>)] = &[
    ("moderation", None),
    ("realtime", None),
    ("rerank", None),
    ("computer-use", None),
    ("babbage", None),
    ("davinci", None),
    ("turbo-instruct", None),
    ("embed", Some(ModelKind::Embedding)),
    ("bge-", Some(ModelKind::Embedding)),
    ("gte-", Some(ModelKind::Embedding)),
    ("all-minilm", Some(ModelKind::Embedding)),
    ("dall-e", Some(ModelKind::Image)),
    ("gpt-image", Some(ModelKind::Image)),
    ("chatgpt-image", Some(ModelKind::Image)),
    ("grok-2-image", Some(ModelKind::Image)),
    ("grok-imagine-image", Some(ModelKind::Image)),
    ("stable-diffusion", Some(ModelKind::Image)),
    ("flux", Some(ModelKind::Image)),
    ("imagen-", Some(ModelKind::Image)),
    ("cogview", Some(ModelKind::Image)),
    ("sora", Some(ModelKind::Video)),
    ("grok-imagine-video", Some(ModelKind::Video)),
    ("cogvideo", Some(ModelKind::Video)),
    ("whisper", Some(ModelKind::Asr)),
    ("transcribe", Some(ModelKind::Asr)),
    ("-asr", Some(ModelKind::Asr)),
    ("tts", Some(ModelKind::Tts)),
    ("orpheus", Some(ModelKind::Tts)),
    ("kokoro", Some(ModelKind::Tts)),
    ("sonic", Some(ModelKind::Tts)),
];

/// Lengths of vectors, by parts of ids.
const DIMENSIONS: &[(&str, u32)] = &[
    ("text-embedding-3-small", 1536),
    ("text-embedding-3-large", 3072),
    ("text-embedding-ada-002", 1536),
    ("mistral-embed", 1024),
    ("codestral-embed", 1536),
    ("nomic-embed-text", 768),
    ("bge-large", 1024),
    ("bge-base", 768),
    ("bge-small", 384),
    ("bge-m3", 1024),
    ("all-minilm-l6", 384),
];

/// Voices of OpenAI's first speaking models.
const VOICES: [&str; 9] = [
    "alloy", "ash", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer",
];
/// Voices that only its later ones have.
const LATER_VOICES: [&str; 4] = ["ballad", "cedar", "marin", "verse"];

impl Client {
    pub(super) async fn listed(&self) -> Result<Vec<ListedModel>, ModelError> {
        let get = self.request(Method::GET, "/models")?;
        let answer = self.account.json(get, self.account.patience.list).await?;
        // Together has the list without anything around it.
        let list = answer.as_array().or_else(|| answer["data"].as_array());
        let list = list.ok_or_else(|| self.account.nonsense("models that are no list"))?;
        let models = list.iter().take(MOST).filter_map(|told| self.read(told));
        Ok(models.collect())
    }

    fn read(&self, told: &Value) -> Option<ListedModel> {
        let id = told["id"].as_str()?.trim();
        if id.is_empty() || id.len() > MAX_ID || !self.serves(told) {
            return None;
        }
        let kind = kind(id, told)?;
        let dialect = &self.dialect;
        let usable = match kind {
            ModelKind::Language => true,
            ModelKind::Embedding => dialect.embeds.is_some(),
            ModelKind::Image => dialect.draws.is_some(),
            ModelKind::Tts => dialect.speaks,
            ModelKind::Asr => dialect.transcribes,
            ModelKind::Video => false,
        };
        if !usable {
            return None;
        }
        let mut model = ListedModel::new(id, kind);
        let name = told["name"].as_str().or(told["display_name"].as_str());
        if let Some(name) = name.filter(|name| !name.trim().is_empty()) {
            model.name = name.chars().take(MAX_ID).collect();
        }
        let small = id.to_ascii_lowercase();
        match kind {
            ModelKind::Image => {
                model.tasks.push("text_to_image".to_owned());
                if small.contains("gpt-image") || small.contains("dall-e-2") {
                    model.tasks.push("image_to_image".to_owned());
                }
            }
            ModelKind::Tts if small.starts_with("tts-1") => {
                model.voices = VOICES.map(str::to_owned).into();
            }
            ModelKind::Tts if small.starts_with("gpt-") => {
                model.voices = VOICES.map(str::to_owned).into();
                model.voices.extend(LATER_VOICES.map(str::to_owned));
                model.voices.sort();
            }
            ModelKind::Embedding => {
                let known = DIMENSIONS.iter().find(|(sign, _)| small.contains(sign));
                model.dimensions = known.map_or(0, |(_, length)| *length);
            }
            _ => {}
        }
        model.context = context(told);
        Some(model)
    }

    /// Whether the host behind a router has a model; routers say who has which.
    fn serves(&self, told: &Value) -> bool {
        let (Some(suffix), Some(hosts)) = (self.dialect.suffix, told["providers"].as_array())
        else {
            return true;
        };
        hosts.iter().any(|host| host["provider"] == suffix)
    }
}

/// Tokens a model reads and writes, by the names of all servers.
fn context(told: &Value) -> Option<u32> {
    let hosts = told["providers"].as_array().into_iter().flatten();
    let fields = [
        "context_length",
        "context_window",
        "max_model_len",
        "max_context_length",
    ];
    let said = fields.iter().find_map(|field| told[*field].as_u64());
    let said = said.or_else(|| told["meta"]["n_ctx_train"].as_u64());
    let said = said.or_else(|| hosts.filter_map(|h| h["context_length"].as_u64()).max());
    said.and_then(|tokens| u32::try_from(tokens).ok())
        .filter(|tokens| *tokens > 0)
}

/// What a model is for: what the provider says, else what its id looks like.
fn kind(id: &str, told: &Value) -> Option<ModelKind> {
    match told["type"].as_str() {
        Some("chat" | "language" | "code") => return Some(ModelKind::Language),
        Some("embedding" | "embeddings") => return Some(ModelKind::Embedding),
        Some("image") => return Some(ModelKind::Image),
        Some("video") => return Some(ModelKind::Video),
        Some("audio") => return Some(ModelKind::Tts),
        Some("transcribe") => return Some(ModelKind::Asr),
        Some("moderation" | "rerank") => return None,
        _ => {}
    }
    if let Some(writes) = told["architecture"]["output_modalities"].as_array() {
        let writes = |what: &str| writes.iter().any(|modality| modality == what);
        return if writes("text") {
            Some(ModelKind::Language)
        } else if writes("embeddings") {
            Some(ModelKind::Embedding)
        } else if writes("image") {
            Some(ModelKind::Image)
        } else {
            None
        };
    }
    let small = id.to_ascii_lowercase();
    let found = SIGNS.iter().find(|(sign, _)| small.contains(sign));
    found.map_or(Some(ModelKind::Language), |(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kinds_are_told_from_what_is_said_or_from_the_id() {
        let by_id = |id: &str| kind(id, &Value::Null);
        assert_eq!(by_id("gpt-4o"), Some(ModelKind::Language));
        assert_eq!(by_id("gpt-4o-mini-tts"), Some(ModelKind::Tts));
        assert_eq!(by_id("gpt-4o-transcribe"), Some(ModelKind::Asr));
        assert_eq!(by_id("text-embedding-3-small"), Some(ModelKind::Embedding));
        assert_eq!(by_id("gpt-image-1"), Some(ModelKind::Image));
        assert_eq!(by_id("omni-moderation-latest"), None);
        let said = json!({"type": "image"});
        assert_eq!(kind("some/model", &said), Some(ModelKind::Image));
        let written = json!({"architecture": {"output_modalities": ["image", "text"]}});
        assert_eq!(
            kind("google/gemini-image", &written),
            Some(ModelKind::Language)
        );
    }

    #[test]
    fn the_context_is_found_under_every_name() {
        for told in [
            json!({"context_window": 4096}),
            json!({"max_model_len": 4096}),
            json!({"meta": {"n_ctx_train": 4096}}),
            json!({"providers": [{"context_length": 1024}, {"context_length": 4096}]}),
        ] {
            assert_eq!(context(&told), Some(4096), "{told}");
        }
        assert_eq!(context(&json!({"context_length": 0})), None);
    }
}

//! Open models that run on one's own machine and are good to begin with (HTTP spec 6.9).

use std::collections::HashSet;

use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::extract::Query;
use super::super::{AppState, Refusal, json as json_body};
use super::ollama::pulled;
use super::{ApiError, UnifiedModel};
use crate::services::Caller;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_recommended))
        .routes(routes!(list_recommended_image))
        .routes(routes!(list_recommended_text_to_image))
        .routes(routes!(list_recommended_image_to_image))
        .routes(routes!(list_recommended_language))
        .routes(routes!(list_recommended_text_generation))
        .routes(routes!(list_recommended_embedding))
        .routes(routes!(list_recommended_asr))
        .routes(routes!(list_recommended_tts))
        .routes(routes!(list_recommended_text_to_video))
        .routes(routes!(list_recommended_image_to_video))
        .routes(routes!(list_all_models))
}

/// What runs a model.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Home {
    /// An Ollama server.
    Ollama,
    /// Programs that read the hub's cache, which know the model as this type.
    Hub(&'static str),
}

struct Recommended {
    home: Home,
    id: &'static str,
    name: &'static str,
    task: &'static str,
    description: &'static str,
}

const fn model(
    home: Home,
    id: &'static str,
    name: &'static str,
    task: &'static str,
    description: &'static str,
) -> Recommended {
    Recommended {
        home,
        id,
        name,
        task,
        description,
    }
}

const CHAT: &str = "text-generation";
const EMBED: &str = "feature-extraction";
const DRAW: &str = "text-to-image";
const REDRAW: &str = "image-to-image";
const HEAR: &str = "automatic-speech-recognition";
const SPEAK: &str = "text-to-speech";
const FILM: &str = "text-to-video";
const ANIMATE: &str = "image-to-video";

#[rustfmt::skip]
const RECOMMENDED: &[Recommended] = &[
    model(Home::Ollama, "llama3.2:3b", "Llama 3.2 3B", CHAT, "Small and quick; fits machines without a graphics card"),
    model(Home::Ollama, "qwen3:4b", "Qwen3 4B", CHAT, "Small, calls tools and thinks before it answers"),
    model(Home::Ollama, "gemma3:4b", "Gemma 3 4B", CHAT, "Small, sees pictures and knows many languages"),
    model(Home::Ollama, "qwen3:14b", "Qwen3 14B", CHAT, "Calls tools well; wants 12 GB of memory"),
    model(Home::Ollama, "gpt-oss:20b", "gpt-oss 20B", CHAT, "Thinks and calls tools; wants 16 GB of memory"),
    model(Home::Ollama, "nomic-embed-text", "Nomic Embed Text", EMBED, "Vectors of 768 numbers for long texts"),
    model(Home::Ollama, "all-minilm", "All-MiniLM L6", EMBED, "Vectors of 384 numbers, very quick"),
    model(Home::Hub("hf.feature_extraction"), "BAAI/bge-m3", "BGE-M3", EMBED, "Vectors of 1024 numbers in a hundred languages"),
    model(Home::Hub("hf.text_to_image"), "black-forest-labs/FLUX.1-schnell", "FLUX.1 schnell", DRAW, "Good pictures in few steps; wants 16 GB of graphics memory"),
    model(Home::Hub("hf.text_to_image"), "stabilityai/stable-diffusion-xl-base-1.0", "Stable Diffusion XL", DRAW, "Pictures of 1024 pixels; wants 8 GB of graphics memory"),
    model(Home::Hub("hf.image_to_image"), "Qwen/Qwen-Image-Edit", "Qwen Image Edit", REDRAW, "Changes a picture as it is told"),
    model(Home::Hub("hf.image_to_image"), "stabilityai/stable-diffusion-xl-refiner-1.0", "Stable Diffusion XL Refiner", REDRAW, "Adds detail to a picture"),
    model(Home::Hub("hf.automatic_speech_recognition"), "openai/whisper-large-v3-turbo", "Whisper large v3 turbo", HEAR, "A hundred languages, quick"),
    model(Home::Hub("hf.automatic_speech_recognition"), "openai/whisper-small", "Whisper small", HEAR, "Fits machines without a graphics card"),
    model(Home::Hub("hf.text_to_speech"), "hexgrad/Kokoro-82M", "Kokoro 82M", SPEAK, "Small, with many voices"),
    model(Home::Hub("hf.text_to_video"), "Wan-AI/Wan2.1-T2V-1.3B-Diffusers", "Wan 2.1 1.3B", FILM, "Short videos; wants 8 GB of graphics memory"),
    model(Home::Hub("hf.image_to_video"), "Wan-AI/Wan2.1-I2V-14B-480P-Diffusers", "Wan 2.1 14B 480p", ANIMATE, "Sets a picture in motion"),
];

impl Recommended {
    fn unified(&self) -> UnifiedModel {
        let (kind, repo_id) = match self.home {
            Home::Ollama => ("llama_model", None),
            Home::Hub(kind) => (kind, Some(self.id.to_owned())),
        };
        UnifiedModel {
            id: self.id.to_owned(),
            kind: Some(kind.to_owned()),
            name: self.name.to_owned(),
            repo_id,
            description: Some(self.description.to_owned()),
            pipeline_tag: Some(self.task.to_owned()),
            ..UnifiedModel::default()
        }
    }
}

/// The recommended models of these tasks, or of all. When servers are to be checked, models of an Ollama server are told
/// only where it answers.
async fn recommended(app: &AppState, query: &Query, tasks: &[&str]) -> Result<Response, ApiError> {
    let check = query.boolean("check_servers", false)?;
    let away = check && !matches!(app.ollama.models().await, Ok(models) if models.is_some());
    let shown = RECOMMENDED.iter().filter(|model| {
        (tasks.is_empty() || tasks.contains(&model.task)) && !(away && model.home == Home::Ollama)
    });
    let shown: Vec<UnifiedModel> = shown.map(Recommended::unified).collect();
    Ok(json_body(&shown))
}

macro_rules! recommended_routes {
    ($($(#[doc = $doc:literal])* $name:ident $path:literal [$($task:expr),*];)*) => {$(
        $(#[doc = $doc])*
        #[utoipa::path(get, path = $path, tag = "models",
            params(("check_servers" = Option<bool>, Query, description = "Leave out models of servers that do not answer")),
            responses((status = 200, body = Vec<UnifiedModel>), (status = 422, body = Refusal)))]
        async fn $name(
            State(app): State<AppState>,
            _caller: Caller,
            query: Query,
        ) -> Result<Response, ApiError> {
            recommended(&app, &query, &[$($task),*]).await
        }
    )*};
}

recommended_routes! {
    /// Open models that are good to begin with.
    list_recommended "/api/models/recommended" [];
    /// Those that draw or redraw.
    list_recommended_image "/api/models/recommended/image" [DRAW, REDRAW];
    /// Those that draw.
    list_recommended_text_to_image "/api/models/recommended/image/text-to-image" [DRAW];
    /// Those that redraw.
    list_recommended_image_to_image "/api/models/recommended/image/image-to-image" [REDRAW];
    /// Those for texts.
    list_recommended_language "/api/models/recommended/language" [CHAT, EMBED];
    /// Those for conversations.
    list_recommended_text_generation "/api/models/recommended/language/text-generation" [CHAT];
    /// Those that make vectors of texts.
    list_recommended_embedding "/api/models/recommended/language/embedding" [EMBED];
    /// Those that write down what is said.
    list_recommended_asr "/api/models/recommended/asr" [HEAR];
    /// Those that speak.
    list_recommended_tts "/api/models/recommended/tts" [SPEAK];
    /// Those that make videos.
    list_recommended_text_to_video "/api/models/recommended/video/text-to-video" [FILM];
    /// Those that set a picture in motion.
    list_recommended_image_to_video "/api/models/recommended/video/image-to-video" [ANIMATE];
}

/// Models that are here, in the hub's cache and at an Ollama server that answers, and then those that are recommended.
#[utoipa::path(get, path = "/api/models/all", tag = "models",
    responses((status = 200, body = Vec<UnifiedModel>)))]
async fn list_all_models(
    State(app): State<AppState>,
    _caller: Caller,
) -> Result<Response, ApiError> {
    let repos = app.library.scan().await?.repos.into_iter();
    let cached = repos.filter(|repo| repo.repo_type == "model" && repo.nb_files > 0);
    let cached = cached.map(|repo| UnifiedModel::cached(repo, app.own_machine));
    let pulled = pulled(&app).await;
    let recommended = RECOMMENDED.iter().map(Recommended::unified);
    let mut seen = HashSet::new();
    let mut all: Vec<UnifiedModel> = cached.chain(pulled).chain(recommended).collect();
    all.retain(|model| {
        let id = model.repo_id.as_ref().unwrap_or(&model.id);
        seen.insert((id.clone(), model.path.clone().unwrap_or_default()))
    });
    Ok(json_body(&all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_task_has_a_model_and_no_model_is_there_twice() {
        let ids: HashSet<&str> = RECOMMENDED.iter().map(|m| m.id).collect();
        assert_eq!(ids.len(), RECOMMENDED.len());
        for task in [CHAT, EMBED, DRAW, REDRAW, HEAR, SPEAK, FILM, ANIMATE] {
            assert!(RECOMMENDED.iter().any(|m| m.task == task), "{task}");
        }
    }
}

//! Which models there are, and what for: the API tells methods, the rest is in their names.

use std::time::Instant;

use nodetool_sdk::models::ModelError;
use reqwest::{Method, Url};
use serde::Deserialize;

use super::Gemini;
use super::sound::VOICES;
use crate::{ListedModel, ModelKind};

/// Most pages of the list.
const MAX_PAGES: usize = 20;
/// Models of a page; the most the API gives.
const PAGE: &str = "1000";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    models: Vec<Model>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Model {
    name: String,
    display_name: Option<String>,
    input_token_limit: Option<u32>,
    #[serde(default)]
    supported_generation_methods: Vec<String>,
}

impl Gemini {
    pub(super) async fn list(&self) -> Result<Vec<ListedModel>, ModelError> {
        let account = &self.account;
        let until = Instant::now() + account.patience.list;
        let mut models = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let url = format!("{}/models", account.address);
            let mut url = Url::parse(&url).map_err(|e| account.nonsense(e))?;
            url.query_pairs_mut()
                .append_pair("pageSize", PAGE)
                .extend_pairs(token.iter().map(|token| ("pageToken", token)));
            let request = self.request(Method::GET, url.as_str())?;
            let left = until.saturating_duration_since(Instant::now());
            let page = account.json(request, left).await?;
            let page = Page::deserialize(page).map_err(|e| account.nonsense(e))?;
            models.extend(page.models.iter().flat_map(listed));
            match page.next_page_token.filter(|next| !next.is_empty()) {
                Some(next) if token.as_ref() != Some(&next) => token = Some(next),
                _ => break,
            }
        }
        Ok(models)
    }
}

/// A model, once for each thing it is for.
fn listed(model: &Model) -> Vec<ListedModel> {
    let id = model.name.strip_prefix("models/").unwrap_or(&model.name);
    let does = |method: &str| {
        model
            .supported_generation_methods
            .iter()
            .any(|m| m == method)
    };
    let of = |kind| {
        let mut listed = ListedModel::new(id, kind);
        if let Some(name) = model.display_name.as_ref().filter(|name| !name.is_empty()) {
            listed.name.clone_from(name);
        }
        listed
    };
    let tasks = |tasks: &[&str]| tasks.iter().map(|task| (*task).to_owned()).collect();
    if does("embedContent") || does("batchEmbedContents") {
        return vec![ListedModel {
            dimensions: match id {
                "gemini-embedding-001" => 3072,
                "text-embedding-004" | "embedding-001" => 768,
                _ => 0,
            },
            ..of(ModelKind::Embedding)
        }];
    }
    if does("predictLongRunning") {
        return vec![ListedModel {
            tasks: tasks(&["text_to_video", "image_to_video"]),
            ..of(ModelKind::Video)
        }];
    }
    if does("predict") {
        return vec![ListedModel {
            tasks: tasks(&["text_to_image"]),
            ..of(ModelKind::Image)
        }];
    }
    if !does("generateContent") {
        return Vec::new();
    }
    if id.contains("-tts") {
        return vec![ListedModel {
            voices: VOICES.iter().map(|voice| (*voice).to_owned()).collect(),
            ..of(ModelKind::Tts)
        }];
    }
    if id.contains("-image") {
        return vec![ListedModel {
            tasks: tasks(&["text_to_image", "image_to_image"]),
            ..of(ModelKind::Image)
        }];
    }
    let language = ListedModel {
        context: model.input_token_limit.filter(|tokens| *tokens > 0),
        ..of(ModelKind::Language)
    };
    let special = ["robotics", "computer-use", "deep-research"];
    let listens = id.starts_with("gemini-") && !special.iter().any(|word| id.contains(word));
    match listens {
        true => vec![language, of(ModelKind::Asr)],
        false => vec![language],
    }
}

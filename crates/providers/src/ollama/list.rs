//! The models of `/api/tags`.

use nodetool_sdk::models::ModelError;
use serde_json::Value;

use crate::{Account, ListedModel, ModelKind};

/// Families of models that make vectors.
const EMBEDDING_FAMILIES: &[&str] = &["bert", "embed", "minilm"];
/// Parts of names of models that make vectors although their family also talks.
const EMBEDDING_NAMES: &[&str] = &["embed", "minilm", "bge-", "gte-", "e5-", "paraphrase-"];
/// Most models that are shown.
const MOST: usize = 10_000;

/// The models. What a model is for is told by its family and name: to ask for each would take too long.
pub(super) fn read(account: &Account, answer: &Value) -> Result<Vec<ListedModel>, ModelError> {
    let models = answer["models"]
        .as_array()
        .ok_or_else(|| account.nonsense("a list without `models`"))?;
    let models = models.iter().take(MOST).filter_map(|model| {
        let id = model["model"].as_str().or_else(|| model["name"].as_str())?;
        Some(ListedModel::new(id, kind(id, &model["details"])))
    });
    Ok(models.collect())
}

fn kind(id: &str, details: &Value) -> ModelKind {
    let id = id.to_ascii_lowercase();
    let name = id.rsplit_once('/').map_or(id.as_str(), |(_, name)| name);
    let families = details["families"].as_array().into_iter().flatten();
    let mut families = families
        .chain([&details["family"]])
        .filter_map(Value::as_str);
    let embeds = families.any(|family| {
        EMBEDDING_FAMILIES
            .iter()
            .any(|sign| family.to_ascii_lowercase().contains(sign))
    }) || EMBEDDING_NAMES.iter().any(|sign| name.contains(sign));
    match embeds {
        true => ModelKind::Embedding,
        false => ModelKind::Language,
    }
}

//! What the hub tells of models: searches and single ones. All of it is the word of strangers and is cut.

use serde_json::Value;

use super::super::names::RepoId;
use super::{Hub, HubError};
use crate::sensitive::Sensitive;

/// Longest text of a field, and most tags.
const LONGEST: usize = 200;
const TAGS: usize = 50;

/// A model as the hub describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HubModel {
    pub(crate) id: String,
    pub(crate) author: Option<String>,
    pub(crate) pipeline_tag: Option<String>,
    pub(crate) library_name: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) downloads: Option<u64>,
    pub(crate) likes: Option<u64>,
    pub(crate) last_modified: Option<String>,
    /// Whether its files are only for those who accepted conditions.
    pub(crate) gated: bool,
}

impl HubModel {
    fn read(about: &Value) -> Option<Self> {
        let cut = |text: &str| text.chars().take(LONGEST).collect::<String>();
        let text = |key: &str| about[key].as_str().map(cut);
        let tags = about["tags"].as_array().map(Vec::as_slice);
        let tags = tags.unwrap_or_default().iter().filter_map(Value::as_str);
        Some(HubModel {
            id: text("id").or_else(|| text("modelId"))?,
            author: text("author"),
            pipeline_tag: text("pipeline_tag"),
            library_name: text("library_name"),
            tags: tags.take(TAGS).map(cut).collect(),
            downloads: about["downloads"].as_u64(),
            likes: about["likes"].as_u64(),
            last_modified: text("lastModified"),
            // `false`, or how one is let in: `auto`, `manual`.
            gated: about["gated"].is_string() || about["gated"] == true,
        })
    }
}

impl Hub {
    /// Models that fit some words, those most often fetched first.
    pub(in super::super) async fn search(
        &self,
        query: &str,
        pipeline_tag: Option<&str>,
        limit: usize,
        token: Option<&Sensitive>,
    ) -> Result<Vec<HubModel>, HubError> {
        let mut url = self.url(["api", "models"]);
        let query: String = query.chars().take(LONGEST).collect();
        let limited = limit.to_string();
        let mut asked = vec![
            ("search", query.as_str()),
            ("limit", &limited),
            ("sort", "downloads"),
            ("direction", "-1"),
        ];
        asked.extend(pipeline_tag.map(|tag| ("pipeline_tag", tag)));
        url.query_pairs_mut().extend_pairs(asked);
        let (_, found) = self.json(url, "list of models", token).await?;
        let found = found.as_array();
        let found = found.ok_or_else(|| HubError::Nonsense("expected a list of models".into()))?;
        Ok(found
            .iter()
            .filter_map(HubModel::read)
            .take(limit)
            .collect())
    }

    /// What the hub says of one model.
    pub(in super::super) async fn about(
        &self,
        repo: &RepoId,
        token: Option<&Sensitive>,
    ) -> Result<HubModel, HubError> {
        let parts = ["api", "models"].into_iter();
        let url = self.url(parts.chain(repo.as_str().split('/')));
        let what = format!("model {}", repo.as_str());
        let (_, about) = self.json(url, &what, token).await?;
        HubModel::read(&about).ok_or_else(|| HubError::Nonsense(format!("{what} has no id")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_strangers_say_is_cut_and_what_is_no_model_is_left_out() {
        let told = json!({ "id": "o/m", "gated": "auto", "downloads": 3, "likes": -1, "tags": ["a", 1, "b".repeat(500)] });
        let model = HubModel::read(&told).unwrap();
        assert_eq!((model.id.as_str(), model.gated), ("o/m", true));
        assert_eq!((model.downloads, model.likes), (Some(3), None));
        assert_eq!((model.tags.len(), model.tags[1].len()), (2, LONGEST));
        assert_eq!(HubModel::read(&json!({ "likes": 1 })), None);
    }
}

//! Models of the hub: what this machine has of them, and what the hub says.

use nodetool_sdk::Value;

use super::Desk;
use super::arguments::Arguments;
use crate::services::downloads::{
    CachedRepo, Filter, HubModel, LibraryError, ModelLibrary, RepoId,
};

/// Files of a repository that are told.
const MOST_FILES: usize = 1_000;
/// Patterns of one question.
const MOST_PATTERNS: usize = 64;

fn told(error: LibraryError) -> String {
    match error {
        LibraryError::Disk(_) | LibraryError::Thread(_) => {
            tracing::error!(error = %error, "the cache of models failed for a tool");
            "the cache of models cannot be read; the server's log says why".into()
        }
        LibraryError::Hub(_) | LibraryError::Busy(_) => error.to_string(),
    }
}

fn size(bytes: u64) -> Value {
    i64::try_from(bytes).unwrap_or(i64::MAX).into()
}

/// A repository of the cache. Where it is on the disk is the server's own business.
fn cached(repo: &CachedRepo) -> Value {
    Value::map([
        ("repo_id", Value::from(repo.repo_id.as_str())),
        ("repo_type", repo.repo_type.into()),
        ("size_on_disk", size(repo.size_on_disk)),
        ("files", repo.nb_files.into()),
        ("revisions", repo.revisions.len().into()),
    ])
}

fn shown(model: HubModel) -> Value {
    Value::map([
        ("id", Value::from(model.id)),
        ("author", model.author.into()),
        ("pipeline_tag", model.pipeline_tag.into()),
        ("library_name", model.library_name.into()),
        ("tags", Value::list(model.tags.into_iter().map(Value::from))),
        ("downloads", model.downloads.map(size).into()),
        ("likes", model.likes.map(size).into()),
        ("last_modified", model.last_modified.into()),
        ("gated", model.gated.into()),
    ])
}

impl Desk {
    fn library(&self) -> Result<&ModelLibrary, String> {
        let library = self.house.library.as_ref();
        library.ok_or_else(|| "this server does not look after models of the hub".into())
    }

    fn repo(&self, arguments: &Arguments) -> Result<RepoId, String> {
        RepoId::parse(arguments.text("repo_id").trim()).map_err(|e| format!("repo_id: {e}"))
    }

    pub(super) async fn get_hf_cache_info(&self, arguments: &Arguments) -> Result<Value, String> {
        let inventory = self.library()?.scan().await.map_err(told)?;
        let limit = arguments.count("limit", 100, 500).max(1);
        let repos = inventory.repos.iter().take(limit).map(cached);
        Ok(Value::map([
            ("repos", Value::list(repos)),
            ("total", inventory.repos.len().into()),
            ("size_on_disk", size(inventory.size_on_disk)),
        ]))
    }

    pub(super) async fn inspect_hf_cached_model(
        &self,
        arguments: &Arguments,
    ) -> Result<Value, String> {
        let repo = self.repo(arguments)?;
        let inventory = self.library()?.scan().await.map_err(told)?;
        let mut repos = inventory.repos.into_iter();
        let found = repos.find(|r| r.repo_type == "model" && r.repo_id == repo.as_str());
        let Some(found) = found else {
            return Err(format!("repo_id: {} is not in the cache", repo.as_str()));
        };
        let revisions = found.revisions.iter().map(|revision| {
            let files = revision.files.iter().take(MOST_FILES).map(|file| {
                Value::map([
                    ("path", Value::from(file.file_name.as_str())),
                    ("size", size(file.size_on_disk)),
                ])
            });
            Value::map([
                ("commit", Value::from(revision.commit_hash.as_str())),
                ("size_on_disk", size(revision.size_on_disk)),
                ("files", Value::list(files)),
                ("total_files", revision.files.len().into()),
            ])
        });
        Ok(Value::map([
            ("repo_id", Value::from(found.repo_id.as_str())),
            ("size_on_disk", size(found.size_on_disk)),
            ("revisions", Value::list(revisions)),
        ]))
    }

    pub(super) async fn query_hf_model_files(
        &self,
        arguments: &Arguments,
    ) -> Result<Value, String> {
        let repo = self.repo(arguments)?;
        let patterns = arguments.texts("patterns");
        if patterns.len() > MOST_PATTERNS {
            return Err(format!("patterns: expected at most {MOST_PATTERNS}"));
        }
        let patterns: Vec<String> = patterns.into_iter().map(str::to_owned).collect();
        let filter = Filter::new(&patterns, &[]).map_err(|e| format!("patterns: {e}"))?;
        let library = self.library()?;
        let files = library
            .files(&self.scope.caller.user_id, repo, filter)
            .await;
        let files = files.map_err(told)?;
        let total_size = files.iter().map(|(_, bytes)| bytes).sum();
        let limit = arguments.count("limit", 200, MOST_FILES).max(1);
        let shown = files.iter().take(limit).map(|(path, bytes)| {
            Value::map([("path", Value::from(path.as_str())), ("size", size(*bytes))])
        });
        Ok(Value::map([
            ("files", Value::list(shown)),
            ("total", files.len().into()),
            ("total_size", size(total_size)),
        ]))
    }

    pub(super) async fn search_hf_hub_models(
        &self,
        arguments: &Arguments,
    ) -> Result<Value, String> {
        let Some(query) = arguments.given("query") else {
            return Err("query: expected a text".into());
        };
        let kind = arguments.given("pipeline_tag");
        let limit = arguments.count("limit", 20, 100).max(1);
        let library = self.library()?;
        let found = library.search(&self.scope.caller.user_id, query, kind, limit);
        let found = found.await.map_err(told)?;
        Ok(Value::map([(
            "models",
            Value::list(found.into_iter().map(shown)),
        )]))
    }

    pub(super) async fn get_hf_model_info(&self, arguments: &Arguments) -> Result<Value, String> {
        let repo = self.repo(arguments)?;
        let library = self.library()?;
        let model = library.about(&self.scope.caller.user_id, &repo).await;
        Ok(shown(model.map_err(told)?))
    }
}

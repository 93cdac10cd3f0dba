//! Looks at models: which are here, and what the hub says of them. It downloads nothing.

use std::path::PathBuf;

use super::cache::HubCache;
use super::hub::{Hub, HubError, HubModel};
use super::inventory::{CachedRepo, Inventory};
use super::kinds::is_of_kind;
use super::llama::LlamaCache;
use super::names::{FilePath, RepoId};
use super::patterns::Filter;
use super::{DownloadService, Tokens};

/// Why a look failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LibraryError {
    #[error(transparent)]
    Hub(#[from] HubError),
    #[error("{0} is being downloaded; cancel that first")]
    Busy(String),
    #[error("the cache cannot be changed")]
    Disk(#[source] std::io::Error),
    #[error("the thread that was to look has failed")]
    Thread(#[from] tokio::task::JoinError),
}

/// What is missing of what is wanted.
#[derive(Debug)]
pub(crate) struct Missing {
    /// Files that are wanted.
    pub(crate) wanted: usize,
    pub(crate) missing: Vec<String>,
}

/// The models of this machine and of the hub.
#[derive(Clone)]
pub(crate) struct ModelLibrary {
    hub: Hub,
    cache: HubCache,
    llama: LlamaCache,
    tokens: Tokens,
}

impl ModelLibrary {
    pub(super) fn new(hub: Hub, cache: HubCache, llama: LlamaCache, tokens: Tokens) -> Self {
        ModelLibrary {
            hub,
            cache,
            llama,
            tokens,
        }
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&HubCache, &LlamaCache) -> T + Send + 'static,
    ) -> Result<T, LibraryError> {
        let (cache, llama) = (self.cache.clone(), self.llama.clone());
        Ok(tokio::task::spawn_blocking(move || look(&cache, &llama)).await?)
    }

    /// Whether each file is here.
    pub(crate) async fn have_files(
        &self,
        files: Vec<Option<(RepoId, FilePath)>>,
    ) -> Result<Vec<bool>, LibraryError> {
        self.look(move |cache, _| {
            let here = |file: &Option<(RepoId, FilePath)>| {
                let found = file
                    .as_ref()
                    .and_then(|(repo, path)| cache.find(repo, path));
                found.is_some()
            };
            files.iter().map(here).collect()
        })
        .await
    }

    /// Whether a file is in llama.cpp's cache.
    pub(crate) async fn has_llama_file(
        &self,
        repo: RepoId,
        path: FilePath,
    ) -> Result<bool, LibraryError> {
        self.look(move |_, llama| llama.find(&repo, &path).is_some())
            .await
    }

    /// Whether enough of a repository is here.
    pub(crate) async fn suffices(
        &self,
        repo: RepoId,
        filter: Filter,
    ) -> Result<bool, LibraryError> {
        self.look(move |cache, _| filter.is_met_by(&cache.files(&repo)))
            .await
    }

    /// What of the wanted files at the hub is not here.
    pub(crate) async fn missing(
        &self,
        user_id: &str,
        repo: RepoId,
        filter: Filter,
    ) -> Result<Missing, LibraryError> {
        let token = self.tokens.of(user_id).await;
        let listing = self.hub.list(&repo, token.as_ref()).await?;
        let wanted = listing.files.into_iter().map(|file| file.path);
        let wanted: Vec<FilePath> = wanted.filter(|path| filter.wants(path.as_str())).collect();
        self.look(move |cache, _| Missing {
            wanted: wanted.len(),
            missing: wanted
                .iter()
                .filter(|path| cache.find(&repo, path).is_none())
                .map(|path| path.as_str().to_owned())
                .collect(),
        })
        .await
    }

    /// The wanted files at the hub, with their sizes.
    pub(crate) async fn files(
        &self,
        user_id: &str,
        repo: RepoId,
        filter: Filter,
    ) -> Result<Vec<(String, u64)>, LibraryError> {
        let token = self.tokens.of(user_id).await;
        let listing = self.hub.list(&repo, token.as_ref()).await?;
        let wanted = listing.files.into_iter();
        let wanted = wanted.filter(|file| filter.wants(file.path.as_str()));
        Ok(wanted
            .map(|file| (file.path.as_str().to_owned(), file.size))
            .collect())
    }

    /// Models at the hub that fit some words.
    pub(crate) async fn search(
        &self,
        user_id: &str,
        query: &str,
        pipeline_tag: Option<&str>,
        limit: usize,
    ) -> Result<Vec<HubModel>, LibraryError> {
        let token = self.tokens.of(user_id).await;
        let found = self.hub.search(query, pipeline_tag, limit, token.as_ref());
        Ok(found.await?)
    }

    /// What the hub says of a model.
    pub(crate) async fn about(
        &self,
        user_id: &str,
        repo: &RepoId,
    ) -> Result<HubModel, LibraryError> {
        let token = self.tokens.of(user_id).await;
        Ok(self.hub.about(repo, token.as_ref()).await?)
    }

    /// The size of a file at the hub.
    pub(crate) async fn size_of(
        &self,
        user_id: &str,
        repo: &RepoId,
        path: &FilePath,
    ) -> Result<u64, LibraryError> {
        let token = self.tokens.of(user_id).await;
        Ok(self.hub.size(repo, path, token.as_ref()).await?)
    }

    /// Everything in the hub's cache.
    pub(crate) async fn scan(&self) -> Result<Inventory, LibraryError> {
        self.look(|cache, _| cache.scan()).await
    }

    /// Models in the hub's cache that are of a kind such as `hf.text_to_image`.
    pub(crate) async fn of_kind(&self, kind: String) -> Result<Vec<CachedRepo>, LibraryError> {
        self.look(move |cache, _| {
            let mut repos = cache.scan().repos;
            repos.retain(|repo| is_of_kind(repo, &kind));
            repos
        })
        .await
    }

    /// Bytes of the hub's cache, or of a folder within it, and which that is.
    pub(crate) async fn size(&self, part: Option<PathBuf>) -> Result<(PathBuf, u64), LibraryError> {
        self.look(move |cache, _| cache.size(part.as_deref())).await
    }

    /// Takes a model out of the hub's cache; false when it is not there.
    pub(crate) async fn delete(
        &self,
        downloads: &DownloadService,
        repo: RepoId,
    ) -> Result<bool, LibraryError> {
        if downloads.is_busy_with(&repo) {
            return Err(LibraryError::Busy(repo.as_str().to_owned()));
        }
        let deleted = self.look(move |cache, _| cache.delete(&repo)).await?;
        deleted.map_err(LibraryError::Disk)
    }
}

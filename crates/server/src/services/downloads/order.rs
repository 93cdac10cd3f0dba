//! What somebody wants downloaded.

use super::llama::is_llama_type;
use super::names::{FilePath, NameError, RepoId};
use super::patterns::Filter;
use super::state::{Snapshot, Status};

/// Most characters of a model's type.
const TYPE: usize = 128;

/// An order as it comes from outside.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ordered {
    pub(crate) repo_id: String,
    pub(crate) path: Option<String>,
    pub(crate) allow_patterns: Vec<String>,
    pub(crate) ignore_patterns: Vec<String>,
    pub(crate) model_type: Option<String>,
}

/// An order that can be filled.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(super) repo: RepoId,
    pub(super) path: Option<FilePath>,
    pub(super) filter: Filter,
    pub(super) model_type: Option<String>,
}

impl Order {
    pub(crate) fn read(ordered: Ordered) -> Result<Self, NameError> {
        let model_type = ordered.model_type.filter(|t| !t.is_empty());
        if model_type
            .as_ref()
            .is_some_and(|t| t.chars().count() > TYPE)
        {
            return Err(NameError::ModelType(TYPE));
        }
        let path = ordered.path.filter(|path| !path.is_empty());
        let order = Order {
            repo: RepoId::parse(&ordered.repo_id)?,
            path: path.map(|path| FilePath::parse(&path)).transpose()?,
            filter: Filter::new(&ordered.allow_patterns, &ordered.ignore_patterns)?,
            model_type,
        };
        if order.for_llama() && order.path.is_none() && order.filter.takes_all() {
            return Err(NameError::LlamaPath);
        }
        Ok(order)
    }

    /// `repo_id`, or `repo_id/path`.
    pub(crate) fn id(&self) -> String {
        self.snapshot().id()
    }

    /// Whether it goes to the cache of llama.cpp.
    pub(super) fn for_llama(&self) -> bool {
        self.model_type.as_deref().is_some_and(is_llama_type)
    }

    /// Its state before anything has been done.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            status: Status::Idle,
            repo_id: self.repo.as_str().to_owned(),
            path: self.path.as_ref().map(|p| p.as_str().to_owned()),
            model_type: self.model_type.clone(),
            downloaded_bytes: 0,
            total_bytes: 0,
            downloaded_files: 0,
            current_files: Vec::new(),
            total_files: 0,
            error: None,
            error_file: None,
            cached_files: 0,
            local_path: None,
        }
    }
}

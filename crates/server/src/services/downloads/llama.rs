//! The cache of llama.cpp: single files in one folder, named after repository and path.

use std::path::{Path, PathBuf};

use super::cache::Target;
use super::names::{FilePath, RepoId};

/// Types of models that llama.cpp reads.
const TYPES: [&str; 3] = ["llama_cpp_model", "llama_cpp", "hf.gguf"];

/// Whether models of a type belong to llama.cpp.
pub(crate) fn is_llama_type(model_type: &str) -> bool {
    TYPES.contains(&model_type)
}

/// The cache under one folder.
#[derive(Clone, Debug)]
pub(crate) struct LlamaCache {
    root: PathBuf,
}

impl LlamaCache {
    pub(crate) fn new(root: PathBuf) -> Self {
        LlamaCache { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where a file is, or would be.
    pub(super) fn place(&self, repo: &RepoId, path: &FilePath) -> PathBuf {
        self.root.join(format!("{}_{}", repo.flat(), path.flat()))
    }

    /// A file, if it is here.
    pub(crate) fn find(&self, repo: &RepoId, path: &FilePath) -> Option<PathBuf> {
        let place = self.place(repo, path);
        place.is_file().then_some(place)
    }

    pub(super) fn target(&self, repo: &RepoId, path: &FilePath) -> Target {
        let finished = self.place(repo, path);
        let beside = |ending: &str| {
            let mut name = finished.clone().into_os_string();
            name.push(ending);
            PathBuf::from(name)
        };
        Target {
            incomplete: beside(".incomplete"),
            lock: beside(".lock"),
            finished,
        }
    }
}

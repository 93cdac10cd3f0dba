//! What the hub's cache holds: repositories, their states and sizes; and taking one away.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::cache::{Found, HubCache, folders, walk};
use super::names::RepoId;

/// A file of a state.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CachedFile {
    pub(crate) file_name: String,
    pub(crate) size_on_disk: u64,
    pub(crate) file_path: String,
    pub(crate) blob_path: String,
}

/// A state of a repository.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CachedRevision {
    pub(crate) commit_hash: String,
    pub(crate) size_on_disk: u64,
    pub(crate) snapshot_path: String,
    pub(crate) files: Vec<CachedFile>,
}

/// A repository in the cache.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CachedRepo {
    pub(crate) repo_id: String,
    pub(crate) repo_type: &'static str,
    pub(crate) repo_path: String,
    pub(crate) size_on_disk: u64,
    pub(crate) nb_files: usize,
    pub(crate) revisions: Vec<CachedRevision>,
}

/// The whole cache.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Inventory {
    pub(crate) size_on_disk: u64,
    pub(crate) repos: Vec<CachedRepo>,
    /// What is there and is no repository.
    pub(crate) warnings: Vec<String>,
}

impl HubCache {
    /// Everything that is here.
    pub(super) fn scan(&self) -> Inventory {
        let mut inventory = Inventory::default();
        for folder in folders(self.root()) {
            let name = folder.file_name().and_then(|n| n.to_str());
            let Some(name) = name.filter(|n| !n.starts_with('.')) else {
                continue;
            };
            let repo = kind_and_id(name).and_then(|(kind, id)| read(&folder, kind, id));
            match repo {
                Some(repo) => {
                    inventory.size_on_disk += repo.size_on_disk;
                    inventory.repos.push(repo);
                }
                None => inventory.warnings.push(format!(
                    "{name} is no repository as the hub's tools keep it"
                )),
            }
        }
        inventory
    }

    /// Bytes of all files, those still coming too: of the cache, or of a folder within it.
    pub(super) fn size(&self, part: Option<&Path>) -> (PathBuf, u64) {
        let root = fs::canonicalize(self.root()).unwrap_or_else(|_| self.root().to_owned());
        let part = part.and_then(|part| fs::canonicalize(part).ok());
        let base = part.filter(|part| part.starts_with(&root)).unwrap_or(root);
        let total = own_files(&base).map(|(_, size)| size).sum();
        (base, total)
    }

    /// Takes a model away; false when it is not here.
    pub(super) fn delete(&self, repo: &RepoId) -> io::Result<bool> {
        let folder = self.folder(repo);
        match fs::symlink_metadata(&folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            about => {
                if !about?.is_dir() {
                    return Ok(false);
                }
            }
        }
        fs::remove_dir_all(&folder)?;
        match fs::remove_dir_all(self.locks(repo)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(true),
        }
    }
}

/// `models--org--name` is the model `org/name`; old ones have no owner.
fn kind_and_id(name: &str) -> Option<(&'static str, String)> {
    let (kind, id) = name.split_once("--")?;
    let kind = match kind {
        "models" => "model",
        "datasets" => "dataset",
        "spaces" => "space",
        _ => return None,
    };
    (!id.is_empty()).then(|| (kind, id.replace("--", "/")))
}

/// Files that are no links, with their sizes.
fn own_files(base: &Path) -> impl Iterator<Item = (PathBuf, u64)> {
    let files = walk(base).into_iter().map(|found| found.path);
    files.filter_map(|path| {
        let about = fs::symlink_metadata(&path).ok()?;
        about.is_file().then_some((path, about.len()))
    })
}

fn read(folder: &Path, kind: &'static str, id: String) -> Option<CachedRepo> {
    let snapshots = folder.join("snapshots");
    if !snapshots.is_dir() {
        return None;
    }
    let text = |path: &Path| path.to_string_lossy().into_owned();
    // Each content once, however many links lead to it.
    let mut blobs: HashMap<PathBuf, u64> = HashMap::new();
    let revisions: Vec<CachedRevision> = folders(&snapshots)
        .into_iter()
        .filter_map(|snapshot| {
            let commit_hash = snapshot.file_name()?.to_str()?.to_owned();
            let mut own: BTreeMap<PathBuf, u64> = BTreeMap::new();
            let file = |found: Found| {
                let blob = fs::canonicalize(&found.path).unwrap_or_else(|_| found.path.clone());
                own.insert(blob.clone(), found.size);
                CachedFile {
                    file_name: found.name,
                    size_on_disk: found.size,
                    file_path: text(&found.path),
                    blob_path: text(&blob),
                }
            };
            let files = walk(&snapshot).into_iter().map(file).collect();
            let size_on_disk = own.values().sum();
            blobs.extend(own);
            Some(CachedRevision {
                commit_hash,
                size_on_disk,
                snapshot_path: text(&snapshot),
                files,
            })
        })
        .collect();
    Some(CachedRepo {
        repo_id: id,
        repo_type: kind,
        repo_path: text(folder),
        size_on_disk: blobs.values().sum(),
        nb_files: blobs.len(),
        revisions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_name_their_repositories() {
        let id = |name| kind_and_id(name).map(|(kind, id)| format!("{kind} {id}"));
        assert_eq!(id("models--org--m").as_deref(), Some("model org/m"));
        assert_eq!(id("models--gpt2").as_deref(), Some("model gpt2"));
        assert_eq!(id("datasets--a--b").as_deref(), Some("dataset a/b"));
        assert_eq!(id("version.txt"), None);
        assert_eq!(id("other--a"), None);
    }

    #[test]
    fn folders_outside_of_the_cache_are_not_measured() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("hub");
        fs::create_dir_all(root.join("models--a--b/blobs")).unwrap();
        fs::write(root.join("models--a--b/blobs/x"), "12345").unwrap();
        fs::write(root.join("version.txt"), "1").unwrap();
        fs::write(folder.path().join("secret"), "1234567890").unwrap();
        let cache = HubCache::new(root.clone());
        assert_eq!(cache.size(None).1, 6);
        assert_eq!(cache.size(Some(&root.join("models--a--b"))).1, 5);
        for outside in [
            folder.path(),
            Path::new("/"),
            &root.join("../"),
            Path::new("nope"),
        ] {
            assert_eq!(cache.size(Some(outside)).1, 6, "{}", outside.display());
        }
    }

    #[test]
    fn only_a_folder_of_the_cache_itself_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let (root, other) = (folder.path().join("hub"), folder.path().join("other"));
        fs::create_dir_all(root.join("models--a--b/snapshots")).unwrap();
        fs::create_dir_all(root.join(".locks/models--a--b")).unwrap();
        fs::create_dir_all(&other).unwrap();
        std::os::unix::fs::symlink(&other, root.join("models--a--linked")).unwrap();
        let cache = HubCache::new(root.clone());
        let repo = |id| RepoId::parse(id).unwrap();
        assert!(cache.delete(&repo("a/b")).unwrap());
        assert!(!root.join("models--a--b").exists());
        assert!(!root.join(".locks/models--a--b").exists());
        assert!(!cache.delete(&repo("a/b")).unwrap());
        assert!(!cache.delete(&repo("a/linked")).unwrap());
        assert!(other.is_dir());
    }
}

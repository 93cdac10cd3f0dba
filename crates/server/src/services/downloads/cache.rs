//! The hub's cache on disk, laid out as the hub's own tools lay it out: contents under `blobs` by digest, and for each
//! commit a folder of relative links to them. It fetches nothing.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::names::{Commit, ContentId, FilePath, RepoId};

/// The state of a repository that is downloaded and looked at.
pub(super) const REVISION: &str = "main";
/// Most entries looked at in one walk, and how deep it goes.
const MOST_ENTRIES: usize = 500_000;
const MOST_DEPTH: usize = 40;

/// Where contents are while they come, and where they end.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) finished: PathBuf,
    pub(super) incomplete: PathBuf,
    /// Held by whoever writes.
    pub(super) lock: PathBuf,
}

/// The cache under one folder.
#[derive(Clone, Debug)]
pub(crate) struct HubCache {
    root: PathBuf,
}

impl HubCache {
    pub(crate) fn new(root: PathBuf) -> Self {
        HubCache { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn folder(&self, repo: &RepoId) -> PathBuf {
        self.root.join(repo.folder())
    }

    pub(super) fn locks(&self, repo: &RepoId) -> PathBuf {
        self.root.join(".locks").join(repo.folder())
    }

    pub(super) fn target(&self, repo: &RepoId, id: &ContentId) -> Target {
        let blobs = self.folder(repo).join("blobs");
        Target {
            finished: blobs.join(id.as_str()),
            incomplete: blobs.join(format!("{}.incomplete", id.as_str())),
            lock: self.locks(repo).join(format!("{}.lock", id.as_str())),
        }
    }

    pub(super) fn snapshot(&self, repo: &RepoId, commit: &Commit) -> PathBuf {
        let snapshots = self.folder(repo).join("snapshots");
        snapshots.join(commit.as_str())
    }

    /// Lets a file of a commit be found.
    pub(super) fn link(
        &self,
        repo: &RepoId,
        commit: &Commit,
        path: &FilePath,
        id: &ContentId,
    ) -> io::Result<()> {
        let place = self.snapshot(repo, commit).join(path.as_str());
        let up = "../".repeat(path.depth() + 2);
        let to = PathBuf::from(format!("{up}blobs/{}", id.as_str()));
        if fs::read_link(&place).is_ok_and(|there| there == to) {
            return Ok(());
        }
        let folder = place.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder)?;
        // A link cannot be replaced in one step, but be renamed over another.
        let fresh = folder.join(format!(".{}.link", nodetool_store::new_id()));
        std::os::unix::fs::symlink(to, &fresh)?;
        fs::rename(&fresh, &place).inspect_err(|_| {
            // The error that matters is the first.
            let _ = fs::remove_file(&fresh);
        })
    }

    /// Says which commit is the latest.
    pub(super) fn write_ref(&self, repo: &RepoId, commit: &Commit) -> io::Result<()> {
        let refs = self.folder(repo).join("refs");
        fs::create_dir_all(&refs)?;
        let mut file = tempfile::NamedTempFile::new_in(&refs)?;
        io::Write::write_all(&mut file, commit.as_str().as_bytes())?;
        file.persist(refs.join(REVISION))?;
        Ok(())
    }

    fn read_ref(&self, repo: &RepoId) -> Option<Commit> {
        let mut text = String::new();
        let file = fs::File::open(self.folder(repo).join("refs").join(REVISION)).ok()?;
        file.take(100).read_to_string(&mut text).ok()?;
        Commit::parse(text.trim())
    }

    /// A file of the latest commit, if it is here.
    pub(crate) fn find(&self, repo: &RepoId, path: &FilePath) -> Option<PathBuf> {
        let place = self
            .snapshot(repo, &self.read_ref(repo)?)
            .join(path.as_str());
        place.is_file().then_some(place)
    }

    /// The files of the latest commit that are here; where none is said to be the latest, those of any.
    pub(crate) fn files(&self, repo: &RepoId) -> Vec<String> {
        let base = match self.read_ref(repo) {
            Some(commit) => vec![self.snapshot(repo, &commit)],
            None => folders(&self.folder(repo).join("snapshots")),
        };
        let mut paths: Vec<String> = base
            .iter()
            .flat_map(|base| walk(base))
            .map(|file| file.name)
            .collect();
        paths.sort();
        paths.dedup();
        paths
    }
}

/// A file found below a folder.
#[derive(Debug)]
pub(super) struct Found {
    /// Relative to the folder.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// Of what a link leads to.
    pub(super) size: u64,
}

/// The folders right within a folder; none of one that is not there.
pub(super) fn folders(base: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(base).into_iter().flatten().flatten();
    let own = entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
    let mut paths: Vec<PathBuf> = own.take(MOST_ENTRIES).map(|e| e.path()).collect();
    paths.sort();
    paths
}

/// The files below a folder, through links to files but not to folders; what leads nowhere is left out.
pub(super) fn walk(base: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    let mut left = vec![(base.to_owned(), 0)];
    let mut seen = 0;
    while let Some((folder, depth)) = left.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            seen += 1;
            if seen > MOST_ENTRIES {
                return found;
            }
            let path = entry.path();
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                if depth < MOST_DEPTH {
                    left.push((path, depth + 1));
                }
                continue;
            }
            let Ok(about) = fs::metadata(&path) else {
                continue;
            };
            let name = path.strip_prefix(base).ok().and_then(Path::to_str);
            if let Some(name) = name.filter(|_| about.is_file()) {
                found.push(Found {
                    name: name.to_owned(),
                    size: about.len(),
                    path,
                });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linked_file_is_found_where_the_tools_of_the_hub_look_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let cache = HubCache::new(folder.path().to_owned());
        let repo = RepoId::parse("org/m").unwrap();
        let commit = Commit::parse(&"a1".repeat(20)).unwrap();
        let path = FilePath::parse("sub/deep/w.bin").unwrap();
        let id = ContentId::git(&"0b".repeat(20)).unwrap();
        let target = cache.target(&repo, &id);
        fs::create_dir_all(target.finished.parent().unwrap()).unwrap();
        fs::write(&target.finished, "weights").unwrap();
        for _ in 0..2 {
            cache.link(&repo, &commit, &path, &id).unwrap();
        }
        assert_eq!(cache.find(&repo, &path), None, "no commit is the latest");
        assert_eq!(cache.files(&repo), ["sub/deep/w.bin"]);
        cache.write_ref(&repo, &commit).unwrap();
        let found = cache.find(&repo, &path).unwrap();
        assert_eq!(fs::read_to_string(&found).unwrap(), "weights");
        let link = folder.path().join(format!(
            "models--org--m/snapshots/{}/sub/deep/w.bin",
            "a1".repeat(20)
        ));
        let to = format!("../../../../blobs/{}", "0b".repeat(20));
        assert_eq!(fs::read_link(link).unwrap(), Path::new(&to));
        fs::remove_file(&target.finished).unwrap();
        assert_eq!(cache.find(&repo, &path), None, "the link leads nowhere");
    }
}

//! The files of this machine below the folders its user shares with the editor. Hidden files are out of reach, and so is
//! everything behind a link. It must not know who may ask: that is settled before.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;

use super::folders::{Entry, Folder, FolderError, blocking, parts, receive};

/// Reads and writes below the shared folders.
#[derive(Clone)]
pub(crate) struct FileService {
    roots: Arc<[PathBuf]>,
    upload_limit: u64,
}

/// A place below one of the roots.
struct Place {
    root: PathBuf,
    parts: Vec<String>,
}

impl Place {
    fn parts(&self) -> Vec<&str> {
        self.parts.iter().map(String::as_str).collect()
    }

    fn open(&self) -> Result<Folder, FolderError> {
        Folder::open(&self.root)
    }

    /// The entry under its whole path, which is how it is asked for again.
    fn whole(&self, entry: Entry) -> Entry {
        let path = if entry.path == "." {
            self.root.clone()
        } else {
            self.root.join(&entry.path)
        };
        let name = path.file_name().unwrap_or(path.as_os_str());
        Entry {
            name: name.to_string_lossy().into_owned(),
            path: path.to_string_lossy().into_owned(),
            ..entry
        }
    }
}

impl FileService {
    pub(crate) fn new(roots: Vec<PathBuf>, upload_limit: u64) -> Self {
        FileService {
            roots: roots.into(),
            upload_limit,
        }
    }

    /// Finds the root a path belongs to: `.` and `~` are the first one.
    fn place(&self, path: &str) -> Result<Place, FolderError> {
        let first = self.roots.first().ok_or(FolderError::Outside)?;
        let path = match path.strip_prefix('~') {
            Some("") => ".",
            Some(rest) if rest.starts_with('/') => rest.trim_start_matches('/'),
            _ => path,
        };
        let given = Path::new(path);
        let (root, inside) = if given.is_absolute() {
            if given.components().any(|c| c == Component::ParentDir) {
                return Err(FolderError::Outside);
            }
            let find = |root: &PathBuf| {
                let real = root.canonicalize().ok()?;
                let inside = given
                    .strip_prefix(root)
                    .or_else(|_| given.strip_prefix(&real))
                    .ok()?;
                Some((real.clone(), inside.to_str()?.to_owned()))
            };
            self.roots
                .iter()
                .find_map(find)
                .ok_or(FolderError::Outside)?
        } else {
            let real = first.canonicalize().map_err(|_| FolderError::Missing)?;
            (real, path.to_owned())
        };
        let parts: Vec<String> = parts(&inside)?.into_iter().map(str::to_owned).collect();
        if parts.iter().any(|part| part.starts_with('.')) {
            return Err(FolderError::Outside);
        }
        Ok(Place { root, parts })
    }

    async fn at<T: Send + 'static>(
        &self,
        path: &str,
        work: impl FnOnce(Place) -> Result<T, FolderError> + Send + 'static,
    ) -> Result<T, FolderError> {
        let (service, path) = (self.clone(), path.to_owned());
        blocking(move || work(service.place(&path)?)).await
    }

    /// What is in a folder and not hidden.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Entry>, FolderError> {
        self.at(path, |place| {
            let entries = place.open()?.list(&place.parts(), false)?;
            Ok(entries.into_iter().map(|e| place.whole(e)).collect())
        })
        .await
    }

    /// What a path is.
    pub(crate) async fn info(&self, path: &str) -> Result<Entry, FolderError> {
        self.at(path, |place| {
            let entry = place.open()?.entry(&place.parts())?;
            Ok(place.whole(entry))
        })
        .await
    }

    /// Opens a file.
    pub(crate) async fn read(&self, path: &str) -> Result<(std::fs::File, Entry), FolderError> {
        self.at(path, |place| place.open()?.read(&place.parts()))
            .await
    }

    /// Stores what a client sends.
    pub(crate) async fn write<E: std::error::Error>(
        &self,
        path: &str,
        overwrite: bool,
        chunks: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<Entry, FolderError> {
        let (place, folder) = self
            .at(path, |place| {
                let folder = place.open()?;
                Ok((place, folder))
            })
            .await?;
        let parts = place.parts.clone();
        let entry = receive(folder, parts, overwrite, self.upload_limit, chunks).await?;
        Ok(place.whole(entry))
    }
}

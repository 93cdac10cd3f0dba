//! Folders whose files clients may reach. Every path a client gives goes through here: it is walked from a handle of the
//! folder, one component at a time, and no link on the way is followed, so nothing outside can be reached, not even by
//! somebody who swaps a folder for a link meanwhile. It must not know who asks or why.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use tokio::io::AsyncWriteExt;

/// Most entries a folder may have to be listed.
const MAX_ENTRIES: usize = 10_000;

/// Most components of a path.
const MAX_DEPTH: usize = 64;

/// Bytes beyond the limit that are still read, so that the sender gets to see the refusal.
const DISCARDED: u64 = 64 << 20;

#[cfg(target_os = "linux")]
const STEP: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const STEP: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Why a path inside a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    #[error("the path leads outside the folder or through a link, or may not be opened")]
    Outside,
    #[error("there is no such file or folder")]
    Missing,
    #[error("there is such a file or folder already")]
    Exists,
    #[error("the folder has more than {MAX_ENTRIES} entries")]
    TooMany,
    #[error("the file has more than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the upload broke off")]
    Broken,
    #[error("a file operation failed")]
    Io(#[from] io::Error),
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// Relative to the folder, with forward slashes; `.` for the folder itself.
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) is_dir: bool,
    /// Microseconds UTC.
    pub(crate) modified_at: i64,
}

impl Entry {
    fn of(path: &[&str], stat: &Stat) -> Self {
        let is_dir = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let micros = i64::try_from(stat.st_mtime_nsec / 1000).unwrap_or_default();
        Entry {
            name: path.last().map_or(".", |n| n).to_owned(),
            path: if path.is_empty() {
                ".".to_owned()
            } else {
                path.join("/")
            },
            size: if is_dir {
                0
            } else {
                u64::try_from(stat.st_size).unwrap_or_default()
            },
            is_dir,
            modified_at: stat
                .st_mtime
                .saturating_mul(1_000_000)
                .saturating_add(micros),
        }
    }
}

/// The components of a relative path.
pub(crate) fn parts(path: &str) -> Result<Vec<&str>, FolderError> {
    if path.starts_with('/') || path.contains('\0') {
        return Err(FolderError::Outside);
    }
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.contains(&"..") {
        return Err(FolderError::Outside);
    }
    if parts.len() > MAX_DEPTH {
        return Err(FolderError::Missing);
    }
    Ok(parts)
}

/// An open folder.
pub(crate) struct Folder(OwnedFd);

impl Folder {
    /// Opens a folder by its real path; a path with links is refused.
    pub(crate) fn open(path: &Path) -> Result<Self, FolderError> {
        let mut at = fs::open("/", STEP, Mode::empty()).map_err(io::Error::from)?;
        for part in path.components() {
            match part {
                Component::RootDir => {}
                Component::Normal(name) => at = step(&at, name)?,
                _ => return Err(FolderError::Outside),
            }
        }
        Ok(Folder(at))
    }

    fn walk(&self, parts: &[&str]) -> Result<OwnedFd, FolderError> {
        let mut at = step(&self.0, OsStr::new("."))?;
        for part in parts {
            at = step(&at, OsStr::new(part))?;
        }
        Ok(at)
    }

    /// What is in a folder, by name. Left out are links, which would not be followed, and what is neither file nor
    /// folder.
    pub(crate) fn list(&self, parts: &[&str], hidden: bool) -> Result<Vec<Entry>, FolderError> {
        let at = self.walk(parts)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let readable = fs::openat(&at, ".", flags, Mode::empty())
            .map_err(|e| refusal(&at, OsStr::new("."), e))?;
        let mut entries = Vec::new();
        for found in Dir::read_from(&readable).map_err(io::Error::from)? {
            let found = found.map_err(io::Error::from)?;
            // Names that are no UTF-8 cannot be asked for.
            let Ok(name) = found.file_name().to_str() else {
                continue;
            };
            if matches!(name, "." | "..") || (!hidden && name.starts_with('.')) {
                continue;
            }
            // Gone since it was listed.
            let Ok(stat) = fs::statat(&at, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            if !is_plain(&stat) {
                continue;
            }
            if entries.len() >= MAX_ENTRIES {
                return Err(FolderError::TooMany);
            }
            let path: Vec<&str> = parts.iter().copied().chain([name]).collect();
            entries.push(Entry::of(&path, &stat));
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// What a path is.
    pub(crate) fn entry(&self, parts: &[&str]) -> Result<Entry, FolderError> {
        let Some((name, above)) = parts.split_last() else {
            let stat = fs::fstat(&self.0).map_err(io::Error::from)?;
            return Ok(Entry::of(&[], &stat));
        };
        let at = self.walk(above)?;
        let stat = fs::statat(&at, *name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| refusal(&at, OsStr::new(name), e))?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            return Err(FolderError::Outside);
        }
        if !is_plain(&stat) {
            return Err(FolderError::Missing);
        }
        Ok(Entry::of(parts, &stat))
    }

    /// Opens a file for reading.
    pub(crate) fn read(&self, parts: &[&str]) -> Result<(std::fs::File, Entry), FolderError> {
        let (name, above) = parts.split_last().ok_or(FolderError::Missing)?;
        let at = self.walk(above)?;
        // A pipe must not make this wait for a writer.
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = fs::openat(&at, *name, flags, Mode::empty())
            .map_err(|e| refusal(&at, OsStr::new(name), e))?;
        let stat = fs::fstat(&file).map_err(io::Error::from)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(FolderError::Missing);
        }
        Ok((file.into(), Entry::of(parts, &stat)))
    }

    /// Begins a file next to where it will be; folders on the way are created.
    fn begin(
        &self,
        parts: &[&str],
        overwrite: bool,
    ) -> Result<(Incoming, std::fs::File), FolderError> {
        let (name, above) = parts.split_last().ok_or(FolderError::Exists)?;
        let mut at = self.walk(&[])?;
        for part in above {
            match fs::mkdirat(&at, *part, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(e) => return Err(refusal(&at, OsStr::new(part), e)),
            }
            at = step(&at, OsStr::new(part))?;
        }
        match fs::statat(&at, *name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile if overwrite => {}
                FileType::Symlink => return Err(FolderError::Outside),
                _ => return Err(FolderError::Exists),
            },
            Err(Errno::NOENT) => {}
            Err(e) => return Err(refusal(&at, OsStr::new(name), e)),
        }
        let part = format!(".{}.part", nodetool_store::new_id());
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(&at, part.as_str(), flags, Mode::from_raw_mode(0o644))
            .map_err(|e| refusal(&at, OsStr::new(&part), e))?;
        let incoming = Incoming {
            at,
            part,
            name: (*name).to_owned(),
            path: parts.iter().map(|p| (*p).to_owned()).collect(),
            overwrite,
        };
        Ok((incoming, file.into()))
    }
}

/// A file that is being received under a name of its own; it goes unless it is finished.
struct Incoming {
    at: OwnedFd,
    part: String,
    name: String,
    path: Vec<String>,
    overwrite: bool,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove.
        let _ = fs::unlinkat(&self.at, self.part.as_str(), AtFlags::empty());
    }
}

impl Incoming {
    /// Gives the file its name in one step, so that nobody ever reads half of it.
    fn finish(&self) -> Result<Entry, FolderError> {
        let (part, name) = (self.part.as_str(), self.name.as_str());
        let at = &self.at;
        let done = if self.overwrite {
            fs::renameat(at, part, at, name)
        } else {
            match fs::renameat_with(at, part, at, name, RenameFlags::NOREPLACE) {
                // Some file systems cannot do that; a link never takes the place of another file, either.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                    fs::linkat(at, part, at, name, AtFlags::empty())
                }
                done => done,
            }
        };
        done.map_err(|e| refusal(&self.at, OsStr::new(name), e))?;
        let stat =
            fs::statat(&self.at, name, AtFlags::SYMLINK_NOFOLLOW).map_err(io::Error::from)?;
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        Ok(Entry::of(&path, &stat))
    }
}

/// Stores what a client sends as a file of at most `limit` bytes.
pub(crate) async fn receive<E: std::error::Error>(
    folder: Folder,
    path: Vec<String>,
    overwrite: bool,
    limit: u64,
    mut chunks: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<Entry, FolderError> {
    let begun = blocking(move || {
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        folder.begin(&parts, overwrite)
    });
    let (incoming, file) = begun.await?;
    let mut file = tokio::fs::File::from_std(file);
    let mut size: u64 = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|e| {
            tracing::debug!(error = %e, "an upload could not be read");
            FolderError::Broken
        })?;
        size = size.saturating_add(chunk.len() as u64);
        if size <= limit {
            file.write_all(&chunk).await?;
        } else if size > limit.saturating_add(DISCARDED) {
            break;
        }
    }
    if size > limit {
        return Err(FolderError::TooLarge { limit });
    }
    file.flush().await?;
    drop(file);
    blocking(move || incoming.finish()).await
}

/// Runs file operations where they hold nobody up.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FolderError> + Send + 'static,
) -> Result<T, FolderError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) => Err(FolderError::Io(io::Error::other(e))),
    }
}

fn is_plain(stat: &Stat) -> bool {
    matches!(
        FileType::from_raw_mode(stat.st_mode),
        FileType::RegularFile | FileType::Directory
    )
}

fn step(at: &OwnedFd, name: &OsStr) -> Result<OwnedFd, FolderError> {
    fs::openat(at, name, STEP, Mode::empty()).map_err(|e| refusal(at, name, e))
}

/// What a failed operation on a name means.
fn refusal(at: &OwnedFd, name: &OsStr, e: Errno) -> FolderError {
    match e {
        Errno::NOENT | Errno::NAMETOOLONG => FolderError::Missing,
        Errno::EXIST | Errno::ISDIR => FolderError::Exists,
        Errno::ACCESS | Errno::PERM => FolderError::Outside,
        Errno::LOOP | Errno::NOTDIR => match fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                FolderError::Outside
            }
            _ => FolderError::Missing,
        },
        e => FolderError::Io(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn sample() -> (tempfile::TempDir, Folder) {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().canonicalize().unwrap().join("root");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::write(root.join("sub/a.txt"), "abc").unwrap();
        std::fs::write(outer.path().join("secret"), "s").unwrap();
        symlink(outer.path(), root.join("out")).unwrap();
        symlink(outer.path().join("secret"), root.join("file")).unwrap();
        symlink("sub", root.join("inner")).unwrap();
        let folder = Folder::open(&root).unwrap();
        (outer, folder)
    }

    #[test]
    fn dots_absolute_paths_and_nul_are_refused() {
        for path in ["..", "a/../b", "/etc/passwd", "a/..", "a\0b"] {
            assert!(matches!(parts(path), Err(FolderError::Outside)), "{path}");
        }
        assert_eq!(parts("./a//b/.").unwrap(), ["a", "b"]);
        assert_eq!(parts(".").unwrap(), Vec::<&str>::new());
        assert!(parts(&"a/".repeat(65)).is_err());
    }

    #[test]
    fn no_link_is_followed_at_any_place_of_a_path() {
        let (_outer, folder) = sample();
        for path in [
            &["out", "secret"][..],
            &["file"],
            &["out"],
            &["inner", "a.txt"],
        ] {
            assert!(
                matches!(folder.read(path), Err(FolderError::Outside)),
                "{path:?}"
            );
            assert!(
                matches!(folder.entry(path), Err(FolderError::Outside)),
                "{path:?}"
            );
            assert!(
                matches!(folder.begin(path, true), Err(FolderError::Outside)),
                "{path:?}"
            );
        }
        assert!(matches!(
            folder.list(&["out"], true),
            Err(FolderError::Outside)
        ));
        let names: Vec<String> = folder
            .list(&[], true)
            .unwrap()
            .into_iter()
            .map(|e| e.name)
            .collect();
        assert_eq!(names, ["sub"], "links are left out");
        assert_eq!(folder.read(&["sub", "a.txt"]).unwrap().1.size, 3);
    }

    #[test]
    fn a_folder_reached_through_a_link_is_not_opened() {
        let (outer, _) = sample();
        let link = outer.path().canonicalize().unwrap().join("root/inner");
        assert!(matches!(Folder::open(&link), Err(FolderError::Outside)));
        assert!(matches!(
            Folder::open(&link.join("x")),
            Err(FolderError::Outside)
        ));
    }

    #[tokio::test]
    async fn an_upload_that_fails_leaves_nothing_behind() {
        let (outer, _) = sample();
        let root = outer.path().canonicalize().unwrap().join("root");
        let chunks = |n: usize| {
            let items = (0..n).map(|_| Ok::<_, io::Error>(Bytes::from_static(b"0123456789")));
            futures_util::stream::iter(items.collect::<Vec<_>>())
        };
        let path = || vec!["new".to_owned(), "f".to_owned()];
        let open = || Folder::open(&root).unwrap();
        let refused = receive(open(), path(), false, 25, chunks(3)).await;
        assert!(matches!(refused, Err(FolderError::TooLarge { limit: 25 })));
        let broken = futures_util::stream::iter([Err::<Bytes, _>(io::Error::other("cut"))]);
        let refused = receive(open(), path(), false, 25, broken).await;
        assert!(matches!(refused, Err(FolderError::Broken)));
        assert_eq!(open().list(&["new"], true).unwrap(), []);
        let stored = receive(open(), path(), false, 25, chunks(2)).await.unwrap();
        assert_eq!((stored.path.as_str(), stored.size), ("new/f", 20));
        let again = receive(open(), path(), false, 25, chunks(1)).await;
        assert!(matches!(again, Err(FolderError::Exists)));
        let replaced = receive(open(), path(), true, 25, chunks(1)).await.unwrap();
        assert_eq!(replaced.size, 10);
        assert_eq!(open().list(&["new"], true).unwrap().len(), 1);
    }
}

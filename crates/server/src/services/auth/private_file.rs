//! Small files that say who may do what: only their owner reads them, nobody ever sees half of one, and two processes
//! that change one do not lose each other's changes. It must not know what the files say.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most bytes of such a file.
pub(super) const MOST_BYTES: u64 = 4 << 20;

/// How long another process may take for its change.
const PATIENCE: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(10);

/// Why a file could not be read or written.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot {what} {}: {source}", path.display())]
pub(crate) struct FileFault {
    pub(super) what: &'static str,
    pub(super) path: PathBuf,
    pub(super) source: Arc<io::Error>,
}

impl FileFault {
    pub(super) fn of(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| FileFault {
            what,
            path,
            source: Arc::new(source),
        }
    }
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Stamp {
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The state of a file now; nothing when there is none.
    pub(super) fn now(path: &Path) -> Result<Option<Self>, FileFault> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(Stamp::of(&metadata))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(FileFault::of("look at", path)(e)),
        }
    }
}

/// A file as it was read.
pub(super) struct Contents {
    pub(super) text: String,
    pub(super) stamp: Stamp,
    /// Whether others than its owner may read or write it.
    pub(super) open_to_others: bool,
}

/// Reads a file; nothing when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Contents>, FileFault> {
    let contents = || {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let mut text = String::new();
        file.take(MOST_BYTES + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MOST_BYTES {
            let reason = format!("it has more than {} MiB", MOST_BYTES >> 20);
            return Err(io::Error::other(reason));
        }
        Ok(Some(Contents {
            text,
            stamp: Stamp::of(&metadata),
            open_to_others: metadata.mode() & 0o077 != 0,
        }))
    };
    contents().map_err(FileFault::of("read", path))
}

/// Puts a text in the place of a file, all of it or nothing.
pub(super) fn save(path: &Path, text: &str) -> Result<(), FileFault> {
    let write = || {
        // A link stays one: what it leads to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = parent(&path);
        // Made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(FileFault::of("write", path))
}

/// Does something while no other process changes the file.
pub(super) fn alone<T, E: From<FileFault>>(
    path: &Path,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let _locked = lock(path)?;
    work()
}

/// The lock is a file of its own beside the other one, which is replaced by every change.
fn lock(path: &Path) -> Result<File, FileFault> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let beside = path.with_file_name(name);
    let take = || {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent(path))?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&beside)?;
        let since = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(e)) => return Err(e),
                Err(TryLockError::WouldBlock) if since.elapsed() > PATIENCE => {
                    return Err(io::Error::other("another process keeps it locked"));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(AGAIN),
            }
        }
    };
    take().map_err(FileFault::of("lock", &beside))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_saved_file_is_whole_private_and_known_by_its_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.yaml");
        assert!(read(&path).unwrap().is_none());
        assert_eq!(Stamp::now(&path).unwrap(), None);
        save(&path, "one").unwrap();
        let first = read(&path).unwrap().unwrap();
        assert_eq!((first.text.as_str(), first.open_to_others), ("one", false));
        assert_eq!(Stamp::now(&path).unwrap(), Some(first.stamp));
        save(&path, "two").unwrap();
        assert_ne!(Stamp::now(&path).unwrap(), Some(first.stamp));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read(&path).unwrap().unwrap().open_to_others);
        save(&path, "three").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("f"), folder.path().join("l"));
        save(&path, "one").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        save(&link, "two").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
    }

    #[test]
    fn changes_follow_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/count");
        let add = || {
            alone(&path, || {
                let count = read(&path)?.map_or(0, |c| c.text.parse::<u32>().unwrap());
                save(&path, &(count + 1).to_string())
            })
            .unwrap();
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10).for_each(|_| add()));
            }
        });
        assert_eq!(read(&path).unwrap().unwrap().text, "40");
    }

    #[test]
    fn what_is_no_file_or_too_large_is_an_error_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let told = read(folder.path()).err().unwrap().to_string();
        assert!(told.contains(folder.path().to_str().unwrap()), "{told}");
        let path = folder.path().join("large");
        File::create(&path)
            .and_then(|f| f.set_len(MOST_BYTES + 1))
            .unwrap();
        assert!(read(&path).err().unwrap().to_string().contains("4 MiB"));
    }
}

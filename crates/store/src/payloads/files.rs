//! The folder of blobs: `ab/<hash>` for a value, `tmp/<id>` while one is being written.
//!
//! A file under its hash is always complete: it was synced before it got that name. It must not know rows.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Reference, is_hash};
use crate::etag::hex;
use crate::{StoreError, new_id};
use sha2::{Digest, Sha256};

/// Where values are written before they get their name.
const TEMPORARY: &str = "tmp";

/// The reason for a blob without a file; it may have gone just after its row was read.
pub(crate) const MISSING: &str = "has no file";

/// Why a blob cannot be given.
pub(crate) enum Damage {
    /// What is wrong with it.
    Blob(&'static str),
    /// The file system refused.
    File(StoreError),
}

/// The files of one store.
pub(crate) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, hash: &str) -> PathBuf {
        let shelf = hash.get(..2).unwrap_or(hash);
        self.folder.join(shelf).join(hash)
    }

    /// Makes sure that the file of a value is there.
    pub(super) fn write(&self, reference: &Reference, value: &[u8]) -> Result<(), StoreError> {
        let path = self.path(&reference.hash);
        let there = fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() == reference.size);
        if there {
            return Ok(());
        }
        let shelf = path.parent().unwrap_or(&self.folder);
        create_folder(shelf)?;
        let temporary = self.folder.join(TEMPORARY);
        create_folder(&temporary)?;
        let draft = temporary.join(new_id());
        let named = write_synced(&draft, value).and_then(|()| fs::rename(&draft, &path));
        if let Err(source) = named {
            let _ = fs::remove_file(&draft);
            return Err(failed("write the file of a value", &path, source));
        }
        sync_folder(shelf).map_err(|source| failed("sync the folder of a value", shelf, source))
    }

    /// Reads a value and checks that it is the one that was written.
    pub(super) fn read(&self, reference: &Reference) -> Result<Vec<u8>, Damage> {
        let path = self.path(&reference.hash);
        let refused = |source: std::io::Error| match source.kind() {
            ErrorKind::NotFound => Damage::Blob(MISSING),
            _ => Damage::File(failed("read the file of a value", &path, source)),
        };
        let file = File::open(&path).map_err(refused)?;
        let size = file.metadata().map_err(refused)?.len();
        if size != reference.size {
            return Err(Damage::Blob("has a file of another size"));
        }
        let mut value = Vec::new();
        file.take(reference.size)
            .read_to_end(&mut value)
            .map_err(refused)?;
        if hex(&Sha256::digest(&value)) != reference.hash {
            return Err(Damage::Blob("has a file with other content"));
        }
        Ok(value)
    }

    /// Removes the file of a value; one that is not there is fine.
    pub(super) fn remove(&self, hash: &str) -> Result<(), StoreError> {
        remove(&self.path(hash))
    }

    /// Removes what was being written when its process died.
    pub(super) fn remove_drafts(&self) -> Result<(), StoreError> {
        for draft in names(&self.folder.join(TEMPORARY))? {
            remove(&self.folder.join(TEMPORARY).join(draft))?;
        }
        Ok(())
    }

    pub(super) fn has_drafts(&self) -> Result<bool, StoreError> {
        Ok(!names(&self.folder.join(TEMPORARY))?.is_empty())
    }

    /// The hashes there are files of; other files are not ours to touch.
    pub(super) fn hashes(&self) -> Result<Vec<String>, StoreError> {
        let mut hashes = Vec::new();
        for shelf in names(&self.folder)? {
            if shelf.len() == 2 {
                let found = names(&self.folder.join(&shelf))?;
                let ours = |hash: &String| is_hash(hash) && hash.starts_with(&shelf);
                hashes.extend(found.into_iter().filter(ours));
            }
        }
        Ok(hashes)
    }
}

/// The readable names in a folder; none when it is not there.
fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let refused = |source| failed("list the files of values", folder, source);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(source) => return Err(refused(source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(refused)?.file_name().into_string().ok());
    }
    Ok(names)
}

fn write_synced(path: &Path, value: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(value)?;
    file.sync_all()
}

fn create_folder(path: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(path)
        .map_err(|source| failed("create the folder of a value", path, source))
}

/// Makes a new name survive a power cut, where folders can be synced.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(failed("remove the file of a value", path, source))
        }
        _ => Ok(()),
    }
}

/// Says what a full disk, a read-only folder or anything else did to an operation.
fn failed(operation: &'static str, path: &Path, source: std::io::Error) -> StoreError {
    let kind = source.kind();
    let source = Arc::new(source);
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            StoreError::NoRoom { operation, source }
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            StoreError::ReadOnly { operation, source }
        }
        _ => StoreError::File {
            operation,
            path: path.to_owned(),
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path().join("blobs"));
        let value = b"some value".to_vec();
        let reference = Reference::of(&value);
        assert!(matches!(files.read(&reference), Err(Damage::Blob(MISSING))));
        files.write(&reference, &value).unwrap();
        files.write(&reference, &value).unwrap();
        assert_eq!(files.read(&reference).ok(), Some(value));
        assert_eq!(files.hashes().unwrap(), [reference.hash.as_str()]);
        assert!(!files.has_drafts().unwrap());
        files.remove(&reference.hash).unwrap();
        files.remove(&reference.hash).unwrap();
        assert!(files.hashes().unwrap().is_empty());
    }

    #[test]
    fn a_cut_or_changed_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path().to_owned());
        let reference = Reference::of(b"some value");
        files.write(&reference, b"some value").unwrap();
        for (content, reason) in [
            ("some valu", "has a file of another size"),
            ("some walue", "has a file with other content"),
        ] {
            fs::write(files.path(&reference.hash), content).unwrap();
            let read = files.read(&reference);
            assert!(matches!(read, Err(Damage::Blob(r)) if r == reason));
        }
        files.remove(&reference.hash).unwrap();
        fs::write(files.path(&reference.hash), "cut").unwrap();
        files.write(&reference, b"some value").unwrap();
        assert!(files.read(&reference).is_ok(), "a cut file is replaced");
    }

    #[test]
    fn a_full_disk_and_a_read_only_one_are_told_apart() {
        let of = |kind: ErrorKind| failed("try", Path::new("p"), kind.into());
        assert!(matches!(
            of(ErrorKind::StorageFull),
            StoreError::NoRoom { .. }
        ));
        assert!(matches!(
            of(ErrorKind::ReadOnlyFilesystem),
            StoreError::ReadOnly { .. }
        ));
        assert!(matches!(of(ErrorKind::Other), StoreError::File { .. }));
    }
}

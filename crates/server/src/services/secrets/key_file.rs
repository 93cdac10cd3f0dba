//! Master keys in files, where no other store of keys is named.
//!
//! `master_key` is the key in use. Beside it, under `master_key.<fingerprint>`, are the keys of databases that were
//! written with another one: a database says by its fingerprint which it needs, so that a change of the key that is
//! ended at any moment, or that other data folders do not take part in, leaves every secret readable.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::private_folder;
use crate::sensitive::Sensitive;

const NAME: &str = "master_key";
/// Largest key in bytes.
pub(crate) const MAX_KEY: usize = 4096;
/// What group and others may not have.
const OTHERS: u32 = 0o077;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyFileError {
    #[error("cannot use the key file {}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{0:#}")]
    Folder(anyhow::Error),
    #[error("others may read the key file {}; after `chmod 600` on it only you may", .0.display())]
    Open(PathBuf),
    #[error("the key file {} is no file of at most {MAX_KEY} bytes of text with a key in it", .0.display())]
    Content(PathBuf),
}

/// The folder of key files.
#[derive(Clone, Debug)]
pub(crate) struct KeyFiles(PathBuf);

impl KeyFiles {
    pub(crate) fn new(folder: PathBuf) -> Self {
        KeyFiles(folder)
    }

    /// The file of the key in use.
    pub(crate) fn current_path(&self) -> PathBuf {
        self.0.join(NAME)
    }

    fn path_of(&self, fingerprint: &str) -> PathBuf {
        self.0.join(format!("{NAME}.{fingerprint}"))
    }

    /// The key in use, if there is one.
    pub(super) fn current(&self) -> Result<Option<Sensitive>, KeyFileError> {
        read(&self.current_path())
    }

    /// The key of a fingerprint beside the one in use, if there is one.
    pub(super) fn other(&self, fingerprint: &str) -> Result<Option<Sensitive>, KeyFileError> {
        if !fingerprint.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Ok(None);
        }
        read(&self.path_of(fingerprint))
    }

    /// The key in use, which becomes this one if there is none: of two processes that begin at the same time, both
    /// get the same.
    pub(super) fn current_or(&self, key: &Sensitive) -> Result<Sensitive, KeyFileError> {
        let path = self.current_path();
        match self.write(key)?.persist_noclobber(&path) {
            Ok(_) => self.settle()?,
            Err(e) if e.error.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(failed(&path, e.error)),
        }
        read(&path)?.ok_or_else(|| failed(&path, ErrorKind::NotFound.into()))
    }

    /// Keeps a key beside the one in use.
    pub(super) fn keep(&self, key: &Sensitive, fingerprint: &str) -> Result<(), KeyFileError> {
        let path = self.path_of(fingerprint);
        let kept = self.write(key)?.persist(&path);
        kept.map_err(|e| failed(&path, e.error))?;
        self.settle()
    }

    /// Puts a key in use. The one before has to be kept first.
    pub(super) fn replace(&self, key: &Sensitive) -> Result<(), KeyFileError> {
        let path = self.current_path();
        let replaced = self.write(key)?.persist(&path);
        replaced.map_err(|e| failed(&path, e.error))?;
        self.settle()
    }

    /// Removes a key beside the one in use.
    pub(super) fn forget(&self, fingerprint: &str) -> Result<(), KeyFileError> {
        let path = self.path_of(fingerprint);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(failed(&path, e)),
            _ => Ok(()),
        }
    }

    /// A file without a name yet that only its owner may read, on disk.
    fn write(&self, key: &Sensitive) -> Result<tempfile::NamedTempFile, KeyFileError> {
        private_folder(&self.0).map_err(KeyFileError::Folder)?;
        let write = || {
            // Made with mode 0600.
            let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
            file.write_all(key.expose().as_bytes())?;
            file.write_all(b"\n")?;
            file.as_file().sync_all()?;
            Ok(file)
        };
        write().map_err(|e| failed(&self.0, e))
    }

    /// The names in the folder are on disk.
    fn settle(&self) -> Result<(), KeyFileError> {
        let synced = File::open(&self.0).and_then(|folder| folder.sync_all());
        synced.map_err(|e| failed(&self.0, e))
    }
}

fn failed(path: &Path, source: std::io::Error) -> KeyFileError {
    KeyFileError::Io {
        path: path.to_owned(),
        source,
    }
}

fn read(path: &Path) -> Result<Option<Sensitive>, KeyFileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(path, e)),
    };
    let about = file.metadata().map_err(|e| failed(path, e))?;
    if !about.is_file() {
        return Err(KeyFileError::Content(path.to_owned()));
    }
    if about.mode() & OTHERS != 0 {
        return Err(KeyFileError::Open(path.to_owned()));
    }
    let mut bytes = Vec::new();
    let most = MAX_KEY as u64 + 2;
    let got = file.take(most).read_to_end(&mut bytes);
    got.map_err(|e| failed(path, e))?;
    let text = String::from_utf8(bytes).ok();
    let key = text
        .as_deref()
        .map(|text| text.trim_end_matches(['\r', '\n']));
    match key {
        Some(key) if !key.is_empty() && key.len() <= MAX_KEY => Ok(Some(Sensitive::new(key))),
        _ => Err(KeyFileError::Content(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_file_is_for_its_owner_only_from_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let files = KeyFiles::new(folder.path().join("a/nodetool"));
        assert!(files.current().unwrap().is_none());
        assert!(files.current_or(&Sensitive::new("k")).unwrap().is("k"));
        assert!(files.current_or(&Sensitive::new("l")).unwrap().is("k"));
        let path = files.current_path();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        for open in [0o640, 0o604, 0o620, 0o601] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(open)).unwrap();
            let refused = files.current();
            assert!(matches!(refused, Err(KeyFileError::Open(_))), "{open:o}");
        }
    }

    #[test]
    fn what_holds_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let files = KeyFiles::new(folder.path().to_owned());
        let path = files.current_path();
        let write = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        };
        for bad in [&b""[..], b"\n", b"\xff", &[b'x'; MAX_KEY + 1]] {
            write(bad);
            assert!(matches!(files.current(), Err(KeyFileError::Content(_))));
        }
        write(b" k \r\n");
        assert!(files.current().unwrap().unwrap().is(" k "));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(files.current(), Err(KeyFileError::Content(_))));
    }

    #[test]
    fn of_many_who_begin_at_once_all_get_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let files = KeyFiles::new(folder.path().to_owned());
        let got: Vec<Sensitive> = std::thread::scope(|scope| {
            let begun: Vec<_> = (0..8)
                .map(|n| {
                    let files = &files;
                    scope.spawn(move || files.current_or(&Sensitive::new(format!("k{n}"))).unwrap())
                })
                .collect();
            begun.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(got.iter().all(|key| key.is(got[0].expose())));
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "nothing is left of the others");
    }

    #[test]
    fn keys_are_kept_beside_the_one_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let files = KeyFiles::new(folder.path().to_owned());
        files.current_or(&Sensitive::new("k")).unwrap();
        files.keep(&Sensitive::new("l"), "0f").unwrap();
        assert!(files.other("0f").unwrap().unwrap().is("l"));
        assert!(files.other("../0f").unwrap().is_none());
        files.replace(&Sensitive::new("l")).unwrap();
        assert!(files.current().unwrap().unwrap().is("l"));
        files.forget("0f").unwrap();
        files.forget("0f").unwrap();
        assert!(files.other("0f").unwrap().is_none());
    }
}

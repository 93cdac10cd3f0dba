//! Blobs as files of one flat folder. It must not know what keys mean.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::{BlobError, BlobInfo, BlobKey};

/// Where a bucket keeps what is still coming.
#[derive(Clone, Debug)]
pub(super) struct Incoming(Arc<PathBuf>);

/// Where a bucket keeps what it has, too.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    whole: Arc<PathBuf>,
    incoming: Incoming,
}

/// Where the whole blobs of a folder are.
pub(super) fn whole(folder: &Path) -> PathBuf {
    folder.join("objects")
}

/// Does file work where it may block.
async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, BlobError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(io::Error::other(e)))
        .map_err(|source| BlobError::Failed { operation, source })
}

fn info(file: &File) -> io::Result<BlobInfo> {
    let data = file.metadata()?;
    Ok(BlobInfo {
        size: data.len(),
        modified: data.modified()?,
        etag: format!(
            "{:x}-{:x}-{:x}{:08x}",
            data.len(),
            data.ino(),
            data.mtime(),
            data.mtime_nsec()
        ),
    })
}

fn private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)
}

fn opening(source: io::Error) -> BlobError {
    BlobError::Failed {
        operation: "open the folder",
        source,
    }
}

impl Incoming {
    /// Takes a folder for what comes, and drops what an earlier process has left in it.
    pub(super) fn open(folder: &Path) -> Result<Self, BlobError> {
        let prepare = || {
            private(folder)?;
            for entry in std::fs::read_dir(folder)? {
                std::fs::remove_file(entry?.path())?;
            }
            Ok(())
        };
        prepare().map_err(opening)?;
        Ok(Incoming(Arc::new(folder.to_owned())))
    }

    pub(super) async fn begin(&self) -> Result<Part, BlobError> {
        let folder = self.clone();
        blocking("begin an upload", move || {
            let path = folder.0.join(crate::new_id());
            let file = OpenOptions::new()
                .create_new(true)
                .read(true)
                .write(true)
                .mode(0o600)
                .open(&path)?;
            let left = Left(Some(path));
            Ok(Part { file, left })
        })
        .await
    }
}

impl Folder {
    pub(super) fn open(folder: &Path) -> Result<Self, BlobError> {
        let whole = whole(folder);
        private(&whole).map_err(opening)?;
        Ok(Folder {
            whole: Arc::new(whole),
            incoming: Incoming::open(&folder.join("incoming"))?,
        })
    }

    pub(super) fn incoming(&self) -> &Incoming {
        &self.incoming
    }

    fn path(&self, key: &BlobKey) -> PathBuf {
        self.whole.join(key.file_name())
    }

    /// Syncs what has been taken whole and gives it its key.
    pub(super) async fn store(&self, part: Part, key: &BlobKey) -> Result<BlobInfo, BlobError> {
        let target = self.path(key);
        let whole = self.whole.clone();
        let Part { file, mut left } = part;
        blocking("finish a blob", move || {
            file.sync_all()?;
            if let Some(path) = &left.0 {
                std::fs::rename(path, target)?;
            }
            drop(left.0.take());
            File::open(&*whole)?.sync_all()?;
            info(&file)
        })
        .await
    }

    pub(super) async fn find(&self, key: &BlobKey) -> Result<Option<(File, BlobInfo)>, BlobError> {
        let path = self.path(key);
        blocking("open a blob", move || match File::open(path) {
            Ok(file) => {
                let info = info(&file)?;
                Ok(Some((file, info)))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        })
        .await
    }

    pub(super) async fn delete(&self, key: &BlobKey) -> Result<bool, BlobError> {
        let path = self.path(key);
        blocking("delete a blob", move || match std::fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        })
        .await
    }

    pub(super) async fn written_before(&self, time: SystemTime) -> Result<Vec<BlobKey>, BlobError> {
        let folder = self.clone();
        blocking("list blobs", move || {
            let mut keys = Vec::new();
            for entry in std::fs::read_dir(&*folder.whole)? {
                let entry = entry?;
                let key = entry.file_name().to_str().and_then(BlobKey::of_file_name);
                // One that is gone by now needs no mention.
                let modified = entry.metadata().and_then(|data| data.modified());
                if let (Some(key), Ok(modified)) = (key, modified)
                    && modified < time
                {
                    keys.push(key);
                }
            }
            Ok(keys)
        })
        .await
    }
}

/// A file that goes unless it was moved away.
#[derive(Debug)]
struct Left(Option<PathBuf>);

impl Drop for Left {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // What cannot be removed now is removed when the bucket is opened next.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Contents that have no key yet.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    left: Left,
}

impl Part {
    /// Appends the buffer; gives it back to be filled again.
    pub(super) async fn append(mut self, buffer: Vec<u8>) -> Result<(Self, Vec<u8>), BlobError> {
        if buffer.is_empty() {
            return Ok((self, buffer));
        }
        blocking("write a blob", move || {
            self.file.write_all(&buffer)?;
            Ok((self, buffer))
        })
        .await
    }

    /// Another grip on what has come so far.
    pub(super) fn reader(&self) -> Result<File, BlobError> {
        self.file.try_clone().map_err(|source| BlobError::Failed {
            operation: "read an upload",
            source,
        })
    }
}

/// Reads up to `length` bytes at a place of a file.
pub(super) async fn read_at(
    file: File,
    at: u64,
    length: usize,
) -> Result<(File, Bytes), BlobError> {
    blocking("read a blob", move || {
        let mut buffer = vec![0; length];
        let read = loop {
            match file.read_at(&mut buffer, at) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        buffer.truncate(read);
        Ok((file, buffer.into()))
    })
    .await
}

//! Blobs as files of one flat folder. It must not know what keys mean.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::{BlobError, BlobInfo, BlobKey};

/// Where a bucket keeps what it has and what is still coming.
#[derive(Debug)]
struct Places {
    whole: PathBuf,
    coming: PathBuf,
}

#[derive(Clone, Debug)]
pub(super) struct Folder(Arc<Places>);

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

impl Folder {
    pub(super) fn open(folder: &Path) -> Result<Self, BlobError> {
        let places = Places {
            whole: whole(folder),
            coming: folder.join("incoming"),
        };
        let prepare = || {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(&places.whole)?;
            builder.create(&places.coming)?;
            for entry in std::fs::read_dir(&places.coming)? {
                std::fs::remove_file(entry?.path())?;
            }
            Ok(())
        };
        prepare().map_err(|source| BlobError::Failed {
            operation: "open the folder",
            source,
        })?;
        Ok(Folder(Arc::new(places)))
    }

    fn path(&self, key: &BlobKey) -> PathBuf {
        self.0.whole.join(key.file_name())
    }

    pub(super) async fn begin(&self) -> Result<Part, BlobError> {
        let folder = self.clone();
        blocking("begin an upload", move || {
            let path = folder.0.coming.join(crate::new_id());
            let file = OpenOptions::new()
                .create_new(true)
                .write(true)
                .mode(0o600)
                .open(&path)?;
            let left = Left(Some(path));
            Ok(Part { file, left, folder })
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
            for entry in std::fs::read_dir(&folder.0.whole)? {
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
    folder: Folder,
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

    pub(super) async fn finish(self, key: &BlobKey) -> Result<BlobInfo, BlobError> {
        let target = self.folder.path(key);
        let Part {
            file,
            mut left,
            folder,
        } = self;
        blocking("finish a blob", move || {
            file.sync_all()?;
            if let Some(path) = &left.0 {
                std::fs::rename(path, target)?;
            }
            drop(left.0.take());
            File::open(&folder.0.whole)?.sync_all()?;
            info(&file)
        })
        .await
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

//! Contents of files, by key: streamed in and out, whole or not there at all.
//!
//! A blob is written beside the others, synced, then renamed to its key in one step, so a reader sees the
//! old contents or the new ones and a crash leaves neither half. Nothing here is ever held in memory as a
//! whole. Callers see keys, never paths: another kind of storage fits behind the same type. It must not
//! know assets or owners.

mod key;
mod local;

use std::time::{Duration, SystemTime};

use bytes::Bytes;

pub use key::{BadKey, BlobKey};

use local::Folder;

/// Bytes moved at a time.
const CHUNK: usize = 256 << 10;

/// Why contents could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// More came than the caller allowed.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// What was allowed.
        limit: u64,
    },
    /// The storage failed.
    #[error("the blob storage failed: {operation}")]
    Failed {
        /// What was being done.
        operation: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What is known of a blob without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: SystemTime,
    /// Changes with the contents; without quotes.
    pub etag: String,
}

/// Those of the keys whose blob is not in a folder of blobs. Opens nothing and tidies nothing up; blocks.
#[must_use]
pub fn missing_blobs<'a>(folder: &std::path::Path, keys: &'a [String]) -> Vec<&'a str> {
    let there = |key: &BlobKey| local::whole(folder).join(key.file_name()).is_file();
    let keys = keys.iter().map(String::as_str);
    keys.filter(|key| !BlobKey::parse(key).is_ok_and(|key| there(&key)))
        .collect()
}

/// One bucket of blobs; clones share it.
#[derive(Clone, Debug)]
pub struct Blobs(Folder);

impl Blobs {
    /// Opens a bucket in a local folder, creating it if absent, and drops what was left half written.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(folder: &std::path::Path) -> Result<Self, BlobError> {
        Folder::open(folder).map(Blobs)
    }

    /// Begins to take new contents of at most `limit` bytes.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn upload(&self, limit: u64) -> Result<Upload, BlobError> {
        Ok(Upload {
            part: Some(self.0.begin().await?),
            buffer: Vec::new(),
            size: 0,
            limit,
        })
    }

    /// Stores contents that are at hand.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn put(&self, key: &BlobKey, data: &[u8]) -> Result<BlobInfo, BlobError> {
        let mut upload = self.upload(data.len() as u64).await?;
        for chunk in data.chunks(CHUNK) {
            upload.write(chunk).await?;
        }
        upload.finish(key).await
    }

    /// What is known of a blob; nothing when there is none.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn head(&self, key: &BlobKey) -> Result<Option<BlobInfo>, BlobError> {
        Ok(self.open_blob(key).await?.map(|blob| blob.info))
    }

    /// Opens a blob to be read. What is read stays the same if another one takes its key meanwhile.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn open_blob(&self, key: &BlobKey) -> Result<Option<Blob>, BlobError> {
        let found = self.0.find(key).await?;
        Ok(found.map(|(file, info)| Blob { file, info }))
    }

    /// Deletes a blob; says whether there was one.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn delete(&self, key: &BlobKey) -> Result<bool, BlobError> {
        self.0.delete(key).await
    }

    /// The keys of all blobs last written before a time.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn written_before(&self, time: SystemTime) -> Result<Vec<BlobKey>, BlobError> {
        self.0.written_before(time).await
    }

    /// Deletes all blobs older than an age; says how many.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn expire(&self, age: Duration) -> Result<usize, BlobError> {
        let Some(limit) = SystemTime::now().checked_sub(age) else {
            return Ok(0);
        };
        let mut expired = 0;
        for key in self.written_before(limit).await? {
            expired += usize::from(self.delete(&key).await?);
        }
        Ok(expired)
    }
}

/// Contents on their way in; they are dropped unless finished.
#[derive(Debug)]
pub struct Upload {
    part: Option<local::Part>,
    buffer: Vec<u8>,
    size: u64,
    limit: u64,
}

impl Upload {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`] when they are more than allowed; then nothing more can be written.
    pub async fn write(&mut self, data: &[u8]) -> Result<(), BlobError> {
        self.size = self.size.saturating_add(data.len() as u64);
        if self.size > self.limit {
            self.part = None;
            return Err(BlobError::TooLarge { limit: self.limit });
        }
        self.buffer.extend_from_slice(data);
        if self.buffer.len() >= CHUNK {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), BlobError> {
        let Some(part) = self.part.take() else {
            return Err(BlobError::TooLarge { limit: self.limit });
        };
        let buffer = std::mem::take(&mut self.buffer);
        let (part, mut buffer) = part.append(buffer).await?;
        buffer.clear();
        self.buffer = buffer;
        self.part = Some(part);
        Ok(())
    }

    /// Bytes taken so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Syncs the contents and gives them their key, in place of what had it.
    ///
    /// # Errors
    /// When the storage fails; then the key is what it was.
    pub async fn finish(mut self, key: &BlobKey) -> Result<BlobInfo, BlobError> {
        self.flush().await?;
        match self.part.take() {
            Some(part) => part.finish(key).await,
            None => Err(BlobError::TooLarge { limit: self.limit }),
        }
    }
}

/// A blob opened to be read.
#[derive(Debug)]
pub struct Blob {
    file: std::fs::File,
    info: BlobInfo,
}

impl Blob {
    /// What is known of it.
    #[must_use]
    pub fn info(&self) -> &BlobInfo {
        &self.info
    }

    /// Reads all of it.
    #[must_use]
    pub fn read_all(self) -> BlobReader {
        let length = self.info.size;
        self.read(0, length)
    }

    /// Reads `length` bytes from `start` on, or fewer if it ends before.
    #[must_use]
    pub fn read(self, start: u64, length: u64) -> BlobReader {
        let left = length.min(self.info.size.saturating_sub(start));
        BlobReader {
            file: Some(self.file),
            at: start,
            left,
        }
    }
}

/// The bytes of a blob, piece by piece.
#[derive(Debug)]
pub struct BlobReader {
    file: Option<std::fs::File>,
    at: u64,
    left: u64,
}

impl BlobReader {
    /// The next piece; nothing at the end.
    ///
    /// # Errors
    /// When the storage fails or holds fewer bytes than it said.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        let Some(file) = self.file.take().filter(|_| self.left > 0) else {
            return Ok(None);
        };
        let length = usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK);
        let (file, piece) = local::read_at(file, self.at, length).await?;
        self.at += piece.len() as u64;
        self.left = self.left.saturating_sub(piece.len() as u64);
        self.file = Some(file);
        Ok(Some(piece))
    }

    /// All that is left, if it is at most `limit` bytes.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`] when it is more.
    pub async fn collect(mut self, limit: u64) -> Result<Bytes, BlobError> {
        if self.left > limit {
            return Err(BlobError::TooLarge { limit });
        }
        let mut all = Vec::with_capacity(usize::try_from(self.left).unwrap_or_default());
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all.into())
    }
}

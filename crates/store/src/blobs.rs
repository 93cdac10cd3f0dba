//! Contents of files, by key: streamed in and out, whole or not there at all.
//!
//! A blob is written beside the others, synced, then renamed to its key in one step, so a reader sees the
//! old contents or the new ones and a crash leaves neither half. Nothing here is ever held in memory as a
//! whole. Callers see keys, never paths, and so cannot tell a local folder from a bucket that speaks S3.
//! It must not know assets or owners.

mod key;
mod local;
mod remote;
mod turns;

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

pub use key::{BadKey, BlobKey};
pub use remote::S3Settings;
pub use turns::BlobCondition;

use local::Folder;
use remote::{Bucket, Object};
use turns::Turns;

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
    /// What is under the key is not what the caller asked for, so it was not replaced.
    #[error("the contents are not those that were expected")]
    Condition,
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

#[derive(Clone, Debug)]
enum Kind {
    Local(Folder),
    Remote(Bucket),
}

/// One bucket of blobs; clones share it.
#[derive(Clone, Debug)]
pub struct Blobs {
    kind: Kind,
    turns: Arc<Turns>,
}

impl Blobs {
    fn of(kind: Kind) -> Self {
        Blobs {
            kind,
            turns: Arc::new(Turns::new()),
        }
    }

    /// Opens a bucket in a local folder, creating it if absent, and drops what was left half written.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(folder: &Path) -> Result<Self, BlobError> {
        Ok(Self::of(Kind::Local(Folder::open(folder)?)))
    }

    /// Opens a bucket of a service that speaks S3, over a client that knows whom to trust. `incoming` is a local folder
    /// for what is still coming. Whether the bucket is there is asked by [`Blobs::check`].
    ///
    /// # Errors
    /// When the settings are no address or the folder cannot be used.
    pub fn open_s3(
        settings: S3Settings,
        client: reqwest::Client,
        incoming: &Path,
    ) -> Result<Self, BlobError> {
        let bucket = Bucket::open(settings, client, incoming)?;
        Ok(Self::of(Kind::Remote(bucket)))
    }

    /// Whether others than this process may write to the bucket.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        matches!(self.kind, Kind::Remote(_))
    }

    /// Asks a remote bucket whether it can be used.
    ///
    /// # Errors
    /// What is wrong, in one line without secrets.
    pub async fn check(&self) -> Result<(), String> {
        match &self.kind {
            Kind::Local(_) => Ok(()),
            Kind::Remote(bucket) => bucket.check().await,
        }
    }

    /// Waits for contents that are still on their way to a remote bucket although nobody waits for them.
    pub async fn close(&self) {
        if let Kind::Remote(bucket) = &self.kind {
            bucket.close().await;
        }
    }

    /// Begins to take new contents of at most `limit` bytes.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn upload(&self, limit: u64) -> Result<Upload, BlobError> {
        let incoming = match &self.kind {
            Kind::Local(folder) => folder.incoming(),
            Kind::Remote(bucket) => bucket.incoming(),
        };
        Ok(Upload {
            part: Some(incoming.begin().await?),
            blobs: self.clone(),
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

    /// Opens a blob to be read. If another one takes its key meanwhile, what is read is that which was opened; a remote
    /// one may fail instead, but never gives some of each.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn open_blob(&self, key: &BlobKey) -> Result<Option<Blob>, BlobError> {
        Ok(match &self.kind {
            Kind::Local(folder) => folder.find(key).await?.map(|(file, info)| Blob {
                source: Source::File(file),
                info,
            }),
            Kind::Remote(bucket) => bucket.find(key).await?.map(|(object, info)| Blob {
                source: Source::Object(object),
                info,
            }),
        })
    }

    /// Deletes a blob; says whether there was one.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn delete(&self, key: &BlobKey) -> Result<bool, BlobError> {
        let _turn = self.turns.of(key).await;
        match &self.kind {
            Kind::Local(folder) => folder.delete(key).await,
            Kind::Remote(bucket) => bucket.delete(key).await,
        }
    }

    /// The keys of all blobs last written before a time.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn written_before(&self, time: SystemTime) -> Result<Vec<BlobKey>, BlobError> {
        match &self.kind {
            Kind::Local(folder) => folder.written_before(time).await,
            Kind::Remote(bucket) => bucket.written_before(time).await,
        }
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
    blobs: Blobs,
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
    pub async fn finish(self, key: &BlobKey) -> Result<BlobInfo, BlobError> {
        self.finish_if(key, &BlobCondition::NONE).await
    }

    /// The same, if what is under the key is what it has to be. In this process nothing comes between the question and
    /// the answer; another writer of the same remote bucket is noticed where the contents go in one request.
    ///
    /// # Errors
    /// [`BlobError::Condition`] when it is not, or the storage fails; then the key is what it was.
    pub async fn finish_if(
        mut self,
        key: &BlobKey,
        condition: &BlobCondition,
    ) -> Result<BlobInfo, BlobError> {
        self.flush().await?;
        let Some(part) = self.part.take() else {
            return Err(BlobError::TooLarge { limit: self.limit });
        };
        let Blobs { kind, turns } = &self.blobs;
        match kind {
            Kind::Local(folder) => {
                let _turn = turns.of(key).await;
                if !condition.is_none() {
                    let found = folder.find(key).await?.map(|(_, info)| info.etag);
                    if !condition.holds(found.as_deref()) {
                        return Err(BlobError::Condition);
                    }
                }
                folder.store(part, key).await
            }
            Kind::Remote(bucket) => bucket.store(part, self.size, key, condition, turns).await,
        }
    }
}

/// What a blob is read from.
#[derive(Debug)]
enum Source {
    File(File),
    Object(Object),
}

/// A blob opened to be read.
#[derive(Debug)]
pub struct Blob {
    source: Source,
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
            from: match self.source {
                Source::File(file) => Origin::File(file),
                Source::Object(object) => Origin::Object(object),
            },
            at: start,
            left,
        }
    }
}

/// Where a reader is.
enum Origin {
    File(File),
    /// Not asked for yet.
    Object(Object),
    Stream(BoxStream<'static, object_store::Result<Bytes>>),
    /// Given up after a failure, or over.
    Over,
}

/// The bytes of a blob, piece by piece.
pub struct BlobReader {
    from: Origin,
    at: u64,
    left: u64,
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobReader")
            .field("at", &self.at)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl BlobReader {
    /// The next piece; nothing at the end.
    ///
    /// # Errors
    /// When the storage fails or holds fewer bytes than it said.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        if self.left == 0 {
            self.from = Origin::Over;
            return Ok(None);
        }
        let (from, piece) = match std::mem::replace(&mut self.from, Origin::Over) {
            Origin::File(file) => {
                let length = usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK);
                let (file, piece) = local::read_at(file, self.at, length).await?;
                (Origin::File(file), piece)
            }
            Origin::Object(object) => {
                Self::streamed(object.read(self.at, self.left).await?).await?
            }
            Origin::Stream(stream) => Self::streamed(stream).await?,
            Origin::Over => return Ok(None),
        };
        let length = piece.len() as u64;
        self.at += length;
        self.left = self.left.saturating_sub(length);
        self.from = from;
        Ok(Some(piece))
    }

    async fn streamed(
        mut stream: BoxStream<'static, object_store::Result<Bytes>>,
    ) -> Result<(Origin, Bytes), BlobError> {
        loop {
            let piece = stream.next().await.ok_or_else(|| BlobError::Failed {
                operation: "read a blob",
                source: io::ErrorKind::UnexpectedEof.into(),
            })?;
            let piece = piece.map_err(remote::read_failed)?;
            if !piece.is_empty() {
                return Ok((Origin::Stream(stream), piece));
            }
        }
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

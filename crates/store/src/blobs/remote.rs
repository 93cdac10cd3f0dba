//! Blobs as objects of a bucket that speaks S3. It must not know what keys mean.
//!
//! What comes is first taken into a local file: its size and end are known before anything is sent, so a bucket never
//! holds the half of a slow upload. Small contents are sent in one request, large ones in parts, one part in memory
//! at a time; a bucket shows them when all parts are there, or never.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{ClientOptions, HttpClient, HttpConnector};
use object_store::path::Path;
use object_store::{
    BackoffConfig, GetOptions, GetRange, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMode, PutOptions, PutPayload, RetryConfig, UpdateVersion,
};
use tokio::sync::MutexGuard;
use tokio_util::task::TaskTracker;

use super::local::{Incoming, Part, read_at};
use super::turns::Turns;
use super::{BlobCondition, BlobError, BlobInfo, BlobKey};
use crate::IfMatch;

/// Contents up to this size go in one request; larger ones in parts of at least this size.
const PART: u64 = 8 << 20;
/// Most parts of one upload.
const MAX_PARTS: u64 = 10_000;
/// Times a request that failed is tried again.
const RETRIES: usize = 4;
/// How long it is tried again.
const RETRY_FOR: Duration = Duration::from_secs(20);

/// Where a bucket is and who may use it. It has no debug form, since it holds a key.
#[derive(Clone)]
pub struct S3Settings {
    /// Name of the bucket.
    pub bucket: String,
    /// Address of the service; none for that of Amazon.
    pub endpoint: Option<String>,
    /// Region of the bucket.
    pub region: String,
    /// Public half of the key.
    pub access_key_id: String,
    /// Secret half of the key.
    pub secret_access_key: String,
}

/// One bucket.
#[derive(Clone)]
pub(super) struct Bucket {
    name: Arc<str>,
    objects: Arc<AmazonS3>,
    incoming: Incoming,
    /// Uploads on their way.
    sending: TaskTracker,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.name).finish()
    }
}

/// Gives every request the same client, which knows whom to trust.
#[derive(Debug)]
struct Given(reqwest::Client);

impl HttpConnector for Given {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

fn failed(operation: &'static str) -> impl Fn(object_store::Error) -> BlobError {
    move |e| match e {
        object_store::Error::Precondition { .. } | object_store::Error::AlreadyExists { .. } => {
            BlobError::Condition
        }
        e => BlobError::Failed {
            operation,
            source: io::Error::other(e),
        },
    }
}

fn path(key: &BlobKey) -> Result<Path, BlobError> {
    Path::parse(key.as_str()).map_err(|e| BlobError::Failed {
        operation: "name a blob",
        source: io::Error::other(e),
    })
}

/// The tag as clients see it: without quotes.
fn etag(meta: &ObjectMeta) -> String {
    match &meta.e_tag {
        Some(tag) => tag.trim_start_matches("W/").trim_matches('"').to_owned(),
        None => format!(
            "{:x}-{:x}",
            meta.size,
            meta.last_modified.timestamp_micros()
        ),
    }
}

fn info(meta: &ObjectMeta) -> BlobInfo {
    BlobInfo {
        size: meta.size,
        modified: meta.last_modified.into(),
        etag: etag(meta),
    }
}

impl Bucket {
    pub(super) fn open(
        settings: S3Settings,
        client: reqwest::Client,
        incoming: &FilePath,
    ) -> Result<Self, BlobError> {
        let plain = |url: &str| url.starts_with("http://");
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&settings.bucket)
            .with_region(settings.region)
            .with_access_key_id(settings.access_key_id)
            .with_secret_access_key(settings.secret_access_key)
            .with_allow_http(settings.endpoint.as_deref().is_some_and(plain))
            .with_http_connector(Given(client))
            .with_retry(RetryConfig {
                backoff: BackoffConfig::default(),
                max_retries: RETRIES,
                retry_timeout: RETRY_FOR,
            });
        if let Some(endpoint) = settings.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let objects = builder.build().map_err(failed("open the bucket"))?;
        Ok(Bucket {
            name: settings.bucket.into(),
            objects: Arc::new(objects),
            incoming: Incoming::open(incoming)?,
            sending: TaskTracker::new(),
        })
    }

    /// Whether the bucket is there and these keys may use it; if not, what is wrong, in one line.
    pub(super) async fn check(&self) -> Result<(), String> {
        let Some(Err(e)) = self.objects.list(None).next().await else {
            return Ok(());
        };
        let told = std::iter::successors(Some(&e as &dyn std::error::Error), |e| e.source());
        let told: Vec<String> = told.map(ToString::to_string).collect();
        let has = |text: &str| told.iter().any(|t| t.contains(text));
        let why = if has("NoSuchBucket") {
            "there is no such bucket".to_owned()
        } else if has("InvalidAccessKeyId") || has("SignatureDoesNotMatch") {
            "the access key is not accepted".to_owned()
        } else if has("AccessDenied") || has("403") {
            "the access key may not list it".to_owned()
        } else {
            let last = told.last().map_or("", String::as_str);
            let line: String = last.chars().filter(|c| !c.is_control()).take(200).collect();
            format!("the service does not answer as expected: {line}")
        };
        Err(format!("the bucket {} cannot be used: {why}", self.name))
    }

    /// Waits for the uploads that are on their way.
    pub(super) async fn close(&self) {
        self.sending.close();
        self.sending.wait().await;
    }

    pub(super) fn incoming(&self) -> &Incoming {
        &self.incoming
    }

    async fn meta(&self, at: &Path) -> Result<Option<ObjectMeta>, BlobError> {
        match self.objects.head(at).await {
            Ok(meta) => Ok(Some(meta)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(failed("look for a blob")(e)),
        }
    }

    pub(super) async fn find(
        &self,
        key: &BlobKey,
    ) -> Result<Option<(Object, BlobInfo)>, BlobError> {
        let at = path(key)?;
        let meta = self.meta(&at).await?;
        Ok(meta.map(|meta| {
            let info = info(&meta);
            let object = Object {
                bucket: self.clone(),
                at,
                tag: meta.e_tag,
            };
            (object, info)
        }))
    }

    pub(super) async fn delete(&self, key: &BlobKey) -> Result<bool, BlobError> {
        let at = path(key)?;
        // Deleting what is not there succeeds, too.
        if self.meta(&at).await?.is_none() {
            return Ok(false);
        }
        match self.objects.delete(&at).await {
            Ok(()) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(e) => Err(failed("delete a blob")(e)),
        }
    }

    pub(super) async fn written_before(&self, time: SystemTime) -> Result<Vec<BlobKey>, BlobError> {
        let mut keys = Vec::new();
        let mut listed = self.objects.list(None);
        while let Some(meta) = listed.next().await {
            let meta = meta.map_err(failed("list blobs"))?;
            // What others put into the bucket under names that are no keys is not ours.
            let text = meta.location.as_ref();
            let key = BlobKey::parse(text).ok().filter(|key| key.as_str() == text);
            if let Some(key) = key
                && SystemTime::from(meta.last_modified) < time
            {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    /// Sends what has been taken whole. It goes on to its end when nobody waits for it any longer, since a bucket keeps
    /// and charges for the parts of an upload that is neither completed nor aborted.
    pub(super) async fn store(
        &self,
        part: Part,
        size: u64,
        key: &BlobKey,
        condition: &BlobCondition,
        turns: &Arc<Turns>,
    ) -> Result<BlobInfo, BlobError> {
        let (bucket, key) = (self.clone(), key.clone());
        let (condition, turns) = (condition.clone(), turns.clone());
        let sending = self.sending.spawn(async move {
            let sent = bucket.send(&part, size, &key, &condition, &turns).await;
            drop(part);
            sent
        });
        sending.await.unwrap_or_else(|e| {
            Err(BlobError::Failed {
                operation: "finish a blob",
                source: io::Error::other(e),
            })
        })
    }

    async fn send(
        &self,
        part: &Part,
        size: u64,
        key: &BlobKey,
        condition: &BlobCondition,
        turns: &Turns,
    ) -> Result<BlobInfo, BlobError> {
        let at = path(key)?;
        let file = part.reader()?;
        let turn = if size > PART {
            let upload = self.objects.put_multipart(&at).await;
            let mut upload = upload.map_err(failed("begin an upload"))?;
            let sent = async {
                send_parts(upload.as_mut(), file, size).await?;
                let turn = self.turn(key, &at, condition, turns).await?;
                upload.complete().await.map_err(failed("finish a blob"))?;
                Ok(turn)
            };
            match sent.await {
                Ok((turn, _)) => turn,
                Err(e) => {
                    // The first failure is the one to tell.
                    let _ = upload.abort().await;
                    return Err(e);
                }
            }
        } else {
            let data = read_all(file, size).await?;
            let (turn, found) = self.turn(key, &at, condition, turns).await?;
            let options = PutOptions {
                mode: mode(condition, found),
                ..PutOptions::default()
            };
            let put = self.objects.put_opts(&at, data.into(), options).await;
            put.map_err(failed("finish a blob"))?;
            turn
        };
        let stored = self.meta(&at).await?;
        drop(turn);
        Ok(stored.map_or_else(
            || BlobInfo {
                size,
                modified: SystemTime::now(),
                etag: String::new(),
            },
            |meta| info(&meta),
        ))
    }

    /// The turn to write to a key whose contents are as they have to be.
    async fn turn<'a>(
        &self,
        key: &BlobKey,
        at: &Path,
        condition: &BlobCondition,
        turns: &'a Turns,
    ) -> Result<(MutexGuard<'a, ()>, Option<ObjectMeta>), BlobError> {
        let turn = turns.of(key).await;
        if condition.is_none() {
            return Ok((turn, None));
        }
        let found = self.meta(at).await?;
        if !condition.holds(found.as_ref().map(etag).as_deref()) {
            return Err(BlobError::Condition);
        }
        Ok((turn, found))
    }
}

/// The condition in the words of the bucket, so that it holds against writers other than this process.
fn mode(condition: &BlobCondition, found: Option<ObjectMeta>) -> PutMode {
    match found {
        None if condition.matches_not == IfMatch::Existing => PutMode::Create,
        Some(ObjectMeta {
            e_tag: Some(tag), ..
        }) => PutMode::Update(UpdateVersion {
            e_tag: Some(tag),
            version: None,
        }),
        _ => PutMode::Overwrite,
    }
}

async fn read_all(mut file: File, size: u64) -> Result<Bytes, BlobError> {
    let mut all = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    while (all.len() as u64) < size {
        let left = usize::try_from(size).unwrap_or(usize::MAX) - all.len();
        let piece;
        (file, piece) = read_at(file, all.len() as u64, left).await?;
        all.extend_from_slice(&piece);
    }
    Ok(all.into())
}

async fn send_parts(
    upload: &mut dyn MultipartUpload,
    mut file: File,
    size: u64,
) -> Result<(), BlobError> {
    let part = PART.max(size.div_ceil(MAX_PARTS));
    let mut at = 0;
    while at < size {
        let end = size.min(at + part);
        let mut pieces = Vec::new();
        while at < end {
            let length = usize::try_from(end - at).unwrap_or(usize::MAX);
            let piece;
            (file, piece) = read_at(file, at, length).await?;
            at += piece.len() as u64;
            pieces.push(piece);
        }
        let payload: PutPayload = pieces.into_iter().collect();
        let sent = upload.put_part(payload).await;
        sent.map_err(failed("send a part of a blob"))?;
    }
    Ok(())
}

/// One version of an object.
#[derive(Debug)]
pub(super) struct Object {
    bucket: Bucket,
    at: Path,
    tag: Option<String>,
}

impl Object {
    /// Asks for a range of it; refused when another version has taken its place.
    pub(super) async fn read(
        self,
        start: u64,
        length: u64,
    ) -> Result<BoxStream<'static, object_store::Result<Bytes>>, BlobError> {
        let options = GetOptions {
            if_match: self.tag,
            range: Some(GetRange::Bounded(start..start.saturating_add(length))),
            ..GetOptions::default()
        };
        let got = self.bucket.objects.get_opts(&self.at, options).await;
        Ok(got.map_err(read_failed)?.into_stream())
    }
}

/// Reading has no condition of the caller's, so that failing is a failure.
pub(super) fn read_failed(e: object_store::Error) -> BlobError {
    BlobError::Failed {
        operation: "read a blob",
        source: io::Error::other(e),
    }
}

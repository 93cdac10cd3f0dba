//! Assets: a row that says what they are and a blob that holds their contents, kept in step.
//!
//! The blob comes before the row and goes after it, so a row never names contents that were not there; what a crash
//! leaves over is swept. Every operation is of one user; another user's asset does not exist for them.

mod administration;
mod archive;
pub(crate) mod content_types;
mod durations;
mod nodes;
mod quota;
mod stored;
mod thumbnails;
mod upkeep;

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use nodetool_protocol::{Map, Value};
use nodetool_store::{
    AssetFilter, AssetPatch, AssetRow, BadKey, Blob, BlobCondition, BlobError, BlobKey, Blobs,
    MAX_ASSET_ROWS, Page, PlacedAsset, Store, StoreError, new_id, now_micros,
};
use tokio::sync::Semaphore;

use super::{Caller, Changes, Happened};

use archive::Archive;
pub(crate) use nodes::{AssetOrigin, ScratchAssets};
pub(crate) use quota::Incoming;
use quota::Quotas;
pub(crate) use stored::{Bucket, Reach};

/// Size of the thumbnail that is kept.
pub(crate) const THUMBNAIL: u32 = 512;
/// Pictures decoded at the same time.
const DECODERS: usize = 2;
/// Archives written at the same time.
const ARCHIVES: usize = 8;
/// Longest name of an asset, in bytes.
const MAX_NAME: usize = 1024;
/// Largest metadata of an asset, in bytes of JSON.
const MAX_METADATA: usize = 64 << 10;

/// Why an asset use case failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AssetError {
    #[error("Asset not found")]
    NotFound,
    #[error("Workflow not found")]
    NoWorkflow,
    /// There are no contents under this key.
    #[error("Not Found")]
    NoContents,
    #[error(transparent)]
    Key(#[from] BadKey),
    /// A field that cannot be as it is.
    #[error("{field}: {reason}")]
    Field { field: &'static str, reason: String },
    #[error("No asset IDs provided")]
    NoIds,
    #[error("Query must be at least 2 characters long")]
    ShortQuery,
    #[error("The file is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("With this file the assets of this user would be larger than the quota of {mib} MiB")]
    Quota { mib: u64 },
    #[error("The file is not the one that was expected")]
    Changed,
    #[error("Asset access denied")]
    Foreign,
    #[error("Asset is not a video")]
    NotAVideo,
    #[error("This server has no video decoder, so it makes no thumbnails of videos")]
    NoVideoDecoder,
    #[error("Unsupported asset type for thumbnails: unsupported type {0}")]
    NoThumbnailOf(String),
    #[error("Failed to generate thumbnail")]
    Thumbnail,
    #[error("Too many archives are being written; try again")]
    Busy,
    #[error("the contents of an asset failed")]
    Blob(#[source] BlobError),
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for AssetError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::NotFound { .. } => AssetError::NotFound,
            StoreError::InvalidInput { field, reason } => AssetError::Field { field, reason },
            e => AssetError::Store(e),
        }
    }
}

impl From<BlobError> for AssetError {
    fn from(e: BlobError) -> Self {
        match e {
            BlobError::TooLarge { limit } => AssetError::TooLarge { limit },
            BlobError::Condition => AssetError::Changed,
            e => AssetError::Blob(e),
        }
    }
}

/// What a client creates.
#[derive(Clone, Debug, Default)]
pub(crate) struct CreateAsset {
    pub(crate) name: String,
    pub(crate) content_type: String,
    pub(crate) parent_id: Option<String>,
    pub(crate) workflow_id: Option<String>,
    pub(crate) node_id: Option<String>,
    pub(crate) job_id: Option<String>,
    pub(crate) metadata: Option<Map>,
    pub(crate) size: Option<i64>,
}

/// What a client changes; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChangeAsset {
    pub(crate) name: Option<String>,
    pub(crate) parent_id: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) metadata: Option<Map>,
    pub(crate) size: Option<i64>,
    /// New contents.
    pub(crate) data: Option<Bytes>,
}

/// A small picture of an asset.
pub(crate) enum Thumbnail {
    Stored(Blob),
    Made(Bytes),
}

/// Where contents are kept.
pub(crate) struct Buckets {
    /// Contents of assets.
    pub(crate) files: Blobs,
    /// Temporary files.
    pub(crate) temp: Blobs,
    /// Address under which everybody finds the contents of assets.
    pub(crate) public: Option<String>,
}

impl Buckets {
    /// Both in a folder of this machine.
    pub(crate) fn local(folder: &Path) -> Result<Self, BlobError> {
        Ok(Buckets {
            files: Blobs::open(&folder.join("files"))?,
            temp: Blobs::open(&folder.join("temp"))?,
            public: None,
        })
    }
}

struct Inner {
    store: Store,
    files: Blobs,
    temp: Blobs,
    public: Option<String>,
    changes: Changes,
    upload_limit: u64,
    quotas: Arc<Quotas>,
    opened: SystemTime,
    decoders: Semaphore,
    archives: Arc<Semaphore>,
}

/// The one owner of assets and stored files in this process; clones share it.
#[derive(Clone)]
pub(crate) struct AssetService(Arc<Inner>);

impl AssetService {
    /// Assets with their rows in a store and their contents in a folder.
    pub(crate) fn open(
        store: Store,
        folder: &Path,
        changes: Changes,
        upload_limit: u64,
    ) -> Result<Self, AssetError> {
        let buckets = Buckets::local(folder)?;
        Ok(Self::over(store, buckets, changes, upload_limit, 0))
    }

    /// Assets with their contents wherever they are kept, at most so many MiB for each user, or any number for 0.
    pub(crate) fn over(
        store: Store,
        buckets: Buckets,
        changes: Changes,
        upload_limit: u64,
        quota_mib: u64,
    ) -> Self {
        AssetService(Arc::new(Inner {
            store,
            files: buckets.files,
            temp: buckets.temp,
            public: buckets.public,
            changes,
            upload_limit,
            quotas: Quotas::new(quota_mib),
            opened: SystemTime::now(),
            decoders: Semaphore::new(DECODERS),
            archives: Arc::new(Semaphore::new(ARCHIVES)),
        }))
    }

    /// Whether contents can be kept; if not, why, in one line.
    pub(crate) async fn check(&self) -> Result<(), String> {
        self.0.files.check().await?;
        self.0.temp.check().await
    }

    /// Waits for contents that are still on their way to where they are kept.
    pub(crate) async fn close(&self) {
        self.0.files.close().await;
        self.0.temp.close().await;
    }

    /// Where clients find the contents of an asset; one without contents has no address.
    pub(crate) fn address(&self, row: &AssetRow) -> Option<String> {
        let key = &row.file_id;
        let public = self.0.public.as_deref().unwrap_or("/api/storage");
        (!key.is_empty()).then(|| format!("{public}/{key}"))
    }

    /// Where contents are kept, for those who keep rows of their own.
    pub(crate) fn blobs(&self) -> &Blobs {
        &self.0.files
    }

    /// Most bytes one file may have.
    pub(crate) fn upload_limit(&self) -> u64 {
        self.0.upload_limit
    }

    /// Begins to take the contents of a new asset, which are of at least as many bytes as declared.
    pub(crate) async fn upload(
        &self,
        caller: &Caller,
        declared: Option<u64>,
    ) -> Result<Incoming, AssetError> {
        let inner = &self.0;
        let share = inner.quotas.begin(&inner.store, &caller.user_id, 0).await?;
        let upload = inner.files.upload(inner.upload_limit).await?;
        Ok(Incoming::new(upload, share, declared))
    }

    /// Stores a new asset; a folder or one without a file has no contents.
    pub(crate) async fn create(
        &self,
        caller: &Caller,
        create: CreateAsset,
        contents: Option<Incoming>,
    ) -> Result<AssetRow, AssetError> {
        if let Some(id) = &create.workflow_id {
            let workflow = self.0.store.get_workflow(id).await?;
            if workflow.is_none_or(|w| w.user_id != caller.user_id) {
                return Err(AssetError::NoWorkflow);
            }
        }
        self.keep(caller, create, contents, true).await
    }

    /// Stores what a run made: its workflow may be another user's or none that is stored, and its thumbnail can wait
    /// until somebody looks.
    async fn create_by_run(
        &self,
        caller: &Caller,
        create: CreateAsset,
        contents: Incoming,
    ) -> Result<AssetRow, AssetError> {
        self.keep(caller, create, Some(contents), false).await
    }

    async fn keep(
        &self,
        caller: &Caller,
        create: CreateAsset,
        contents: Option<Incoming>,
        thumbnail: bool,
    ) -> Result<AssetRow, AssetError> {
        let inner = &self.0;
        check_name(&create.name)?;
        check_content_type(&create.content_type)?;
        let now = now_micros();
        let id = new_id();
        let mut row = AssetRow {
            parent_id: parent_or_root(caller, create.parent_id),
            user_id: caller.user_id.clone(),
            workflow_id: create.workflow_id,
            file_id: String::new(),
            name: create.name,
            content_type: create.content_type,
            size: create.size,
            metadata: create.metadata.map(metadata_text).transpose()?,
            created_at: now,
            updated_at: now,
            duration: None,
            node_id: create.node_id,
            job_id: create.job_id,
            id,
        };
        if row.is_folder() {
            if contents.is_some() {
                return Err(field(
                    "content_type",
                    "is that of a folder, which has no file",
                ));
            }
        } else {
            let ending = content_types::extension_of(&row.content_type);
            row.file_id = format!("{}.{ending}", row.id);
        }
        let mut settling = None;
        if let Some(incoming) = contents {
            let key = BlobKey::parse(&row.file_id)?;
            let (info, share) = incoming.finish(&key, &BlobCondition::NONE).await?;
            settling = Some(share);
            row.size = Some(i64::try_from(info.size).unwrap_or(i64::MAX));
            row.duration = self.duration_of(&row, &key).await;
            if thumbnail && row.content_type.starts_with("image/") {
                // A picture that cannot be read is still an asset.
                if let Err(e) = self.keep_thumbnail(&row).await {
                    tracing::debug!(asset.id = %row.id, error = %e, "no thumbnail");
                }
            }
        }
        if let Err(e) = inner.store.insert_asset(row.clone()).await {
            self.drop_contents(&row.id, &row.file_id).await;
            return Err(e.into());
        }
        if let Some(share) = settling {
            share.settle();
        }
        self.tell(Happened::Created, &row);
        Ok(row)
    }

    fn tell(&self, happened: Happened, row: &AssetRow) {
        let etag = || row.etag();
        self.0
            .changes
            .tell(&row.user_id, happened, "asset", &row.id, etag);
    }

    /// Deletes the blobs of an asset; what fails is swept later.
    async fn drop_contents(&self, id: &str, file_id: &str) {
        for key in [file_id, &thumbnail_name(id)] {
            if let Ok(key) = BlobKey::parse(key)
                && let Err(e) = self.0.files.delete(&key).await
            {
                tracing::warn!(asset.id = %id, error = %e, "contents of an asset could not be deleted");
            }
        }
    }

    /// Seconds a sound lasts, where its header tells.
    async fn duration_of(&self, row: &AssetRow, key: &BlobKey) -> Option<f64> {
        if !row.content_type.starts_with("audio/") {
            return None;
        }
        let blob = self.0.files.open_blob(key).await.ok()??;
        let size = blob.info().size;
        let head = blob.read(0, durations::HEAD).collect(durations::HEAD).await;
        durations::wav_seconds(&head.ok()?, size)
    }

    pub(crate) async fn get(&self, caller: &Caller, id: &str) -> Result<AssetRow, AssetError> {
        if id == caller.user_id {
            return Ok(home(caller));
        }
        self.row(caller, id).await
    }

    /// A row; the root is none.
    async fn row(&self, caller: &Caller, id: &str) -> Result<AssetRow, AssetError> {
        let row = self.0.store.get_asset(&caller.user_id, id).await?;
        row.ok_or(AssetError::NotFound)
    }

    /// One page of assets; without any restriction it is that of the root.
    pub(crate) async fn list(
        &self,
        caller: &Caller,
        mut filter: AssetFilter,
        limit: usize,
        cursor: &str,
    ) -> Result<Page<AssetRow>, AssetError> {
        filter.user_id.clone_from(&caller.user_id);
        let restrictions = [
            &filter.parent_id,
            &filter.content_type,
            &filter.workflow_id,
            &filter.node_id,
            &filter.job_id,
        ];
        if restrictions.iter().all(|r| r.is_none()) {
            filter.parent_id = Some(caller.user_id.clone());
        }
        Ok(self.0.store.list_assets(filter, limit, cursor).await?)
    }

    /// Assets whose name contains a text, with the names of the folders they are in.
    pub(crate) async fn search(
        &self,
        caller: &Caller,
        query: &str,
        content_type: Option<String>,
        limit: usize,
        cursor: &str,
    ) -> Result<Page<PlacedAsset>, AssetError> {
        let query = query.trim();
        if query.chars().count() < 2 {
            return Err(AssetError::ShortQuery);
        }
        let filter = AssetFilter {
            user_id: caller.user_id.clone(),
            content_type,
            name_contains: Some(query.to_owned()),
            ..AssetFilter::default()
        };
        let store = &self.0.store;
        let page = store.list_assets(filter, limit, cursor).await?;
        let folders = page.rows.iter().map(|row| row.parent_id.clone()).collect();
        let paths = store.asset_folder_paths(&caller.user_id, folders).await?;
        let rows = page.rows.into_iter().zip(paths);
        Ok(Page {
            rows: rows
                .map(|(row, folders)| PlacedAsset { row, folders })
                .collect(),
            next: page.next,
        })
    }

    pub(crate) async fn update(
        &self,
        caller: &Caller,
        id: &str,
        change: ChangeAsset,
    ) -> Result<AssetRow, AssetError> {
        let stored = self.row(caller, id).await?;
        if let Some(name) = &change.name {
            check_name(name)?;
        }
        if let Some(content_type) = &change.content_type {
            check_content_type(content_type)?;
            if stored.is_folder() != (content_type == AssetRow::FOLDER) {
                let reason = "cannot turn a folder into a file or a file into a folder";
                return Err(field("content_type", reason));
            }
        }
        let mut patch = AssetPatch {
            parent_id: change.parent_id,
            name: change.name,
            content_type: change.content_type,
            size: change.size,
            metadata: change.metadata.map(metadata_text).transpose()?,
            updated_at: later_than(stored.updated_at),
            ..AssetPatch::default()
        };
        let mut settling = None;
        if patch.size.is_some() && change.data.is_none() && !stored.file_id.is_empty() {
            // What is there has the size it has, whatever is said of it.
            let key = BlobKey::parse(&stored.file_id)?;
            if self.0.files.head(&key).await?.is_some() {
                patch.size = None;
            }
        }
        if let Some(data) = change.data {
            if stored.is_folder() {
                return Err(field("data", "cannot be given to a folder"));
            }
            let length = data.len() as u64;
            if length > self.0.upload_limit {
                let limit = self.0.upload_limit;
                return Err(AssetError::TooLarge { limit });
            }
            let key = BlobKey::parse(&stored.file_id)?;
            let mut incoming = self.replace(&stored, Some(length)).await?;
            for piece in data.chunks(1 << 20) {
                incoming.write(piece).await?;
            }
            let (_, share) = incoming.finish(&key, &BlobCondition::NONE).await?;
            settling = Some(share);
            patch.size = Some(i64::try_from(length).unwrap_or(i64::MAX));
            patch.duration = Some(self.duration_of(&stored, &key).await);
            self.forget_thumbnail(id).await?;
        }
        let row = self
            .0
            .store
            .update_asset(&caller.user_id, id, patch)
            .await?;
        if let Some(share) = settling {
            share.settle();
        }
        self.tell(Happened::Updated, &row);
        Ok(row)
    }

    /// Begins to take other contents of an asset.
    async fn replace(&self, row: &AssetRow, declared: Option<u64>) -> Result<Incoming, AssetError> {
        let inner = &self.0;
        let before = row.size.and_then(|size| u64::try_from(size).ok());
        let share = inner
            .quotas
            .begin(&inner.store, &row.user_id, before.unwrap_or_default());
        let share = share.await?;
        let upload = inner.files.upload(inner.upload_limit).await?;
        Ok(Incoming::new(upload, share, declared))
    }

    /// Deletes an asset and all that is in it; gives the ids, children before their folder.
    pub(crate) async fn delete(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Vec<String>, AssetError> {
        let gone = self.0.store.delete_asset(&caller.user_id, id).await?;
        for asset in &gone {
            let owner = &caller.user_id;
            self.0
                .changes
                .tell(owner, Happened::Deleted, "asset", &asset.id, String::new);
            if !asset.file_id.is_empty() {
                self.drop_contents(&asset.id, &asset.file_id).await;
            }
        }
        Ok(gone.into_iter().map(|asset| asset.id).collect())
    }

    /// A folder and all that is in it; empty when there is no such asset.
    pub(crate) async fn walk(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Vec<PlacedAsset>, AssetError> {
        let ids = vec![id.to_owned()];
        Ok(self.0.store.walk_assets(&caller.user_id, ids).await?)
    }

    /// The asset whose contents have this name.
    pub(crate) async fn by_file_name(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<AssetRow, AssetError> {
        let id = name.rsplit_once('.').map_or(name, |(id, _)| id);
        let row = self.row(caller, id).await?;
        if row.file_id == name {
            Ok(row)
        } else {
            Err(AssetError::NotFound)
        }
    }

    /// An asset with its contents.
    pub(crate) async fn open_asset(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(AssetRow, Blob), AssetError> {
        let row = self.row(caller, id).await?;
        let key = BlobKey::parse(&row.file_id).map_err(|_| AssetError::NoContents)?;
        let blob = self.0.files.open_blob(&key).await?;
        Ok((row, blob.ok_or(AssetError::NoContents)?))
    }

    /// An archive of assets; folders with all that is in them.
    pub(crate) async fn archive(
        &self,
        caller: &Caller,
        ids: Vec<String>,
    ) -> Result<Archive, AssetError> {
        if ids.is_empty() {
            return Err(AssetError::NoIds);
        }
        if ids.len() > MAX_ASSET_ROWS {
            return Err(field("asset_ids", "are too many, expected at most 10000"));
        }
        let permit = self.0.archives.clone().try_acquire_owned();
        let permit = permit.map_err(|_| AssetError::Busy)?;
        let assets = self.0.store.walk_assets(&caller.user_id, ids).await?;
        Ok(Archive::write(assets, self.0.files.clone(), permit))
    }

    /// Makes the thumbnail of a video, which takes a decoder.
    pub(crate) async fn make_video_thumbnail(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<AssetRow, AssetError> {
        let row = self.row(caller, id).await?;
        if row.content_type.starts_with("video/") {
            Err(AssetError::NoVideoDecoder)
        } else {
            Err(AssetError::NotAVideo)
        }
    }

    /// The thumbnail that is kept, or one made for this request.
    pub(crate) async fn thumbnail(
        &self,
        caller: &Caller,
        id: &str,
        width: u32,
        height: u32,
    ) -> Result<Thumbnail, AssetError> {
        let row = self.row(caller, id).await?;
        let key = BlobKey::parse(&thumbnail_name(id))?;
        if let Some(stored) = self.0.files.open_blob(&key).await? {
            return Ok(Thumbnail::Stored(stored));
        }
        let bare = content_types::bare(&row.content_type);
        if !bare.starts_with("image/") || bare == "image/svg+xml" {
            return Err(AssetError::NoThumbnailOf(bare));
        }
        if (width, height) == (THUMBNAIL, THUMBNAIL) {
            let blob = self.keep_thumbnail(&row).await?;
            return Ok(Thumbnail::Stored(blob));
        }
        Ok(Thumbnail::Made(self.draw(&row, width, height).await?))
    }

    async fn keep_thumbnail(&self, row: &AssetRow) -> Result<Blob, AssetError> {
        let jpeg = self.draw(row, THUMBNAIL, THUMBNAIL).await?;
        let key = BlobKey::parse(&thumbnail_name(&row.id))?;
        self.0.files.put(&key, &jpeg).await?;
        let kept = self.0.files.open_blob(&key).await?;
        kept.ok_or(AssetError::NoContents)
    }

    async fn forget_thumbnail(&self, id: &str) -> Result<(), AssetError> {
        let key = BlobKey::parse(&thumbnail_name(id))?;
        self.0.files.delete(&key).await?;
        Ok(())
    }

    /// A JPEG of a picture; few are drawn at a time, since decoding takes memory.
    async fn draw(&self, row: &AssetRow, width: u32, height: u32) -> Result<Bytes, AssetError> {
        let _turn = self.0.decoders.acquire().await;
        let key = BlobKey::parse(&row.file_id)?;
        let blob = self.0.files.open_blob(&key).await?;
        let blob = blob.ok_or(AssetError::NoContents)?;
        let source = blob.read_all().collect(thumbnails::MAX_SOURCE).await;
        let source = source.map_err(|_| AssetError::Thumbnail)?;
        let drawn =
            tokio::task::spawn_blocking(move || thumbnails::make(&source, width, height)).await;
        match drawn {
            Ok(Ok(jpeg)) => Ok(jpeg),
            Ok(Err(e)) => {
                tracing::debug!(asset.id = %row.id, error = %e, "a picture cannot be drawn");
                Err(AssetError::Thumbnail)
            }
            Err(e) => {
                tracing::warn!(asset.id = %row.id, error = %e, "drawing a picture broke off");
                Err(AssetError::Thumbnail)
            }
        }
    }
}

/// The folder above all others, which is no row.
fn home(caller: &Caller) -> AssetRow {
    AssetRow {
        id: caller.user_id.clone(),
        user_id: caller.user_id.clone(),
        name: "Home".into(),
        content_type: AssetRow::FOLDER.into(),
        ..AssetRow::default()
    }
}

/// Name of the blob of an asset's thumbnail.
pub(crate) fn thumbnail_name(id: &str) -> String {
    format!("{id}_thumb.jpg")
}

fn parent_or_root(caller: &Caller, parent: Option<String>) -> String {
    parent
        .filter(|id| !id.is_empty())
        .unwrap_or_else(|| caller.user_id.clone())
}

/// Now, but never the same as before: the time is part of addresses that are cached.
fn later_than(before: i64) -> i64 {
    now_micros().max(before.saturating_add(1))
}

fn field(field: &'static str, reason: &str) -> AssetError {
    let reason = reason.to_owned();
    AssetError::Field { field, reason }
}

fn check_name(name: &str) -> Result<(), AssetError> {
    match name {
        "" => Err(field("name", "is empty, expected a name")),
        n if n.len() > MAX_NAME => Err(field("name", "is too long, expected at most 1024 bytes")),
        n if n.contains('\0') => Err(field("name", "contains a NUL character")),
        _ => Ok(()),
    }
}

fn check_content_type(content_type: &str) -> Result<(), AssetError> {
    if content_type == AssetRow::FOLDER || content_types::is_plausible(content_type) {
        return Ok(());
    }
    let reason = "is no content type, expected one like image/png, or folder";
    Err(field("content_type", reason))
}

fn metadata_text(metadata: Map) -> Result<String, AssetError> {
    let text = serde_json::to_string(&Value::from(metadata))
        .map_err(|_| field("metadata", "cannot be written as JSON"))?;
    if text.len() > MAX_METADATA {
        return Err(field(
            "metadata",
            "is too large, expected at most 64 KiB of JSON",
        ));
    }
    Ok(text)
}

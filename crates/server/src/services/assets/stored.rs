//! Files by key, as the storage routes see them, and who may touch which.
//!
//! Keys that look like an asset's contents are those of an asset and belong to its owner; temporary files belong to
//! who wrote them; all other keys belong to whoever administers the server.

use std::time::{Duration, SystemTime};

use nodetool_store::{AssetFilter, AssetPatch, AssetRow, Blob, BlobCondition, BlobKey, Page};

use super::{AssetError, AssetService, Incoming, content_types, later_than, thumbnail_name};
use crate::services::{Caller, Happened};

/// How long temporary files are kept.
pub(super) const TEMPORARY: Duration = Duration::from_secs(24 * 3600);

/// Which files a key is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bucket {
    Assets,
    Temp,
}

/// Whose files somebody may get at.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    /// Their own, and those of no asset if they administer the server.
    Own(Caller),
    /// Those of all assets, and of none: for administration.
    All(Caller),
    /// Those of all assets, and of none, to read: where storage is public. Temporary files stay their writer's.
    Public(Option<Caller>),
}

impl Reach {
    fn caller(&self) -> Option<&Caller> {
        match self {
            Reach::Own(caller) | Reach::All(caller) => Some(caller),
            Reach::Public(caller) => caller.as_ref(),
        }
    }
}

/// What a key stands for.
enum Place {
    /// Contents or thumbnail of an asset.
    Asset { row: Box<AssetRow>, thumbnail: bool },
    /// A file of no asset.
    Loose(BlobKey),
    /// A temporary file of the caller's.
    Temporary(BlobKey),
}

/// A place that the caller may write to.
pub(crate) struct Slot {
    place: Place,
    key: BlobKey,
    condition: BlobCondition,
}

/// The asset whose contents or thumbnail have this key.
pub(super) fn asset_of(key: &str) -> Option<(&str, bool)> {
    let stem = key.rsplit_once('.').map_or(key, |(stem, _)| stem);
    let (id, thumbnail) = match stem.strip_suffix("_thumb") {
        Some(id) => (id, true),
        None => (stem, false),
    };
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (id.len() == 32 && id.bytes().all(hex)).then_some((id, thumbnail))
}

impl AssetService {
    async fn place(
        &self,
        reach: &Reach,
        bucket: Bucket,
        key: &BlobKey,
    ) -> Result<Place, AssetError> {
        if bucket == Bucket::Temp {
            let caller = reach.caller().ok_or(AssetError::NoContents)?;
            return Ok(Place::Temporary(key.of_owner(&caller.user_id)?));
        }
        // Files of nodes are served by their own routes, to their owners.
        if key.as_str().starts_with(crate::services::loops::CONTENTS) {
            return Err(AssetError::NoContents);
        }
        let loose = || Ok(Place::Loose(key.clone()));
        let Some((id, thumbnail)) = asset_of(key.as_str()) else {
            return match reach {
                Reach::Own(caller) if !caller.admin => Err(AssetError::NoContents),
                _ => loose(),
            };
        };
        let row = match reach {
            Reach::Own(caller) => self.0.store.get_asset(&caller.user_id, id).await?,
            Reach::All(_) | Reach::Public(_) => self.0.store.find_asset(id).await?,
        };
        let own = |row: &AssetRow| {
            if thumbnail {
                thumbnail_name(id) == key.as_str()
            } else {
                row.file_id == key.as_str()
            }
        };
        match (row.filter(own), reach) {
            (Some(row), _) => Ok(Place::Asset {
                row: Box::new(row),
                thumbnail,
            }),
            // Contents may be brought before their row, and be left when it has gone.
            (None, Reach::All(_)) => loose(),
            (None, _) => Err(AssetError::NoContents),
        }
    }

    /// One page of the caller's assets that have contents, whatever folder they are in.
    pub(crate) async fn files(
        &self,
        caller: &Caller,
        limit: usize,
        cursor: &str,
    ) -> Result<Page<AssetRow>, AssetError> {
        let filter = AssetFilter {
            user_id: caller.user_id.clone(),
            ..AssetFilter::default()
        };
        let mut page = self.0.store.list_assets(filter, limit, cursor).await?;
        page.rows
            .retain(|row| !row.file_id.is_empty() && row.content_type != AssetRow::FOLDER);
        Ok(page)
    }

    /// Opens a file and says what type it has.
    pub(crate) async fn open_key(
        &self,
        reach: &Reach,
        bucket: Bucket,
        key: &BlobKey,
    ) -> Result<(Blob, String), AssetError> {
        let by_name = content_types::type_of_name(key.as_str()).to_owned();
        let (blob, content_type) = match self.place(reach, bucket, key).await? {
            Place::Asset { row, thumbnail } => {
                let content_type = if thumbnail { by_name } else { row.content_type };
                (self.0.files.open_blob(key).await?, content_type)
            }
            Place::Loose(key) => (self.0.files.open_blob(&key).await?, by_name),
            Place::Temporary(key) => {
                let blob = self.0.temp.open_blob(&key).await?;
                (blob.filter(|blob| is_fresh(blob.info().modified)), by_name)
            }
        };
        Ok((blob.ok_or(AssetError::NoContents)?, content_type))
    }

    /// Begins to take a file that is to have this key, if what is there is as it has to be.
    pub(crate) async fn begin_put(
        &self,
        reach: &Reach,
        bucket: Bucket,
        key: &BlobKey,
        condition: BlobCondition,
        declared: Option<u64>,
    ) -> Result<(Slot, Incoming), AssetError> {
        let place = self.place(reach, bucket, key).await?;
        let (key, blobs) = match &place {
            Place::Asset { .. } => (key, &self.0.files),
            Place::Loose(key) => (key, &self.0.files),
            Place::Temporary(key) => (key, &self.0.temp),
        };
        let key = key.clone();
        if !condition.is_none() {
            // Asked again when it counts; a large file need not come first to be refused.
            let found = blobs.head(&key).await?;
            if !condition.holds(found.as_ref().map(|info| info.etag.as_str())) {
                return Err(AssetError::Changed);
            }
        }
        let incoming = match &place {
            Place::Asset {
                row,
                thumbnail: false,
            } => self.replace(row, declared).await?,
            _ => Incoming::new(blobs.upload(self.0.upload_limit).await?, None, None),
        };
        let slot = Slot {
            place,
            key,
            condition,
        };
        Ok((slot, incoming))
    }

    /// Keeps a file that has been taken whole.
    pub(crate) async fn finish_put(
        &self,
        slot: Slot,
        incoming: Incoming,
    ) -> Result<(), AssetError> {
        let (info, share) = incoming.finish(&slot.key, &slot.condition).await?;
        if let Place::Asset {
            row,
            thumbnail: false,
        } = slot.place
        {
            self.forget_thumbnail(&row.id).await?;
            let patch = AssetPatch {
                size: Some(i64::try_from(info.size).unwrap_or(i64::MAX)),
                duration: Some(self.duration_of(&row, &slot.key).await),
                updated_at: later_than(row.updated_at),
                ..AssetPatch::default()
            };
            let saved = self.0.store.update_asset(&row.user_id, &row.id, patch);
            match saved.await.map_err(AssetError::from) {
                Ok(row) => {
                    share.settle();
                    self.tell(Happened::Updated, &row);
                }
                Err(e) => {
                    if matches!(e, AssetError::NotFound) {
                        // Deleted while its contents came.
                        self.drop_contents(&row.id, &row.file_id).await;
                    }
                    return Err(e);
                }
            }
        }
        Ok(())
    }

    /// Deletes a file; a key without one is an error.
    pub(crate) async fn delete_key(
        &self,
        reach: &Reach,
        bucket: Bucket,
        key: &BlobKey,
    ) -> Result<(), AssetError> {
        let was_there = match self.place(reach, bucket, key).await? {
            Place::Asset { .. } => self.0.files.delete(key).await?,
            Place::Loose(key) => self.0.files.delete(&key).await?,
            Place::Temporary(key) => self.0.temp.delete(&key).await?,
        };
        if was_there {
            Ok(())
        } else {
            Err(AssetError::NoContents)
        }
    }
}

fn is_fresh(modified: SystemTime) -> bool {
    // A clock that was set back makes nothing old.
    modified.elapsed().is_ok_and(|age| age < TEMPORARY) || modified > SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn case_64_files_of_others_are_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = nodetool_store::Store::open_in_memory().unwrap();
        let changes = crate::services::Changes::default();
        let assets = AssetService::open(store, folder.path(), changes, 1 << 20).unwrap();
        let of = |user: &str| Caller::on_behalf_of(user);
        let (mine, other) = (of("u1"), of("u2"));
        let own = |caller: &Caller| Reach::Own(caller.clone());
        let create = super::super::CreateAsset {
            name: "a".into(),
            content_type: "image/png".into(),
            ..Default::default()
        };
        let mut upload = assets.upload(&mine, None).await.unwrap();
        upload.write(b"no picture").await.unwrap();
        let row = assets.create(&mine, create, Some(upload)).await.unwrap();
        let key = BlobKey::parse(&row.file_id).unwrap();
        let temporary = BlobKey::parse("t").unwrap();
        let put = async |caller: &Caller, bucket, key: &BlobKey| {
            let reach = Reach::Own(caller.clone());
            let begun = assets.begin_put(&reach, bucket, key, BlobCondition::NONE, None);
            let (slot, mut upload) = begun.await?;
            upload.write(b"temporary").await?;
            assets.finish_put(slot, upload).await
        };
        put(&mine, Bucket::Temp, &temporary).await.unwrap();
        for (bucket, key) in [(Bucket::Assets, &key), (Bucket::Temp, &temporary)] {
            assert!(assets.open_key(&own(&mine), bucket, key).await.is_ok());
            let opened = assets.open_key(&own(&other), bucket, key).await;
            assert!(matches!(opened, Err(AssetError::NoContents)));
            let deleted = assets.delete_key(&own(&other), bucket, key).await;
            assert!(matches!(deleted, Err(AssetError::NoContents)));
        }
        let refused = put(&other, Bucket::Assets, &key).await;
        assert!(matches!(refused, Err(AssetError::NoContents)));
        put(&other, Bucket::Temp, &temporary).await.unwrap();
        let (blob, _) = assets
            .open_key(&own(&mine), Bucket::Temp, &temporary)
            .await
            .unwrap();
        assert_eq!(blob.info().size, 9);
        // What is nobody's is the administrator's, and a name like an asset's is always an asset's.
        let loose = BlobKey::parse("k.txt").unwrap();
        assert!(put(&mine, Bucket::Assets, &loose).await.is_err());
        put(&Caller::local(), Bucket::Assets, &loose).await.unwrap();
        let odd = BlobKey::parse(&format!("{}.exe", row.id)).unwrap();
        assert!(put(&mine, Bucket::Assets, &odd).await.is_err());
        // Administration reaches everything but temporary files, and the public the same to read.
        for reach in [Reach::All(other.clone()), Reach::Public(None)] {
            assert!(assets.open_key(&reach, Bucket::Assets, &key).await.is_ok());
            assert!(
                assets
                    .open_key(&reach, Bucket::Assets, &loose)
                    .await
                    .is_ok()
            );
            let none = BlobKey::parse("none").unwrap();
            let temporary = assets.open_key(&reach, Bucket::Temp, &none).await;
            assert!(matches!(temporary, Err(AssetError::NoContents)));
        }
        let (row, _) = assets.open_asset(&mine, &row.id).await.unwrap();
        assert!(assets.open_asset(&other, &row.id).await.is_err());
    }

    #[test]
    fn only_whole_ids_with_or_without_a_thumbnail_mark_are_those_of_assets() {
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(asset_of(&format!("{id}.png")), Some((id, false)));
        assert_eq!(asset_of(&format!("{id}_thumb.jpg")), Some((id, true)));
        assert_eq!(asset_of(id), Some((id, false)));
        for other in ["k.txt", "a/0123456789abcdef0123456789abcdef.png", ""] {
            assert_eq!(asset_of(other), None, "{other}");
        }
        assert_eq!(asset_of(&id.to_uppercase()), None);
    }
}

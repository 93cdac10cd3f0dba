//! What has to be tidied up: contents without an asset after a crash, temporary files past their time.

use std::time::Duration;

use nodetool_store::BlobKey;

use super::stored::{TEMPORARY, asset_of};
use super::{AssetError, AssetService};
use crate::services::loops::CONTENTS;

/// How often temporary files are looked through.
const EVERY: Duration = Duration::from_secs(600);
/// Ids looked up at a time.
const AT_A_TIME: usize = 500;

impl AssetService {
    /// Tidies up once, then temporary files again and again, until dropped.
    pub(crate) async fn tend(self) {
        match self.sweep().await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(files = swept, "contents without an asset were deleted"),
            Err(e) => tracing::warn!(error = %e, "contents without an asset could not be swept"),
        }
        loop {
            match self.0.temp.expire(TEMPORARY).await {
                Ok(0) => {}
                Ok(expired) => tracing::debug!(files = expired, "temporary files were deleted"),
                Err(e) => tracing::warn!(error = %e, "temporary files could not be deleted"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Deletes contents of assets that have no row. Those written by this process may be waiting for theirs.
    pub(super) async fn sweep(&self) -> Result<usize, AssetError> {
        let inner = &self.0;
        if inner.files.is_remote() {
            // A bucket may be older than this database, or another server's, too: what has no row here may have one there.
            return Ok(0);
        }
        let keys = inner.files.written_before(inner.opened).await?;
        let mut swept = self.sweep_node_files(&keys).await?;
        let keys: Vec<(&str, &BlobKey)> = keys
            .iter()
            .filter_map(|key| Some((asset_of(key.as_str())?.0, key)))
            .collect();
        for some in keys.chunks(AT_A_TIME) {
            let ids = some.iter().map(|(id, _)| (*id).to_owned()).collect();
            let missing = inner.store.missing_assets(ids).await?;
            for (_, key) in some
                .iter()
                .filter(|(id, _)| missing.iter().any(|m| m == id))
            {
                swept += usize::from(inner.files.delete(key).await?);
            }
        }
        Ok(swept)
    }

    /// Deletes contents of files of nodes that have no row.
    async fn sweep_node_files(&self, keys: &[BlobKey]) -> Result<usize, AssetError> {
        let inner = &self.0;
        let of_nodes = keys.iter().map(BlobKey::as_str);
        let of_nodes: Vec<&str> = of_nodes.filter(|key| key.starts_with(CONTENTS)).collect();
        let mut swept = 0;
        for some in of_nodes.chunks(AT_A_TIME) {
            let some = some.iter().map(|key| (*key).to_owned()).collect();
            for key in inner.store.missing_node_files(some).await? {
                swept += usize::from(inner.files.delete(&BlobKey::parse(&key)?).await?);
            }
        }
        Ok(swept)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use nodetool_store::{Blobs, Store, new_id};

    use super::super::{AssetService, CreateAsset};
    use super::*;
    use crate::services::{Caller, Changes};

    #[tokio::test]
    async fn contents_without_a_row_are_swept_and_all_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in_memory().unwrap();
        let open = || AssetService::open(store.clone(), folder.path(), Changes::default(), 1 << 20);
        let caller = Caller::local();
        let assets = open().unwrap();
        let mut upload = assets.upload(&caller, None).await.unwrap();
        upload.write(b"kept").await.unwrap();
        let create = CreateAsset {
            name: "a".into(),
            content_type: "text/plain".into(),
            ..CreateAsset::default()
        };
        let row = assets.create(&caller, create, Some(upload)).await.unwrap();
        let files = Blobs::open(&folder.path().join("files")).unwrap();
        for key in [
            format!("{}.png", new_id()),
            format!("{CONTENTS}{}", new_id()),
            "loose.txt".into(),
        ] {
            files
                .put(&BlobKey::parse(&key).unwrap(), b"x")
                .await
                .unwrap();
        }
        assert_eq!(assets.sweep().await.unwrap(), 0, "too young");
        let later = open().unwrap();
        assert_eq!(later.sweep().await.unwrap(), 2);
        let (_, blob) = later.open_asset(&caller, &row.id).await.unwrap();
        let kept = blob.read_all().collect(10).await.unwrap();
        assert_eq!(kept, Bytes::from_static(b"kept"));
        let loose = BlobKey::parse("loose.txt").unwrap();
        assert!(files.head(&loose).await.unwrap().is_some());
    }
}

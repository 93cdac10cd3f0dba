//! How much the assets of a user may have together, kept while they come.
//!
//! While uploads of a user are under way, what is stored and what is coming are counted together in memory, so that
//! uploads at the same time cannot pass the quota between them. The count begins with the sum in the store and ends with
//! the last upload; what is deleted meanwhile counts until then. It must not know where contents are kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nodetool_store::{BlobCondition, BlobInfo, BlobKey, Store, Upload};

use super::AssetError;

/// What a user with uploads under way has.
#[derive(Default)]
struct Usage {
    uploads: usize,
    stored: u64,
    coming: u64,
}

/// The one count of this process.
pub(super) struct Quotas {
    /// Bytes of one user; none without a limit.
    limit: Option<u64>,
    users: Mutex<HashMap<String, Usage>>,
}

impl Quotas {
    /// 0 sets no limit.
    pub(super) fn new(mib: u64) -> Arc<Self> {
        Arc::new(Quotas {
            limit: (mib > 0).then(|| mib.saturating_mul(1 << 20)),
            users: Mutex::default(),
        })
    }

    fn users(&self) -> MutexGuard<'_, HashMap<String, Usage>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn passed(&self) -> AssetError {
        let mib = self.limit.unwrap_or_default() >> 20;
        AssetError::Quota { mib }
    }

    /// Begins to count contents that take the place of so many bytes.
    pub(super) async fn begin(
        self: &Arc<Self>,
        store: &Store,
        user_id: &str,
        replaced: u64,
    ) -> Result<Option<Share>, AssetError> {
        if self.limit.is_none() {
            return Ok(None);
        }
        // Counted before the sum is read, so that no upload can end unseen between the two.
        self.users().entry(user_id.to_owned()).or_default().uploads += 1;
        let share = Share {
            quotas: self.clone(),
            user_id: user_id.to_owned(),
            size: 0,
            replaced,
        };
        let sum = store.asset_bytes(user_id).await?;
        if let Some(usage) = self.users().get_mut(user_id) {
            usage.stored = usage.stored.max(sum);
        }
        Ok(Some(share))
    }
}

/// What one upload adds.
pub(super) struct Share {
    quotas: Arc<Quotas>,
    user_id: String,
    size: u64,
    replaced: u64,
}

impl Share {
    /// Whether so many bytes more would still be within the quota; if so and they have come, they count.
    fn grow(&mut self, bytes: u64, came: bool) -> Result<(), AssetError> {
        let limit = self.quotas.limit.unwrap_or(u64::MAX);
        let mut users = self.quotas.users();
        let Some(usage) = users.get_mut(&self.user_id) else {
            return Ok(());
        };
        let all = usage
            .stored
            .saturating_add(usage.coming)
            .saturating_add(bytes);
        if all.saturating_sub(self.replaced) > limit {
            return Err(self.quotas.passed());
        }
        if came {
            usage.coming += bytes;
            self.size += bytes;
        }
        Ok(())
    }

    /// The contents are stored.
    fn settle(self) {
        if let Some(usage) = self.quotas.users().get_mut(&self.user_id) {
            usage.stored = usage
                .stored
                .saturating_add(self.size)
                .saturating_sub(self.replaced);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut users = self.quotas.users();
        if let Some(usage) = users.get_mut(&self.user_id) {
            usage.coming = usage.coming.saturating_sub(self.size);
            usage.uploads -= 1;
            if usage.uploads == 0 {
                users.remove(&self.user_id);
            }
        }
    }
}

/// Contents on their way in, counted; they are dropped unless finished.
pub(crate) struct Incoming {
    upload: Upload,
    share: Option<Share>,
    /// Too large already by what its sender has said.
    refused: bool,
}

impl Incoming {
    pub(super) fn new(upload: Upload, mut share: Option<Share>, declared: Option<u64>) -> Self {
        let over = |share: &mut Share| share.grow(declared.unwrap_or_default(), false).is_err();
        let refused = share.as_mut().is_some_and(over);
        Incoming {
            upload,
            share,
            refused,
        }
    }

    /// Takes the next bytes, within the limit of one file and the quota of its owner.
    pub(crate) async fn write(&mut self, data: &[u8]) -> Result<(), AssetError> {
        if let Some(share) = &mut self.share {
            if self.refused {
                return Err(share.quotas.passed());
            }
            share.grow(data.len() as u64, true)?;
        }
        Ok(self.upload.write(data).await?)
    }

    /// Gives the contents their key, if what is there is as it has to be.
    pub(super) async fn finish(
        self,
        key: &BlobKey,
        condition: &BlobCondition,
    ) -> Result<(BlobInfo, Settling), AssetError> {
        let info = self.upload.finish_if(key, condition).await?;
        Ok((info, Settling(self.share)))
    }
}

/// Contents that are stored, but not yet in the sum of the store.
pub(super) struct Settling(Option<Share>);

impl Settling {
    /// They are in it now.
    pub(super) fn settle(self) {
        if let Some(share) = self.0 {
            share.settle();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn uploads_at_the_same_time_cannot_pass_the_quota_between_them() {
        let store = Store::open_in_memory().unwrap();
        let quotas = Quotas::new(1);
        let begin = || async { quotas.begin(&store, "u", 0).await.unwrap().unwrap() };
        let (mut first, mut second) = (begin().await, begin().await);
        first.grow(600 << 10, true).unwrap();
        assert!(matches!(
            second.grow(600 << 10, true),
            Err(AssetError::Quota { mib: 1 })
        ));
        second.grow(424 << 10, true).unwrap();
        assert!(second.grow(1, true).is_err());
        first.settle();
        // What was stored counts on while the other is under way, and nobody else's does.
        assert!(second.grow(1, true).is_err());
        let other = quotas.begin(&store, "other", 0).await.unwrap();
        other.unwrap().grow(1 << 20, true).unwrap();
        drop(second);
        assert!(quotas.users().is_empty());
        // What is replaced makes room.
        let mut again = quotas.begin(&store, "u", 10).await.unwrap().unwrap();
        again.grow((1 << 20) + 10, true).unwrap();
        assert!(again.grow(1, true).is_err());
        assert!(
            Quotas::new(0)
                .begin(&store, "u", 0)
                .await
                .unwrap()
                .is_none()
        );
    }
}

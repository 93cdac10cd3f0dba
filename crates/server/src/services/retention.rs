//! Removes what the settings say is old enough. One task for the whole server.

use std::time::Duration;

use nodetool_store::{Store, StoreError, now_micros};

use super::feeds::Feeds;

/// How often things are looked at.
const EVERY: Duration = Duration::from_secs(60);
/// Jobs removed with one write, so that others get their turn.
const AT_ONCE: usize = 200;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What is kept of ended jobs; 0 keeps everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention {
    /// Days since their end.
    pub(crate) days: u32,
    /// MiB of all of them together.
    pub(crate) mib: u64,
}

/// Keeps house for as long as it is polled.
pub(crate) async fn keep_house(store: Store, feeds: Feeds, retention: Retention) {
    loop {
        feeds.sweep();
        match remove(&store, retention).await {
            Ok(0) => {}
            Ok(removed) => {
                tracing::info!(jobs = removed, "removed jobs that were kept long enough")
            }
            Err(StoreError::Closed) => return,
            Err(e) => tracing::error!(error = %e, "old jobs could not be removed"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn remove(store: &Store, retention: Retention) -> Result<usize, StoreError> {
    let mut removed = 0;
    loop {
        let mut now = 0;
        if retention.days > 0 {
            let before = now_micros() - i64::from(retention.days) * MICROS_PER_DAY;
            now += store.delete_jobs_before(before, AT_ONCE).await?;
        }
        if retention.mib > 0 {
            now += store
                .trim_jobs_to_bytes(retention.mib << 20, AT_ONCE)
                .await?;
        }
        removed += now;
        if now == 0 {
            break;
        }
    }
    store.vacuum_blobs().await?;
    Ok(removed)
}

//! How much one node may take and give, and how long work leaves the async threads. It must not know any node.

use nodetool_sdk::NodeError;

/// Most items a list or table may have.
pub(crate) const MAX_ITEMS: usize = 10_000_000;

/// Most bytes of text.
pub(crate) const MAX_TEXT: usize = 256 << 20;

/// Items, or bytes of text, that are surely handled within a few milliseconds.
const QUICK: usize = 50_000;

/// Refuses a list that would become too long.
pub(crate) fn check_items(property: &str, count: usize) -> Result<(), NodeError> {
    if count > MAX_ITEMS {
        return Err(NodeError::bad(
            property,
            format!("the result would have {count} items (expected at most {MAX_ITEMS})"),
        ));
    }
    Ok(())
}

/// Does work on `size` items or bytes: at once when there are few, else on a thread for blocking work.
pub(crate) async fn work<T: Send + 'static>(
    size: usize,
    f: impl FnOnce() -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    if size <= QUICK {
        f()
    } else {
        blocking(f).await
    }
}

/// Does work on a thread for blocking work.
pub(crate) async fn blocking<T: Send + 'static>(
    f: impl FnOnce() -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    match tokio::task::spawn_blocking(f).await {
        Ok(result) => result,
        Err(e) if e.is_panic() => Err(NodeError::Panicked(e.to_string())),
        Err(_) => Err(NodeError::Stopped),
    }
}

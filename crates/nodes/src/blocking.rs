//! Work that would hold up the runtime's threads: file access and long computations go to threads of their own.

use nodetool_sdk::NodeError;

/// Runs `work` off the runtime's threads and waits for it.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) if e.is_panic() => Err(NodeError::Panicked(e.to_string())),
        Err(_) => Err(NodeError::Stopped),
    }
}

//! What steps that read web pages share: how large a page may be, and work that leaves the async threads.

use nodetool_sdk::NodeError;
use scraper::Html;

/// Larger pages are refused: what is made of them takes many times their size.
const MAX_PAGE: usize = 8 << 20;
/// Deeper pages are refused: their readers go into themselves for each level.
const MAX_LEVELS: usize = 500;

/// Refuses a page that is too large, naming its field.
pub(super) fn check_size(field: &str, page: &str) -> Result<(), NodeError> {
    if page.len() > MAX_PAGE {
        let found = page.len();
        return Err(format!("{field}: the page has {found} bytes; {MAX_PAGE} are allowed").into());
    }
    Ok(())
}

/// Refuses a page that is nested too deep, naming its field.
pub(super) fn check_depth(field: &str, page: &Html) -> Result<(), NodeError> {
    let mut nodes = page.tree.nodes();
    if nodes.any(|node| node.ancestors().nth(MAX_LEVELS).is_some()) {
        let text = format!("{field}: the page is nested deeper than {MAX_LEVELS} levels");
        return Err(text.into());
    }
    Ok(())
}

/// Does work on a thread for blocking work.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) if e.is_panic() => Err(NodeError::Panicked(e.to_string())),
        Err(_) => Err(NodeError::Stopped),
    }
}

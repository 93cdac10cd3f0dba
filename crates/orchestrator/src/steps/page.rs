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

/// Elements that have no end, or may do without.
const OPEN_ENDED: [&str; 32] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr", "p", "li", "dt", "dd", "td", "th", "tr", "thead", "tbody", "tfoot", "option",
    "optgroup", "colgroup", "caption", "html", "head", "body", "rp",
];
/// Elements that hold text only.
const TEXT_ONLY: [&str; 5] = ["script", "style", "textarea", "title", "noscript"];

/// Refuses a page that opens too many elements within each other, before it is read: reading takes the longer the
/// deeper it is. Counts roughly, and so leaves room.
pub(super) fn check_nesting(field: &str, page: &str) -> Result<(), NodeError> {
    let (mut depth, mut rest) = (0usize, page);
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end..]);
            continue;
        }
        let (ends, tag) = rest
            .strip_prefix('/')
            .map_or((false, rest), |tag| (true, tag));
        let length = tag.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let name = tag[..length].to_ascii_lowercase();
        if length == 0 || OPEN_ENDED.contains(&&*name) {
            continue;
        }
        if ends {
            depth = depth.saturating_sub(1);
            continue;
        }
        let tag = &tag[..tag.find('>').unwrap_or(tag.len())];
        if tag.ends_with('/') {
            continue;
        }
        if TEXT_ONLY.contains(&&*name) {
            rest = rest.find("</").map_or("", |end| &rest[end..]);
        }
        depth += 1;
        if depth > 4 * MAX_LEVELS {
            let text = format!("{field}: the page is nested deeper than {MAX_LEVELS} levels");
            return Err(text.into());
        }
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

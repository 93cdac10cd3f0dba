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

/// Elements that may be opened within each other before a page is read: more than levels, for some close by themselves.
const MAX_OPEN: usize = 4 * MAX_LEVELS;

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
        if depth > MAX_OPEN {
            let text = format!(
                "{field}: the page opens more than {MAX_OPEN} elements within each other; {MAX_LEVELS} levels are allowed"
            );
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

#[cfg(test)]
mod tests {
    use super::*;

    fn said(page: &str) -> String {
        check_nesting("html", page).map_or_else(|e| e.to_string(), |()| String::new())
    }

    #[test]
    fn elements_within_each_other_are_counted_before_a_page_is_read() {
        for tag in [
            "<div>",
            "<b>",
            "<DIV class='a>b'>",
            "<x-y\n>",
            "<svg><g>",
            "<div <div>",
        ] {
            let said = said(&tag.repeat(100_000));
            assert!(
                said.starts_with("html: the page opens more than 2000"),
                "{tag}: {said}"
            );
        }
        // A page that never closes what it opens, at last.
        let late = format!("{}{}", "<i></i>".repeat(100_000), "<i>".repeat(2_001));
        assert!(said(&late).contains("500 levels"));
    }

    #[test]
    fn pages_that_are_only_long_are_read() {
        for page in [
            "<p>one<br><img src=x><li>two<td>".repeat(100_000),
            "<div>x</div>".repeat(100_000),
            "<path d='M0 0'/>".repeat(100_000),
            "<!-- <div> -->".repeat(100_000),
            "<script>'<div><div>'</script>".repeat(100_000),
            "a < b <3 << <> </".repeat(100_000),
            format!("{}{}", "<div>".repeat(500), "</div>".repeat(500)),
            "</div>".repeat(100_000),
            "<!--<div>".repeat(100_000),
            "<script><div>".repeat(100_000),
        ] {
            assert_eq!(said(&page), "", "{}", &page[..20]);
        }
    }
}

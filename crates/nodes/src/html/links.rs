//! The links of a page.

use nodetool_sdk::NodeError;

use super::page::Page;
use crate::bounds::blocking;

/// Most bytes of all links together.
const MAX_BYTES: usize = 64 << 20;

/// A link as a page has it.
pub(crate) struct Link {
    /// Where it leads, as written.
    pub(crate) href: String,
    /// What it reads.
    pub(crate) text: String,
    /// `internal` or `external`.
    pub(crate) kind: &'static str,
}

/// The links of a page in document order. A link is internal when it begins with the base URL or a slash; every link
/// begins with an empty base URL.
pub(crate) async fn links_of(html: String, base_url: String) -> Result<Vec<Link>, NodeError> {
    blocking(move || {
        let page = Page::read(&html, "html")?;
        let (mut links, mut size) = (Vec::new(), 0);
        for (at, element) in page.elements().filter(|(_, e)| e.name() == "a") {
            let Some(href) = element.attr("href") else {
                continue;
            };
            let text = page.text_of(at);
            // Links in links repeat each other's text.
            size += href.len() + text.len();
            if size > MAX_BYTES {
                let message = format!("the links hold more than {MAX_BYTES} bytes");
                return Err(NodeError::bad("html", message));
            }
            let inside = href.starts_with(&base_url) || href.starts_with('/');
            links.push(Link {
                href: href.to_owned(),
                text,
                kind: if inside { "internal" } else { "external" },
            });
        }
        Ok(links)
    })
    .await
}

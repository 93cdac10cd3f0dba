//! `lib.html`: what a web page holds. The older `lib.beautifulsoup` shares the code and the nodes whose handles agree.

use nodetool_sdk::{Node, NodeDef, NodeError, Registry};

mod base_url;
mod content_extractor;
mod extract_links;
mod extract_media;
mod extract_metadata;
mod html_to_text;
pub(crate) mod links;
pub(crate) mod media;
pub(crate) mod page;

pub(crate) fn register(r: &mut Registry) {
    for def in shared() {
        r.add_def(def);
    }
    r.add::<extract_links::ExtractLinks>();
    r.add::<extract_media::ExtractImages>();
    r.add::<extract_media::ExtractVideos>();
    r.add::<extract_media::ExtractAudio>();
}

/// The text of a web page, without what only a browser has use for.
///
/// # Errors
/// When the page is too large or takes too long to read.
pub fn page_text(html: &str) -> Result<String, NodeError> {
    html_to_text::said(html)
}

/// The nodes that are the same in both namespaces.
pub(crate) fn shared() -> [NodeDef; 4] {
    [
        base_url::BaseUrl::definition(),
        extract_metadata::ExtractMetadata::definition(),
        html_to_text::HTMLToText::definition(),
        content_extractor::WebsiteContentExtractor::definition(),
    ]
}

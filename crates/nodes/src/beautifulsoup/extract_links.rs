//! `lib.beautifulsoup.ExtractLinks`.

use nodetool_sdk::{Emitter, Generate, Node, NodeCx, NodeError, Outputs};

use crate::html::links::links_of;

/// Finds the links of a web page, one by one.
/// html, links, anchors, href, url, scrape
///
/// Without a base URL every link counts as internal.
#[derive(Node)]
#[node(namespace = "lib.beautifulsoup", kind = Generate)]
pub(super) struct ExtractLinks {
    /// The page's HTML.
    html: String,
    /// Links that begin with this are internal.
    base_url: String,
}

/// A link.
#[derive(Outputs)]
pub(super) struct Found {
    href: String,
    text: String,
    #[slot(name = "type")]
    kind: String,
}

impl Generate for ExtractLinks {
    type Output = Found;

    async fn generate(self, out: &Emitter<'_, Found>, _: &NodeCx) -> Result<(), NodeError> {
        for link in links_of(self.html, self.base_url).await? {
            out.emit(Found {
                href: link.href,
                text: link.text,
                kind: link.kind.into(),
            })
            .await?;
        }
        Ok(())
    }
}

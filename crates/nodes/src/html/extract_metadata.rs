//! `lib.html.ExtractMetadata`.

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process};

use super::page::{Page, collapsed};
use crate::bounds::blocking;

/// Reads a web page's title, description and keywords.
/// html, meta, title, description, keywords, seo
#[derive(Node)]
#[node(namespace = "lib.html")]
pub(super) struct ExtractMetadata {
    /// The page's HTML.
    html: String,
}

/// What the page says of itself; null where it says nothing.
#[derive(Outputs)]
pub(super) struct PageMetadata {
    title: Option<String>,
    description: Option<String>,
    keywords: Option<String>,
}

impl Process for ExtractMetadata {
    type Output = PageMetadata;

    async fn process(self, _: &NodeCx) -> Result<PageMetadata, NodeError> {
        blocking(move || {
            let page = Page::read(&self.html, "html")?;
            let meta = |wanted: &str| {
                let mut metas = page.elements().filter(|(_, e)| e.name() == "meta");
                metas.find_map(|(_, e)| {
                    let named = e.attr("name")?.eq_ignore_ascii_case(wanted);
                    named.then(|| e.attr("content").unwrap_or_default().to_owned())
                })
            };
            // The titles of drawings are captions.
            let head = page.elements().find(|(_, e)| e.name() == "svg");
            let before = head.map_or(page.nodes.len(), |(at, _)| at);
            let title = page
                .elements()
                .take_while(|(at, _)| *at < before)
                .find(|(_, e)| e.name() == "title");
            Ok(PageMetadata {
                title: title.map(|(at, _)| collapsed(&page.text_of(at))),
                description: meta("description"),
                keywords: meta("keywords"),
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn what_is_missing_is_null() {
        let html = "<title> A &amp; B\n c</title><META NAME=Description CONTENT='x'><svg><title>no</title></svg>";
        let out = case::<ExtractMetadata>()
            .set("html", html)
            .run()
            .await
            .unwrap();
        assert_eq!(out[0]["title"], "A & B c".into());
        assert_eq!(out[0]["description"], "x".into());
        assert_eq!(out[0]["keywords"], Value::Null);
    }
}

//! `nodetool.document.SplitHTML`.

use nodetool_sdk::{DocumentRef, Emitter, Generate, Node, NodeCx, NodeError};

use super::Piece;
use super::source::{Source, emit_in_row};
use crate::bounds::blocking;
use crate::html::page::{Page, Step};

/// The elements that make pieces.
const TAGS: [&str; 12] = [
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "b", "i", "u", "section",
];

/// Cuts an HTML document into the texts of its headings, paragraphs and list items.
/// document, html, split, tags, paragraphs, index
///
/// Neighbours of the same kind become one piece. Positions count the characters of the pieces before.
#[derive(Node)]
#[node(namespace = "nodetool.document", kind = Generate)]
pub(super) struct SplitHTML {
    /// The document.
    document: DocumentRef,
}

impl Generate for SplitHTML {
    type Output = Piece;

    async fn generate(self, out: &Emitter<'_, Piece>, cx: &NodeCx) -> Result<(), NodeError> {
        let source = Source::read(cx, &self.document).await?;
        let (id, html) = (source.id, source.text);
        let texts = blocking(move || Ok(texts(&Page::read(&html, "document")?))).await?;
        emit_in_row(out, &id, texts).await
    }
}

fn texts(page: &Page) -> Vec<String> {
    // Kind and text of each element, in the order in which they begin.
    let mut found: Vec<(&str, String)> = Vec::new();
    let mut open = Vec::new();
    for step in page.walk(0, page.nodes.len()) {
        match step {
            Step::Enter(_, element) => {
                if let Some(tag) = TAGS.into_iter().find(|t| *t == element.name()) {
                    open.push(found.len());
                    found.push((tag, String::new()));
                }
            }
            Step::Leave(element) => {
                if TAGS.contains(&element.name()) {
                    open.pop();
                }
            }
            Step::Text(text) => {
                if let Some(place) = open.last() {
                    found[*place].1.push_str(text);
                }
            }
        }
    }
    let mut out: Vec<String> = Vec::new();
    let mut last = "";
    for (tag, text) in found {
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        let text = words.join(" ");
        match out.last_mut() {
            Some(before) if tag == last => {
                before.push('\n');
                before.push_str(&text);
            }
            _ => out.push(text),
        }
        last = tag;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_one_kind_become_one_piece() {
        let html = "<title>t</title><h1>Head</h1><p>one\n two</p><p>three <b>bold</b> four</p><ul><li>x<li>y</ul>z";
        let page = Page::read(html, "document").unwrap();
        assert_eq!(
            texts(&page),
            ["Head", "one two\nthree four", "bold", "x\ny"]
        );
    }
}

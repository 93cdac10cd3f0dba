//! `lib.html.HTMLToText`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::page::{Element, Page, Step, collapsed};
use crate::bounds::blocking;

/// Deepest indentation of lists and quotations.
const MAX_INDENT: usize = 12;

/// Turns HTML into plain text.
/// html, text, plain, strip, tags, convert
///
/// Headings come in capitals, link targets and image sources in brackets.
#[derive(Node)]
#[node(namespace = "lib.html", title = "Convert HTML to Text")]
pub(super) struct HTMLToText {
    /// The HTML.
    #[prop(title = "HTML")]
    text: String,
    /// Whether paragraphs, lists and other blocks begin new lines.
    #[prop(default = true, title = "Preserve Line Breaks")]
    preserve_linebreaks: bool,
}

impl Process for HTMLToText {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        blocking(move || {
            let page = Page::read(&self.text, "text")?;
            let text = plain(&page);
            Ok(if self.preserve_linebreaks {
                text
            } else {
                collapsed(&text)
            })
        })
        .await
    }
}

/// What a page says: as above, with headings as they are written and without the addresses of links and images.
pub(super) fn said(html: &str) -> Result<String, NodeError> {
    let page = Page::read(html, "text")?;
    let writer = Writer {
        bare: true,
        ..Writer::default()
    };
    Ok(written(&page, writer))
}

fn plain(page: &Page) -> String {
    written(page, Writer::default())
}

fn written(page: &Page, mut writer: Writer) -> String {
    let mut walk = page.walk(0, page.nodes.len());
    while let Some(step) = walk.next() {
        match step {
            Step::Text(text) => writer.text(text),
            Step::Enter(_, element) => {
                if matches!(
                    element.name(),
                    "head" | "template" | "textarea" | "select" | "svg"
                ) {
                    walk.skip_inside();
                } else {
                    writer.enter(element);
                }
            }
            Step::Leave(element) => writer.leave(element),
        }
    }
    writer.out.truncate(writer.out.trim_end().len());
    writer.out
}

/// Line breaks around a block.
fn breaks(name: &str) -> usize {
    match name {
        "blockquote" | "dl" | "fieldset" | "figure" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6"
        | "hr" | "ol" | "p" | "pre" | "table" | "ul" => 2,
        "address" | "article" | "aside" | "body" | "caption" | "center" | "dd" | "details"
        | "div" | "dt" | "figcaption" | "footer" | "form" | "header" | "html" | "li" | "main"
        | "nav" | "option" | "section" | "summary" | "tr" => 1,
        _ => 0,
    }
}

fn is_heading(name: &str) -> bool {
    matches!(name, "h1" | "h2" | "h3" | "h4" | "h5" | "h6")
}

#[derive(Default)]
struct Writer {
    out: String,
    /// No capitals and no addresses.
    bare: bool,
    /// Breaks and a blank that are due before the next word.
    breaks: usize,
    blank: bool,
    /// What to put before the first word of an item.
    bullet: String,
    headings: usize,
    verbatim: usize,
    /// One per open list: the next number, or nothing for bullets.
    lists: Vec<Option<usize>>,
    quotes: usize,
    /// Where the text of the open links begins.
    links: Vec<usize>,
}

impl Writer {
    fn due(&mut self, breaks: usize) {
        self.breaks = self.breaks.max(breaks);
    }

    /// Settles what is due and makes room for a word.
    fn begin(&mut self) {
        if self.out.is_empty() {
            self.breaks = 0;
        }
        let fresh = self.breaks > 0 || self.out.is_empty();
        for _ in 0..std::mem::take(&mut self.breaks) {
            self.out.push('\n');
        }
        if fresh {
            for _ in 0..self.quotes.min(MAX_INDENT) {
                self.out.push_str("> ");
            }
            let depth = self.lists.len().saturating_sub(1).min(MAX_INDENT);
            for _ in 0..depth {
                self.out.push_str("  ");
            }
        } else if self.blank && !self.out.ends_with([' ', '\t', '\n']) {
            self.out.push(' ');
        }
        self.blank = false;
        let bullet = std::mem::take(&mut self.bullet);
        self.out.push_str(&bullet);
    }

    fn word(&mut self, word: &str) {
        self.begin();
        if self.headings > 0 && !self.bare {
            self.out.extend(word.chars().flat_map(char::to_uppercase));
        } else {
            self.out.push_str(word);
        }
    }

    fn text(&mut self, text: &str) {
        if self.verbatim > 0 {
            for (i, line) in text.split('\n').enumerate() {
                if i > 0 {
                    self.breaks += 1;
                }
                if !line.is_empty() {
                    self.word(line);
                }
            }
            return;
        }
        self.blank |= text.starts_with(char::is_whitespace);
        for (i, word) in text.split_whitespace().enumerate() {
            self.blank |= i > 0;
            self.word(word);
        }
        self.blank |= text.ends_with(char::is_whitespace);
    }

    fn enter(&mut self, element: &Element) {
        let name = element.name();
        self.due(self.breaks_around(name));
        match name {
            "br" => self.breaks += 1,
            "hr" => {
                self.word("----------------------------------------");
                self.due(2);
            }
            "img" => self.image(element),
            "a" => self.links.push(self.out.len()),
            "pre" => self.verbatim += 1,
            "blockquote" => self.quotes += 1,
            "ul" | "menu" | "dir" => self.lists.push(None),
            "ol" => self.lists.push(Some(1)),
            "li" => {
                self.bullet = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => "* ".into(),
                }
            }
            "td" | "th" if !self.out.ends_with('\n') && self.breaks == 0 => {
                self.out.push('\t');
                self.blank = false;
            }
            _ if is_heading(name) => self.headings += 1,
            _ => {}
        }
    }

    fn leave(&mut self, element: &Element) {
        let name = element.name();
        match name {
            "a" => self.target(element),
            "pre" => self.verbatim = self.verbatim.saturating_sub(1),
            "blockquote" => self.quotes = self.quotes.saturating_sub(1),
            "ul" | "menu" | "dir" | "ol" => {
                self.lists.pop();
            }
            "li" => self.bullet.clear(),
            _ if is_heading(name) => self.headings = self.headings.saturating_sub(1),
            _ => {}
        }
        self.due(self.breaks_around(name));
    }

    /// Breaks around an element; a list in a list keeps close.
    fn breaks_around(&self, name: &str) -> usize {
        match name {
            "ul" | "ol" if !self.lists.is_empty() => 1,
            _ => breaks(name),
        }
    }

    fn image(&mut self, element: &Element) {
        let (alt, src) = (element.attr("alt"), element.attr("src"));
        if let Some(alt) = alt {
            self.text(alt);
        }
        // An image in the page itself has no address worth reading.
        if let Some(src) = src.filter(|s| !self.bare && !s.starts_with("data:")) {
            self.blank |= alt.is_some();
            self.begin();
            self.out.push_str(&format!("[{src}]"));
        }
    }

    fn target(&mut self, element: &Element) {
        let from = self.links.pop().unwrap_or(0);
        if self.bare {
            return;
        }
        let Some(href) = element.attr("href").filter(|h| !h.starts_with('#')) else {
            return;
        };
        let href = href.strip_prefix("mailto:").unwrap_or(href);
        let text = self.out.get(from..).unwrap_or_default().trim();
        if text != href {
            self.blank |= !text.is_empty();
            self.begin();
            self.out.push_str(&format!("[{href}]"));
        }
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    async fn text(html: &str) -> String {
        let out = case::<HTMLToText>()
            .set("text", html)
            .value()
            .await
            .unwrap();
        out.as_str().unwrap().into()
    }

    #[tokio::test]
    async fn a_page_reads_as_text() {
        for (html, expected) in [
            (
                "<html><head><title>T</title></head><body><h1>Docs</h1><p>Start with the <a href='/w'>guide</a> \
                 or the <a href='https://x.org'>source</a>.</p><img src='/e.png' alt='editor'></body></html>",
                "DOCS\n\nStart with the guide [/w] or the source [https://x.org].\n\neditor [/e.png]",
            ),
            ("a  b\n c<br>d", "a b c\nd"),
            (
                "<ul><li>a<li>b<ol><li>c</ol></ul>d",
                "* a\n* b\n  1. c\n\nd",
            ),
            ("<div>a</div><div>b</div>", "a\nb"),
            ("<pre>x\n  y</pre>z", "x\n  y\n\nz"),
            ("<table><tr><td>a<td>b<tr><td>c</table>", "a\tb\nc"),
            ("<blockquote>a<p>b</blockquote>c", "> a\n\n> b\n\nc"),
            ("<a href=https://x.org>https://x.org</a>", "https://x.org"),
            ("<a href=#top>up</a>", "up"),
            ("&lt;b&gt; &amp; caf&eacute;", "<b> & café"),
            ("<script>x</script><style>y</style>", ""),
        ] {
            assert_eq!(text(html).await, expected, "{html}");
        }
    }

    #[test]
    fn what_is_said_has_no_capitals_and_no_addresses() {
        let html =
            "<h1>Docs</h1><p>See the <a href='/w'>guide</a>.</p><img src='/e.png' alt='editor'>";
        assert_eq!(said(html).unwrap(), "Docs\n\nSee the guide.\n\neditor");
    }

    #[tokio::test]
    async fn without_line_breaks_it_is_one_line() {
        let run = case::<HTMLToText>()
            .set("text", "<p>a</p><p>b<br>c</p>")
            .set("preserve_linebreaks", false);
        assert_eq!(run.value().await.unwrap(), "a b c".into());
    }
}

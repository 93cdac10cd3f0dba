//! `lib.html.WebsiteContentExtractor`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::page::{Element, Node as PageNode, Page, Step, collapsed};
use crate::bounds::blocking;

/// Shortest paragraph that speaks for the block around it, in bytes.
const PARAGRAPH: usize = 25;

/// Finds the main text of a web page.
/// html, article, content, readability, scrape, text
///
/// Menus, headers, footers, forms and the like are left out; blanks are collapsed.
#[derive(Node)]
#[node(namespace = "lib.html")]
pub(super) struct WebsiteContentExtractor {
    /// The page's HTML.
    html_content: String,
}

impl Process for WebsiteContentExtractor {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        blocking(move || {
            let page = Page::read(&self.html_content, "html_content")?;
            Ok(main_text(&page))
        })
        .await
    }
}

fn main_text(page: &Page) -> String {
    let weights = Weights::of(page);
    let marked = page
        .elements()
        .filter(|(_, e)| is_marked(e))
        .max_by_key(|(i, e)| weights.prose(*i, e.end));
    let (from, to) = match marked.filter(|(i, e)| weights.prose(*i, e.end) >= PARAGRAPH) {
        Some((i, e)) => (i, e.end),
        None => densest(page, &weights).unwrap_or((0, page.nodes.len())),
    };
    text_between(page, from, to)
}

/// Bytes of text before each node: all of it, and that in links.
struct Weights {
    all: Vec<usize>,
    linked: Vec<usize>,
}

impl Weights {
    fn of(page: &Page) -> Self {
        let (mut all, mut linked) = (vec![0], vec![0]);
        let (mut sum, mut in_links, mut link_end) = (0, 0, 0);
        let mut muted_until = 0;
        for (i, node) in page.nodes.iter().enumerate() {
            match node {
                PageNode::Element(e) => {
                    if e.name() == "a" {
                        link_end = e.end;
                    }
                    if i >= muted_until && is_clutter(e) {
                        muted_until = e.end;
                    }
                }
                PageNode::Text(t) if i >= muted_until => {
                    let size = t.trim().len();
                    sum += size;
                    in_links += if i < link_end { size } else { 0 };
                }
                PageNode::Text(_) => {}
            }
            all.push(sum);
            linked.push(in_links);
        }
        Weights { all, linked }
    }

    fn size(&self, from: usize, to: usize) -> usize {
        self.all[to] - self.all[from]
    }

    /// Text that is not in links.
    fn prose(&self, from: usize, to: usize) -> usize {
        self.size(from, to) - (self.linked[to] - self.linked[from])
    }
}

/// The block with the most paragraphs of prose, each counting for the block around it and half for the next one out.
fn densest(page: &Page, weights: &Weights) -> Option<(usize, usize)> {
    let mut scores = vec![0.0f64; page.nodes.len()];
    let mut around: Vec<usize> = Vec::new();
    let mut walk = page.walk(0, page.nodes.len());
    while let Some(step) = walk.next() {
        match step {
            Step::Enter(i, e) => {
                if is_clutter(e) {
                    walk.skip_inside();
                } else if matches!(e.name(), "p" | "pre" | "blockquote" | "td" | "li") {
                    let size = weights.prose(i, e.end);
                    if size >= PARAGRAPH {
                        let points = 1.0 + (size as f64 / 100.0).min(3.0);
                        let nearest = around.iter().rev().take(2);
                        for (outer, share) in nearest.zip([1.0, 0.5]) {
                            scores[*outer] += points * share;
                        }
                    }
                }
                around.push(i);
            }
            Step::Leave(..) => {
                around.pop();
            }
            Step::Text(_) => {}
        }
    }
    let scored = page.elements().filter(|(i, _)| scores[*i] > 0.0);
    let weighed = scored.map(|(i, e)| {
        let size = weights.size(i, e.end).max(1) as f64;
        (scores[i] * weights.prose(i, e.end) as f64 / size, i, e.end)
    });
    weighed
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, i, end)| (i, end))
}

fn text_between(page: &Page, from: usize, to: usize) -> String {
    let mut text = String::new();
    let mut walk = page.walk(from, to);
    while let Some(step) = walk.next() {
        match step {
            Step::Enter(_, e) => {
                if is_clutter(e) {
                    walk.skip_inside();
                }
                if !is_inline(e) {
                    text.push(' ');
                }
            }
            Step::Leave(e) => {
                if !is_inline(e) {
                    text.push(' ');
                }
            }
            Step::Text(t) => text.push_str(t),
        }
    }
    collapsed(&text)
}

/// Whether the page itself says that its content is here.
fn is_marked(e: &Element) -> bool {
    matches!(e.name(), "main" | "article") || matches!(e.attr("role"), Some("main" | "article"))
}

fn is_inline(e: &Element) -> bool {
    matches!(
        e.name(),
        "a" | "abbr"
            | "b"
            | "bdi"
            | "cite"
            | "code"
            | "em"
            | "font"
            | "i"
            | "kbd"
            | "mark"
            | "q"
            | "s"
            | "samp"
            | "small"
            | "span"
            | "strong"
            | "sub"
            | "sup"
            | "time"
            | "tt"
            | "u"
            | "var"
            | "wbr"
    )
}

/// Whether an element holds something beside the content.
fn is_clutter(e: &Element) -> bool {
    match e.name() {
        "head" | "nav" | "footer" | "aside" | "form" | "button" | "select" | "textarea"
        | "template" | "svg" | "dialog" | "noscript" | "iframe" => return true,
        // These hold the content itself, whatever they are called.
        "html" | "body" => return false,
        _ if is_marked(e) => return false,
        _ => {}
    }
    if e.has("hidden") || e.attr("aria-hidden") == Some("true") {
        return true;
    }
    let role = e.attr("role").unwrap_or_default();
    if matches!(
        role,
        "navigation" | "banner" | "contentinfo" | "search" | "complementary" | "dialog" | "menu"
    ) {
        return true;
    }
    [e.attr("class"), e.attr("id")]
        .into_iter()
        .flatten()
        .any(|names| {
            names
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| CLUTTER.iter().any(|c| c.eq_ignore_ascii_case(word)))
        })
}

/// Words in class names and ids of what is beside the content.
const CLUTTER: [&str; 27] = [
    "ad",
    "ads",
    "advert",
    "advertisement",
    "banner",
    "breadcrumb",
    "breadcrumbs",
    "comments",
    "cookie",
    "cookies",
    "disqus",
    "footer",
    "menu",
    "modal",
    "nav",
    "navbar",
    "navigation",
    "newsletter",
    "popup",
    "promo",
    "related",
    "share",
    "sharing",
    "sidebar",
    "social",
    "sponsor",
    "subscribe",
];

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    async fn content(html: &str) -> String {
        let run = case::<WebsiteContentExtractor>().set("html_content", html);
        run.value().await.unwrap().as_str().unwrap().into()
    }

    #[tokio::test]
    async fn a_marked_article_is_the_content() {
        let html = "<head><title>T</title></head><body><nav><a href=/>Home</a></nav><header>Site</header>\
                    <article><h1>Title</h1><p>The   <b>first</b> paragraph of it.</p><div class='share-bar'>\
                    Tweet</div><p>Second.</p></article><footer>(c)</footer><script>x()</script>";
        assert_eq!(
            content(html).await,
            "Title The first paragraph of it. Second."
        );
    }

    #[tokio::test]
    async fn without_marks_the_densest_block_is_the_content() {
        let links = "<li><a href=x>A link to somewhere else entirely</a></li>".repeat(20);
        let html = format!(
            "<body class='has-sidebar'><div><ul>{links}</ul></div><div id=x><p>{0}</p><p>{0}</p></div>\
             <div class=sidebar><p>{0} aside</p></div></body>",
            "A sentence that is long enough to count as prose."
        );
        let text = content(&html).await;
        assert!(
            text.starts_with("A sentence") && !text.contains("aside") && !text.contains("link"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_page_without_any_paragraph_gives_its_words() {
        assert_eq!(
            content("<div>just <i>a</i> word</div>").await,
            "just a word"
        );
        assert_eq!(content("").await, "");
        assert_eq!(content("<nav>only a menu</nav>").await, "");
    }
}

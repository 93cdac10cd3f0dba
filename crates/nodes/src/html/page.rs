//! A web page as a flat tree: elements and texts in document order, each element knowing where it ends.
//!
//! Built from tokens by a few closing rules instead of the whole parsing algorithm, whose cost can grow with the
//! square of a hostile page. Depth, size and time are bounded. It must not know what the nodes look for.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::{Rawtext, Rcdata, ScriptData};
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use html5ever::{LocalName, TokenizerResult};
use nodetool_sdk::NodeError;

/// How much of a page is read.
struct Limits {
    /// Largest page, in bytes.
    bytes: usize,
    /// Most elements and texts.
    nodes: usize,
    /// Longest time.
    time: Duration,
}

const LIMITS: Limits = Limits {
    bytes: 32 << 20,
    nodes: 1_000_000,
    time: Duration::from_secs(5),
};
/// Deepest nesting; what is deeper stays, as if it stood beside.
const MAX_DEPTH: usize = 256;
/// Bytes between two looks at the clock.
const STEP: usize = 4096;

/// The attributes anybody asks for.
const KEPT: [&str; 12] = [
    "alt",
    "aria-hidden",
    "class",
    "content",
    "hidden",
    "href",
    "id",
    "name",
    "property",
    "role",
    "src",
    "start",
];

/// An element.
pub(crate) struct Element {
    name: LocalName,
    attributes: Vec<(LocalName, StrTendril)>,
    /// Index of the first node that is not inside.
    pub(crate) end: usize,
}

impl Element {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// An attribute's value, trimmed; nothing when it is absent or blank.
    pub(crate) fn attr(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(n, _)| &**n == name)?;
        Some(found.1.trim()).filter(|v| !v.is_empty())
    }

    /// Whether an attribute is there, with or without a value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|(n, _)| &**n == name)
    }
}

/// An element or a text.
pub(crate) enum Node {
    Element(Element),
    Text(StrTendril),
}

/// A step of a walk through a page.
pub(crate) enum Step<'a> {
    Enter(usize, &'a Element),
    Leave(&'a Element),
    Text(&'a str),
}

/// A page.
pub(crate) struct Page {
    pub(crate) nodes: Vec<Node>,
}

impl Page {
    /// Reads a page; the error names the property it came from.
    pub(crate) fn read(html: &str, property: &str) -> Result<Page, NodeError> {
        Self::read_within(&LIMITS, html).map_err(|e| NodeError::bad(property, e))
    }

    fn read_within(limits: &Limits, html: &str) -> Result<Page, String> {
        if html.len() > limits.bytes {
            return Err(format!("the page is larger than {} bytes", limits.bytes));
        }
        let tokenizer = Tokenizer::new(Builder::default(), TokenizerOpts::default());
        let started = Instant::now();
        let input = BufferQueue::default();
        let mut rest = html;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.ceil_char_boundary(STEP));
            rest = later;
            input.push_back(StrTendril::from_slice(now));
            while !matches!(tokenizer.feed(&input), TokenizerResult::Done) {}
            if tokenizer.sink.tree.borrow().nodes.len() > limits.nodes {
                let nodes = limits.nodes;
                return Err(format!("the page has more than {nodes} elements and texts"));
            }
            if started.elapsed() > limits.time {
                return Err(format!(
                    "reading the page takes longer than {:?}",
                    limits.time
                ));
            }
        }
        tokenizer.end();
        let mut tree = tokenizer.sink.tree.take();
        tree.close_down_to(0);
        Ok(Page { nodes: tree.nodes })
    }

    /// The elements with their places, in document order.
    pub(crate) fn elements(&self) -> impl Iterator<Item = (usize, &Element)> {
        self.nodes.iter().enumerate().filter_map(|(i, n)| match n {
            Node::Element(e) => Some((i, e)),
            Node::Text(_) => None,
        })
    }

    /// A walk through the nodes from `from` to before `to`.
    pub(crate) fn walk(&self, from: usize, to: usize) -> Walk<'_> {
        Walk {
            page: self,
            at: from,
            to: to.min(self.nodes.len()),
            open: Vec::new(),
        }
    }

    /// The text inside an element, blanks collapsed.
    pub(crate) fn text_of(&self, at: usize) -> String {
        let end = match self.nodes.get(at) {
            Some(Node::Element(e)) => e.end,
            _ => at,
        };
        let texts = self.nodes[at..end].iter().filter_map(|n| match n {
            Node::Text(t) => Some(&**t),
            Node::Element(_) => None,
        });
        collapsed(&texts.collect::<String>())
    }
}

/// A text with its runs of blanks made one, and none at its ends.
pub(crate) fn collapsed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Enters and leaves elements in document order.
pub(crate) struct Walk<'a> {
    page: &'a Page,
    at: usize,
    to: usize,
    open: Vec<&'a Element>,
}

impl Walk<'_> {
    /// Skips what is inside the element entered last.
    pub(crate) fn skip_inside(&mut self) {
        if let Some(element) = self.open.last() {
            self.at = element.end;
        }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        if let Some(element) = self.open.last().copied()
            && (element.end <= self.at || self.at >= self.to)
        {
            self.open.pop();
            return Some(Step::Leave(element));
        }
        if self.at >= self.to {
            return None;
        }
        let i = self.at;
        self.at += 1;
        Some(match &self.page.nodes[i] {
            Node::Text(t) => Step::Text(t),
            Node::Element(element) => {
                self.open.push(element);
                Step::Enter(i, element)
            }
        })
    }
}

#[derive(Default)]
struct Builder {
    tree: RefCell<Tree>,
}

/// The page so far.
#[derive(Default)]
struct Tree {
    nodes: Vec<Node>,
    /// Places of the elements that are open.
    open: Vec<usize>,
    /// How many of each name are open: most closing rules find nothing to close, and need not search for it.
    names: HashMap<Box<str>, usize>,
    /// Inside a script or style, whose text nobody reads.
    mute: bool,
}

impl TokenSink for Builder {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let mut tree = self.tree.borrow_mut();
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::EndTag => {
                tree.mute = false;
                tree.end_tag(&tag.name);
            }
            Token::TagToken(tag) => {
                let kind = match &*tag.name {
                    "script" => Some(ScriptData),
                    "style" | "xmp" | "iframe" | "noembed" | "noframes" => Some(Rawtext),
                    "title" | "textarea" => Some(Rcdata),
                    _ => None,
                };
                // A drawing's title is markup like any other.
                let kind = kind.filter(|_| !tree.in_drawing());
                tree.mute = kind.is_some() && !matches!(&*tag.name, "title" | "textarea" | "xmp");
                tree.start_tag(tag);
                if let Some(kind) = kind {
                    return TokenSinkResult::RawData(kind);
                }
            }
            Token::CharacterTokens(text) if !tree.mute => tree.nodes.push(Node::Text(text)),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Tree {
    fn name(&self, at: usize) -> &str {
        match &self.nodes[at] {
            Node::Element(e) => &e.name,
            Node::Text(_) => "",
        }
    }

    fn is_open(&self, name: &str) -> bool {
        self.names.get(name).is_some_and(|n| *n > 0)
    }

    fn in_drawing(&self) -> bool {
        self.is_open("svg") || self.is_open("math")
    }

    fn start_tag(&mut self, tag: Tag) {
        let name = &*tag.name;
        for (targets, borders) in closes(name) {
            self.close(targets, borders);
        }
        if !HEAD_PARTS.contains(&name) {
            self.close(&["head"], &[]);
        }
        let empty = VOID.contains(&name) || (tag.self_closing && self.in_drawing());
        let element = Element {
            name: tag.name,
            attributes: tag
                .attrs
                .into_iter()
                .filter(|a| KEPT.contains(&&*a.name.local))
                .map(|a| (a.name.local, a.value))
                .collect(),
            end: self.nodes.len() + 1,
        };
        self.nodes.push(Node::Element(element));
        if !empty && self.open.len() < MAX_DEPTH {
            self.open(self.nodes.len() - 1);
        }
    }

    fn open(&mut self, at: usize) {
        self.open.push(at);
        if let Node::Element(e) = &self.nodes[at] {
            match self.names.get_mut(&*e.name) {
                Some(n) => *n += 1,
                None => {
                    self.names.insert((*e.name).into(), 1);
                }
            }
        }
    }

    fn end_tag(&mut self, name: &str) {
        let structure = TABLE_PARTS.contains(&name) || matches!(name, "html" | "body");
        let borders: &[&str] = if structure {
            &[]
        } else {
            &["td", "th", "caption"]
        };
        self.close(&[name], borders);
    }

    /// Closes the innermost open element of these names, and all inside it, unless a border comes first.
    fn close(&mut self, targets: &[&str], borders: &[&str]) {
        if !targets.iter().any(|t| self.is_open(t)) {
            return;
        }
        for depth in (0..self.open.len()).rev() {
            let name = self.name(self.open[depth]);
            if targets.contains(&name) {
                return self.close_down_to(depth);
            }
            if borders.contains(&name) {
                return;
            }
        }
    }

    fn close_down_to(&mut self, depth: usize) {
        let end = self.nodes.len();
        for at in self.open.drain(depth.min(self.open.len())..) {
            if let Node::Element(element) = &mut self.nodes[at] {
                element.end = end;
                if let Some(n) = self.names.get_mut(&*element.name) {
                    *n -= 1;
                }
            }
        }
    }
}

const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];
const HEAD_PARTS: [&str; 11] = [
    "base", "basefont", "bgsound", "head", "link", "meta", "noscript", "script", "style",
    "template", "title",
];
const TABLE_PARTS: [&str; 8] = [
    "table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th",
];
const CELL: &[&str] = &[
    "td", "th", "caption", "table", "button", "object", "template",
];

/// What a start tag closes: names, and the names beyond which it has no effect.
fn closes(name: &str) -> &'static [(&'static [&'static str], &'static [&'static str])] {
    const P: (&[&str], &[&str]) = (&["p"], CELL);
    match name {
        "li" => &[P, (&["li"], &["ul", "ol", "menu", "td", "th", "table"])],
        "dd" | "dt" => &[P, (&["dd", "dt"], &["dl", "td", "th", "table"])],
        "option" => &[(&["option"], &["select", "datalist"])],
        "optgroup" => &[(&["option"], &["select"]), (&["optgroup"], &["select"])],
        "td" | "th" => &[(&["td", "th", "caption"], &["tr", "table"])],
        "tr" => &[(&["tr", "caption"], &["table"])],
        "thead" | "tbody" | "tfoot" => &[(&["thead", "tbody", "tfoot", "caption"], &["table"])],
        "a" => &[(&["a"], CELL)],
        "address" | "article" | "aside" | "blockquote" | "center" | "details" | "dialog"
        | "dir" | "div" | "dl" | "fieldset" | "figcaption" | "figure" | "footer" | "form"
        | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "header" | "hgroup" | "hr" | "main"
        | "menu" | "nav" | "ol" | "p" | "pre" | "search" | "section" | "summary" | "table"
        | "ul" => &[P],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page as indented text, to compare shapes.
    fn shape(html: &str) -> String {
        let page = Page::read(html, "html").unwrap();
        let mut out = String::new();
        for step in page.walk(0, page.nodes.len()) {
            match step {
                Step::Enter(_, e) => out += &format!("<{}>", e.name()),
                Step::Leave(..) => out += "</>",
                Step::Text(t) => out += t,
            }
        }
        out
    }

    #[test]
    fn unclosed_elements_end_where_a_browser_ends_them() {
        for (html, expected) in [
            ("<ul><li>a<li>b</ul>c", "<ul><li>a</><li>b</></>c"),
            ("<p>a<p>b<div>c</div>", "<p>a</><p>b</><div>c</>"),
            (
                "<ul><li>a<ul><li>b</ul><li>c</ul>",
                "<ul><li>a<ul><li>b</></></><li>c</></>",
            ),
            (
                "<table><tr><td>a<td>b<tr><td>c</table>",
                "<table><tr><td>a</><td>b</></><tr><td>c</></></>",
            ),
            ("<b>a<br>b</b>", "<b>a<br></>b</>"),
            ("a</i>b", "ab"),
            ("<head><title>t</title><p>x", "<head><title>t</></><p>x</>"),
            ("<svg><path/><path/></svg>x", "<svg><path></><path></></>x"),
            ("a<script>if (a<b) '<p>'</script>b", "a<script></>b"),
            ("<title>a <b> c</title>", "<title>a <b> c</>"),
            ("<a href=x>a<a href=y>b</a>", "<a>a</><a>b</>"),
        ] {
            assert_eq!(shape(html), expected, "{html}");
        }
    }

    #[test]
    fn what_is_nested_too_deep_stands_beside() {
        let html = "<div>".repeat(2 * MAX_DEPTH) + "x" + &"</div>".repeat(2 * MAX_DEPTH);
        let page = Page::read(&html, "html").unwrap();
        let (mut depth, mut deepest) = (0, 0);
        for step in page.walk(0, page.nodes.len()) {
            match step {
                Step::Enter(..) => depth += 1,
                Step::Leave(_) => depth -= 1,
                Step::Text(_) => {}
            }
            deepest = deepest.max(depth);
        }
        assert_eq!((depth, deepest), (0, MAX_DEPTH + 1));
    }

    #[test]
    fn pages_beyond_the_limits_are_refused() {
        let tight = |nodes, time| Limits {
            bytes: 100_000,
            nodes,
            time: Duration::from_millis(time),
        };
        let refused = |html: &str, limits: Limits| Page::read_within(&limits, html).err().unwrap();
        let said = refused(&"<b>".repeat(2000), tight(1000, 60_000));
        assert!(said.contains("more than 1000 elements"), "{said}");
        let said = refused(&"x".repeat(100_001), tight(1000, 60_000));
        assert!(said.contains("larger than 100000 bytes"), "{said}");
        let said = refused("<p>", tight(1000, 0));
        assert!(said.contains("longer"), "{said}");
    }

    #[test]
    fn pages_made_to_be_slow_are_read_or_refused() {
        let attributes: String = (0..20_000).map(|i| format!("a{i} ")).collect();
        for html in [
            format!("<p {attributes}>"),
            "<p><b a=1>".repeat(20_000),
            "<!--".repeat(50_000),
            "&".repeat(50_000),
            "<table>".repeat(20_000),
            "</div><div><button></div></button>".repeat(5000),
            format!("<script>{}", "<!--<script>".repeat(10_000)),
        ] {
            let started = Instant::now();
            let _ = Page::read(&html, "html");
            assert!(started.elapsed() < 2 * LIMITS.time, "{}", &html[..40]);
        }
    }
}

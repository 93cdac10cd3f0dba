//! Writes what a page holds as Markdown, block by block. It must not know where the page comes from.

use std::borrow::Cow;
use std::mem::take;

use url::Url;

use crate::bounds::MAX_TEXT;
use crate::html::page::Element;

/// Deepest indentation of lists, and most quotation marks before a line.
const MAX_INDENT: usize = 12;

/// How to write.
#[derive(Default)]
pub(super) struct Style {
    /// The address links are relative to.
    pub(super) base: Option<Url>,
    /// Longest line of a paragraph; 0 for no limit.
    pub(super) width: usize,
    /// Whether images are written.
    pub(super) images: bool,
    /// Whether mail links are written as links.
    pub(super) mail_links: bool,
}

/// Takes the steps of a walk through a page.
#[derive(Default)]
pub(super) struct MarkdownWriter {
    style: Style,
    out: String,
    /// The text of the block that is being read.
    line: String,
    /// Line ends before the next block: one or two.
    gap: usize,
    quotes: usize,
    /// How many quotation marks the block before had.
    quoted_before: usize,
    /// Open lists; numbered ones with the next number.
    lists: Vec<Option<i64>>,
    /// `* ` or `1. ` for the next block.
    marker: Option<String>,
    /// `# ` for the next block.
    heading: Option<&'static str>,
    definitions: usize,
    preformatted: usize,
    tables: usize,
    rows: usize,
    cells: usize,
    /// Starts of open links, with their addresses.
    links: Vec<(usize, Option<String>)>,
    /// Signs that open once text comes.
    opening: Vec<&'static str>,
    /// Whether emphasis has just ended, so that a word needs a blank before it.
    closed: bool,
}

impl MarkdownWriter {
    pub(super) fn new(style: Style) -> Self {
        MarkdownWriter {
            style,
            ..Self::default()
        }
    }

    /// Bytes written so far.
    pub(super) fn size(&self) -> usize {
        self.out.len() + self.line.len()
    }

    /// All that was written.
    pub(super) fn finish(mut self) -> String {
        self.flush();
        self.out.truncate(self.out.trim_end().len());
        self.out.push_str("\n\n");
        self.out
    }

    pub(super) fn text(&mut self, text: &str) {
        if self.preformatted > 0 {
            self.line.push_str(text);
            return;
        }
        for c in text.chars() {
            if c.is_whitespace() {
                if !self.line.is_empty() && !self.line.ends_with([' ', '\n']) {
                    self.line.push(' ');
                }
                self.closed = false;
                continue;
            }
            if take(&mut self.closed) && c.is_alphanumeric() {
                self.line.push(' ');
            }
            self.open_signs();
            self.line.push(c);
        }
    }

    fn open_signs(&mut self) {
        for sign in take(&mut self.opening) {
            if take(&mut self.closed) {
                self.line.push(' ');
            }
            self.line.push_str(sign);
        }
    }

    pub(super) fn enter(&mut self, element: &Element) {
        match element.name() {
            "br" => {
                self.line.truncate(self.line.trim_end_matches(' ').len());
                self.line
                    .push_str(if self.preformatted > 0 { "\n" } else { "  \n" });
            }
            "hr" => {
                self.block(2);
                self.line.push_str("* * *");
                self.block(2);
            }
            name @ ("h1" | "h2" | "h3" | "h4" | "h5" | "h6") => {
                self.block(2);
                let level = usize::from(name.as_bytes()[1] - b'0');
                self.heading = Some(&"###### "[6 - level..]);
            }
            "ul" | "menu" | "dir" => self.list(None),
            "ol" => {
                let start = element.attr("start").and_then(|s| s.parse().ok());
                self.list(Some(start.unwrap_or(1)));
            }
            "li" => {
                self.block(1);
                let depth = self.lists.len().clamp(1, MAX_INDENT);
                let sign = match self.lists.last_mut() {
                    Some(Some(n)) => {
                        *n = n.saturating_add(1);
                        format!("{}. ", n.saturating_sub(1))
                    }
                    _ => "* ".into(),
                };
                self.marker = Some("  ".repeat(depth) + &sign);
            }
            "blockquote" => {
                self.block(2);
                self.quotes += 1;
            }
            "pre" => {
                self.block(2);
                self.preformatted += 1;
            }
            "dd" => {
                self.block(2);
                self.definitions += 1;
            }
            "table" => {
                self.block(2);
                self.tables += 1;
                if self.tables == 1 {
                    self.rows = 0;
                }
            }
            "tr" if self.tables == 1 => {
                self.block(1);
                self.cells = 0;
            }
            "td" | "th" if self.tables == 1 => {
                if self.cells > 0 {
                    self.line.truncate(self.line.trim_end().len());
                    self.line.push_str("| ");
                }
                self.cells += 1;
            }
            "a" => {
                let address = element.attr("href").filter(|href| {
                    self.style.mail_links || !href.to_ascii_lowercase().starts_with("mailto:")
                });
                let address = address.map(|href| self.absolute(href));
                if address.is_some() {
                    self.open_signs();
                    self.closed = false;
                }
                self.links.push((self.line.len(), address));
            }
            "img" if self.style.images => {
                if let Some(src) = element.attr("src") {
                    let alt = element.attr("alt").unwrap_or_default();
                    let image = format!("![{alt}]({})", self.absolute(src));
                    self.open_signs();
                    self.line.push_str(&image);
                }
            }
            "q" => self.line.push('"'),
            name => match sign(name) {
                Some(sign) if self.preformatted == 0 => self.opening.push(sign),
                Some(_) => {}
                None if is_block(name) => self.block(2),
                None => {}
            },
        }
    }

    pub(super) fn leave(&mut self, element: &Element) {
        match element.name() {
            "br" | "hr" | "img" => {}
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.block(2);
                self.heading = None;
            }
            "ul" | "menu" | "dir" | "ol" => {
                self.block(1);
                self.lists.pop();
                if self.lists.is_empty() {
                    self.block(2);
                }
            }
            "li" => {
                self.block(1);
                self.marker = None;
            }
            "blockquote" => {
                self.block(2);
                self.quotes = self.quotes.saturating_sub(1);
            }
            "pre" => {
                self.block(2);
                self.preformatted = self.preformatted.saturating_sub(1);
            }
            "dd" => {
                self.block(2);
                self.definitions = self.definitions.saturating_sub(1);
            }
            "table" => {
                self.block(2);
                self.tables = self.tables.saturating_sub(1);
            }
            "tr" if self.tables == 1 => {
                self.block(1);
                self.rows += 1;
                if self.rows == 1 {
                    self.line
                        .push_str(&vec!["---"; self.cells.max(1)].join("|"));
                    self.block(1);
                }
            }
            "a" => self.close_link(),
            "q" => self.line.push('"'),
            name => match sign(name) {
                Some(_) if self.preformatted > 0 => {}
                Some(sign) => {
                    if self.opening.pop().is_some() {
                        return;
                    }
                    let end = self.line.trim_end().len();
                    let blank = end < self.line.len();
                    self.line.truncate(end);
                    self.line.push_str(sign);
                    if blank {
                        self.line.push(' ');
                    }
                    self.closed = !blank;
                }
                None if is_block(name) => self.block(2),
                None => {}
            },
        }
    }

    fn list(&mut self, next: Option<i64>) {
        self.block(if self.lists.is_empty() { 2 } else { 1 });
        self.lists.push(next);
    }

    fn absolute(&self, address: &str) -> String {
        let base = self.style.base.as_ref();
        let joined = base.and_then(|base| base.join(address).ok());
        joined.map_or_else(|| address.to_owned(), String::from)
    }

    fn close_link(&mut self) {
        let Some((start, Some(address))) = self.links.pop() else {
            return;
        };
        // A block inside the link has taken the text before it away.
        let Some(text) = self.line.get(start..) else {
            return;
        };
        let link = match text.trim() {
            "" => return,
            text if text == address && address.contains("://") => format!("<{address}>"),
            text => format!("[{text}]({address})"),
        };
        let before = text.len() - text.trim_start().len();
        let after = text.ends_with(' ');
        self.line.truncate(start + before);
        self.line.push_str(&link);
        if after {
            self.line.push(' ');
        }
    }

    /// Ends the current block; the next one begins so many line ends later.
    fn block(&mut self, gap: usize) {
        if self.tables > 0 && self.cells > 0 && gap > 1 {
            // A cell stays on one line.
            if !self.line.is_empty() && !self.line.ends_with(' ') {
                self.line.push(' ');
            }
            return;
        }
        self.flush();
        self.gap = self.gap.max(gap);
    }

    fn flush(&mut self) {
        self.opening.clear();
        self.closed = false;
        for (start, _) in &mut self.links {
            *start = 0;
        }
        let block = take(&mut self.line);
        let body = if self.preformatted > 0 {
            block.trim_end().trim_start_matches(['\n', '\r'])
        } else {
            block.trim()
        };
        if body.is_empty() {
            return;
        }
        let quotes = self.quotes.min(MAX_INDENT);
        if !self.out.is_empty() {
            self.out.push('\n');
            if self.gap > 1 {
                let both = quotes.min(self.quoted_before);
                self.out.push_str(&">".repeat(both));
                self.out.push('\n');
            }
        }
        self.gap = 0;
        self.quoted_before = quotes;
        let mut prefix = ">".repeat(quotes);
        if quotes > 0 {
            prefix.push(' ');
        }
        let mut width = self.style.width;
        let body = if self.preformatted > 0 {
            prefix.push_str("    ");
            width = 0;
            Cow::Borrowed(body)
        } else if let Some(marker) = self.marker.take() {
            width = 0;
            Cow::Owned(marker + body)
        } else if let Some(heading) = self.heading {
            Cow::Owned(heading.to_owned() + body)
        } else if self.tables > 0 {
            width = 0;
            Cow::Borrowed(body)
        } else {
            if self.definitions > 0 {
                prefix.push_str("    ");
            }
            escaped(body)
        };
        for (i, line) in body.split('\n').enumerate() {
            if i > 0 {
                self.out.push('\n');
            }
            wrap(line, &prefix, width, &mut self.out);
            // The caller looks at the size and refuses; more would be in vain.
            if self.out.len() > MAX_TEXT {
                break;
            }
        }
    }
}

/// A paragraph with an escape where it would begin a list.
fn escaped(text: &str) -> Cow<'_, str> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let sign = match digits {
        0 => text.starts_with(['-', '+']),
        n => text[n..].starts_with('.'),
    };
    if sign && text[digits + 1..].starts_with(' ') {
        Cow::Owned(format!("{}\\{}", &text[..digits], &text[digits..]))
    } else {
        Cow::Borrowed(text)
    }
}

/// Writes a line in lines of at most `width` characters, each with the prefix.
fn wrap(line: &str, prefix: &str, width: usize, out: &mut String) {
    out.push_str(prefix);
    if width == 0 {
        out.push_str(line);
        return;
    }
    let tail = &line[line.trim_end().len()..];
    let mut column = prefix.chars().count();
    let mut start = true;
    for word in line.split(' ').filter(|w| !w.is_empty()) {
        let len = word.chars().count();
        if !start && column + 1 + len > width {
            out.push('\n');
            out.push_str(prefix);
            column = prefix.chars().count();
            start = true;
        }
        if !start {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += len;
        start = false;
    }
    out.push_str(tail);
}

/// The sign around emphasis, code and the like.
fn sign(name: &str) -> Option<&'static str> {
    Some(match name {
        "b" | "strong" => "**",
        "i" | "em" | "u" => "_",
        "del" | "s" | "strike" => "~~",
        "code" | "tt" | "kbd" => "`",
        _ => return None,
    })
}

fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "body"
            | "caption"
            | "center"
            | "details"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "header"
            | "main"
            | "nav"
            | "p"
            | "section"
            | "summary"
    )
}

//! `lib.markdown.ExtractLinks`.

use std::collections::HashMap;

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process, Value};

use super::source::{Line, lines, room_for_one_more, search};

/// Lists the links of a Markdown text.
/// markdown, links, urls, images, references
///
/// Links and images written in place and addresses in angle brackets, each with its `url` and the linked text as
/// `title`. Code is left out.
#[derive(Node)]
#[node(namespace = "lib.markdown", tool)]
pub(super) struct ExtractLinks {
    /// Markdown text.
    markdown: String,
    /// Whether to give the linked text; empty otherwise.
    #[prop(default = true)]
    include_titles: bool,
}

/// The links.
#[derive(Outputs)]
pub(super) struct Links {
    #[slot(ty = "list[dict[str, str]]")]
    output: Value,
}

impl Process for ExtractLinks {
    type Output = Links;

    async fn process(self, _: &NodeCx) -> Result<Links, NodeError> {
        let titles = self.include_titles;
        let found = search(self.markdown, all).await?;
        let output = found.into_iter().map(|link| {
            let title = if titles { link.title } else { String::new() };
            Value::map([("url", Value::from(link.url)), ("title", title.into())])
        });
        Ok(Links {
            output: Value::list(output),
        })
    }
}

#[derive(Debug, PartialEq)]
struct Link {
    /// Where it begins in its paragraph.
    at: usize,
    url: String,
    title: String,
}

/// The links of all paragraphs, in the order they begin.
fn all(text: &str) -> Result<Vec<Link>, NodeError> {
    let mut found = Vec::new();
    let mut paragraph = String::new();
    for line in lines(text).chain([Line::Close]) {
        match line {
            Line::Text(line) if !line.trim().is_empty() => {
                paragraph.push_str(line);
                paragraph.push('\n');
            }
            _ if paragraph.is_empty() => {}
            _ => {
                let first = found.len();
                Paragraph::new(&paragraph).links(&mut found)?;
                found[first..].sort_by_key(|l| l.at);
                paragraph.clear();
            }
        }
    }
    Ok(found)
}

/// An opening bracket.
struct Opener {
    /// Where its text begins.
    text: usize,
    image: bool,
    /// The title of an image that is all of the text so far, and where that image ends.
    holds: Option<(usize, String)>,
}

struct Paragraph<'a> {
    text: &'a str,
    /// Each opening parenthesis right after a bracket, with the one that closes it on the same line; in order.
    parens: Vec<(u32, u32)>,
    /// Where runs of backticks begin, by their length; in order.
    ticks: HashMap<usize, Vec<u32>>,
}

impl<'a> Paragraph<'a> {
    fn new(text: &'a str) -> Self {
        let (mut parens, mut open) = (Vec::new(), Vec::new());
        let mut ticks: HashMap<usize, Vec<u32>> = HashMap::new();
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b'\\' => at += 1,
                b'(' => open_one_more(&mut open, at as u32),
                b')' => {
                    if let Some(start) = open.pop()
                        && start > 0
                        && bytes[start as usize - 1] == b']'
                    {
                        parens.push((start, at as u32));
                    }
                }
                b'\n' => open.clear(),
                b'`' => {
                    let run = run_of(bytes, at, b'`');
                    ticks.entry(run).or_default().push(at as u32);
                    at += run - 1;
                }
                _ => {}
            }
            at += 1;
        }
        parens.sort_unstable();
        Paragraph {
            text,
            parens,
            ticks,
        }
    }

    fn links(&self, found: &mut Vec<Link>) -> Result<(), NodeError> {
        let bytes = self.text.as_bytes();
        let mut open: Vec<Opener> = Vec::new();
        let (mut at, mut last_end) = (0, 0);
        while at < bytes.len() {
            let next = at + 1;
            let mut link = None;
            at = match bytes[at] {
                b'\\' => next + 1,
                b'`' => self.after_code(at),
                b'[' => {
                    let opener = Opener {
                        text: next,
                        image: at > 0 && bytes[at - 1] == b'!',
                        holds: None,
                    };
                    open_one_more(&mut open, opener);
                    next
                }
                b']' => {
                    // Nothing stands inside an image, so no text is looked at more than twice.
                    let opener = open.pop().filter(|o| !o.image || o.text >= last_end);
                    match opener.and_then(|o| Some((o, self.target(next)?))) {
                        Some((opener, (url, end))) => {
                            let image = opener.image;
                            let found = self.link(opener, at, url);
                            if image {
                                self.fill_bracket_around(open.last_mut(), &found, end);
                            } else {
                                // A link cannot stand in another.
                                open.clear();
                            }
                            link = Some(found);
                            last_end = end;
                            end
                        }
                        None => next,
                    }
                }
                b'<' => match self.address(next) {
                    Some((url, end)) => {
                        link = Some(Link {
                            at,
                            url: url.into(),
                            title: String::new(),
                        });
                        end
                    }
                    None => next,
                },
                _ => next,
            };
            if let Some(link) = link {
                room_for_one_more(found.len(), "links")?;
                found.push(link);
            }
        }
        Ok(())
    }

    /// The link of a pair of brackets.
    fn link(&self, opener: Opener, end: usize, url: &str) -> Link {
        let title = match opener.holds {
            Some((image_end, title)) if self.text[image_end..end].trim().is_empty() => title,
            _ => self.text[opener.text..end].replace('\n', " "),
        };
        Link {
            at: opener.text,
            url: url.into(),
            title: title.trim().into(),
        }
    }

    /// Notes an image that is the first thing in a bracket.
    fn fill_bracket_around(&self, around: Option<&mut Opener>, image: &Link, end: usize) {
        if let Some(around) = around
            && let before = &self.text[around.text..image.at]
            && before.len() < 64
            && before.trim() == "!["
        {
            around.holds = Some((end, image.title.clone()));
        }
    }

    /// Past a stretch of code that begins here, or past its backticks when nothing closes it.
    fn after_code(&self, at: usize) -> usize {
        let run = run_of(self.text.as_bytes(), at, b'`');
        let same = self.ticks.get(&run).map_or(&[][..], Vec::as_slice);
        let closing = same.get(same.partition_point(|start| *start as usize <= at));
        closing.map_or(at, |start| *start as usize) + run
    }

    /// The URL in the parentheses that begin here, and where they end.
    fn target(&self, at: usize) -> Option<(&'a str, usize)> {
        let place = self
            .parens
            .binary_search_by_key(&at, |(start, _)| *start as usize);
        let close = self.parens[place.ok()?].1 as usize;
        let inside = self.text[at + 1..close].trim();
        let url = match inside.strip_prefix('<').and_then(|t| t.split_once('>')) {
            Some((url, _)) => url,
            None => match inside.split_once(char::is_whitespace) {
                Some((url, title)) if title.trim_start().starts_with(['"', '\'', '(']) => url,
                _ => inside,
            },
        };
        (!url.is_empty()).then_some((url, close + 1))
    }

    /// An address up to the closing angle bracket: with a scheme, or an email address.
    fn address(&self, at: usize) -> Option<(&'a str, usize)> {
        let rest = &self.text[at..];
        let end = rest.find(|c: char| c == '<' || c == '>' || c.is_whitespace())?;
        let url = rest[..end].trim();
        let scheme = url.split_once(':').is_some_and(|(s, _)| {
            (2..=32).contains(&s.len())
                && s.starts_with(|c: char| c.is_ascii_alphabetic())
                && s.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b))
        });
        let mail = || {
            url.split_once('@')
                .is_some_and(|(a, b)| !a.is_empty() && b.contains('.'))
        };
        (rest[end..].starts_with('>') && (scheme || mail())).then_some((url, at + end + 1))
    }
}

/// Brackets that stand open at once; with more, the earlier ones are taken for plain text.
const MOST_OPEN: usize = 10_000;

fn open_one_more<T>(open: &mut Vec<T>, one: T) {
    if open.len() == MOST_OPEN {
        open.clear();
    }
    open.push(one);
}

fn run_of(bytes: &[u8], at: usize, mark: u8) -> usize {
    bytes[at..].iter().take_while(|b| **b == mark).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(text: &str) -> String {
        let found = all(text).unwrap();
        let each: Vec<String> = found
            .iter()
            .map(|l| format!("{}={}", l.title, l.url))
            .collect();
        each.join(" ")
    }

    #[test]
    fn links_are_found_where_they_are_links() {
        for (text, want) in [
            ("[a](u) ![b](v) <http://w>", "a=u b=v =http://w"),
            (
                "[a](u \"T\") [b](<v w>) [c](my file)",
                "a=u b=v w c=my file",
            ),
            ("[a [b] c](u_(x))", "a [b] c=u_(x)"),
            (
                "[![Build](b.svg)](https://ci)",
                "Build=https://ci Build=b.svg",
            ),
            ("[a\nb](u)", "a b=u"),
            ("[](u) [x]()", "=u"),
            ("`[a](u)` ``[b](v) ` `` [c](w)", "c=w"),
            ("```\n[a](u)\n```\n\\[b](v) [c](w)", "c=w"),
            ("<b>x</b> <a@b.co> <x:y z> [r][1]", "=a@b.co"),
            ("[[a](u)](v)", "a=u"),
            ("[a\n\n](u)", ""),
            ("[é](ü) ]( [", "é=ü"),
        ] {
            assert_eq!(links(text), want, "{text}");
        }
    }

    #[test]
    fn hostile_text_is_read_in_one_pass() {
        for unit in [
            "[", "![", "](", "[a](", "<a:", "`", "(", "[![a](", "![](x)", "` `` ",
        ] {
            let text = unit.repeat(300_000 / unit.len());
            assert!(all(&text).is_ok(), "{unit}");
        }
        let nested = "![".repeat(50_000) + &"](u)".repeat(50_000);
        assert!(all(&nested).is_ok());
    }
}

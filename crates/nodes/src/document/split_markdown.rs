//! `nodetool.document.SplitMarkdown`.

use std::ops::Range;

use nodetool_sdk::compat::is_py_space;
use nodetool_sdk::{DocumentRef, Emitter, Generate, Node, NodeCx, NodeError, Value};

use super::Piece;
use super::pieces::{CharIndex, Cutter};
use super::source::Source;
use crate::bounds::{blocking, check_items};

/// Most kinds of headings.
const MAX_HEADERS: usize = 64;

/// Cuts a Markdown document at its headings.
/// document, markdown, split, headings, sections, index
///
/// Headings inside fenced code do not count. Sections that are too long are cut further, at paragraphs, lines and
/// words.
#[derive(Node)]
#[node(namespace = "nodetool.document", kind = Generate)]
pub(super) struct SplitMarkdown {
    /// The document.
    document: DocumentRef,
    /// The signs of the headings to cut at, each with a name.
    #[prop(ty = "list[tuple[str, str]]", default = headers())]
    headers_to_split_on: Value,
    /// Whether the headings themselves are left out.
    #[prop(default = true)]
    strip_headers: bool,
    /// Whether each line is a piece of its own.
    return_each_line: bool,
    /// Most characters of a piece; 0 for no limit.
    #[prop(default = 1000)]
    chunk_size: i64,
    /// Characters that neighbours in one section share.
    #[prop(default = 30)]
    chunk_overlap: i64,
}

impl Generate for SplitMarkdown {
    type Output = Piece;

    async fn generate(self, out: &Emitter<'_, Piece>, cx: &NodeCx) -> Result<(), NodeError> {
        let signs = signs(&self.headers_to_split_on)?;
        let cutter = match self.chunk_size {
            0 => None,
            size => {
                let separators = ["\n\n", "\n", " ", ""].map(str::to_owned).to_vec();
                Some(Cutter::new(size, self.chunk_overlap, separators)?)
            }
        };
        let source = Source::read(cx, &self.document).await?;
        let (strip, lines) = (self.strip_headers, self.return_each_line);
        let (source, ranges) = blocking(move || {
            let mut ranges = Vec::new();
            for section in sections(&source.text, &signs, strip)? {
                let parts = if lines {
                    lines_of(&source.text, section)
                } else {
                    vec![section]
                };
                for part in parts {
                    match &cutter {
                        Some(cutter) => cutter.cut(&source.text, part, &mut ranges)?,
                        None => ranges.push(part),
                    }
                }
            }
            Ok((source, ranges))
        })
        .await?;
        let mut index = CharIndex::default();
        for range in ranges {
            out.emit(Piece {
                start_index: index.of(&source.text, range.start),
                text: source.text[range].to_owned(),
                source_id: source.id.clone(),
            })
            .await?;
        }
        Ok(())
    }
}

fn headers() -> Value {
    let header = |sign: &str, name: &str| Value::list([sign.into(), name.into()]);
    Value::list([
        header("#", "Header 1"),
        header("##", "Header 2"),
        header("###", "Header 3"),
    ])
}

/// The signs of headings, the longest first.
fn signs(headers: &Value) -> Result<Vec<String>, NodeError> {
    let wrong = || {
        NodeError::bad(
            "headers_to_split_on",
            format!(
                "{} (expected up to {MAX_HEADERS} pairs of a sign and a name)",
                headers.preview(80)
            ),
        )
    };
    let pairs = headers.as_list().ok_or_else(wrong)?;
    let mut signs = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let sign = match pair {
            Value::List(parts) => parts.first().and_then(Value::as_str),
            other => other.as_str(),
        };
        signs.push(sign.filter(|s| !s.is_empty()).ok_or_else(wrong)?.to_owned());
    }
    if signs.len() > MAX_HEADERS {
        return Err(wrong());
    }
    signs.sort_by_key(|s| std::cmp::Reverse(s.len()));
    Ok(signs)
}

/// The sections between headings, without blanks at their ends.
fn sections(text: &str, signs: &[String], strip: bool) -> Result<Vec<Range<usize>>, NodeError> {
    let mut out: Vec<Range<usize>> = Vec::new();
    let mut fence = None;
    let mut start = 0;
    // Where the text of the section begins, its heading left out, and the heading's level.
    let (mut body, mut level) = (0, 0);
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        let bare = line.trim_matches(is_py_space);
        match fence {
            Some(sign) if bare.starts_with(sign) => fence = None,
            Some(_) => {}
            None if bare.starts_with("```") && bare.matches("```").count() == 1 => {
                fence = Some("```");
            }
            None if bare.starts_with("~~~") => fence = Some("~~~"),
            None => {
                if let Some(sign) = heading(bare, signs) {
                    let next = sign.matches('#').count();
                    // A heading with nothing below it goes with the deeper one that follows.
                    let alone = text[body..at].trim_matches(is_py_space).is_empty();
                    let follows = !strip && alone && level > 0 && level < next;
                    if !follows {
                        push(text, start..at, &mut out)?;
                        start = if strip { end } else { at };
                    }
                    (body, level) = (end, next);
                }
            }
        }
        at = end;
    }
    push(text, start..text.len(), &mut out)?;
    Ok(out)
}

/// The sign of a line that is a heading.
fn heading<'s>(line: &str, signs: &'s [String]) -> Option<&'s str> {
    let sign = signs.iter().find(|sign| {
        let rest = line.strip_prefix(sign.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    });
    sign.map(String::as_str)
}

fn push(text: &str, range: Range<usize>, out: &mut Vec<Range<usize>>) -> Result<(), NodeError> {
    let body = &text[range.clone()];
    let start = range.end - body.trim_start_matches(is_py_space).len();
    let end = range.start + body.trim_end_matches(is_py_space).len();
    if start < end {
        out.push(start..end);
        check_items("document", out.len())?;
    }
    Ok(())
}

fn lines_of(text: &str, section: Range<usize>) -> Vec<Range<usize>> {
    let mut at = section.start;
    let mut out = Vec::new();
    for line in text[section].split_inclusive('\n') {
        let end = at + line.trim_end_matches(is_py_space).len();
        let start = at + line.len() - line.trim_start_matches(is_py_space).len();
        if start < end {
            out.push(start..end);
        }
        at += line.len();
    }
    out
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::{Case, case};

    use super::*;

    const TEXT: &str =
        "intro\n\n# A\n## B\nb one\n\nb two\n```\n# no heading\n```\n#no heading\n# C\n\nc é\n";

    fn with(text: &str) -> Case {
        let document = Value::map([
            ("type", Value::from("document")),
            ("uri", "d.md".into()),
            ("data", Value::Bytes(text.as_bytes().to_vec().into())),
        ]);
        case::<SplitMarkdown>().set("document", document)
    }

    async fn texts(case: Case) -> Vec<String> {
        let pieces = case.run().await.unwrap();
        pieces
            .iter()
            .map(|p| p["text"].as_str().unwrap().to_owned())
            .collect()
    }

    #[tokio::test]
    async fn sections_end_at_headings_but_not_at_those_in_code() {
        let body = "b one\n\nb two\n```\n# no heading\n```\n#no heading";
        assert_eq!(texts(with(TEXT)).await, ["intro", body, "c é"]);
        let kept = with(TEXT).set("strip_headers", false);
        let body = format!("# A\n## B\n{body}");
        assert_eq!(texts(kept).await, ["intro", &body, "# C\n\nc é"]);
    }

    #[tokio::test]
    async fn long_sections_are_cut_and_lines_may_stand_alone() {
        let short = with(TEXT)
            .set("chunk_size", 13i64)
            .set("chunk_overlap", 0i64);
        let expected = [
            "intro",
            "b one",
            "b two\n```",
            "# no heading",
            "```",
            "#no heading",
            "c é",
        ];
        assert_eq!(texts(short).await, expected);
        let lines = with("# x\na\n\n b \n")
            .set("return_each_line", true)
            .set("chunk_size", 0i64);
        assert_eq!(texts(lines).await, ["a", "b"]);
    }

    #[tokio::test]
    async fn headings_have_to_be_pairs() {
        let e = with(TEXT).set("headers_to_split_on", Value::list([Value::Int(1)]));
        assert!(
            e.run()
                .await
                .unwrap_err()
                .to_string()
                .contains("`headers_to_split_on`")
        );
    }
}

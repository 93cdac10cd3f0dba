//! Markdown text line by line, with fenced code told apart. It must not know nodes.

use nodetool_sdk::NodeError;

use crate::bounds::work;

/// Bytes of text looked through.
const MOST_TEXT: usize = 64 << 20;
/// Things found in one text.
pub(super) const MOST_FINDS: usize = 1_000_000;

/// Looks through the text of the property `markdown`.
pub(super) async fn search<T: Send + 'static>(
    markdown: String,
    look: impl FnOnce(&str) -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    if markdown.len() > MOST_TEXT {
        return Err(NodeError::bad(
            "markdown",
            format!("{} bytes (expected at most {MOST_TEXT})", markdown.len()),
        ));
    }
    work(markdown.len() / 4, move || look(&markdown)).await
}

/// Refuses one thing more than are kept.
pub(super) fn room_for_one_more(found: usize, what: &str) -> Result<(), NodeError> {
    if found < MOST_FINDS {
        return Ok(());
    }
    Err(NodeError::bad(
        "markdown",
        format!("more than {MOST_FINDS} {what}"),
    ))
}

/// A line, by what it belongs to.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// Ordinary text.
    Text(&'a str),
    /// Opens a block of code in the language named, which may be empty.
    Open(&'a str),
    /// Code.
    Code(&'a str),
    /// Closes the block.
    Close,
}

/// The lines of a text.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut fence: Option<Fence> = None;
    text.lines().map(move |line| {
        let here = Fence::at(line);
        match (&fence, here) {
            (Some(open), Some((closing, ""))) if open.closed_by(&closing) => {
                fence = None;
                Line::Close
            }
            (Some(open), _) => Line::Code(open.unindented(line)),
            (None, Some((opening, info))) => {
                fence = Some(opening);
                Line::Open(info.split_whitespace().next().unwrap_or(""))
            }
            (None, None) => Line::Text(line),
        }
    })
}

/// Three or more backticks or tildes at the start of a line.
struct Fence {
    mark: char,
    length: usize,
    indent: usize,
}

impl Fence {
    /// The fence and what follows it on the line.
    fn at(line: &str) -> Option<(Fence, &str)> {
        let text = line.trim_start_matches(' ');
        let indent = line.len() - text.len();
        let mark = text.chars().next().filter(|c| "`~".contains(*c))?;
        let rest = text.trim_start_matches(mark);
        let length = text.len() - rest.len();
        let info = rest.trim();
        // Backticks further on make it code within a line.
        let inline = mark == '`' && info.contains('`');
        (length >= 3 && indent <= 3 && !inline).then_some((
            Fence {
                mark,
                length,
                indent,
            },
            info,
        ))
    }

    fn closed_by(&self, other: &Fence) -> bool {
        other.mark == self.mark && other.length >= self.length
    }

    /// The line without the indent its fence has.
    fn unindented<'a>(&self, line: &'a str) -> &'a str {
        let blanks = line.bytes().take(self.indent).take_while(|b| *b == b' ');
        &line[blanks.count()..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_close_with_their_own_mark_and_length() {
        let text = "a\n  ````rust ignore\n  ```\n   x\n~~~~\n  `````\nb ``` c\n``` `d`\n~~~";
        let got: Vec<Line> = lines(text).collect();
        assert_eq!(
            got,
            [
                Line::Text("a"),
                Line::Open("rust"),
                Line::Code("```"),
                Line::Code(" x"),
                Line::Code("~~~~"),
                Line::Close,
                Line::Text("b ``` c"),
                Line::Text("``` `d`"),
                Line::Open(""),
            ]
        );
    }
}

//! `lib.markdown.ExtractHeaders`.

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process, Value};

use super::source::{Line, lines, room_for_one_more, search};

/// Lists the headings of a Markdown text.
/// markdown, headings, headers, outline, contents
///
/// Headings marked with `#`, each with its level, text and running number. Code is left out.
#[derive(Node)]
#[node(namespace = "lib.markdown", tool)]
pub(super) struct ExtractHeaders {
    /// Markdown text.
    markdown: String,
    /// Deepest level to list.
    #[prop(default = 6, min = 1, max = 6)]
    max_level: i64,
}

/// The headings.
#[derive(Outputs)]
pub(super) struct Headings {
    #[slot(ty = "list[dict[str, any]]")]
    output: Value,
}

impl Process for ExtractHeaders {
    type Output = Headings;

    async fn process(self, _: &NodeCx) -> Result<Headings, NodeError> {
        let max = self.max_level;
        let output = search(self.markdown, move |text| headings(text, max)).await?;
        Ok(Headings {
            output: output.into(),
        })
    }
}

fn headings(text: &str, max_level: i64) -> Result<Vec<Value>, NodeError> {
    let mut found = Vec::new();
    for line in lines(text) {
        if let Line::Text(line) = line
            && let Some((level, text)) = heading(line)
            && i64::from(level) <= max_level
        {
            room_for_one_more(found.len(), "headings")?;
            found.push(Value::map([
                ("level", Value::from(level)),
                ("text", text.into()),
                ("index", found.len().into()),
            ]));
        }
    }
    Ok(found)
}

/// Level and text of a heading.
pub(super) fn heading(line: &str) -> Option<(u32, &str)> {
    let text = line.trim_start_matches(' ');
    let rest = text.trim_start_matches('#');
    let level = text.len() - rest.len();
    let fits = line.len() - text.len() <= 3 && (1..=6).contains(&level);
    let words = rest.strip_prefix([' ', '\t']).filter(|_| fits)?.trim();
    // A closing row of `#` is decoration when blanks set it off.
    let bare = words.trim_end_matches('#');
    let title = if bare.is_empty() || bare.ends_with([' ', '\t']) {
        bare.trim_end()
    } else {
        words
    };
    (!title.is_empty()).then_some((level as u32, title))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marked_lines_outside_of_code_are_headings() {
        for (line, want) in [
            ("# A", Some((1, "A"))),
            ("   ###   B c ##  ", Some((3, "B c"))),
            ("## C#", Some((2, "C#"))),
            ("#no", None),
            ("####### seven", None),
            ("    # code", None),
            ("# ##", None),
        ] {
            assert_eq!(heading(line), want, "{line}");
        }
        let found = headings("# A\n```\n# B\n```\n### C\n## D", 2).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].get("index"), Some(&Value::Int(1)));
    }
}

//! `lib.markdown.ExtractBulletLists` and `lib.markdown.ExtractNumberedLists`.

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process, Value};

use super::source::{Line, lines, room_for_one_more, search};

/// Lists the bullet lists of a Markdown text.
/// markdown, bullets, list, items
///
/// Neighbouring lines that begin with `-`, `*` or `+` are one list of items with their `text`.
#[derive(Node)]
#[node(namespace = "lib.markdown", tool)]
pub(super) struct ExtractBulletLists {
    /// Markdown text.
    markdown: String,
}

/// One list of items per list in the text.
#[derive(Outputs)]
pub(super) struct BulletLists {
    #[slot(ty = "list[dict[str, any]]")]
    output: Value,
}

impl Process for ExtractBulletLists {
    type Output = BulletLists;

    async fn process(self, _: &NodeCx) -> Result<BulletLists, NodeError> {
        let output = search(self.markdown, |text| {
            runs(text, |line| {
                bullet(line).map(|t| Value::map([("text", Value::from(t))]))
            })
        });
        Ok(BulletLists {
            output: output.await?,
        })
    }
}

/// Lists the numbered lists of a Markdown text.
/// markdown, numbers, ordered, list, items
///
/// Neighbouring lines that begin with a number and a dot are one list of texts.
#[derive(Node)]
#[node(namespace = "lib.markdown", tool)]
pub(super) struct ExtractNumberedLists {
    /// Markdown text.
    markdown: String,
}

/// One list of texts per list in the text.
#[derive(Outputs)]
pub(super) struct NumberedLists {
    #[slot(ty = "list[str]")]
    output: Value,
}

impl Process for ExtractNumberedLists {
    type Output = NumberedLists;

    async fn process(self, _: &NodeCx) -> Result<NumberedLists, NodeError> {
        let output = search(self.markdown, |text| {
            runs(text, |line| numbered(line).map(Value::from))
        });
        Ok(NumberedLists {
            output: output.await?,
        })
    }
}

/// Lists of neighbouring lines that are items.
fn runs(text: &str, item: impl Fn(&str) -> Option<Value>) -> Result<Value, NodeError> {
    let (mut lists, mut run, mut count) = (Vec::new(), Vec::new(), 0);
    for line in lines(text) {
        let found = match line {
            Line::Text(line) => item(line),
            _ => None,
        };
        match found {
            Some(value) => {
                room_for_one_more(count, "list items")?;
                count += 1;
                run.push(value);
            }
            None if run.is_empty() => {}
            None => lists.push(Value::from(std::mem::take(&mut run))),
        }
    }
    if !run.is_empty() {
        lists.push(run.into());
    }
    Ok(lists.into())
}

/// The text of a bullet.
fn bullet(line: &str) -> Option<&str> {
    let line = line.trim();
    let mark = line.chars().next().filter(|c| "-*+".contains(*c))?;
    let text = line[1..].strip_prefix([' ', '\t'])?.trim_start();
    // `* * *` and `- - -` draw a line across the page.
    let mut marks = line.chars().filter(|c| !c.is_whitespace());
    let rule = mark != '+' && marks.clone().count() >= 3 && marks.all(|c| c == mark);
    (!rule && !text.is_empty()).then_some(text)
}

/// The text of a numbered item.
fn numbered(line: &str) -> Option<&str> {
    let line = line.trim();
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    if !(1..=9).contains(&(line.len() - rest.len())) {
        return None;
    }
    let text = rest.strip_prefix(['.', ')'])?;
    let text = text.strip_prefix([' ', '\t'])?.trim_start();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bullets(text: &str) -> String {
        let lists = runs(text, |l| bullet(l).map(Value::from)).unwrap();
        serde_json::to_string(&lists).unwrap()
    }

    #[test]
    fn neighbouring_bullets_are_one_list() {
        for (text, want) in [
            ("- a\n* b\n  + c\n\n- d", r#"[["a","b","c"],["d"]]"#),
            ("text\n-no\n- a\ntext\n- b", r#"[["a"],["b"]]"#),
            ("```\n- a\n```", "[]"),
            ("- - -\n* * *\n---\n-", "[]"),
            ("- - a", r#"[["- a"]]"#),
            ("", "[]"),
        ] {
            assert_eq!(bullets(text), want, "{text}");
        }
    }

    #[test]
    fn numbers_need_a_mark_and_a_blank() {
        for (line, want) in [
            ("1. a", Some("a")),
            ("  23)  b ", Some("b")),
            ("1.5 c", None),
            ("1 d", None),
            ("1234567890. e", None),
            (". f", None),
        ] {
            assert_eq!(numbered(line), want, "{line}");
        }
    }
}

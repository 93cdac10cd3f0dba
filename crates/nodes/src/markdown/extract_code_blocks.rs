//! `lib.markdown.ExtractCodeBlocks`.

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process, Value};

use super::source::{Line, lines, room_for_one_more, search};

/// Lists the fenced code blocks of a Markdown text.
/// markdown, code, blocks, fence, language
///
/// A block that names no language is called `text`; one that is never closed runs to the end.
#[derive(Node)]
#[node(namespace = "lib.markdown")]
pub(super) struct ExtractCodeBlocks {
    /// Markdown text.
    markdown: String,
}

/// The blocks.
#[derive(Outputs)]
pub(super) struct Blocks {
    #[slot(ty = "list[dict[str, str]]")]
    output: Value,
}

impl Process for ExtractCodeBlocks {
    type Output = Blocks;

    async fn process(self, _: &NodeCx) -> Result<Blocks, NodeError> {
        let output = search(self.markdown, blocks).await?;
        Ok(Blocks {
            output: output.into(),
        })
    }
}

fn blocks(text: &str) -> Result<Vec<Value>, NodeError> {
    let mut found = Vec::new();
    let mut lines = lines(text);
    while let Some(line) = lines.next() {
        let Line::Open(language) = line else { continue };
        room_for_one_more(found.len(), "code blocks")?;
        let mut code = String::new();
        for (i, line) in lines.by_ref().enumerate() {
            let Line::Code(line) = line else { break };
            if i > 0 {
                code.push('\n');
            }
            code.push_str(line);
        }
        let language = if language.is_empty() {
            "text"
        } else {
            language
        };
        found.push(Value::map(
            [("language", language), ("code", &code)].map(|(key, text)| (key, Value::from(text))),
        ));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_their_lines() {
        let found = blocks("```py x\n  a\n\nb\n```\n~~~\n~~~\n```sh\nopen").unwrap();
        assert_eq!(
            serde_json::to_string(&found).unwrap(),
            r#"[{"language":"py","code":"  a\n\nb"},{"language":"text","code":""},{"language":"sh","code":"open"}]"#
        );
    }
}

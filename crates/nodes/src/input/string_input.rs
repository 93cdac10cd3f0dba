//! `nodetool.input.StringInput`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

/// Takes a text from the run.
/// input, parameter, text, string, prompt, line
///
/// A text longer than `max_length` characters is cut.
#[derive(Node)]
#[node(namespace = "nodetool.input", role = Input, basic("name", "value"))]
pub(super) struct StringInput {
    /// Name of the run's parameter.
    #[expect(dead_code, reason = "read by the engine")]
    name: String,
    /// Used when the run gives nothing.
    value: String,
    /// What the parameter is for.
    #[expect(dead_code, reason = "read by people")]
    description: String,
    /// Most characters; 0 for no limit.
    #[prop(title = "Max length", min = 0, max = 100000)]
    max_length: i64,
    /// Whether editors offer one line or several.
    #[prop(
        default = "single_line",
        title = "Line mode",
        extra = r#"{"type": "enum", "values": ["single_line", "multi_line"]}"#
    )]
    #[expect(dead_code, reason = "read by editors")]
    line_mode: String,
}

impl Process for StringInput {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let mut text = self.value;
        if self.max_length > 0 {
            let most = usize::try_from(self.max_length).unwrap_or(usize::MAX);
            if let Some((end, _)) = text.char_indices().nth(most) {
                text.truncate(end);
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn a_long_text_is_cut_after_that_many_characters() {
        for (max_length, kept) in [(3i64, "hül"), (0, "hülle"), (9, "hülle"), (-1, "hülle")] {
            let text = case::<StringInput>()
                .set("value", "hülle")
                .set("max_length", max_length);
            assert_eq!(text.value().await.unwrap().as_str(), Some(kept));
        }
    }
}

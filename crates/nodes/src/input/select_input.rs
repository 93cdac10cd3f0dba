//! `nodetool.input.SelectInput`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value};

/// Options that a refusal spells out; a list may be long.
const SHOWN: usize = 50;

/// Takes one of several given texts from the run.
/// input, parameter, choice, option, dropdown, enum
#[derive(Node)]
#[node(namespace = "nodetool.input", role = Input, basic("name", "value"))]
pub(super) struct SelectInput {
    /// Name of the run's parameter.
    #[expect(dead_code, reason = "read by the engine")]
    name: String,
    /// Used when the run gives nothing.
    #[prop(extra = r#"{"type": "select"}"#)]
    value: String,
    /// What the parameter is for.
    #[expect(dead_code, reason = "read by people")]
    description: String,
    /// The texts to choose from; an empty list allows every text.
    options: Vec<String>,
    /// Name of the enum this choice feeds.
    #[expect(dead_code, reason = "read by editors")]
    enum_type_name: String,
}

impl Process for SelectInput {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        if self.value.is_empty() || self.options.is_empty() || self.options.contains(&self.value) {
            return Ok(self.value);
        }
        let more = self.options.len().saturating_sub(SHOWN);
        let mut shown = self.options;
        shown.truncate(SHOWN);
        let mut expected = shown.join(", ");
        if more > 0 {
            expected.push_str(&format!(" and {more} more"));
        }
        let value = Value::from(self.value);
        Err(NodeError::bad(
            "value",
            format!("str {} (expected one of {expected})", value.preview(80)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn only_an_option_or_nothing_gets_through() {
        let options = || Value::list(["fast".into(), "thorough".into()]);
        for value in ["fast", ""] {
            let chosen = case::<SelectInput>()
                .set("options", options())
                .set("value", value);
            assert_eq!(chosen.value().await.unwrap().as_str(), Some(value));
        }
        let refused = case::<SelectInput>()
            .set("options", options())
            .set("value", "slow");
        assert_eq!(
            refused.run().await.unwrap_err().to_string(),
            "Invalid value for property `value`: str \"slow\" (expected one of fast, thorough)"
        );
        let free = case::<SelectInput>().set("value", "slow").value().await;
        assert_eq!(free.unwrap().as_str(), Some("slow"));
    }
}

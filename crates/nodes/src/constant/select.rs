//! `nodetool.constant.Select`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

/// One of several given texts.
/// constant, choice, option, dropdown, enum
#[derive(Node)]
#[node(namespace = "nodetool.constant", basic("value"))]
pub(super) struct Select {
    /// The chosen text.
    #[prop(extra = r#"{"type": "select"}"#)]
    value: String,
    /// The texts to choose from.
    #[expect(dead_code, reason = "read by editors")]
    options: Vec<String>,
    /// Name of the enum this choice feeds.
    #[expect(dead_code, reason = "read by editors")]
    enum_type_name: String,
}

impl Process for Select {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        Ok(self.value)
    }
}

//! `nodetool.text.StartsWith` and `EndsWith`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

/// Tells whether a text begins with another.
/// text, prefix, begins, check, test
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct StartsWith {
    /// The text.
    text: String,
    /// Its beginning.
    prefix: String,
}

impl Process for StartsWith {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        Ok(self.text.starts_with(&self.prefix))
    }
}

/// Tells whether a text ends with another.
/// text, suffix, ends, check, extension
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct EndsWith {
    /// The text.
    text: String,
    /// Its end.
    suffix: String,
}

impl Process for EndsWith {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        Ok(self.text.ends_with(&self.suffix))
    }
}

//! `nodetool.text.SurroundWith`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::fits;

/// Puts a text before and one after another.
/// text, surround, wrap, quote, prefix, suffix
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct SurroundWith {
    /// The text.
    text: String,
    /// What comes before it.
    prefix: String,
    /// What comes after it.
    suffix: String,
    /// Whether a text that has both already stays as it is.
    #[prop(default = true, title = "Skip If Already Wrapped")]
    skip_if_wrapped: bool,
}

impl Process for SurroundWith {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let wrapped = self.text.starts_with(&self.prefix) && self.text.ends_with(&self.suffix);
        if wrapped && self.skip_if_wrapped {
            return Ok(self.text);
        }
        fits(
            "text",
            self.prefix.len() + self.text.len() + self.suffix.len(),
        )?;
        Ok(self.prefix + &self.text + &self.suffix)
    }
}

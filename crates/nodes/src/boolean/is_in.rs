//! `nodetool.boolean.IsIn`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value};

use crate::{bounds, extent};

/// Tells whether a value is among the options.
/// contains, member, list, option, boolean, check
#[derive(Node)]
#[node(namespace = "nodetool.boolean")]
pub(super) struct IsIn {
    /// The value to look for.
    #[prop(default = Vec::<Value>::new())]
    value: Value,
    /// The options.
    options: Vec<Value>,
}

impl Process for IsIn {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        bounds::work(self.options.len(), move || {
            extent::comparable("value", std::slice::from_ref(&self.value))?;
            extent::comparable("options", &self.options)?;
            Ok(self.options.contains(&self.value))
        })
        .await
    }
}

//! `nodetool.boolean.ConditionalSwitch`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value};

/// Gives one of two values, as a condition says.
/// condition, choose, switch, ternary, either, boolean
#[derive(Node)]
#[node(namespace = "nodetool.boolean")]
pub(super) struct ConditionalSwitch {
    /// The condition.
    condition: bool,
    /// Given when it holds.
    #[prop(default = Vec::<Value>::new())]
    if_true: Value,
    /// Given when it does not hold.
    #[prop(default = Vec::<Value>::new())]
    if_false: Value,
}

impl Process for ConditionalSwitch {
    type Output = Value;

    async fn process(self, _: &NodeCx) -> Result<Value, NodeError> {
        Ok(if self.condition {
            self.if_true
        } else {
            self.if_false
        })
    }
}

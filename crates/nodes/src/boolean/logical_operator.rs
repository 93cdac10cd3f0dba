//! `nodetool.boolean.LogicalOperator`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, ValueType};

/// Which operation.
#[derive(ValueType)]
#[value(type_name = "nodetool.nodes.nodetool.boolean.LogicalOperator.BooleanOperation")]
pub(super) enum BooleanOperation {
    And,
    Or,
    Xor,
    Nand,
    Nor,
}

/// Combines two conditions into one.
/// boolean, logic, and, or, xor, nand, nor
#[derive(Node)]
#[node(namespace = "nodetool.boolean")]
pub(super) struct LogicalOperator {
    /// First condition.
    a: bool,
    /// Second condition.
    b: bool,
    /// How they are combined.
    operation: BooleanOperation,
}

impl Process for LogicalOperator {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        let (a, b) = (self.a, self.b);
        Ok(match self.operation {
            BooleanOperation::And => a && b,
            BooleanOperation::Or => a || b,
            BooleanOperation::Xor => a != b,
            BooleanOperation::Nand => !(a && b),
            BooleanOperation::Nor => !(a || b),
        })
    }
}

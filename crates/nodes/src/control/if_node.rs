//! `nodetool.control.If`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Outputs, Pipe, Value};

/// Sends each value one way or the other.
/// control, flow, condition, branch, else, true, false, switch
///
/// Values and conditions pair one to one; the last condition applies to the values after it.
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Pipe, sync = "zip_all")]
pub(super) struct If {
    /// Which way.
    condition: bool,
    /// The value.
    #[prop(default = Vec::<Value>::new())]
    value: Value,
}

/// The branch taken.
#[derive(Outputs)]
pub(super) enum Branch {
    IfTrue(Value),
    IfFalse(Value),
}

impl Pipe for If {
    type Output = Branch;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Branch>,
        _: &NodeCx,
    ) -> Result<(), NodeError> {
        let send = |condition: bool, v| {
            if condition {
                Branch::IfTrue(v)
            } else {
                Branch::IfFalse(v)
            }
        };
        if !inputs.is_connected("value") {
            let mut any = !inputs.is_connected("condition");
            while let Some(c) = inputs.recv("condition").await {
                out.emit(send(truth(&c)?, self.value.clone())).await?;
                any = false;
            }
            return if any {
                out.emit(send(self.condition, self.value)).await
            } else {
                Ok(())
            };
        }
        let mut condition = self.condition;
        let mut known = !inputs.is_connected("condition");
        while let Some(v) = inputs.recv("value").await {
            if let Some(c) = inputs.recv("condition").await {
                condition = truth(&c)?;
                known = true;
            }
            if known {
                out.emit(send(condition, v)).await?;
            }
        }
        Ok(())
    }
}

fn truth(value: &Value) -> Result<bool, NodeError> {
    value.as_bool().ok_or_else(|| {
        NodeError::bad(
            "condition",
            format!("{} {} (expected bool)", value.kind(), value.preview(80)),
        )
    })
}

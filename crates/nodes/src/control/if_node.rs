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

#[cfg(test)]
mod tests {
    use nodetool_sdk::Map;
    use nodetool_sdk::testing::{Case, case};

    use super::*;

    async fn branches(case: Case) -> Vec<String> {
        let emitted = case.run().await.unwrap();
        let shown = |m: &Map| format!("{:?}", m.iter().next().unwrap());
        emitted.iter().map(shown).collect()
    }

    #[tokio::test]
    async fn values_and_conditions_pair_and_the_last_condition_stays() {
        let got = branches(
            case::<If>()
                .arrive("condition", [true, false])
                .arrive("value", ["a", "b", "c"]),
        )
        .await;
        let want = [
            r#"("if_true", "a")"#,
            r#"("if_false", "b")"#,
            r#"("if_false", "c")"#,
        ];
        assert_eq!(got, want);
    }

    #[tokio::test]
    async fn without_edges_the_configured_value_goes_once() {
        let got = branches(case::<If>().set("condition", true).set("value", 1i64)).await;
        assert_eq!(got, [r#"("if_true", 1)"#]);
    }

    #[tokio::test]
    async fn a_condition_that_is_no_bool_is_refused_by_name() {
        let case = case::<If>().arrive("condition", [1i64]);
        let error = case.run().await.unwrap_err().to_string();
        assert!(error.contains("`condition`"), "{error}");
    }
}

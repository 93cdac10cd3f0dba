//! `nodetool.data.FilterNone`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value};

/// Passes on what is not null.
/// filter, null, none, missing, stream
#[derive(Node)]
#[node(namespace = "nodetool.data", kind = Pipe)]
pub(super) struct FilterNone {
    /// The values.
    #[prop(default = Vec::<Value>::new())]
    #[expect(dead_code, reason = "read from the stream")]
    value: Value,
}

impl Pipe for FilterNone {
    type Output = Value;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Value>,
        _: &NodeCx,
    ) -> Result<(), NodeError> {
        while let Some(value) = inputs.recv("value").await {
            if !value.is_null() {
                out.emit(value).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn nulls_are_dropped_and_empty_values_are_not() {
        let items = [Value::Null, 0i64.into(), "".into(), Value::Null];
        let out = case::<FilterNone>().arrive("value", items).output().await;
        assert_eq!(out.unwrap(), [Value::from(0i64), "".into()]);
    }
}

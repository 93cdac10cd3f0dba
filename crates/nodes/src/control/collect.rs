//! `nodetool.control.Collect`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value};

use super::item::refuse_more_than_max;

/// Gathers a whole stream into one list.
/// collector, aggregate, list, stream, end
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Pipe, once)]
pub(super) struct Collect {
    /// The items.
    #[prop(default = Vec::<Value>::new())]
    #[expect(dead_code, reason = "read from the stream")]
    input_item: Value,
}

impl Pipe for Collect {
    type Output = Vec<Value>;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Vec<Value>>,
        _: &NodeCx,
    ) -> Result<(), NodeError> {
        let mut items = Vec::new();
        while let Some(item) = inputs.recv("input_item").await {
            items.push(item);
            refuse_more_than_max("input_item", items.len())?;
        }
        out.emit(items).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn the_items_come_out_as_one_list_and_an_empty_stream_as_an_empty_one() {
        let list = case::<Collect>()
            .arrive("input_item", [1i64, 2])
            .value()
            .await
            .unwrap();
        assert_eq!(list, Value::list([1i64.into(), 2i64.into()]));
        assert_eq!(case::<Collect>().value().await.unwrap(), Value::list([]));
    }
}

//! `nodetool.control.Take`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value};

use super::item::NumberedItem;
use super::setting::Setting;

/// Passes the first items of a stream and drops the rest.
/// take, first, limit, head, stream
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Pipe)]
pub(super) struct Take {
    /// The items.
    #[expect(dead_code, reason = "read from the stream")]
    input_item: Value,
    /// How many to pass.
    #[prop(default = 1)]
    n: i64,
}

impl Pipe for Take {
    type Output = NumberedItem;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, NumberedItem>,
        _: &NodeCx,
    ) -> Result<(), NodeError> {
        let mut n = Setting::start("n", self.n, inputs).await?;
        let mut index = 0;
        while index < *n.latest(inputs)? {
            let Some(output) = inputs.recv("input_item").await else {
                return Ok(());
            };
            out.emit(NumberedItem { output, index }).await?;
            index += 1;
        }
        out.complete("output");
        out.complete("index");
        drain(inputs).await;
        Ok(())
    }
}

/// Takes and drops what still arrives, so that whoever sends it is not held up.
pub(super) async fn drain(inputs: &mut Inputs<'_>) {
    while inputs.recv("input_item").await.is_some() {}
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn the_first_n_items_pass_where_n_may_arrive_on_its_handle() {
        let got = case::<Take>()
            .arrive("input_item", ["a", "b", "c"])
            .arrive("n", [2i64])
            .output()
            .await;
        assert_eq!(got.unwrap(), ["a".into(), "b".into()]);
        let wrong = case::<Take>().arrive("n", ["many"]).run().await;
        let error = wrong.unwrap_err().to_string();
        assert!(error.contains("`n`") && error.contains("int"), "{error}");
    }
}

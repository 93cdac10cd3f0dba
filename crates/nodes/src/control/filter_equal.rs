//! `nodetool.control.FilterEqual`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value};

use super::item::Item;
use super::setting::Setting;

/// Passes the items that equal a value, or those that do not.
/// filter, equal, match, compare, stream
///
/// Lists and dictionaries are compared by what they hold.
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Pipe)]
pub(super) struct FilterEqual {
    /// The items.
    #[expect(dead_code, reason = "read from the stream")]
    input_item: Value,
    /// What items are compared with.
    value: Value,
    /// Pass those that differ instead.
    invert: bool,
}

impl Pipe for FilterEqual {
    type Output = Item;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Item>,
        _: &NodeCx,
    ) -> Result<(), NodeError> {
        let mut value = Setting::start("value", self.value, inputs).await?;
        let mut invert = Setting::start("invert", self.invert, inputs).await?;
        while let Some(output) = inputs.recv("input_item").await {
            let equal = output == *value.latest(inputs)?;
            if equal != *invert.latest(inputs)? {
                out.emit(Item { output }).await?;
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
    async fn inverted_it_passes_what_differs_and_a_wired_value_wins() {
        let got = case::<FilterEqual>()
            .set("value", 9i64)
            .set("invert", true)
            .arrive("value", [2i64])
            .arrive("input_item", [1i64, 2, 9])
            .output()
            .await;
        assert_eq!(got.unwrap(), [1i64.into(), 9i64.into()]);
    }
}

//! `nodetool.numbers.FilterNumber`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value};

use super::Kept;
use crate::number_test::{Declared, NumberTestOf};
use crate::stream_filter::{StreamFilter, setting, sift};

/// The name of the enum.
pub(super) struct Name;

impl Declared for Name {
    const TYPE_NAME: &'static str = "nodetool.nodes.nodetool.numbers.FilterNumber.FilterNumberType";
}

/// Passes the numbers of a stream that stand a test.
/// filter, number, compare, even, odd, positive, negative, stream
///
/// What is no number is left out.
#[derive(Node)]
#[node(namespace = "nodetool.numbers", kind = Pipe)]
pub(super) struct FilterNumber {
    /// The numbers.
    #[prop(ty = "float", default = 0.0)]
    value: Value,
    /// Which test.
    filter_type: NumberTestOf<Name>,
    /// The number to compare with.
    #[prop(default = 0)]
    compare_value: f64,
}

impl StreamFilter for FilterNumber {
    const SETTINGS: &'static [&'static str] = &["filter_type", "compare_value"];

    fn set(&mut self, handle: &str, value: Value) -> Result<(), NodeError> {
        match handle {
            "filter_type" => self.filter_type = setting(handle, value)?,
            _ => self.compare_value = setting(handle, value)?,
        }
        Ok(())
    }

    async fn keeps(&mut self, item: &Value, _: &NodeCx) -> bool {
        self.filter_type.0.passes(item, self.compare_value)
    }
}

impl Pipe for FilterNumber {
    type Output = Kept;

    async fn pipe(
        mut self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Kept>,
        cx: &NodeCx,
    ) -> Result<(), NodeError> {
        let configured = std::mem::take(&mut self.value);
        sift(self, configured, inputs, out, cx, Kept::new).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn a_wired_setting_holds_from_the_first_item_on_and_a_later_one_from_then_on() {
        let kept = case::<FilterNumber>()
            .arrive("value", [1i64, 5])
            .arrive("compare_value", [3i64])
            .arrive("value", [2i64])
            .arrive("filter_type", ["greater_than", "less_than"])
            .arrive("value", [2i64, 7])
            .output()
            .await
            .unwrap();
        assert_eq!(Value::from(kept), Value::list([5i64.into(), 2i64.into()]));
    }

    #[tokio::test]
    async fn what_is_no_number_is_left_out_but_a_wrong_setting_is_an_error() {
        let items = ["a".into(), Value::Null, true.into(), Value::list([])];
        let kept = case::<FilterNumber>().arrive("value", items).output().await;
        assert_eq!(Value::from(kept.unwrap()), Value::list([true.into()]));
        let e = case::<FilterNumber>()
            .arrive("compare_value", ["x"])
            .arrive("value", [1i64])
            .output()
            .await
            .unwrap_err();
        assert!(e.to_string().contains("`compare_value`"), "{e}");
    }
}

//! `nodetool.dictionary.FilterDictByNumber`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value};

use super::Kept;
use crate::number_test::{Declared, NumberTestOf};
use crate::stream_filter::{StreamFilter, setting, sift};

/// The name of the enum.
pub(super) struct Name;

impl Declared for Name {
    const TYPE_NAME: &'static str =
        "nodetool.nodes.nodetool.dictionary.FilterDictByNumber.FilterDictNumberType";
}

/// Passes the dictionaries of a stream whose field stands a test for numbers.
/// dictionary, filter, number, compare, even, odd, stream
///
/// Dictionaries without a number in the field are left out.
#[derive(Node)]
#[node(namespace = "nodetool.dictionary", kind = Pipe)]
pub(super) struct FilterDictByNumber {
    /// The dictionaries.
    #[prop(ty = "dict", default = nodetool_sdk::Map::new())]
    value: Value,
    /// The field.
    key: String,
    /// Which test.
    filter_type: NumberTestOf<Name>,
    /// The number to compare with.
    #[prop(default = 0)]
    compare_value: f64,
}

impl StreamFilter for FilterDictByNumber {
    const SETTINGS: &'static [&'static str] = &["key", "filter_type", "compare_value"];

    fn set(&mut self, handle: &str, value: Value) -> Result<(), NodeError> {
        match handle {
            "key" => self.key = setting(handle, value)?,
            "filter_type" => self.filter_type = setting(handle, value)?,
            _ => self.compare_value = setting(handle, value)?,
        }
        Ok(())
    }

    async fn keeps(&mut self, item: &Value, _: &NodeCx) -> bool {
        item.get(&self.key)
            .is_some_and(|v| self.filter_type.0.passes(v, self.compare_value))
    }
}

impl Pipe for FilterDictByNumber {
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

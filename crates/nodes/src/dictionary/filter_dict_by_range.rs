//! `nodetool.dictionary.FilterDictByRange`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value};

use super::Kept;
use crate::number_test::lies_within;
use crate::stream_filter::{StreamFilter, setting, sift};

/// Passes the dictionaries of a stream whose field lies between two bounds.
/// dictionary, filter, range, between, interval, stream
///
/// Dictionaries without a number in the field are left out.
#[derive(Node)]
#[node(namespace = "nodetool.dictionary", kind = Pipe)]
pub(super) struct FilterDictByRange {
    /// The dictionaries.
    #[prop(ty = "dict", default = nodetool_sdk::Map::new())]
    value: Value,
    /// The field.
    key: String,
    /// Lower bound.
    #[prop(default = 0)]
    min_value: f64,
    /// Upper bound.
    #[prop(default = 0)]
    max_value: f64,
    /// Whether the bounds themselves pass.
    #[prop(default = true)]
    inclusive: bool,
}

impl StreamFilter for FilterDictByRange {
    const SETTINGS: &'static [&'static str] = &["key", "min_value", "max_value", "inclusive"];

    fn set(&mut self, handle: &str, value: Value) -> Result<(), NodeError> {
        match handle {
            "key" => self.key = setting(handle, value)?,
            "min_value" => self.min_value = setting(handle, value)?,
            "max_value" => self.max_value = setting(handle, value)?,
            _ => self.inclusive = setting(handle, value)?,
        }
        Ok(())
    }

    async fn keeps(&mut self, item: &Value, _: &NodeCx) -> bool {
        item.get(&self.key)
            .is_some_and(|v| lies_within(v, self.min_value, self.max_value, self.inclusive))
    }
}

impl Pipe for FilterDictByRange {
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

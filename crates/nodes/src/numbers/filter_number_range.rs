//! `nodetool.numbers.FilterNumberRange`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value};

use super::Kept;
use crate::number_test::lies_within;
use crate::stream_filter::{StreamFilter, setting, sift};

/// Passes the numbers of a stream that lie between two bounds.
/// filter, number, range, between, interval, stream
///
/// What is no number is left out.
#[derive(Node)]
#[node(namespace = "nodetool.numbers", kind = Pipe)]
pub(super) struct FilterNumberRange {
    /// The numbers.
    #[prop(ty = "float", default = 0.0)]
    value: Value,
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

impl StreamFilter for FilterNumberRange {
    const SETTINGS: &'static [&'static str] = &["min_value", "max_value", "inclusive"];

    fn set(&mut self, handle: &str, value: Value) -> Result<(), NodeError> {
        match handle {
            "min_value" => self.min_value = setting(handle, value)?,
            "max_value" => self.max_value = setting(handle, value)?,
            _ => self.inclusive = setting(handle, value)?,
        }
        Ok(())
    }

    async fn keeps(&mut self, item: &Value, _: &NodeCx) -> bool {
        lies_within(item, self.min_value, self.max_value, self.inclusive)
    }
}

impl Pipe for FilterNumberRange {
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

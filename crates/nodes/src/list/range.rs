//! `nodetool.list.Range`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::repeat::check_length;
use super::sequence::Span;
use crate::bounds;

/// Gives a list of evenly spaced integers.
/// list, range, sequence, count, numbers, steps
///
/// With `stop` at 0 or above: from `start` in steps of `step`, before `stop`. Otherwise: `count` integers from 0.
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Range {
    /// First integer.
    start: i64,
    /// End, itself left out; -1 to use `count`.
    #[prop(default = -1)]
    stop: i64,
    /// How many, when there is no `stop`.
    #[prop(default = 10)]
    count: i64,
    /// Distance.
    #[prop(default = 1)]
    step: i64,
    /// Longest result allowed.
    #[prop(default = 10000)]
    max_output_length: i64,
}

impl Process for Range {
    type Output = Vec<i64>;

    async fn process(self, _: &NodeCx) -> Result<Vec<i64>, NodeError> {
        let span = if self.stop >= 0 {
            Span::new(self.start, self.stop, self.step)
                .ok_or_else(|| NodeError::bad("step", "step must not be zero"))?
        } else {
            Span::counting(self.count)
        };
        let length = check_length(span.len(), self.max_output_length)?;
        bounds::work(length, move || Ok(span.collect())).await
    }
}

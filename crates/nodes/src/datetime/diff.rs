//! `lib.datetime.Diff`.

use chrono::Local;
use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process, Value};

use super::moment::read;
use super::unit::Unit;

/// Compares two dates and counts the units between them.
/// datetime, difference, compare, before, after, duration
///
/// The count is that of the first date less the second, in whole units.
#[derive(Node)]
#[node(namespace = "lib.datetime", uncached)]
pub(super) struct Diff {
    /// ISO text, epoch milliseconds or a datetime; now when empty.
    #[prop(default = "")]
    date_a: Value,
    /// What it is compared with.
    #[prop(default = "")]
    date_b: Value,
    /// millisecond, second, minute, hour, day, week, month or year.
    unit: Unit,
}

/// How the dates stand to each other.
#[derive(Outputs)]
pub(super) struct Difference {
    diff: i64,
    is_before: bool,
    is_after: bool,
    is_same: bool,
}

impl Process for Diff {
    type Output = Difference;

    async fn process(self, _: &NodeCx) -> Result<Difference, NodeError> {
        let a = read("date_a", &self.date_a, &Local)?;
        let b = read("date_b", &self.date_b, &Local)?;
        Ok(Difference {
            diff: self.unit.between(a, b, &Local),
            is_before: a < b,
            is_after: a > b,
            is_same: a == b,
        })
    }
}

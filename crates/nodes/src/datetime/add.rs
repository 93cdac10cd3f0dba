//! `lib.datetime.Add`.

use chrono::Local;
use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value};

use super::moment::read;
use super::now::Moment;
use super::unit::Unit;

/// Moves a date by some units of time.
/// datetime, add, subtract, shift, days, months
///
/// Months and years are steps in the calendar: a month after January 31 is in early March.
#[derive(Node)]
#[node(namespace = "lib.datetime", uncached)]
pub(super) struct Add {
    /// ISO text, epoch milliseconds or a datetime; now when empty.
    #[prop(default = "")]
    date: Value,
    /// How many units; negative ones go back.
    amount: i64,
    /// millisecond, second, minute, hour, day, week, month or year.
    unit: Unit,
}

impl Process for Add {
    type Output = Moment;

    async fn process(self, _: &NodeCx) -> Result<Moment, NodeError> {
        let from = read("date", &self.date, &Local)?;
        let moved = self.unit.add(from, self.amount, &Local).ok_or_else(|| {
            NodeError::bad(
                "amount",
                format!("{} leads outside the years 1 to 9999", self.amount),
            )
        })?;
        Ok(moved.into())
    }
}

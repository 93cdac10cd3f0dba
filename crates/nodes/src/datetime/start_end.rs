//! `lib.datetime.StartEnd`.

use chrono::Local;
use nodetool_sdk::{DateTime, Node, NodeCx, NodeError, Outputs, Process, Value};

use super::moment::{iso, read, record};
use super::unit::Unit;

/// Gives the first and last moment of the period around a date.
/// datetime, start, end, period, day, week, month, year
///
/// Periods follow the local calendar; weeks start on Sunday.
#[derive(Node)]
#[node(namespace = "lib.datetime", uncached)]
pub(super) struct StartEnd {
    /// ISO text, epoch milliseconds or a datetime; now when empty.
    #[prop(default = "")]
    date: Value,
    /// millisecond, second, minute, hour, day, week, month or year.
    unit: Unit,
}

/// Both ends of the period.
#[derive(Outputs)]
pub(super) struct Period {
    start_iso: String,
    end_iso: String,
    start: DateTime,
    end: DateTime,
}

impl Process for StartEnd {
    type Output = Period;

    async fn process(self, _: &NodeCx) -> Result<Period, NodeError> {
        let moment = read("date", &self.date, &Local)?;
        let (start, end) = self
            .unit
            .around(moment, &Local)
            .ok_or_else(|| NodeError::bad("date", "the period lies outside the years 1 to 9999"))?;
        Ok(Period {
            start_iso: iso(&start),
            end_iso: iso(&end),
            start: record(&start),
            end: record(&end),
        })
    }
}

//! `lib.date.DateToDatetime` and `lib.date.DatetimeToDate`.

use nodetool_sdk::{Date, DateTime, Node, NodeCx, NodeError, Process};

use super::record::{Moment, date_of, date_record};

/// Gives the midnight a day begins with, in UTC.
/// date, datetime, convert, midnight
#[derive(Node)]
#[node(namespace = "lib.date", tool)]
pub(super) struct DateToDatetime {
    /// The day.
    input_date: Date,
}

impl Process for DateToDatetime {
    type Output = DateTime;

    async fn process(self, _: &NodeCx) -> Result<DateTime, NodeError> {
        let date = date_of("input_date", &self.input_date.0)?;
        Ok(Moment::utc(date.into()).record())
    }
}

/// Gives the day of a datetime, by its own clock.
/// datetime, date, convert, day
#[derive(Node)]
#[node(namespace = "lib.date", tool)]
pub(super) struct DatetimeToDate {
    /// The moment.
    input_datetime: DateTime,
}

impl Process for DatetimeToDate {
    type Output = Date;

    async fn process(self, _: &NodeCx) -> Result<Date, NodeError> {
        let moment = Moment::read("input_datetime", &self.input_datetime)?;
        Ok(date_record(moment.wall().date()))
    }
}

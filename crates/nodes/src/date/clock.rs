//! `lib.date.Today` and `lib.date.Now`.

use chrono::{Local, Utc};
use nodetool_sdk::{Date, DateTime, Node, NodeCx, NodeError, Process};

use super::record::{Moment, date_record};

/// Gives the calendar day of the machine's time zone.
/// date, current, calendar, day
#[derive(Node)]
#[node(namespace = "lib.date", tool, uncached)]
pub(super) struct Today;

impl Process for Today {
    type Output = Date;

    async fn process(self, _: &NodeCx) -> Result<Date, NodeError> {
        Ok(date_record(Local::now().date_naive()))
    }
}

/// Gives the present moment in UTC.
/// datetime, current, time, clock, utc
#[derive(Node)]
#[node(namespace = "lib.date", tool, uncached)]
pub(super) struct Now;

impl Process for Now {
    type Output = DateTime;

    async fn process(self, _: &NodeCx) -> Result<DateTime, NodeError> {
        Ok(Moment::from(Utc::now()).record())
    }
}

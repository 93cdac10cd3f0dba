//! `nodetool.constant.Date` and `DateTime`.

use chrono::NaiveDate;
use nodetool_sdk::{Date, DateTime, Node, NodeCx, NodeError, Process, Value};

/// Offsets from UTC in minutes, as far as clocks go.
const OFFSETS: std::ops::RangeInclusive<i64> = -720..=840;

/// A date.
/// constant, date, day, month, year, calendar
#[derive(Node)]
#[node(namespace = "nodetool.constant", name = "Date")]
pub(super) struct DateConstant {
    /// The year.
    #[prop(default = 1900, min = 1, max = 9999)]
    year: i64,
    /// The month, from 1.
    #[prop(default = 1, min = 1, max = 12)]
    month: i64,
    /// The day of the month, from 1.
    #[prop(default = 1, min = 1, max = 31)]
    day: i64,
}

impl Process for DateConstant {
    type Output = Date;

    async fn process(self, _: &NodeCx) -> Result<Date, NodeError> {
        check_date(self.year, self.month, self.day)?;
        Ok(Date(Value::map([
            ("type", Value::from("date")),
            ("year", self.year.into()),
            ("month", self.month.into()),
            ("day", self.day.into()),
        ])))
    }
}

/// A date with a time of day and a zone.
/// constant, date, time, timestamp, zone, calendar
#[derive(Node)]
#[node(namespace = "nodetool.constant", name = "DateTime", tool)]
pub(super) struct DateTimeConstant {
    /// The year.
    #[prop(default = 1900, min = 1, max = 9999)]
    year: i64,
    /// The month, from 1.
    #[prop(default = 1, min = 1, max = 12)]
    month: i64,
    /// The day of the month, from 1.
    #[prop(default = 1, min = 1, max = 31)]
    day: i64,
    /// The hour.
    #[prop(min = 0, max = 23)]
    hour: i64,
    /// The minute.
    #[prop(min = 0, max = 59)]
    minute: i64,
    /// The second.
    #[prop(min = 0, max = 59)]
    second: i64,
    /// The millisecond.
    #[prop(min = 0, max = 999)]
    millisecond: i64,
    /// Name of the time zone.
    #[prop(default = "UTC")]
    tzinfo: String,
    /// Minutes that local time is ahead of UTC.
    #[prop(min = -720, max = 840)]
    utc_offset: i64,
}

impl Process for DateTimeConstant {
    type Output = DateTime;

    async fn process(self, _: &NodeCx) -> Result<DateTime, NodeError> {
        check_date(self.year, self.month, self.day)?;
        within("hour", self.hour, 0..=23)?;
        within("minute", self.minute, 0..=59)?;
        within("second", self.second, 0..=59)?;
        within("millisecond", self.millisecond, 0..=999)?;
        within("utc_offset", self.utc_offset, OFFSETS)?;
        Ok(DateTime(Value::map([
            ("type", Value::from("datetime")),
            ("year", self.year.into()),
            ("month", self.month.into()),
            ("day", self.day.into()),
            ("hour", self.hour.into()),
            ("minute", self.minute.into()),
            ("second", self.second.into()),
            ("microsecond", (self.millisecond * 1000).into()),
            ("tzinfo", self.tzinfo.into()),
            // The object counts seconds, the property minutes.
            ("utc_offset", (self.utc_offset * 60).into()),
        ])))
    }
}

/// A day that exists.
fn check_date(year: i64, month: i64, day: i64) -> Result<(), NodeError> {
    let y = within("year", year, 1..=9999)?;
    let m = within("month", month, 1..=12)?;
    let d = within("day", day, 1..=31)?;
    match NaiveDate::from_ymd_opt(y as i32, m, d) {
        Some(_) => Ok(()),
        None => Err(NodeError::bad(
            "day",
            format!("{day} (expected a day of month {month} of {year})"),
        )),
    }
}

fn within(name: &str, given: i64, range: std::ops::RangeInclusive<i64>) -> Result<u32, NodeError> {
    if range.contains(&given) {
        return Ok(given.unsigned_abs() as u32);
    }
    let (from, to) = range.into_inner();
    Err(NodeError::bad(
        name,
        format!("{given} (expected {from} to {to})"),
    ))
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn minutes_and_milliseconds_become_seconds_and_microseconds() {
        let given = case::<DateTimeConstant>()
            .set("year", 2024i64)
            .set("millisecond", 7i64)
            .set("utc_offset", -90i64)
            .value()
            .await
            .unwrap();
        assert_eq!(
            serde_json::to_string(&given).unwrap(),
            r#"{"type":"datetime","year":2024,"month":1,"day":1,"hour":0,"minute":0,"second":0,"microsecond":7000,"tzinfo":"UTC","utc_offset":-5400}"#
        );
    }

    #[tokio::test]
    async fn a_day_that_does_not_exist_is_refused() {
        let leap = |year: i64| {
            let day = case::<DateConstant>().set("year", year);
            day.set("month", 2i64).set("day", 29i64).run()
        };
        assert!(leap(2024).await.is_ok());
        assert_eq!(
            leap(2023).await.unwrap_err().to_string(),
            "Invalid value for property `day`: 29 (expected a day of month 2 of 2023)"
        );
        for (name, value) in [
            ("year", 0i64),
            ("month", 13),
            ("hour", 24),
            ("utc_offset", i64::MIN),
        ] {
            let refused = case::<DateTimeConstant>().set(name, value).run().await;
            assert!(refused.unwrap_err().to_string().contains(name), "{name}");
        }
    }
}

//! Date and datetime records as calendar values, and back. It must not know nodes.
//!
//! A record holds a wall clock and its distance from UTC in seconds; `tzinfo` is only the zone's name. Years run from
//! 1 to 9999, so the record of a date nobody has set (year 0) is refused.

use std::sync::{Arc, LazyLock};

use chrono::{
    DateTime as Chrono, Datelike, FixedOffset, NaiveDate, NaiveDateTime, Offset, Timelike, Utc,
};
use nodetool_sdk::{Date, DateTime, Map, NodeError, Value};

/// Most seconds a zone may be away from UTC.
const DAY_S: f64 = 86_399.0;

/// A wall clock somewhere.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moment {
    wall: NaiveDateTime,
    offset: FixedOffset,
    zone: Arc<str>,
}

impl Moment {
    /// Reads the record in `property`.
    pub(crate) fn read(property: &str, record: &DateTime) -> Result<Self, NodeError> {
        let date = date_of(property, &record.0)?;
        let part = |key: &str| whole(property, &record.0, key);
        let (hour, minute, second) = (part("hour")?, part("minute")?, part("second")?);
        // The first TypeScript generation counted in milliseconds.
        let micro = match record.0.get("microsecond") {
            None => part("millisecond")?.saturating_mul(1000),
            Some(_) => part("microsecond")?,
        };
        let bounded = |n: i64, end: i64| u32::try_from(n).ok().filter(|_| n < end);
        let wall = (|| {
            date.and_hms_micro_opt(
                bounded(hour, 24)?,
                bounded(minute, 60)?,
                bounded(second, 60)?,
                bounded(micro, 1_000_000)?,
            )
        })()
        .ok_or_else(|| {
            let text =
                format!("{hour}:{minute}:{second} and {micro} microseconds is not a time of day");
            NodeError::bad(property, text)
        })?;
        let offset = record.get("utc_offset").as_f64().unwrap_or(0.0);
        if !(-DAY_S..=DAY_S).contains(&offset) {
            return Err(NodeError::bad(
                property,
                format!("utc_offset {offset} (expected seconds within a day of UTC)"),
            ));
        }
        let zone = match record.text("tzinfo") {
            "" => zone_name(offset as i32),
            name => name.into(),
        };
        Ok(Moment {
            wall,
            offset: fixed(offset as i32),
            zone,
        })
    }

    /// A wall clock in UTC.
    pub(crate) fn utc(wall: NaiveDateTime) -> Self {
        Self::with_offset(wall, 0)
    }

    /// A wall clock at a distance from UTC, in seconds.
    pub(crate) fn with_offset(wall: NaiveDateTime, seconds: i32) -> Self {
        Moment {
            wall,
            offset: fixed(seconds),
            zone: zone_name(seconds),
        }
    }

    /// The wall clock.
    pub(crate) fn wall(&self) -> NaiveDateTime {
        self.wall
    }

    /// With its offset.
    pub(crate) fn zoned(&self) -> Option<Chrono<FixedOffset>> {
        self.wall.and_local_timezone(self.offset).single()
    }

    /// The clock of UTC at this moment, by which moments compare.
    pub(crate) fn instant(&self) -> NaiveDateTime {
        // A year of 1 to 9999 less a day is far inside what the type holds.
        self.wall - chrono::TimeDelta::seconds(i64::from(self.offset.local_minus_utc()))
    }

    /// Another wall clock in the same zone; `None`, or a year that records do not hold, is refused in the name of
    /// `property`.
    pub(crate) fn at(
        &self,
        property: &str,
        wall: Option<NaiveDateTime>,
    ) -> Result<Self, NodeError> {
        match wall {
            Some(wall) if (1..=9999).contains(&wall.year()) => Ok(Moment {
                wall,
                ..self.clone()
            }),
            _ => Err(NodeError::bad(
                property,
                "the result lies outside the years 1 to 9999",
            )),
        }
    }

    /// The record.
    pub(crate) fn record(&self) -> DateTime {
        static EMPTY: LazyLock<Map> =
            LazyLock::new(|| DateTime::default().0.as_map().cloned().unwrap_or_default());
        let mut map = EMPTY.clone();
        let mut put = |key: &str, value: Value| {
            if let Some(slot) = map.get_mut(key) {
                *slot = value;
            }
        };
        put("year", self.wall.year().into());
        put("month", self.wall.month().into());
        put("day", self.wall.day().into());
        put("hour", self.wall.hour().into());
        put("minute", self.wall.minute().into());
        put("second", self.wall.second().into());
        put("microsecond", (self.wall.nanosecond() / 1000).into());
        put("tzinfo", self.zone.clone().into());
        put("utc_offset", self.offset.local_minus_utc().into());
        DateTime(map.into())
    }
}

impl From<Chrono<Utc>> for Moment {
    fn from(time: Chrono<Utc>) -> Self {
        Moment::utc(time.naive_utc())
    }
}

fn fixed(seconds: i32) -> FixedOffset {
    FixedOffset::east_opt(seconds).unwrap_or_else(|| Utc.fix())
}

/// `UTC`, or `UTC+02:00`.
fn zone_name(seconds: i32) -> Arc<str> {
    if seconds == 0 {
        return "UTC".into();
    }
    format!("UTC{}", fixed(seconds)).into()
}

/// The calendar day of a date or datetime record.
pub(crate) fn date_of(property: &str, record: &Value) -> Result<NaiveDate, NodeError> {
    let part = |key: &str| whole(property, record, key);
    let (year, month, day) = (part("year")?, part("month")?, part("day")?);
    (|| {
        let year = i32::try_from(year)
            .ok()
            .filter(|y| (1..=9999).contains(y))?;
        NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)
    })()
    .ok_or_else(|| {
        NodeError::bad(
            property,
            format!(
                "year {year}, month {month}, day {day} is not a date (expected a day of the years 1 to 9999)"
            ),
        )
    })
}

/// The record of a calendar day.
pub(crate) fn date_record(date: NaiveDate) -> Date {
    Date(Value::map([
        ("type", Value::from(Date::TAG)),
        ("year", date.year().into()),
        ("month", date.month().into()),
        ("day", date.day().into()),
    ]))
}

/// A whole number of a record; absent and null count as zero.
fn whole(property: &str, record: &Value, key: &str) -> Result<i64, NodeError> {
    match record.get(key) {
        None | Some(Value::Null) => Ok(0),
        Some(Value::Int(i)) => Ok(*i),
        Some(Value::Float(f)) if f.fract() == 0.0 && f.abs() < 1e15 => Ok(*f as i64),
        Some(other) => Err(NodeError::bad(
            property,
            format!(
                "`{key}` is {} {} (expected int)",
                other.kind(),
                other.preview(80)
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(json: &str) -> DateTime {
        DateTime(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn records_read_back_as_they_were_written() {
        let written = record(
            r#"{"type":"datetime","year":2024,"month":2,"day":29,"hour":23,"minute":5,"second":6,"microsecond":7,
                "tzinfo":"Europe/Berlin","utc_offset":3600}"#,
        );
        let moment = Moment::read("t", &written).unwrap();
        assert_eq!(moment.record(), written);
        assert_eq!(moment.instant().hour(), 22);
    }

    #[test]
    fn the_older_millisecond_field_counts() {
        let m = Moment::read(
            "t",
            &record(r#"{"year":2026,"month":3,"day":5,"millisecond":123}"#),
        )
        .unwrap();
        assert_eq!(m.record().get("microsecond"), Value::Int(123_000));
    }

    #[test]
    fn what_is_no_date_is_refused_by_name() {
        for json in [
            r#"{"year":0,"month":0,"day":0}"#,
            r#"{"year":2023,"month":2,"day":29}"#,
            r#"{"year":-9223372036854775808,"month":1,"day":1}"#,
            r#"{"year":2023,"month":1,"day":1,"hour":24}"#,
            r#"{"year":2023,"month":1,"day":1,"second":59,"microsecond":1000000}"#,
            r#"{"year":2023,"month":1,"day":1,"millisecond":9223372036854775807}"#,
            r#"{"year":2023,"month":1,"day":1,"utc_offset":1e300}"#,
            r#"{"year":"2023","month":1,"day":1}"#,
        ] {
            let error = Moment::read("input_datetime", &record(json)).unwrap_err();
            assert!(error.to_string().contains("`input_datetime`"), "{json}");
        }
    }
}

//! Reading and writing moments, to the millisecond. It must not know nodes.

use chrono::{
    DateTime as Chrono, Datelike, Duration, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime,
    SecondsFormat, TimeZone, Utc,
};
use nodetool_sdk::{DateTime, NodeError, Value};

use crate::date::record::{Moment, date_of};

/// Reads text, epoch milliseconds or a record; nothing, or empty text, is now. Text without a zone is by the clock of
/// `zone`, except a date alone, which is midnight in UTC.
pub(super) fn read<Z: TimeZone>(
    property: &str,
    value: &Value,
    zone: &Z,
) -> Result<Chrono<Utc>, NodeError> {
    let moment = match value {
        Value::Null => Some(Utc::now()),
        Value::Str(s) if s.trim().is_empty() => Some(Utc::now()),
        Value::Str(s) => from_text(s.trim(), zone),
        Value::Int(ms) => Chrono::from_timestamp_millis(*ms),
        Value::Float(ms) if ms.abs() < 9e15 => Chrono::from_timestamp_millis(*ms as i64),
        Value::Map(map) if map.contains_key("hour") || value.type_tag() == Some(DateTime::TAG) => {
            Some(
                Moment::read(property, &DateTime(value.clone()))?
                    .instant()
                    .and_utc(),
            )
        }
        Value::Map(map) if map.contains_key("year") => {
            Some(midnight(date_of(property, value)?).and_utc())
        }
        _ => None,
    };
    moment
        .and_then(|m| Chrono::from_timestamp_millis(m.timestamp_millis()))
        .filter(in_calendar)
        .ok_or_else(|| {
            NodeError::bad(
                property,
                format!(
                    "Could not parse date: {} {} (expected ISO text, milliseconds since 1970 or a datetime, in the \
                     years 1 to 9999)",
                    value.kind(),
                    value.preview(80)
                ),
            )
        })
}

/// Whether records and ISO text can hold the moment.
pub(super) fn in_calendar(moment: &Chrono<Utc>) -> bool {
    (1..=9999).contains(&moment.year())
}

/// `2024-03-15T12:00:00.000Z`.
pub(super) fn iso(moment: &Chrono<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The record, in UTC.
pub(super) fn record(moment: &Chrono<Utc>) -> DateTime {
    Moment::from(*moment).record()
}

/// The moment a wall clock shows a time. Where the clock is set back, the first one; where it is set forward past the
/// time, as if it had not been.
pub(super) fn of_wall<Z: TimeZone>(wall: NaiveDateTime, zone: &Z) -> Option<Chrono<Utc>> {
    match zone.from_local_datetime(&wall) {
        MappedLocalTime::Single(t) | MappedLocalTime::Ambiguous(t, _) => Some(t.to_utc()),
        MappedLocalTime::None => {
            let day = Duration::days(1);
            let before = zone.from_local_datetime(&wall.checked_sub_signed(day)?);
            Some(before.latest()?.to_utc().checked_add_signed(day)?)
        }
    }
}

fn midnight(date: NaiveDate) -> NaiveDateTime {
    date.and_time(NaiveTime::MIN)
}

fn from_text<Z: TimeZone>(text: &str, zone: &Z) -> Option<Chrono<Utc>> {
    if text.len() > 100 {
        return None;
    }
    if let Ok(t) = Chrono::parse_from_rfc3339(text) {
        return Some(t.to_utc());
    }
    if let Ok(t) = Chrono::parse_from_rfc2822(text) {
        return Some(t.to_utc());
    }
    for format in [
        "%Y-%m-%dT%H:%M%#z",
        "%Y-%m-%d %H:%M:%S%.f %z",
        "%Y-%m-%dT%H:%M:%S%.f%#z",
    ] {
        if let Ok(t) = Chrono::parse_from_str(text, format) {
            return Some(t.to_utc());
        }
    }
    for format in [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%Y/%m/%d %H:%M:%S%.f",
        "%Y/%m/%d %H:%M",
    ] {
        if let Ok(wall) = NaiveDateTime::parse_from_str(text, format) {
            return of_wall(wall, zone);
        }
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y/%m/%d") {
        return of_wall(midnight(date), zone);
    }
    // A year or month alone stands for its first day.
    let day = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    let date = NaiveDate::parse_from_str(&day, "%Y-%m-%d").ok()?;
    Some(midnight(date).and_utc())
}

#[cfg(test)]
pub(super) mod tests {
    use chrono::{FixedOffset, Offset};

    use super::*;

    /// A zone one hour east that is set forward to two hours, from 02:00 to 03:00 on 2024-03-31.
    #[derive(Clone, Debug)]
    pub(in crate::datetime) struct Summer;

    impl Summer {
        fn change() -> NaiveDateTime {
            "2024-03-31T01:00:00".parse().unwrap()
        }
    }

    impl TimeZone for Summer {
        type Offset = FixedOffset;
        fn from_offset(_: &FixedOffset) -> Self {
            Summer
        }
        fn offset_from_local_date(&self, _: &NaiveDate) -> MappedLocalTime<FixedOffset> {
            MappedLocalTime::None
        }
        fn offset_from_local_datetime(&self, wall: &NaiveDateTime) -> MappedLocalTime<FixedOffset> {
            let hour = Duration::hours(1);
            if *wall < Self::change() + hour {
                MappedLocalTime::Single(FixedOffset::east_opt(3600).unwrap())
            } else if *wall < Self::change() + hour * 2 {
                MappedLocalTime::None
            } else {
                MappedLocalTime::Single(FixedOffset::east_opt(7200).unwrap())
            }
        }
        fn offset_from_utc_date(&self, _: &NaiveDate) -> FixedOffset {
            Utc.fix()
        }
        fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> FixedOffset {
            let hours = if *utc < Self::change() { 1 } else { 2 };
            FixedOffset::east_opt(hours * 3600).unwrap()
        }
    }

    fn read_iso(value: impl Into<Value>) -> Result<String, String> {
        read("date", &value.into(), &Summer)
            .map(|m| iso(&m))
            .map_err(|e| e.to_string())
    }

    #[test]
    fn moments_are_read_in_every_notation() {
        for (text, want) in [
            ("2024-03-15T12:00:00.123456Z", "2024-03-15T12:00:00.123Z"),
            ("2024-03-15T12:00:00+02:00", "2024-03-15T10:00:00.000Z"),
            ("2024-03-15T12:00Z", "2024-03-15T12:00:00.000Z"),
            ("2024-03-15T12:00:00+0200", "2024-03-15T10:00:00.000Z"),
            ("2024-03-15", "2024-03-15T00:00:00.000Z"),
            ("2024-03", "2024-03-01T00:00:00.000Z"),
            ("2024", "2024-01-01T00:00:00.000Z"),
            ("2024-03-15T12:00:00", "2024-03-15T11:00:00.000Z"),
            ("2024-03-15 12:00", "2024-03-15T11:00:00.000Z"),
            ("2024/03/15", "2024-03-14T23:00:00.000Z"),
            ("Fri, 15 Mar 2024 12:00:00 GMT", "2024-03-15T12:00:00.000Z"),
            ("2024-03-31T02:30:00", "2024-03-31T01:30:00.000Z"),
        ] {
            assert_eq!(read_iso(text).as_deref(), Ok(want), "{text}");
        }
        assert_eq!(
            read_iso(1_700_000_000_000i64).unwrap(),
            "2023-11-14T22:13:20.000Z"
        );
        let record = record(&read("date", &"2024-03-15T12:00:00Z".into(), &Utc).unwrap());
        assert_eq!(read_iso(record.0).unwrap(), "2024-03-15T12:00:00.000Z");
    }

    #[test]
    fn what_is_no_moment_is_refused_by_name() {
        for value in [
            "nope".into(),
            "99999-01-01".into(),
            "+09999999-01-01".into(),
            i64::MAX.into(),
            i64::MIN.into(),
            f64::NAN.into(),
            true.into(),
            Value::list([]),
            Value::map([("year", Value::from(2024i64))]),
            "2".repeat(1000).into(),
        ] {
            let error = read_iso(value).unwrap_err();
            assert!(error.contains("`date`"), "{error}");
        }
    }
}

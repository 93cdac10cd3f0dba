//! Units of time and calendar steps. It must not know nodes.

use chrono::{
    DateTime as Chrono, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta,
    TimeZone, Timelike, Utc,
};
use nodetool_sdk::{TypeMetadata, Value, ValueType};

use super::moment::{in_calendar, of_wall};

/// A unit of time. Properties of this type are declared as text: what is no unit is refused here, in words of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unit {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

const NAMES: [(&str, Unit); 8] = [
    ("millisecond", Unit::Millisecond),
    ("second", Unit::Second),
    ("minute", Unit::Minute),
    ("hour", Unit::Hour),
    ("day", Unit::Day),
    ("week", Unit::Week),
    ("month", Unit::Month),
    ("year", Unit::Year),
];

impl ValueType for Unit {
    fn type_metadata() -> TypeMetadata {
        TypeMetadata::new("str")
    }
    fn from_value(value: Value) -> Result<Self, String> {
        NAMES
            .into_iter()
            .find(|(name, _)| value.as_str() == Some(name))
            .map(|(_, unit)| unit)
            .ok_or_else(|| {
                format!(
                    "Unsupported date unit {}",
                    nodetool_sdk::derive::not_a_member(&value, &NAMES.map(|(name, _)| name))
                )
            })
    }
    fn into_value(self) -> Value {
        let name = NAMES.into_iter().find(|(_, unit)| *unit == self);
        name.map_or(Value::Null, |(name, _)| name.into())
    }
    fn default_value() -> Value {
        Unit::Day.into_value()
    }
}

impl Unit {
    /// Its length, when that is always the same.
    fn millis(self) -> Option<i64> {
        Some(match self {
            Unit::Millisecond => 1,
            Unit::Second => 1000,
            Unit::Minute => 60_000,
            Unit::Hour => 3_600_000,
            Unit::Day => 86_400_000,
            Unit::Week => 7 * 86_400_000,
            Unit::Month | Unit::Year => return None,
        })
    }

    /// `from` and `amount` units; `None` outside the years 1 to 9999.
    ///
    /// Months and years are steps in the calendar of `zone`; a day the month does not have runs over into the next.
    pub(super) fn add<Z: TimeZone>(
        self,
        from: Chrono<Utc>,
        amount: i64,
        zone: &Z,
    ) -> Option<Chrono<Utc>> {
        let moved = match self.millis() {
            Some(millis) => {
                let delta = TimeDelta::try_milliseconds(amount.checked_mul(millis)?)?;
                from.checked_add_signed(delta)
            }
            None => {
                let months = amount.checked_mul(if self == Unit::Year { 12 } else { 1 })?;
                let wall = from.with_timezone(zone).naive_local();
                of_wall(months_later(wall, months)?, zone)
            }
        };
        moved.filter(in_calendar)
    }

    /// Whole units from `b` to `a`; negative when `a` is earlier.
    pub(super) fn between<Z: TimeZone>(self, a: Chrono<Utc>, b: Chrono<Utc>, zone: &Z) -> i64 {
        if let Some(millis) = self.millis() {
            return (a.timestamp_millis() - b.timestamp_millis()) / millis;
        }
        let (late, early) = (a.max(b), a.min(b));
        let wall = |t: Chrono<Utc>| t.with_timezone(zone).naive_local();
        let (late, early) = (wall(late), wall(early));
        let count = |t: NaiveDateTime| i64::from(t.year()) * 12 + i64::from(t.month0());
        let mut months = count(late) - count(early);
        if months > 0 && (early.day(), early.time()) > (late.day(), late.time()) {
            months -= 1;
        }
        let whole = if self == Unit::Year {
            months / 12
        } else {
            months
        };
        if a < b { -whole } else { whole }
    }

    /// The first and last millisecond of the unit around a moment; `None` at the ends of the calendar.
    pub(super) fn around<Z: TimeZone>(
        self,
        moment: Chrono<Utc>,
        zone: &Z,
    ) -> Option<(Chrono<Utc>, Chrono<Utc>)> {
        let wall = moment.with_timezone(zone).naive_local();
        let millisecond = TimeDelta::milliseconds(1);
        if let (Some(millis), Unit::Millisecond | Unit::Second | Unit::Minute | Unit::Hour) =
            (self.millis(), self)
        {
            let time = wall.time();
            let of_day = i64::from(time.num_seconds_from_midnight()) * 1000
                + i64::from(time.nanosecond() / 1_000_000);
            let start = moment - TimeDelta::milliseconds(of_day % millis);
            return Some((start, start + TimeDelta::milliseconds(millis) - millisecond));
        }
        let day = wall.date();
        let first = match self {
            Unit::Week => {
                day.checked_sub_days(Days::new(day.weekday().num_days_from_sunday().into()))?
            }
            Unit::Month => day.with_day(1)?,
            Unit::Year => NaiveDate::from_ymd_opt(day.year(), 1, 1)?,
            _ => day,
        };
        let next = match self {
            Unit::Week => first.checked_add_days(Days::new(7)),
            Unit::Month => first.checked_add_months(Months::new(1)),
            Unit::Year => first.checked_add_months(Months::new(12)),
            _ => first.succ_opt(),
        }?;
        let bound = |day: NaiveDate| of_wall(day.and_time(NaiveTime::MIN), zone);
        let (start, end) = (bound(first)?, bound(next)? - millisecond);
        (in_calendar(&start) && in_calendar(&end)).then_some((start, end))
    }
}

fn months_later(from: NaiveDateTime, months: i64) -> Option<NaiveDateTime> {
    let count = (i64::from(from.year()) * 12 + i64::from(from.month0())).checked_add(months)?;
    let year = i32::try_from(count.div_euclid(12)).ok()?;
    let first = NaiveDate::from_ymd_opt(year, count.rem_euclid(12) as u32 + 1, 1)?;
    let day = first.checked_add_days(Days::new(u64::from(from.day0())))?;
    Some(day.and_time(from.time()))
}

#[cfg(test)]
mod tests {
    use super::super::moment::{iso, tests::Summer};
    use super::*;

    fn at(text: &str) -> Chrono<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn calendar_steps_run_over_into_the_next_month() {
        for (from, amount, unit, want) in [
            (
                "2024-01-31T00:00:00Z",
                1,
                Unit::Month,
                "2024-03-02T00:00:00.000Z",
            ),
            (
                "2023-01-31T00:00:00Z",
                1,
                Unit::Month,
                "2023-03-03T00:00:00.000Z",
            ),
            (
                "2024-03-31T00:00:00Z",
                -13,
                Unit::Month,
                "2023-03-03T00:00:00.000Z",
            ),
            (
                "2024-02-29T00:00:00Z",
                1,
                Unit::Year,
                "2025-03-01T00:00:00.000Z",
            ),
            (
                "2024-02-29T00:00:00Z",
                -2,
                Unit::Week,
                "2024-02-15T00:00:00.000Z",
            ),
        ] {
            assert_eq!(iso(&unit.add(at(from), amount, &Utc).unwrap()), want);
        }
        for unit in [Unit::Year, Unit::Month, Unit::Week, Unit::Millisecond] {
            assert_eq!(unit.add(at("2024-01-31T00:00:00Z"), i64::MAX, &Utc), None);
            assert_eq!(unit.add(at("2024-01-31T00:00:00Z"), i64::MIN, &Utc), None);
        }
    }

    #[test]
    fn only_whole_months_count_both_ways() {
        for (a, b, months) in [
            ("2024-06-15T00:00:00Z", "2024-03-15T00:00:00Z", 3),
            ("2024-06-14T23:59:59Z", "2024-03-15T00:00:00Z", 2),
            ("2024-02-29T00:00:00Z", "2024-01-31T00:00:00Z", 0),
            ("2026-03-15T00:00:00Z", "2024-03-15T00:00:01Z", 23),
        ] {
            assert_eq!(Unit::Month.between(at(a), at(b), &Utc), months);
            assert_eq!(Unit::Month.between(at(b), at(a), &Utc), -months);
            assert_eq!(Unit::Year.between(at(b), at(a), &Utc), -months / 12);
        }
        let (a, b) = (at("2024-03-15T00:00:00Z"), at("2024-03-16T23:00:00Z"));
        assert_eq!(Unit::Day.between(a, b, &Utc), -1);
    }

    #[test]
    fn a_day_on_which_the_clock_is_set_forward_has_23_hours() {
        let (start, end) = Unit::Day
            .around(at("2024-03-31T12:00:00Z"), &Summer)
            .unwrap();
        assert_eq!(iso(&start), "2024-03-30T23:00:00.000Z");
        assert_eq!(iso(&end), "2024-03-31T21:59:59.999Z");
        let hour = Unit::Hour
            .around(at("2024-03-31T01:30:00Z"), &Summer)
            .unwrap();
        assert_eq!(iso(&hour.0), "2024-03-31T01:00:00.000Z");
    }
}

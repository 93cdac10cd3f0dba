//! `lib.date.BoundaryTime`.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, TimeDelta};
use nodetool_sdk::{DateTime, Node, NodeCx, NodeError, Process, ValueType};

use super::record::Moment;

/// Which stretch of time.
#[derive(Clone, Copy, Debug, ValueType)]
#[value(type_name = "nodetool.nodes.lib.date.PeriodType")]
pub(super) enum PeriodType {
    Day,
    Week,
    Month,
    Year,
}

/// Which end of it.
#[derive(Clone, Copy, Debug, ValueType)]
#[value(type_name = "nodetool.nodes.lib.date.BoundaryType")]
pub(super) enum BoundaryType {
    Start,
    End,
}

/// Gives the first or last moment of the day, week, month or year around a datetime.
/// datetime, start, end, day, week, month, year, period
#[derive(Node)]
#[node(namespace = "lib.date", tool)]
pub(super) struct BoundaryTime {
    /// A moment of the period.
    input_datetime: DateTime,
    /// The period.
    period: PeriodType,
    /// Its start or its end.
    boundary: BoundaryType,
    /// Whether weeks start on Monday; on Sunday otherwise.
    #[prop(default = true)]
    start_monday: bool,
}

impl Process for BoundaryTime {
    type Output = DateTime;

    async fn process(self, _: &NodeCx) -> Result<DateTime, NodeError> {
        let moment = Moment::read("input_datetime", &self.input_datetime)?;
        let wall = boundary(
            moment.wall().date(),
            self.period,
            self.boundary,
            self.start_monday,
        );
        Ok(moment.at("input_datetime", wall)?.record())
    }
}

fn boundary(
    day: NaiveDate,
    period: PeriodType,
    end: BoundaryType,
    start_monday: bool,
) -> Option<NaiveDateTime> {
    let first = match period {
        PeriodType::Day => day,
        PeriodType::Week => {
            let since = if start_monday {
                day.weekday().num_days_from_monday()
            } else {
                day.weekday().num_days_from_sunday()
            };
            day.checked_sub_days(Days::new(since.into()))?
        }
        PeriodType::Month => day.with_day(1)?,
        PeriodType::Year => NaiveDate::from_ymd_opt(day.year(), 1, 1)?,
    };
    let next = match (end, period) {
        (BoundaryType::Start, _) => return Some(first.into()),
        (BoundaryType::End, PeriodType::Day) => first.succ_opt(),
        (BoundaryType::End, PeriodType::Week) => first.checked_add_days(Days::new(7)),
        (BoundaryType::End, PeriodType::Month) => first.checked_add_months(Months::new(1)),
        (BoundaryType::End, PeriodType::Year) => first.checked_add_months(Months::new(12)),
    }?;
    NaiveDateTime::from(next).checked_sub_signed(TimeDelta::microseconds(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_at_midnight_and_end_a_microsecond_before_the_next() {
        use BoundaryType::{End, Start};
        use PeriodType::{Day, Month, Week, Year};
        let day: NaiveDate = "2024-02-14".parse().unwrap();
        for (period, end, monday, want) in [
            (Day, Start, true, "2024-02-14 00:00:00"),
            (Day, End, true, "2024-02-14 23:59:59.999999"),
            (Week, Start, true, "2024-02-12 00:00:00"),
            (Week, Start, false, "2024-02-11 00:00:00"),
            (Week, End, true, "2024-02-18 23:59:59.999999"),
            (Month, End, true, "2024-02-29 23:59:59.999999"),
            (Year, End, true, "2024-12-31 23:59:59.999999"),
        ] {
            let got = boundary(day, period, end, monday).unwrap().to_string();
            assert_eq!(got, want, "{period:?} {end:?}");
        }
    }
}

//! `lib.date.RelativeTime`.

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use nodetool_sdk::{DateTime, Node, NodeCx, NodeError, Process, ValueType};

use super::record::Moment;

/// What is counted.
#[derive(ValueType)]
#[value(type_name = "nodetool.nodes.lib.date.TimeUnitType")]
pub(super) enum TimeUnitType {
    Hours,
    Days,
    Months,
}

/// Which way.
#[derive(ValueType)]
#[value(type_name = "nodetool.nodes.lib.date.TimeDirection")]
pub(super) enum TimeDirection {
    Past,
    Future,
}

/// Gives a moment some hours, days or months from now.
/// datetime, relative, ago, future, past, now
///
/// Months keep the day of the month; where the other month is too short, the node fails.
#[derive(Node)]
#[node(namespace = "lib.date", tool, uncached)]
pub(super) struct RelativeTime {
    /// How many.
    #[prop(default = 1, min = 0)]
    amount: i64,
    /// Of what.
    #[prop(default = "days")]
    unit: TimeUnitType,
    /// Back or ahead.
    #[prop(default = "future")]
    direction: TimeDirection,
}

impl Process for RelativeTime {
    type Output = DateTime;

    async fn process(self, _: &NodeCx) -> Result<DateTime, NodeError> {
        self.from(Moment::from(Utc::now())).map(|m| m.record())
    }
}

impl RelativeTime {
    fn from(&self, now: Moment) -> Result<Moment, NodeError> {
        let amount = match self.direction {
            TimeDirection::Past => self.amount.checked_neg(),
            TimeDirection::Future => Some(self.amount),
        };
        let amount = amount.ok_or_else(|| NodeError::bad("amount", "too large"))?;
        let wall = match self.unit {
            TimeUnitType::Hours => {
                TimeDelta::try_hours(amount).and_then(|d| now.wall().checked_add_signed(d))
            }
            TimeUnitType::Days => {
                TimeDelta::try_days(amount).and_then(|d| now.wall().checked_add_signed(d))
            }
            TimeUnitType::Months => months_from(now.wall(), amount)?,
        };
        now.at("amount", wall)
    }
}

/// The same day and time some months away; `None` beyond the calendar.
fn months_from(from: NaiveDateTime, months: i64) -> Result<Option<NaiveDateTime>, NodeError> {
    let count = i64::from(from.year()) * 12 + i64::from(from.month0());
    let Some(count) = count.checked_add(months) else {
        return Ok(None);
    };
    let (year, month) = (count.div_euclid(12), count.rem_euclid(12) as u32 + 1);
    let Ok(year) = i32::try_from(year) else {
        return Ok(None);
    };
    if NaiveDate::from_ymd_opt(year, month, 1).is_none() {
        return Ok(None);
    }
    match NaiveDate::from_ymd_opt(year, month, from.day()) {
        Some(date) => Ok(Some(date.and_time(from.time()))),
        None => Err(NodeError::bad(
            "amount",
            format!("month {month} of {year} has no day {}", from.day()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_keep_the_day_or_fail() {
        let from = |amount, direction| {
            RelativeTime {
                amount,
                unit: TimeUnitType::Months,
                direction,
            }
            .from(Moment::utc("2024-01-31T10:00:00".parse().unwrap()))
            .map(|m| m.wall().to_string())
            .map_err(|e| e.to_string())
        };
        assert_eq!(
            from(2, TimeDirection::Future).unwrap(),
            "2024-03-31 10:00:00"
        );
        assert_eq!(from(1, TimeDirection::Past).unwrap(), "2023-12-31 10:00:00");
        assert!(
            from(1, TimeDirection::Future)
                .unwrap_err()
                .contains("month 2 of 2024 has no day 31")
        );
        assert!(
            from(i64::MAX, TimeDirection::Future)
                .unwrap_err()
                .contains("9999")
        );
        assert!(from(i64::MIN, TimeDirection::Past).is_err());
    }
}

//! `lib.date.GetQuarter`.

use chrono::{Datelike, Months, NaiveDate};
use nodetool_sdk::{DateTime, Node, NodeCx, NodeError, Outputs, Process};

use super::record::Moment;

/// Tells the quarter of the year with its first and last day.
/// datetime, quarter, year, period, business
#[derive(Node)]
#[node(namespace = "lib.date", tool)]
pub(super) struct GetQuarter {
    /// The moment.
    input_datetime: DateTime,
}

/// A quarter; its days begin at midnight.
#[derive(Outputs)]
pub(super) struct Quarter {
    quarter: i64,
    quarter_start: DateTime,
    quarter_end: DateTime,
}

impl Process for GetQuarter {
    type Output = Quarter;

    async fn process(self, _: &NodeCx) -> Result<Quarter, NodeError> {
        let moment = Moment::read("input_datetime", &self.input_datetime)?;
        let (year, quarter) = (moment.wall().year(), moment.wall().month0() / 3);
        let first = NaiveDate::from_ymd_opt(year, quarter * 3 + 1, 1);
        let last = first
            .and_then(|d| d.checked_add_months(Months::new(3)))
            .and_then(|d| d.pred_opt());
        let midnight = |day: Option<NaiveDate>| {
            moment
                .at("input_datetime", day.map(Into::into))
                .map(|m| m.record())
        };
        Ok(Quarter {
            quarter: i64::from(quarter) + 1,
            quarter_start: midnight(first)?,
            quarter_end: midnight(last)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn a_quarter_ends_on_its_last_day_even_at_the_end_of_the_calendar() {
        let day: NaiveDate = "9999-11-05".parse().unwrap();
        let out = case::<GetQuarter>()
            .set("input_datetime", Moment::utc(day.into()).record().0)
            .run()
            .await
            .unwrap();
        assert_eq!(out[0]["quarter"], Value::Int(4));
        assert_eq!(out[0]["quarter_start"].get("month"), Some(&Value::Int(10)));
        assert_eq!(out[0]["quarter_end"].get("day"), Some(&Value::Int(31)));
    }
}

//! `lib.date.DateRange`.

use chrono::TimeDelta;
use nodetool_sdk::{DateTime, Node, NodeCx, NodeError, Process};

use super::record::Moment;
use crate::bounds::work;

/// A record is about a kilobyte in memory.
const MOST_DATES: i64 = 100_000;

/// Lists the datetimes from one to another.
/// datetime, range, list, sequence, calendar
///
/// Both ends belong to the range; an end before the start gives an empty list.
#[derive(Node)]
#[node(namespace = "lib.date", tool)]
pub(super) struct DateRange {
    /// The first one.
    start_date: DateTime,
    /// No later than this.
    end_date: DateTime,
    /// Days from one to the next.
    #[prop(default = 1)]
    step_days: i64,
}

impl Process for DateRange {
    type Output = Vec<DateTime>;

    async fn process(self, _: &NodeCx) -> Result<Vec<DateTime>, NodeError> {
        let start = Moment::read("start_date", &self.start_date)?;
        let end = Moment::read("end_date", &self.end_date)?;
        let step = self.step_days;
        if step < 1 {
            return Err(NodeError::bad(
                "step_days",
                format!("{step} (expected at least 1)"),
            ));
        }
        let span = end.instant() - start.instant();
        if span < TimeDelta::zero() {
            return Ok(Vec::new());
        }
        let count = span.num_days() / step + 1;
        if count > MOST_DATES {
            return Err(NodeError::bad(
                "step_days",
                format!("{step} gives {count} dates (expected at most {MOST_DATES})"),
            ));
        }
        work(count as usize * 10, move || {
            (0..count)
                .map(|i| {
                    let wall = TimeDelta::try_days(i * step)
                        .and_then(|d| start.wall().checked_add_signed(d));
                    Ok(start.at("end_date", wall)?.record())
                })
                .collect()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    async fn range(from: (i32, u32, u32), to: (i32, u32, u32), step: i64) -> Result<usize, String> {
        let day = |(y, m, d)| Moment::utc(NaiveDate::from_ymd_opt(y, m, d).unwrap().into());
        case::<DateRange>()
            .set("start_date", day(from).record().0)
            .set("end_date", day(to).record().0)
            .set("step_days", Value::Int(step))
            .value()
            .await
            .map(|v| v.as_list().unwrap().len())
            .map_err(|e| e.to_string())
    }

    #[tokio::test]
    async fn both_ends_belong_to_the_range() {
        assert_eq!(range((2024, 2, 27), (2024, 3, 2), 2).await, Ok(3));
        assert_eq!(range((2024, 3, 2), (2024, 2, 27), 2).await, Ok(0));
        assert_eq!(range((2000, 1, 1), (2000, 1, 1), i64::MAX).await, Ok(1));
        assert_eq!(range((1900, 1, 1), (2000, 1, 1), 1).await, Ok(36_525));
    }

    #[tokio::test]
    async fn ranges_that_would_not_end_are_refused() {
        for (to, step) in [((2024, 1, 2), 0), ((2024, 1, 2), -1), ((9999, 12, 31), 1)] {
            let error = range((2024, 1, 1), to, step).await.unwrap_err();
            assert!(error.contains("`step_days`"), "{error}");
        }
    }
}

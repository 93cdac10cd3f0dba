//! `lib.date.DateDifference`.

use nodetool_sdk::{DateTime, Node, NodeCx, NodeError, Outputs, Process};

use super::record::Moment;

/// Measures the time from one datetime to another.
/// datetime, difference, between, duration, elapsed
///
/// Days are rounded down and the smaller parts count up from there: one second back in time is minus one day plus
/// 23 hours, 59 minutes and 59 seconds.
#[derive(Node)]
#[node(namespace = "lib.date", tool)]
pub(super) struct DateDifference {
    /// The earlier moment.
    start_date: DateTime,
    /// The later moment.
    end_date: DateTime,
}

/// The whole and its parts.
#[derive(Outputs)]
pub(super) struct Difference {
    total_seconds: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    seconds: i64,
}

impl Process for DateDifference {
    type Output = Difference;

    async fn process(self, _: &NodeCx) -> Result<Difference, NodeError> {
        let start = Moment::read("start_date", &self.start_date)?.instant();
        let end = Moment::read("end_date", &self.end_date)?.instant();
        let difference = end - start;
        // Ten thousand years in microseconds fit.
        let micros = difference.num_microseconds().unwrap_or_default();
        let whole = micros.div_euclid(1_000_000);
        let rest = whole.rem_euclid(86_400);
        Ok(Difference {
            total_seconds: difference.num_seconds(),
            days: whole.div_euclid(86_400),
            hours: rest / 3600,
            minutes: rest % 3600 / 60,
            seconds: rest % 60,
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn offsets_count_and_negative_parts_are_rounded_down() {
        let noon = NaiveDate::from_ymd_opt(2024, 3, 15)
            .unwrap()
            .and_hms_opt(12, 0, 0)
            .unwrap();
        let difference = case::<DateDifference>()
            .set("start_date", Moment::utc(noon).record().0)
            .set("end_date", Moment::with_offset(noon, 3600).record().0)
            .run()
            .await
            .unwrap();
        let parts: Vec<Value> = difference[0].values().cloned().collect();
        assert_eq!(parts, [-3600, -1, 23, 0, 0].map(Value::from));
    }
}

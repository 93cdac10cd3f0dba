//! `lib.date.AddTimeDelta`.

use chrono::TimeDelta;
use nodetool_sdk::{DateTime, Node, NodeCx, NodeError, Process};

use super::record::Moment;

/// Moves a datetime by days, hours and minutes.
/// datetime, add, subtract, shift, duration, offset
///
/// Negative numbers go back in time.
#[derive(Node)]
#[node(namespace = "lib.date", tool)]
pub(super) struct AddTimeDelta {
    /// Where to start.
    input_datetime: DateTime,
    /// Days to add.
    #[prop(min = -3650, max = 3650)]
    days: i64,
    /// Hours to add.
    #[prop(min = -24, max = 24)]
    hours: i64,
    /// Minutes to add.
    #[prop(min = -60, max = 60)]
    minutes: i64,
}

impl Process for AddTimeDelta {
    type Output = DateTime;

    async fn process(self, _: &NodeCx) -> Result<DateTime, NodeError> {
        let mut moment = Moment::read("input_datetime", &self.input_datetime)?;
        for (property, step) in [
            ("days", TimeDelta::try_days(self.days)),
            ("hours", TimeDelta::try_hours(self.hours)),
            ("minutes", TimeDelta::try_minutes(self.minutes)),
        ] {
            let wall = step.and_then(|d| moment.wall().checked_add_signed(d));
            moment = moment.at(property, wall)?;
        }
        Ok(moment.record())
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn a_step_beyond_the_calendar_is_refused_by_its_name() {
        let start = Moment::utc(NaiveDate::from_ymd_opt(9999, 12, 31).unwrap().into()).record();
        for (property, step) in [("days", 1), ("hours", 24), ("minutes", i64::MAX)] {
            let error = case::<AddTimeDelta>()
                .set("input_datetime", start.0.clone())
                .set(property, Value::Int(step))
                .run()
                .await
                .unwrap_err();
            assert!(error.to_string().contains(&format!("`{property}`")));
        }
    }
}

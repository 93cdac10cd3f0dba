//! `lib.date.GetWeekday`.

use chrono::{Datelike, Weekday};
use nodetool_sdk::{DateTime, Node, NodeCx, NodeError, Outputs, Process, Value};

use super::record::Moment;

/// Tells the day of the week.
/// datetime, weekday, day, week, name
///
/// Either its English name or its number, counted from Monday as 0.
#[derive(Node)]
#[node(namespace = "lib.date", tool)]
pub(super) struct GetWeekday {
    /// The moment.
    input_datetime: DateTime,
    /// Whether to give the name.
    #[prop(default = true)]
    as_name: bool,
}

/// The day's name or number.
#[derive(Outputs)]
pub(super) struct Day {
    #[slot(ty = "union[str, int]")]
    output: Value,
}

impl Process for GetWeekday {
    type Output = Day;

    async fn process(self, _: &NodeCx) -> Result<Day, NodeError> {
        let moment = Moment::read("input_datetime", &self.input_datetime)?;
        let day = moment.wall().weekday();
        let output = if self.as_name {
            name(day).into()
        } else {
            day.num_days_from_monday().into()
        };
        Ok(Day { output })
    }
}

fn name(day: Weekday) -> &'static str {
    match day {
        Weekday::Mon => "Monday",
        Weekday::Tue => "Tuesday",
        Weekday::Wed => "Wednesday",
        Weekday::Thu => "Thursday",
        Weekday::Fri => "Friday",
        Weekday::Sat => "Saturday",
        Weekday::Sun => "Sunday",
    }
}

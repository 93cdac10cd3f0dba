//! The units delays are given in.

use nodetool_sdk::NodeError;
use nodetool_sdk::steps::{FieldKind, FieldSpec};

/// Word, label and seconds; a month has 30 days.
const UNITS: [(&str, &str, i64); 5] = [
    ("seconds", "Seconds", 1),
    ("minutes", "Minutes", 60),
    ("hours", "Hours", 3_600),
    ("days", "Days", 86_400),
    ("months", "Months", 30 * 86_400),
];

/// The field a unit is chosen in.
pub(super) fn field() -> FieldSpec {
    let choices = UNITS.iter().map(|(word, label, _)| (*word, *label));
    FieldSpec::new("unit", FieldKind::Choice(choices.collect()))
        .required()
        .help("Unit of the time; a month has 30 days.")
}

/// Seconds of so many of a unit.
pub(super) fn seconds(field: &str, count: i64, unit: &str) -> Result<i64, NodeError> {
    let Some((.., each)) = UNITS.iter().find(|(word, ..)| *word == unit) else {
        let words = UNITS.map(|(word, ..)| word).join(", ");
        return Err(NodeError::bad(
            "unit",
            format!("found `{unit}`, expected one of {words}"),
        ));
    };
    match count.checked_mul(*each) {
        Some(seconds) if seconds >= 0 => Ok(seconds),
        _ => {
            let why = format!("{count} {unit} cannot be waited for");
            Err(NodeError::bad(field, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_seconds_and_what_fits_no_time_is_refused() {
        assert_eq!(seconds("interval", 2, "months").unwrap(), 5_184_000);
        assert_eq!(seconds("interval", 3, "minutes").unwrap(), 180);
        let said = |count, unit| seconds("interval", count, unit).unwrap_err().to_string();
        assert!(said(i64::MAX, "days").contains("`interval`"));
        assert!(said(-1, "days").contains("`interval`"));
        assert!(said(1, "weeks").contains("expected one of seconds"));
    }
}

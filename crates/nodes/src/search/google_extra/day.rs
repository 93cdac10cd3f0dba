//! Days as people and models write them, before they are sent.

use chrono::NaiveDate;
use nodetool_sdk::NodeError;

/// A day that has to be there.
pub(super) fn day(property: &str, text: &str) -> Result<NaiveDate, NodeError> {
    let text = text.trim();
    NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        let message = format!("{shown:?} (expected a day such as 2026-05-31)");
        NodeError::bad(property, message)
    })
}

/// A day that must not be before another.
pub(super) fn not_before(
    property: &str,
    day: NaiveDate,
    other: (&str, NaiveDate),
) -> Result<(), NodeError> {
    if day < other.1 {
        let message = format!("{day} is before `{}`, which is {}", other.0, other.1);
        return Err(NodeError::bad(property, message));
    }
    Ok(())
}

/// A number that has to lie within bounds.
pub(super) fn within(property: &str, number: i64, least: i64, most: i64) -> Result<i64, NodeError> {
    if !(least..=most).contains(&number) {
        let message = format!("{number} (expected {least} to {most})");
        return Err(NodeError::bad(property, message));
    }
    Ok(number)
}

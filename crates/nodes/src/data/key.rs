//! Cells as keys: which are the same, and which comes first.
//!
//! It must not know tables or nodes.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use nodetool_sdk::Value;

use super::cell::Budget;
use super::frame::Column;
use crate::order::numbers;

/// A cell that can be hashed; `1` and `1.0` are one key, missing cells are one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Missing,
    Bool(bool),
    Int(i64),
    Float(u64),
    Text(Arc<str>),
    Bytes(Bytes),
    Json(String),
}

impl Key {
    /// The key of a cell; a refusal when a nested one exceeds the budget.
    pub(super) fn of(value: &Value, budget: &mut Budget) -> Result<Key, String> {
        match Key::plain(value) {
            Some(key) => Ok(key),
            None => budget.json(value).map(Key::Json),
        }
    }

    /// The key of a cell that holds no list or object.
    pub(super) fn plain(value: &Value) -> Option<Key> {
        Some(match value {
            Value::Null => Key::Missing,
            Value::Bool(b) => Key::Bool(*b),
            Value::Int(i) => Key::Int(*i),
            Value::Float(f) if f.is_nan() => Key::Missing,
            Value::Float(f) => match whole(*f) {
                Some(i) => Key::Int(i),
                None => Key::Float(f.to_bits()),
            },
            Value::Str(s) => Key::Text(s.clone()),
            Value::Bytes(b) => Key::Bytes(b.clone()),
            Value::List(_) | Value::Map(_) => return None,
        })
    }
}

/// The integer a float equals, if it is one.
pub(super) fn whole(f: f64) -> Option<i64> {
    (f.fract() == 0.0 && (-9.2e18..9.2e18).contains(&f)).then_some(f as i64)
}

/// Whether a cell is missing.
pub(super) fn is_missing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Float(f) => f.is_nan(),
        _ => false,
    }
}

/// A total order of cells: numbers (false is 0, true is 1), then text by code point, then times, then the rest; missing
/// ones last.
pub(super) fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => a.cmp(b),
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        _ => {
            let (ra, rb) = (rank(a), rank(b));
            match ra.cmp(&rb) {
                Ordering::Equal if ra == 0 => numbers(a, b).unwrap_or(Ordering::Equal),
                Ordering::Equal if ra == 2 => instant(a).cmp(&instant(b)),
                other => other,
            }
        }
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        v if is_missing(v) => 5,
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => 0,
        Value::Str(_) => 1,
        Value::Map(_) if instant(value).is_some() => 2,
        Value::Bytes(_) => 3,
        _ => 4,
    }
}

/// The point in time of a date or datetime object, or of ISO text, in microseconds; without a zone it counts as UTC.
pub(super) fn instant(value: &Value) -> Option<i64> {
    match value {
        Value::Map(m) if matches!(value.type_tag(), Some("datetime" | "date")) => {
            let part = |key: &str| m.get(key).and_then(Value::as_i64).unwrap_or(0);
            let small = |key: &str| u32::try_from(part(key)).ok();
            let date = NaiveDate::from_ymd_opt(
                i32::try_from(part("year")).ok()?,
                small("month")?,
                small("day")?,
            )?;
            let time = date.and_hms_micro_opt(
                small("hour")?,
                small("minute")?,
                small("second")?,
                small("microsecond")?,
            )?;
            let offset = m.get("utc_offset").and_then(Value::as_f64).unwrap_or(0.0);
            Some(
                time.and_utc()
                    .timestamp_micros()
                    .saturating_sub((offset * 1e6) as i64),
            )
        }
        Value::Str(text) => {
            if let Ok(t) = DateTime::parse_from_rfc3339(text) {
                return Some(t.timestamp_micros());
            }
            for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"] {
                if let Ok(t) = NaiveDateTime::parse_from_str(text, format) {
                    return Some(t.and_utc().timestamp_micros());
                }
            }
            let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros())
        }
        _ => None,
    }
}

/// Rows with equal cells in some columns, numbered in order of first appearance.
pub(super) struct Distinct {
    /// Number of each row's class; `None` for rows left out.
    pub(super) class: Vec<Option<usize>>,
    /// The first row of each class.
    pub(super) first: Vec<usize>,
}

impl Distinct {
    /// The classes of all rows over these columns; rows with a missing cell stay out when `skip_missing`.
    pub(super) fn of(
        columns: &[&Column],
        rows: usize,
        skip_missing: bool,
    ) -> Result<Distinct, String> {
        let mut budget = Budget::new();
        let mut class: Vec<Option<usize>> = vec![Some(0); rows];
        let mut first: Vec<usize> = (0..rows.min(1)).collect();
        for column in columns {
            let mut cells: HashMap<Key, usize> = HashMap::new();
            let mut pairs: HashMap<(usize, usize), usize> = HashMap::new();
            first.clear();
            for (row, (value, class)) in column.values().iter().zip(&mut class).enumerate() {
                let Some(before) = *class else { continue };
                if skip_missing && is_missing(value) {
                    *class = None;
                    continue;
                }
                let next = cells.len();
                let cell = *cells.entry(Key::of(value, &mut budget)?).or_insert(next);
                let next = first.len();
                *class = Some(*pairs.entry((before, cell)).or_insert_with(|| {
                    first.push(row);
                    next
                }));
            }
        }
        Ok(Distinct { class, first })
    }

    /// Class numbers in the order of the cells of their first rows.
    pub(super) fn sorted(&self, columns: &[&Column]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.first.len()).collect();
        order.sort_by(|&a, &b| {
            let (a, b) = (self.first[a], self.first[b]);
            columns
                .iter()
                .map(|c| compare(&c.values()[a], &c.values()[b]))
                .find(|o| o.is_ne())
                .unwrap_or(Ordering::Equal)
        });
        order
    }

    /// The rows of each class, in order.
    pub(super) fn members(&self) -> Members {
        let mut ends = vec![0usize; self.first.len()];
        for class in self.class.iter().flatten() {
            ends[*class] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum;
        }
        let mut rows = vec![0; sum];
        let mut next = ends.clone();
        for (row, class) in self.class.iter().enumerate().rev() {
            if let Some(class) = class {
                next[*class] -= 1;
                rows[next[*class]] = row;
            }
        }
        Members { rows, ends }
    }
}

/// Rows gathered by class.
pub(super) struct Members {
    rows: Vec<usize>,
    ends: Vec<usize>,
}

impl Members {
    /// The rows of one class, in order.
    pub(super) fn of(&self, class: usize) -> &[usize] {
        let start = if class == 0 { 0 } else { self.ends[class - 1] };
        &self.rows[start..self.ends[class]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_total_even_for_integers_no_float_can_hold() {
        let big = 1i64 << 53;
        let values = [
            Value::Int(big + 1),
            Value::Float(big as f64),
            Value::Int(big),
            Value::Float(f64::INFINITY),
            Value::Int(i64::MAX),
            Value::Float(9.3e18),
            Value::Float(-0.5),
            Value::Int(0),
            Value::Int(-1),
            Value::Bool(true),
            Value::from("b"),
            Value::from("a"),
            Value::Null,
            Value::list([]),
        ];
        for a in &values {
            for b in &values {
                assert_eq!(compare(a, b), compare(b, a).reverse(), "{a:?} {b:?}");
                for c in &values {
                    if compare(a, b).is_le() && compare(b, c).is_le() {
                        assert!(compare(a, c).is_le(), "{a:?} {b:?} {c:?}");
                    }
                }
            }
        }
        assert_eq!(
            compare(&Value::Int(big + 1), &Value::Float(big as f64)),
            Ordering::Greater
        );
        assert_eq!(
            compare(&Value::Int(0), &Value::Float(-0.5)),
            Ordering::Greater
        );
    }

    #[test]
    fn whole_floats_and_integers_are_one_key_and_booleans_are_not() {
        assert_eq!(Key::plain(&Value::Float(1.0)), Key::plain(&Value::Int(1)));
        assert_ne!(Key::plain(&Value::Bool(true)), Key::plain(&Value::Int(1)));
        assert_eq!(Key::plain(&Value::Float(f64::NAN)), Some(Key::Missing));
    }

    #[test]
    fn dates_compare_with_iso_text() {
        let date = Value::map([
            ("type", Value::from("date")),
            ("year", 2024i64.into()),
            ("month", 2i64.into()),
            ("day", 29i64.into()),
        ]);
        assert_eq!(instant(&date), instant(&Value::from("2024-02-29")));
        assert_eq!(
            instant(&Value::from("2024-02-29T02:00:00+02:00")),
            instant(&date)
        );
        assert_eq!(instant(&Value::from("29.2.2024")), None);
    }
}

//! One value from many: sum, mean, count and the rest, over some rows of a column.
//!
//! It must not know how rows were gathered.

use std::cmp::Ordering;

use nodetool_sdk::Value;

use super::frame::{Column, Kind};
use super::key::{compare, is_missing};

/// Most bytes of joined text.
const MAX_TEXT: usize = 256 << 20;

/// A way to make one value of many. Missing cells are left out by all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregation {
    Sum,
    Mean,
    Count,
    Min,
    Max,
    Std,
    Var,
    Median,
    First,
    Last,
}

impl Aggregation {
    /// All of them by name.
    const NAMES: [(&'static str, Aggregation); 10] = [
        ("sum", Aggregation::Sum),
        ("mean", Aggregation::Mean),
        ("count", Aggregation::Count),
        ("min", Aggregation::Min),
        ("max", Aggregation::Max),
        ("std", Aggregation::Std),
        ("var", Aggregation::Var),
        ("median", Aggregation::Median),
        ("first", Aggregation::First),
        ("last", Aggregation::Last),
    ];

    /// The one of that name.
    pub(super) fn named(name: &str) -> Option<Aggregation> {
        let found = Self::NAMES.iter().find(|(n, _)| *n == name);
        found.map(|(_, a)| *a)
    }

    /// The one a property names, or a refusal that lists them all.
    pub(super) fn parse(name: &str) -> Result<Aggregation, String> {
        Self::named(name.trim()).ok_or_else(|| {
            let names = Self::NAMES.map(|(n, _)| n).join(", ");
            let shown: String = name.chars().take(80).collect();
            format!("Unknown aggregation function: {shown} (expected one of {names})")
        })
    }

    fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, a)| *a == self);
        found.map_or("", |(n, _)| *n)
    }

    /// Refuses a column the aggregation has no meaning for.
    pub(super) fn check(self, column: &Column) -> Result<(), String> {
        let number = |v: &Value| {
            matches!(
                v,
                Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_)
            )
        };
        let expected = match self {
            Aggregation::Mean | Aggregation::Std | Aggregation::Var | Aggregation::Median => {
                "numbers"
            }
            Aggregation::Sum if column.kind() == Kind::String => return Ok(()),
            Aggregation::Sum => "numbers, or text only",
            _ => return Ok(()),
        };
        match column.values().iter().find(|v| !number(v)) {
            Some(v) if !column.kind().is_number() => Err(format!(
                "column '{}' holds {} {}, of which there is no {} (expected {expected})",
                column.name(),
                v.kind(),
                v.preview(40),
                self.name()
            )),
            _ => Ok(()),
        }
    }

    /// What the results are, where their values leave it open.
    pub(super) fn kind(self, column: &Column) -> Option<Kind> {
        match self {
            Aggregation::Count => Some(Kind::Int),
            Aggregation::Mean | Aggregation::Std | Aggregation::Var | Aggregation::Median => {
                Some(Kind::Float)
            }
            _ => Some(column.kind()),
        }
    }

    /// The value for some rows of a column that passed [`check`](Self::check).
    pub(super) fn apply(self, column: &Column, rows: &[usize]) -> Result<Value, String> {
        let present = || {
            let cells = rows.iter().map(|&r| &column.values()[r]);
            cells.filter(|v| !is_missing(v))
        };
        let value = match self {
            Aggregation::Count => present().count().into(),
            Aggregation::First => present().next().cloned().unwrap_or_default(),
            Aggregation::Last => present().next_back().cloned().unwrap_or_default(),
            Aggregation::Min => present()
                .min_by(|a, b| compare(a, b))
                .cloned()
                .unwrap_or_default(),
            // Of equal ones the first, as for the least.
            Aggregation::Max => present()
                .reduce(|a, b| {
                    if compare(b, a) == Ordering::Greater {
                        b
                    } else {
                        a
                    }
                })
                .cloned()
                .unwrap_or_default(),
            Aggregation::Sum if column.kind() == Kind::String => join(present())?,
            Aggregation::Sum => sum(present(), column.kind()),
            Aggregation::Mean => {
                let (n, total) = total(present());
                fraction(total, n)
            }
            Aggregation::Median => {
                let mut numbers: Vec<f64> = present().map(number).collect();
                numbers.sort_unstable_by(f64::total_cmp);
                let half = numbers.len() / 2;
                match numbers.len() {
                    0 => Value::Null,
                    n if n % 2 == 1 => numbers[half].into(),
                    _ => (numbers[half - 1] / 2.0 + numbers[half] / 2.0).into(),
                }
            }
            Aggregation::Var => variance(present).into(),
            Aggregation::Std => variance(present).map(f64::sqrt).into(),
        };
        Ok(value)
    }
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Bool(b) => f64::from(u8::from(*b)),
        other => other.as_f64().unwrap_or(f64::NAN),
    }
}

fn fraction(total: f64, n: usize) -> Value {
    if n == 0 {
        Value::Null
    } else {
        (total / n as f64).into()
    }
}

/// Count and sum; rounding errors of small parts are carried along, so that their order hardly matters.
fn total<'a>(values: impl Iterator<Item = &'a Value>) -> (usize, f64) {
    let (mut n, mut sum, mut carry) = (0, 0.0, 0.0);
    for v in values {
        let part = number(v) - carry;
        let next: f64 = sum + part;
        carry = next - sum - part;
        if !carry.is_finite() {
            carry = 0.0;
        }
        sum = next;
        n += 1;
    }
    (n, sum)
}

fn sum<'a>(values: impl Iterator<Item = &'a Value>, kind: Kind) -> Value {
    let (mut whole, mut floats) = (0i128, Vec::new());
    for v in values {
        match v {
            Value::Int(i) => whole += i128::from(*i),
            Value::Bool(b) => whole += i128::from(*b),
            other => floats.push(other),
        }
    }
    if floats.is_empty() && kind != Kind::Float {
        return match i64::try_from(whole) {
            Ok(i) => i.into(),
            Err(_) => (whole as f64).into(),
        };
    }
    (whole as f64 + total(floats.into_iter()).1).into()
}

fn join<'a>(values: impl Iterator<Item = &'a Value>) -> Result<Value, String> {
    let mut out = String::new();
    for text in values.filter_map(Value::as_str) {
        if out.len() + text.len() > MAX_TEXT {
            return Err(format!(
                "the joined text is too long (expected at most {MAX_TEXT} bytes)"
            ));
        }
        out.push_str(text);
    }
    Ok(out.into())
}

/// Sample variance: divided by one less than the count.
fn variance<'a, I: Iterator<Item = &'a Value>>(values: impl Fn() -> I) -> Option<f64> {
    let (n, sum) = total(values());
    if n < 2 {
        return None;
    }
    let mean = sum / n as f64;
    let squares: f64 = values().map(|v| (number(v) - mean).powi(2)).sum();
    Some(squares / (n - 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, values: &[Value]) -> Result<String, String> {
        let column = Column::new("c", values.to_vec(), None);
        let rows: Vec<usize> = (0..values.len()).collect();
        let a = Aggregation::parse(name)?;
        a.check(&column)?;
        Ok(format!("{:?}", a.apply(&column, &rows)?))
    }

    #[test]
    fn results_are_those_of_pandas() {
        let ints: Vec<Value> = [3i64, 1, 2, 2].map(Value::from).into();
        let gaps = [Value::Null, 2.5.into(), Value::Null, 0.5.into()];
        let texts = ["b".into(), Value::Null, "a".into()];
        let flags = [true.into(), false.into(), true.into()];
        for (name, values, want) in [
            ("sum", &ints[..], "8"),
            ("mean", &ints, "2.0"),
            ("median", &ints, "2.0"),
            ("var", &ints, "0.6666666666666666"),
            ("std", &ints[..1], "null"),
            ("sum", &gaps, "3.0"),
            ("count", &gaps, "2"),
            ("first", &gaps, "2.5"),
            ("last", &gaps, "0.5"),
            ("sum", &texts, "\"ba\""),
            ("min", &texts, "\"a\""),
            ("max", &texts, "\"b\""),
            ("sum", &flags, "2"),
            ("mean", &flags[..2], "0.5"),
            (
                "sum",
                &[i64::MAX.into(), 1i64.into()],
                "9.223372036854776e18",
            ),
            ("mean", &[], "null"),
        ] {
            assert_eq!(of(name, values).unwrap(), want, "{name} of {values:?}");
        }
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        assert!(
            of("mean", &["x".into()])
                .unwrap_err()
                .contains("'c' holds str")
        );
        assert!(
            of("mode", &[])
                .unwrap_err()
                .starts_with("Unknown aggregation function: mode")
        );
    }
}

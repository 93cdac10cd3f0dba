//! Which of two values comes first, as Python orders them. It must not know any node.

use std::cell::Cell;
use std::cmp::Ordering;

use nodetool_sdk::Value;

/// The order of two numbers; booleans count as 0 and 1. `None` when either is no number or not a number (NaN).
pub(crate) fn numbers(a: &Value, b: &Value) -> Option<Ordering> {
    match (plain(a)?, plain(b)?) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(&b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(&b),
        (Value::Int(a), Value::Float(b)) => int_and_float(a, b),
        (Value::Float(a), Value::Int(b)) => int_and_float(b, a).map(Ordering::reverse),
        _ => None,
    }
}

fn plain(value: &Value) -> Option<Value> {
    match value {
        Value::Int(_) | Value::Float(_) => Some(value.clone()),
        Value::Bool(b) => Some(Value::Int(i64::from(*b))),
        _ => None,
    }
}

/// Exact, so that it agrees with the order of integers beyond 2^53.
fn int_and_float(i: i64, f: f64) -> Option<Ordering> {
    const EDGE: f64 = 9_223_372_036_854_775_808.0;
    if f.is_nan() {
        return None;
    }
    if f >= EDGE {
        return Some(Ordering::Less);
    }
    if f < -EDGE {
        return Some(Ordering::Greater);
    }
    let whole = f.trunc();
    Some(
        i.cmp(&(whole as i64))
            .then_with(|| whole.partial_cmp(&f).unwrap_or(Ordering::Equal)),
    )
}

/// Sorts, equal items keeping their places; an error names two items that have no order.
pub(crate) fn sort(items: &mut [Value], descending: bool) -> Result<(), String> {
    let trouble = Cell::new(None);
    items.sort_by(|a, b| {
        let order = total(a, b, &trouble);
        if descending { order.reverse() } else { order }
    });
    match trouble.into_inner() {
        Some((a, b)) => Err(format!("{a} and {b} cannot be compared")),
        None => Ok(()),
    }
}

type Trouble = Cell<Option<(&'static str, &'static str)>>;

/// A total order over all values, since a sort may not be lied to; pairs that Python refuses are noted on the way.
fn total(a: &Value, b: &Value, trouble: &Trouble) -> Ordering {
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => a.cmp(b),
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        (Value::List(x), Value::List(y)) => {
            for (x, y) in x.iter().zip(y.iter()) {
                let alike = match (x, y) {
                    (Value::Null, Value::Null) => true,
                    (Value::Map(_), Value::Map(_)) => x == y,
                    _ => false,
                };
                let order = if alike {
                    Ordering::Equal
                } else {
                    total(x, y, trouble)
                };
                if order.is_ne() {
                    return order;
                }
            }
            x.len().cmp(&y.len())
        }
        _ if family(a) == 1 && family(b) == 1 => {
            // Not-a-number has no place of its own: last.
            let nan = |v: &Value| matches!(v, Value::Float(f) if f.is_nan());
            numbers(a, b).unwrap_or_else(|| nan(a).cmp(&nan(b)))
        }
        _ => {
            trouble.set(Some((a.kind(), b.kind())));
            family(a).cmp(&family(b))
        }
    }
}

fn family(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => 1,
        Value::Str(_) => 2,
        Value::Bytes(_) => 3,
        Value::List(_) => 4,
        Value::Map(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_floats_compare_exactly() {
        let big = 9_007_199_254_740_993i64;
        for (a, b, want) in [
            (Value::Int(1), Value::Float(1.0), Ordering::Equal),
            (
                Value::Int(big),
                Value::Float(9_007_199_254_740_992.0),
                Ordering::Greater,
            ),
            (Value::Int(i64::MAX), Value::Float(9.3e18), Ordering::Less),
            (Value::Int(-1), Value::Float(-1.5), Ordering::Greater),
            (
                Value::Int(0),
                Value::Float(f64::NEG_INFINITY),
                Ordering::Greater,
            ),
            (Value::Bool(true), Value::Int(1), Ordering::Equal),
        ] {
            assert_eq!(numbers(&a, &b), Some(want), "{a:?} {b:?}");
            assert_eq!(numbers(&b, &a), Some(want.reverse()), "{b:?} {a:?}");
        }
        assert_eq!(numbers(&Value::Float(f64::NAN), &Value::Int(1)), None);
    }

    #[test]
    fn mixed_kinds_and_nan_neither_panic_nor_pass_silently() {
        let mut items: Vec<Value> = (0..200i64)
            .map(|i| match i % 4 {
                0 => Value::Int(i * 7919 % 101),
                1 => Value::Float(f64::NAN),
                2 => Value::Float((i as f64) / 3.0),
                _ => Value::Bool(i % 8 == 3),
            })
            .collect();
        sort(&mut items, false).unwrap();
        items.push("x".into());
        assert!(sort(&mut items, true).unwrap_err().contains("str"));
        assert!(sort(&mut [Value::Null, Value::Null], false).is_err());
        assert!(sort(&mut [Value::Null], false).is_ok());
    }
}

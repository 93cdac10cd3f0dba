//! What operators and comparisons do to values, by Python's rules: `//` and `%` round down, booleans are numbers.

use std::cmp::Ordering;

use nodetool_protocol::Value;

pub use super::syntax::Binary;

/// Python's truth of a value.
pub fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Int(i) => *i != 0,
        Value::Float(f) => *f != 0.0,
        Value::Str(s) => !s.is_empty(),
        Value::Bytes(b) => !b.is_empty(),
        Value::List(l) => !l.is_empty(),
        Value::Map(m) => !m.is_empty(),
    }
}

/// A number, or a boolean as one.
pub fn number(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(b) => Some(Value::Int((*b).into())),
        Value::Int(_) | Value::Float(_) => Some(value.clone()),
        _ => None,
    }
}

/// Equality where `True == 1`.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// The order of numbers, texts and lists of such; nothing for values that have none.
pub fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        (Value::List(a), Value::List(b)) => {
            for (x, y) in a.iter().zip(b.iter()) {
                match compare(x, y)? {
                    Ordering::Equal => {}
                    other => return Some(other),
                }
            }
            Some(a.len().cmp(&b.len()))
        }
        _ => match (number(a)?, number(b)?) {
            (Value::Int(a), Value::Int(b)) => Some(a.cmp(&b)),
            (a, b) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        },
    }
}

/// An operator on two numbers; nothing when they are not numbers.
pub fn arithmetic(op: Binary, a: &Value, b: &Value) -> Option<Result<Value, String>> {
    let (a, b) = (number(a)?, number(b)?);
    let by_zero = || Err("division by zero".to_owned());
    if let (Value::Int(a), Value::Int(b)) = (&a, &b) {
        let (a, b) = (*a, *b);
        let whole = match op {
            Binary::Add => a.checked_add(b),
            Binary::Sub => a.checked_sub(b),
            Binary::Mul => a.checked_mul(b),
            Binary::FloorDiv | Binary::Mod | Binary::Div if b == 0 => return Some(by_zero()),
            Binary::FloorDiv => a.checked_div_euclid(b).map(|q| {
                // Euclid rounds so that the rest is positive; down means towards the sign of b.
                if b < 0 && a.rem_euclid(b) != 0 {
                    q - 1
                } else {
                    q
                }
            }),
            Binary::Mod => a.checked_rem(b).map(|r| {
                if r != 0 && (r < 0) != (b < 0) {
                    r + b
                } else {
                    r
                }
            }),
            Binary::Pow if b >= 0 => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
            Binary::Div | Binary::Pow | Binary::Concat => None,
        };
        match (op, whole) {
            (_, Some(i)) => return Some(Ok(i.into())),
            (Binary::Div, _) => {}
            (Binary::Pow, _) if b < 0 => {}
            _ => return Some(Err("the number is too large".into())),
        }
    }
    let (a, b) = (a.as_f64()?, b.as_f64()?);
    Some(Ok(Value::Float(match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div | Binary::FloorDiv | Binary::Mod if b == 0.0 => return Some(by_zero()),
        Binary::Div => a / b,
        Binary::FloorDiv => (a / b).floor(),
        Binary::Mod => a - b * (a / b).floor(),
        Binary::Pow if a == 0.0 && b < 0.0 => return Some(by_zero()),
        Binary::Pow => a.powf(b),
        Binary::Concat => return None,
    })))
}

/// The sign of an operator, for messages.
pub fn sign(op: Binary) -> &'static str {
    match op {
        Binary::Add => "+",
        Binary::Sub => "-",
        Binary::Concat => "~",
        Binary::Mul => "*",
        Binary::Div => "/",
        Binary::FloorDiv => "//",
        Binary::Mod => "%",
        Binary::Pow => "**",
    }
}

/// Start, stop and step of a Python slice over `len` items, as indices to visit.
pub fn slice(
    len: usize,
    start: Option<i64>,
    stop: Option<i64>,
    step: i64,
) -> impl Iterator<Item = usize> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let clamp = |bound: i64, low: i64, high: i64| {
        let bound = if bound < 0 {
            bound.saturating_add(len)
        } else {
            bound
        };
        bound.clamp(low, high)
    };
    let (start, stop) = if step > 0 {
        (
            start.map_or(0, |s| clamp(s, 0, len)),
            stop.map_or(len, |s| clamp(s, 0, len)),
        )
    } else {
        (
            start.map_or(len - 1, |s| clamp(s, -1, len - 1)),
            stop.map_or(-1, |s| clamp(s, -1, len - 1)),
        )
    };
    let mut at = Some(start);
    std::iter::from_fn(move || {
        let here = at?;
        let inside = if step > 0 { here < stop } else { here > stop };
        if !inside || step == 0 {
            return None;
        }
        at = here.checked_add(step);
        usize::try_from(here).ok()
    })
}

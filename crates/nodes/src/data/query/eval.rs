//! What a condition says of one row.
//!
//! Missing values fulfil no comparison but `!=`; a text that spells a number compares with numbers as that number;
//! a text that does not is neither less nor greater than a number.

use std::cell::Cell;
use std::cmp::Ordering;

use nodetool_sdk::Value;

use super::expr::{Arithmetic, Comparison, Expr, Function, Set};
use crate::data::cell::MAX_DEPTH;
use crate::data::key::{Key, instant, is_missing};
use crate::order::numbers;

/// Longest text an operator makes.
const MAX_TEXT: usize = 16 << 20;

/// Most nested values compared for one row.
const MAX_STEPS: usize = 1_000_000;

/// Nested values that may still be compared for the row at hand.
pub(super) struct Steps(Cell<usize>);

impl Steps {
    /// The steps of one row.
    pub(super) fn new() -> Self {
        Steps(Cell::new(MAX_STEPS))
    }

    fn take(&self) -> Result<(), String> {
        let left = self.0.get().checked_sub(1).ok_or_else(|| {
            format!(
                "lists or objects are too large to compare (expected at most {MAX_STEPS} values)"
            )
        })?;
        self.0.set(left);
        Ok(())
    }
}

/// Where the values of names come from.
pub(super) trait Cells {
    /// The cell of the row at hand under a name.
    fn cell(&self, name: usize) -> Value;
    /// A value over a whole column.
    fn whole(&self, whole: usize) -> Value;
    /// What may still be compared.
    fn steps(&self) -> &Steps;
}

/// The value of an expression for one row.
pub(super) fn eval(expr: &Expr, cells: &dyn Cells) -> Result<Value, String> {
    Ok(match expr {
        Expr::Const(v) => v.clone(),
        Expr::Set(set) => Value::list(set.items.iter().cloned()),
        Expr::List(items) => {
            let items: Result<Vec<Value>, String> = items.iter().map(|e| eval(e, cells)).collect();
            items?.into()
        }
        Expr::Name(name) => cells.cell(*name),
        Expr::Whole(whole) => cells.whole(*whole),
        Expr::Not(e) => (!truth(&eval(e, cells)?)).into(),
        Expr::Minus(e) => match eval(e, cells)? {
            Value::Null => Value::Null,
            v => binary(Arithmetic::Subtract, &Value::Int(0), &v)?,
        },
        Expr::All(parts) => {
            for part in parts {
                if !truth(&eval(part, cells)?) {
                    return Ok(false.into());
                }
            }
            true.into()
        }
        Expr::Any(parts) => {
            for part in parts {
                if truth(&eval(part, cells)?) {
                    return Ok(true.into());
                }
            }
            false.into()
        }
        Expr::Compare(first, rest) => {
            let mut left = eval(first, cells)?;
            let mut left_is_none = is_none(first);
            for (how, right) in rest {
                if let Expr::Set(set) = right {
                    let found = set.has(&left, cells.steps())?;
                    let wanted = match how {
                        Comparison::In | Comparison::Equal => true,
                        Comparison::NotIn | Comparison::Unequal => false,
                        _ => return Err("a list has no order (expected in or not in)".into()),
                    };
                    if found != wanted {
                        return Ok(false.into());
                    }
                    (left, left_is_none) = (Value::Null, false);
                    continue;
                }
                let value = eval(right, cells)?;
                let none = left_is_none || is_none(right);
                if !compare(*how, &left, &value, none, cells.steps())? {
                    return Ok(false.into());
                }
                (left, left_is_none) = (value, is_none(right));
            }
            true.into()
        }
        Expr::Binary(how, a, b) => binary(*how, &eval(a, cells)?, &eval(b, cells)?)?,
        Expr::Search {
            of,
            pattern,
            missing,
        } => match eval(of, cells)? {
            Value::Str(text) => pattern.is_in(&text)?.into(),
            _ => (*missing).into(),
        },
        Expr::Member(of, key) => eval(of, cells)?.get(key).cloned().unwrap_or_default(),
        Expr::Item(of, at) => item(&eval(of, cells)?, &eval(at, cells)?),
        Expr::Call(function, args) => {
            let args: Result<Vec<Value>, String> = args.iter().map(|e| eval(e, cells)).collect();
            call(*function, &args?, cells.steps())?
        }
    })
}

fn is_none(expr: &Expr) -> bool {
    matches!(expr, Expr::Const(Value::Null))
}

/// Whether a value counts as true: not false, zero, empty or missing.
pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Int(i) => *i != 0,
        Value::Float(f) => *f != 0.0 && !f.is_nan(),
        Value::Str(s) => !s.is_empty(),
        Value::Bytes(b) => !b.is_empty(),
        Value::List(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
    }
}

/// A comparison; `none` when one side is the word None, which stands for "missing".
fn compare(
    how: Comparison,
    a: &Value,
    b: &Value,
    none: bool,
    steps: &Steps,
) -> Result<bool, String> {
    let ordered = |fits: fn(Ordering) -> bool| order(a, b).is_some_and(fits);
    Ok(match how {
        Comparison::Equal if none => is_missing(a) == is_missing(b),
        Comparison::Unequal if none => is_missing(a) != is_missing(b),
        Comparison::Equal => equal_or_in(a, b, steps)?,
        Comparison::Unequal => !equal_or_in(a, b, steps)?,
        Comparison::Less => ordered(Ordering::is_lt),
        Comparison::LessEqual => ordered(Ordering::is_le),
        Comparison::Greater => ordered(Ordering::is_gt),
        Comparison::GreaterEqual => ordered(Ordering::is_ge),
        Comparison::In => is_in(a, b, steps)?,
        Comparison::NotIn => !is_in(a, b, steps)?,
    })
}

/// `==`; a single value equals a list when it is in it.
fn equal_or_in(a: &Value, b: &Value, steps: &Steps) -> Result<bool, String> {
    match (a, b) {
        (Value::List(_), Value::List(_)) => equal(a, b, steps),
        (one, Value::List(items)) | (Value::List(items), one) => is_among(one, items, steps),
        _ => equal(a, b, steps),
    }
}

/// `in`: among the items of a list, a key of an object; with text as with one item.
fn is_in(a: &Value, b: &Value, steps: &Steps) -> Result<bool, String> {
    match b {
        Value::List(items) => is_among(a, items, steps),
        Value::Map(map) => Ok(a.as_str().is_some_and(|key| map.contains_key(key))),
        _ => equal(a, b, steps),
    }
}

fn is_among(one: &Value, items: &[Value], steps: &Steps) -> Result<bool, String> {
    for item in items {
        if equal(one, item, steps)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal(a: &Value, b: &Value, steps: &Steps) -> Result<bool, String> {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Ok(false),
        (Value::List(_), Value::List(_)) => same(a, b, steps, 0),
        (Value::Map(_), Value::Map(_)) => {
            Ok(order(a, b) == Some(Ordering::Equal) || same(a, b, steps, 0)?)
        }
        (Value::Bytes(a), Value::Bytes(b)) => Ok(a == b),
        _ => Ok(order(a, b) == Some(Ordering::Equal)),
    }
}

/// Whether two nested values are the same all through.
fn same(a: &Value, b: &Value, steps: &Steps, depth: usize) -> Result<bool, String> {
    steps.take()?;
    if depth > MAX_DEPTH {
        return Err(format!(
            "lists or objects are nested too deeply to compare (expected at most {MAX_DEPTH} levels)"
        ));
    }
    match (a, b) {
        (Value::List(a), Value::List(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (a, b) in a.iter().zip(b.iter()) {
                if !same(a, b, steps, depth + 1)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Map(a), Value::Map(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (key, a) in a.iter() {
                match b.get(key) {
                    Some(b) if same(a, b, steps, depth + 1)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        (Value::List(_) | Value::Map(_), _) | (_, Value::List(_) | Value::Map(_)) => Ok(false),
        _ => Ok(a == b),
    }
}

/// The order of two values that have one.
fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => Some(a.as_ref().cmp(b.as_ref())),
        (Value::Map(_), _) | (_, Value::Map(_)) => Some(instant(a)?.cmp(&instant(b)?)),
        (Value::Str(_), _) => numbers(&spelled(a)?, b),
        (_, Value::Str(_)) => numbers(a, &spelled(b)?),
        _ => numbers(a, b),
    }
}

/// The number a text spells.
fn spelled(value: &Value) -> Option<Value> {
    let text = value.as_str()?.trim();
    if !text.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    match text.parse::<i64>() {
        Ok(i) => Some(i.into()),
        Err(_) => text.parse::<f64>().ok().map(Value::Float),
    }
}

/// A boolean as the number it counts as.
fn plain(value: &Value) -> Value {
    match value {
        Value::Bool(b) => i64::from(*b).into(),
        other => other.clone(),
    }
}

/// Prepares a list of literals for look-ups.
pub(super) fn set_of(items: Vec<Value>) -> Set {
    let key = |v: &Value| Key::plain(&plain(v)).filter(|k| *k != Key::Missing);
    Set {
        keys: items.iter().filter_map(key).collect(),
        spelled: items
            .iter()
            .filter_map(spelled)
            .filter_map(|v| key(&v))
            .collect(),
        missing: items.iter().any(is_missing),
        items,
    }
}

impl Set {
    /// Whether a value equals one of the literals; a missing one only when None is among them. Of a list, whether an item
    /// does.
    fn has(&self, value: &Value, steps: &Steps) -> Result<bool, String> {
        if let Value::List(items) = value {
            for item in items.iter() {
                steps.take()?;
                if !matches!(item, Value::List(_)) && self.has(item, steps)? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        let Some(key) = Key::plain(&plain(value)) else {
            return is_among(value, &self.items, steps);
        };
        Ok(match key {
            Key::Missing => self.missing,
            Key::Text(_) => {
                let number = spelled(value).and_then(|v| Key::plain(&v));
                self.keys.contains(&key) || number.is_some_and(|n| self.keys.contains(&n))
            }
            _ => self.keys.contains(&key) || self.spelled.contains(&key),
        })
    }
}

fn number(value: &Value) -> Result<Option<Value>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Float(f) if f.is_nan() => Ok(None),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => Ok(Some(plain(value))),
        Value::Str(_) => Ok(spelled(value)),
        other => Err(format!(
            "cannot calculate with {} {} (expected a number)",
            other.kind(),
            other.preview(40)
        )),
    }
}

fn float(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn binary(how: Arithmetic, a: &Value, b: &Value) -> Result<Value, String> {
    if let (Arithmetic::Add, Value::Str(a), Value::Str(b)) = (how, a, b) {
        if a.len() + b.len() > MAX_TEXT {
            return Err(format!(
                "the joined text is too long (expected at most {MAX_TEXT} bytes)"
            ));
        }
        return Ok(format!("{a}{b}").into());
    }
    let (Some(a), Some(b)) = (number(a)?, number(b)?) else {
        return Ok(Value::Null);
    };
    if let (Value::Int(x), Value::Int(y)) = (&a, &b) {
        let (x, y) = (*x, *y);
        let whole = match how {
            Arithmetic::Add => x.checked_add(y),
            Arithmetic::Subtract => x.checked_sub(y),
            Arithmetic::Multiply => x.checked_mul(y),
            Arithmetic::Divide => None,
            Arithmetic::FloorDivide => x
                .checked_div(y)
                .map(|q| q - i64::from(x % y != 0 && (x < 0) != (y < 0))),
            Arithmetic::Modulo => x.checked_rem(y).map(|r| {
                if r != 0 && (r < 0) != (y < 0) {
                    r + y
                } else {
                    r
                }
            }),
            Arithmetic::Power => u32::try_from(y).ok().and_then(|y| x.checked_pow(y)),
        };
        if let Some(i) = whole {
            return Ok(i.into());
        }
    }
    let (x, y) = (float(&a), float(&b));
    Ok(Value::Float(match how {
        Arithmetic::Add => x + y,
        Arithmetic::Subtract => x - y,
        Arithmetic::Multiply => x * y,
        Arithmetic::Divide => x / y,
        Arithmetic::FloorDivide => (x / y).floor(),
        Arithmetic::Modulo if y == 0.0 => f64::NAN,
        Arithmetic::Modulo => {
            let r = x % y;
            if r != 0.0 && (r < 0.0) != (y < 0.0) {
                r + y
            } else {
                r
            }
        }
        Arithmetic::Power => x.powf(y),
    }))
}

fn item(of: &Value, at: &Value) -> Value {
    let place = |length: usize| {
        let at = at.as_i64()?;
        let at = if at < 0 {
            at.checked_add(i64::try_from(length).ok()?)?
        } else {
            at
        };
        usize::try_from(at).ok()
    };
    let found = match of {
        Value::List(items) => place(items.len()).and_then(|i| items.get(i).cloned()),
        Value::Str(text) => place(text.chars().count())
            .and_then(|i| text.chars().nth(i))
            .map(|c| c.to_string().into()),
        Value::Map(map) => at.as_str().and_then(|key| map.get(key).cloned()),
        _ => None,
    };
    found.unwrap_or_default()
}

fn call(function: Function, args: &[Value], steps: &Steps) -> Result<Value, String> {
    let of = args.first().unwrap_or(&Value::Null);
    let second = args.get(1).unwrap_or(&Value::Null);
    let text = |f: &dyn Fn(&str) -> Value| of.as_str().map(f).unwrap_or_default();
    let math = |f: fn(f64) -> f64| Ok(number(of)?.map(|v| f(float(&v))).into());
    Ok(match function {
        Function::IsMissing => is_missing(of).into(),
        Function::IsPresent => (!is_missing(of)).into(),
        Function::Between => {
            let third = args.get(2).unwrap_or(&Value::Null);
            (order(of, second).is_some_and(Ordering::is_ge)
                && order(of, third).is_some_and(Ordering::is_le))
            .into()
        }
        Function::Length => match of {
            Value::List(items) => items.len().into(),
            Value::Map(map) => map.len().into(),
            _ => text(&|t| t.chars().count().into()),
        },
        Function::Lower => text(&|t| t.to_lowercase().into()),
        Function::Upper => text(&|t| t.to_uppercase().into()),
        Function::Trim => text(&|t| t.trim().into()),
        Function::Includes => match of {
            Value::List(items) => is_among(second, items, steps)?.into(),
            _ => with_text(of, second, |t, part| t.contains(part)),
        },
        Function::StartsWith => with_text(of, second, |t, part| t.starts_with(part)),
        Function::EndsWith => with_text(of, second, |t, part| t.ends_with(part)),
        Function::Abs => match number(of)? {
            Some(Value::Int(i)) => i
                .checked_abs()
                .map_or(Value::Float(-(i as f64)), Value::Int),
            Some(v) => float(&v).abs().into(),
            None => Value::Null,
        },
        Function::Round => round(of, second)?,
        Function::Floor => return math(f64::floor),
        Function::Ceil => return math(f64::ceil),
        Function::Sqrt => return math(f64::sqrt),
        Function::Exp => return math(f64::exp),
        Function::Log => return math(f64::ln),
        Function::Log10 => return math(f64::log10),
    })
}

/// A test of a text with one text, or with any of a list of texts.
fn with_text(of: &Value, part: &Value, test: impl Fn(&str, &str) -> bool) -> Value {
    let Some(text) = of.as_str() else {
        return false.into();
    };
    match part {
        Value::Str(part) => test(text, part),
        Value::List(parts) => parts
            .iter()
            .filter_map(Value::as_str)
            .any(|part| test(text, part)),
        _ => false,
    }
    .into()
}

/// Rounds to even at the half, as Python does.
fn round(of: &Value, digits: &Value) -> Result<Value, String> {
    let digits = digits.as_i64().unwrap_or(0).clamp(-300, 300) as i32;
    Ok(match number(of)? {
        Some(Value::Int(i)) if digits >= 0 => i.into(),
        Some(v) => {
            let scale = 10f64.powi(digits);
            let rounded = (float(&v) * scale).round_ties_even() / scale;
            if rounded.is_finite() {
                rounded.into()
            } else {
                v
            }
        }
        None => Value::Null,
    })
}

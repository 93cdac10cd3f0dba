//! How much a value holds, found without following it to an end that may not come: values share their insides, so a
//! small graph can build one that is endless to write, hash or compare. It must not know any format in detail.

use std::sync::Arc;

use nodetool_sdk::{Map, NodeError, Value};

use crate::bounds::{self, MAX_ITEMS, MAX_TEXT};

/// Deepest nesting that is followed; writers recurse, and the stack is finite.
pub(crate) const MAX_DEPTH: usize = 500;

/// What a value may hold at most.
struct Limits {
    values: usize,
    bytes: usize,
}

const MOST: Limits = Limits {
    values: MAX_ITEMS,
    bytes: MAX_TEXT,
};

/// As many again for the insides of a list of the longest length.
const COMPARED: Limits = Limits {
    values: 2 * MAX_ITEMS,
    bytes: usize::MAX,
};

/// What is surely written within a few milliseconds.
const QUICK: Limits = Limits {
    values: 5_000,
    bytes: 256 << 10,
};

/// An upper bound of the bytes of the value as text, with `indent` spaces per level; a refusal names the property.
pub(crate) fn text(property: &str, value: &Value, indent: usize) -> Result<usize, NodeError> {
    measure(value, Some(indent), &MOST).map_err(|e| NodeError::bad(property, e))
}

/// Writes a value as text with `indent` spaces per level: at once when it is small, else on a thread for blocking
/// work.
pub(crate) async fn write(
    property: &'static str,
    value: Value,
    indent: usize,
    writer: impl FnOnce(&Value) -> String + Send + 'static,
) -> Result<String, NodeError> {
    if measure(&value, Some(indent), &QUICK).is_ok() {
        return Ok(writer(&value));
    }
    bounds::blocking(move || {
        text(property, &value, indent)?;
        Ok(writer(&value))
    })
    .await
}

/// Refuses a list that holds too much in all to be compared item by item; a refusal names the property.
pub(crate) fn comparable(property: &str, values: &[Value]) -> Result<(), NodeError> {
    if values.iter().all(|v| open(v).is_none()) {
        return Ok(());
    }
    walk(vec![Level::List(values.iter())], 0, None, &COMPARED)
        .map(|_| ())
        .map_err(|e| NodeError::bad(property, e))
}

enum Level<'a> {
    List(std::slice::Iter<'a, Value>),
    Map(Box<dyn Iterator<Item = (&'a Arc<str>, &'a Value)> + 'a>),
}

fn open(value: &Value) -> Option<Level<'_>> {
    match value {
        Value::List(items) => Some(Level::List(items.iter())),
        Value::Map(map) => Some(Level::Map(Box::new(Map::iter(map)))),
        _ => None,
    }
}

fn measure(value: &Value, indent: Option<usize>, limits: &Limits) -> Result<usize, String> {
    walk(
        open(value).into_iter().collect(),
        leaf(value),
        indent,
        limits,
    )
}

/// Walks all levels below the open ones; counts bytes only when they are to be written with an indent.
fn walk(
    mut levels: Vec<Level<'_>>,
    mut size: usize,
    indent: Option<usize>,
    limits: &Limits,
) -> Result<usize, String> {
    let bytes_of = |key: Option<&Arc<str>>, item: &Value, depth: usize| match indent {
        Some(indent) => key.map_or(0, |k| escaped(k)) + leaf(item) + depth * indent + 8,
        None => 0,
    };
    let mut count = 0usize;
    while let Some(level) = levels.last_mut() {
        let next = match level {
            Level::List(items) => items.next().map(|v| (None, v)),
            Level::Map(pairs) => pairs.next().map(|(k, v)| (Some(k), v)),
        };
        let Some((key, item)) = next else {
            levels.pop();
            continue;
        };
        count += 1;
        size = size.saturating_add(bytes_of(key, item, levels.len()));
        if count > limits.values || size > limits.bytes {
            break;
        }
        if let Some(inner) = open(item) {
            if levels.len() == MAX_DEPTH {
                return Err(format!("a value nested more than {MAX_DEPTH} levels deep"));
            }
            levels.push(inner);
        }
    }
    if count > limits.values {
        return Err(format!(
            "a value that holds more than {0} others (expected at most {0})",
            limits.values
        ));
    }
    if size > limits.bytes {
        return Err(format!(
            "a value of more than {0} bytes as text (expected at most {0})",
            limits.bytes
        ));
    }
    Ok(size)
}

fn leaf(value: &Value) -> usize {
    match value {
        Value::Str(s) => escaped(s),
        Value::Bytes(b) => b.len().saturating_mul(4) + 48,
        Value::List(_) | Value::Map(_) => 8,
        _ => 26,
    }
}

/// Bytes that may be escaped count six, the longest escape of one byte.
fn escaped(s: &str) -> usize {
    let plain = |b: &u8| matches!(b, 0x20..=0x7e) && !matches!(b, b'"' | b'\\' | b'\'');
    let easy = s.bytes().filter(|b| plain(b)).count();
    easy + (s.len() - easy).saturating_mul(6) + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_value_whose_text_would_be_endless_is_refused() {
        let mut v = Value::from("x");
        for _ in 0..100 {
            v = Value::list([v.clone(), v]);
        }
        assert!(comparable("data", std::slice::from_ref(&v)).is_err());
        let large = Value::list((0..100_000i64).map(Value::from));
        assert!(comparable("data", &vec![large.clone(); 100]).is_ok());
        assert!(comparable("data", &vec![large; 300]).is_err());
        let e = text("data", &v, 0).unwrap_err().to_string();
        assert!(e.contains("`data`") && e.contains("holds more"), "{e}");
    }

    #[test]
    fn nesting_beyond_what_the_stack_bears_is_refused() {
        let nest = |n: usize| (0..n).fold(Value::Null, |v, _| Value::list([v]));
        assert!(text("data", &nest(MAX_DEPTH), 0).is_ok());
        let e = text("data", &nest(MAX_DEPTH + 1), 0).unwrap_err();
        assert!(e.to_string().contains("500 levels"), "{e}");
    }

    #[test]
    fn the_bound_is_never_below_the_text() {
        let v = Value::map([
            (
                "é\"'\n",
                Value::list([1.5.into(), "\u{1}ü".into(), i64::MIN.into()]),
            ),
            ("b", Value::Bytes(bytes::Bytes::from_static(b"\x00\xff"))),
        ]);
        let bound = text("v", &v, 4).unwrap();
        assert!(bound >= nodetool_sdk::compat::json_dumps(&v, true, Some(4)).len());
        assert!(bound >= nodetool_sdk::compat::py_repr(&v).len());
    }
}

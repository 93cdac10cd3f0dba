//! Values as members of a set: equal where the value contract says equal, with a hash to match. It must not know any
//! node.

use std::hash::{Hash, Hasher};

use nodetool_sdk::Value;

/// A value that can be looked up in a hash set.
pub(super) struct Key<'a>(pub(super) &'a Value);

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        same(self.0, other.0)
    }
}

impl Eq for Key<'_> {}

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self.0, state);
    }
}

/// As `==`, but exact for large integers beside floats, and not-a-number is the same as itself: a set needs both.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            number(a) == number(b)
        }
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(k, a)| b.get(k).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// Whole numbers within the range of integers as such, others by their bits.
fn number(value: &Value) -> (Option<i64>, u64) {
    match value {
        Value::Int(i) => (Some(*i), 0),
        Value::Float(f) if f.is_nan() => (None, f64::NAN.to_bits()),
        Value::Float(f) if f.fract() == 0.0 && (-9.2e18..=9.2e18).contains(f) => {
            (Some(*f as i64), 0)
        }
        Value::Float(f) => (None, f.to_bits()),
        _ => (None, 0),
    }
}

fn hash<H: Hasher>(value: &Value, state: &mut H) {
    match value {
        Value::Null => 0u8.hash(state),
        Value::Bool(b) => (1u8, b).hash(state),
        Value::Int(_) | Value::Float(_) => (2u8, number(value)).hash(state),
        Value::Str(s) => (3u8, s).hash(state),
        Value::Bytes(b) => (4u8, &b[..]).hash(state),
        Value::List(items) => {
            (5u8, items.len()).hash(state);
            for item in items.iter() {
                hash(item, state);
            }
        }
        // Equal maps may differ in order, so only what does not depend on it counts.
        Value::Map(map) => {
            (6u8, map.len()).hash(state);
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_unstable_by_key(|(k, _)| *k);
            for (k, v) in keys {
                k.hash(state);
                hash(v, state);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn equal_values_are_one_member_whatever_their_spelling() {
        let a = Value::map([("x", Value::Int(1)), ("y", Value::Float(f64::NAN))]);
        let b = Value::map([("y", Value::Float(f64::NAN)), ("x", Value::Float(1.0))]);
        let set: HashSet<_> = [Key(&a), Key(&b)].into_iter().collect();
        assert_eq!(set.len(), 1);
        let zeros = [
            Value::Float(-0.0),
            Value::Int(0),
            Value::Bool(false),
            Value::Null,
        ];
        assert_eq!(zeros.iter().map(Key).collect::<HashSet<_>>().len(), 3);
        let large = [
            Value::Int(9_007_199_254_740_993),
            Value::Float(9_007_199_254_740_992.0),
        ];
        assert_eq!(large.iter().map(Key).collect::<HashSet<_>>().len(), 2);
    }
}

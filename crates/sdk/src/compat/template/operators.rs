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

/// The character at an index of a text, from its end when that is negative. Takes no longer than the way there.
pub fn char_at(text: &str, index: i64) -> Option<char> {
    if index < 0 {
        let back = usize::try_from(index.unsigned_abs() - 1).ok()?;
        text.chars().nth_back(back)
    } else {
        text.chars().nth(usize::try_from(index).ok()?)
    }
}

/// Most bytes of a text that are looked at to find the character at an index.
pub fn way_to(text: &str, index: i64) -> usize {
    let characters = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
    let bytes = characters.saturating_add(1).saturating_mul(4);
    bytes.min(text.len())
}

/// The indices a Python slice visits, known without visiting them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    first: usize,
    step: i64,
    count: usize,
}

impl Places {
    /// Those of a slice over `len` items; none for a step of 0.
    pub fn of(len: usize, start: Option<i64>, stop: Option<i64>, step: i64) -> Self {
        let len = i64::try_from(len).unwrap_or(i64::MAX);
        let bound = |bound: Option<i64>, default: i64, low: i64, high: i64| match bound {
            None => default,
            Some(n) if n < 0 => n.saturating_add(len).clamp(low, high),
            Some(n) => n.clamp(low, high),
        };
        let (start, distance) = if step > 0 {
            let start = bound(start, 0, 0, len);
            (start, bound(stop, len, 0, len) - start)
        } else {
            let start = bound(start, len - 1, -1, len - 1);
            (start, start - bound(stop, -1, -1, len - 1))
        };
        let count = u64::try_from(distance).unwrap_or(0);
        let count = match step.unsigned_abs() {
            0 => 0,
            by => count.div_ceil(by),
        };
        Places {
            first: usize::try_from(start).unwrap_or(0),
            step,
            count: usize::try_from(count).unwrap_or(0),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether they lie side by side, in order.
    pub fn are_contiguous(&self) -> bool {
        self.step == 1
    }

    /// They themselves, in their order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let by = usize::try_from(self.step.unsigned_abs()).unwrap_or(usize::MAX);
        (0..self.count).map(move |n| {
            // Within the items, so neither overflows.
            if self.step < 0 {
                self.first - n * by
            } else {
                self.first + n * by
            }
        })
    }

    /// The characters of a text at these places, where they are places of its characters.
    pub fn text_of(self, text: &str) -> String {
        if self.count == 0 {
            return String::new();
        }
        let after = |text: &str, count: usize| {
            let found = text.char_indices().nth(count);
            found.map_or(text.len(), |(at, _)| at)
        };
        let by = usize::try_from(self.step.unsigned_abs()).unwrap_or(usize::MAX);
        if self.step > 0 {
            let rest = &text[after(text, self.first)..];
            if self.step == 1 {
                return rest[..after(rest, self.count)].to_owned();
            }
            return rest.chars().step_by(by).take(self.count).collect();
        }
        let upto = &text[..after(text, self.first.saturating_add(1))];
        upto.chars().rev().step_by(by).take(self.count).collect()
    }
}

/// Start, stop and step of a Python slice over `len` items, as indices to visit.
pub fn slice(
    len: usize,
    start: Option<i64>,
    stop: Option<i64>,
    step: i64,
) -> impl Iterator<Item = usize> {
    Places::of(len, start, stop, step).iter()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, one step after the other.
    fn visited(len: i64, start: Option<i64>, stop: Option<i64>, step: i64) -> Vec<i64> {
        let from_end = |n: i64| if n < 0 { n + len } else { n };
        let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
        let (first, last) = if step > 0 { (0, len) } else { (len - 1, -1) };
        let mut at = start.map_or(first, |n| from_end(n).clamp(low, high));
        let stop = stop.map_or(last, |n| from_end(n).clamp(low, high));
        let mut all = Vec::new();
        while if step > 0 { at < stop } else { at > stop } {
            all.push(at);
            at += step;
        }
        all
    }

    proptest! {
        #[test]
        fn slices_visit_what_python_visits(
            text in "[aé😀]{0,9}",
            start in proptest::option::of(-12i64..12),
            stop in proptest::option::of(-12i64..12),
            step in prop_oneof![-4i64..0, 1i64..5],
        ) {
            let chars: Vec<char> = text.chars().collect();
            let expected = visited(chars.len() as i64, start, stop, step);
            let places = Places::of(chars.len(), start, stop, step);
            prop_assert_eq!(places.count(), expected.len());
            prop_assert_eq!(places.iter().map(|at| at as i64).collect::<Vec<_>>(), expected.clone());
            let part: String = expected.iter().map(|at| chars[*at as usize]).collect();
            prop_assert_eq!(places.text_of(&text), part);
        }

        #[test]
        fn characters_are_found_from_both_ends(text in "[aé😀]{0,9}", index in -12i64..12) {
            let chars: Vec<char> = text.chars().collect();
            let at = if index < 0 { index + chars.len() as i64 } else { index };
            let expected = usize::try_from(at).ok().and_then(|at| chars.get(at)).copied();
            prop_assert_eq!(char_at(&text, index), expected);
        }
    }

    #[test]
    fn bounds_of_any_size_are_bounds() {
        for bound in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
            for step in [i64::MIN, -1, 1, i64::MAX] {
                for places in [
                    Places::of(3, Some(bound), None, step),
                    Places::of(3, None, Some(bound), step),
                    Places::of(0, Some(bound), Some(bound), step),
                ] {
                    assert!(places.count() <= 3, "{places:?}");
                    assert!(places.iter().all(|at| at < 3), "{places:?}");
                    assert!(places.text_of("aé😀").chars().count() == places.count());
                }
            }
            assert_eq!(char_at("aé😀", bound), None);
        }
        assert_eq!(Places::of(3, None, None, 0).count(), 0);
    }
}

//! Cells that hold lists or objects: how much of them is written or hashed.
//!
//! Values share their insides, so a small graph can build one that is endless to write. It must not know tables.

use std::sync::Arc;

use nodetool_sdk::compat::py_str;
use nodetool_sdk::{Map, Value};

/// Deepest nesting that is followed; writers recurse, and the stack is finite.
pub(super) const MAX_DEPTH: usize = 100;
/// Most bytes that all nested cells of one table together may take as text.
const MAX_BYTES: usize = 64 << 20;

/// What may still be written of nested cells.
pub(super) struct Budget {
    left: usize,
}

enum Level<'a> {
    List(std::slice::Iter<'a, Value>),
    Map(Box<dyn Iterator<Item = (&'a Arc<str>, &'a Value)> + 'a>),
}

impl Budget {
    /// The budget of one table.
    pub(super) fn new() -> Self {
        Budget { left: MAX_BYTES }
    }

    /// The value as Python writes it; a refusal when it is too much.
    pub(super) fn text(&mut self, value: &Value) -> Result<String, String> {
        self.spend(value)?;
        Ok(py_str(value))
    }

    /// The value as JSON; a refusal when it is too much.
    pub(super) fn json(&mut self, value: &Value) -> Result<String, String> {
        self.spend(value)?;
        serde_json::to_string(value).map_err(|e| e.to_string())
    }

    /// Takes what a nested value costs, before anything is written. Plain values cost nothing.
    fn spend(&mut self, value: &Value) -> Result<(), String> {
        let mut levels: Vec<Level> = open(value).into_iter().collect();
        while let Some(level) = levels.last_mut() {
            let (key, item) = match level {
                Level::List(items) => (None, items.next()),
                Level::Map(pairs) => pairs
                    .next()
                    .map_or((None, None), |(k, v)| (Some(k), Some(v))),
            };
            let Some(item) = item else {
                levels.pop();
                continue;
            };
            let cost = key.map_or(0, |k| k.len()) + cost(item);
            self.left = self.left.checked_sub(cost).ok_or_else(|| {
                format!("lists and objects in cells are too large (expected at most {MAX_BYTES} bytes as text)")
            })?;
            if let Some(inner) = open(item) {
                if levels.len() == MAX_DEPTH {
                    return Err(format!(
                        "a cell is nested too deeply (expected at most {MAX_DEPTH} levels)"
                    ));
                }
                levels.push(inner);
            }
        }
        Ok(())
    }
}

fn open(value: &Value) -> Option<Level<'_>> {
    match value {
        Value::List(items) => Some(Level::List(items.iter())),
        Value::Map(map) => Some(Level::Map(Box::new(Map::iter(map)))),
        _ => None,
    }
}

fn cost(value: &Value) -> usize {
    match value {
        Value::Str(s) => s.len() + 8,
        Value::Bytes(b) => b.len().saturating_mul(4),
        _ => 16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_to_build_and_endless_to_write_is_refused() {
        let mut shared = Value::from("x");
        for _ in 0..60 {
            shared = Value::list([shared.clone(), shared]);
        }
        assert!(
            Budget::new()
                .text(&shared)
                .unwrap_err()
                .contains("too large")
        );
        let nested = |depth: usize| (0..depth).fold(Value::Null, |v, _| Value::map([("k", v)]));
        assert!(Budget::new().json(&nested(MAX_DEPTH)).is_ok());
        let e = Budget::new().json(&nested(MAX_DEPTH + 1));
        assert!(e.unwrap_err().contains("too deeply"));
    }

    #[test]
    fn the_budget_is_that_of_the_whole_table() {
        let large = Value::list([Value::from("x".repeat(20 << 20))]);
        let mut budget = Budget::new();
        let done: Vec<bool> = (0..4).map(|_| budget.json(&large).is_ok()).collect();
        assert_eq!(done, [true, true, true, false]);
    }
}

//! Arguments of a call that have been checked against the tool's schema.

use std::sync::Arc;

use nodetool_sdk::{Map, Value};

/// The arguments of a call.
pub(super) struct Arguments(Map);

impl Arguments {
    /// Arguments that fit their schema, an object.
    pub(super) fn new(value: Value) -> Self {
        match value {
            Value::Map(map) => Arguments(Arc::unwrap_or_clone(map)),
            _ => Arguments(Map::new()),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|v| !v.is_null())
    }

    /// A text; empty when it is not given.
    pub(super) fn text(&self, key: &str) -> &str {
        self.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// A text that was not left out or blank.
    pub(super) fn given(&self, key: &str) -> Option<&str> {
        Some(self.text(key).trim()).filter(|text| !text.is_empty())
    }

    /// A number within bounds.
    pub(super) fn count(&self, key: &str, usual: usize, most: usize) -> usize {
        let given = self.get(key).and_then(Value::as_f64);
        let number = given.map_or(usual, |n| n.max(0.0) as usize);
        number.min(most)
    }

    /// Texts of a list; what is no text is left out.
    pub(super) fn texts(&self, key: &str) -> Vec<&str> {
        let list = self.get(key).and_then(Value::as_list).unwrap_or_default();
        list.iter().filter_map(Value::as_str).collect()
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.get(key).and_then(Value::as_bool).unwrap_or_default()
    }

    pub(super) fn object(&self, key: &str) -> Map {
        self.get(key)
            .and_then(Value::as_map)
            .cloned()
            .unwrap_or_default()
    }

    pub(super) fn into_map(self) -> Map {
        self.0
    }
}

/// A text cut to so many characters, and whether something is left out.
pub(super) fn cut(text: &str, most: usize) -> (&str, bool) {
    match text.char_indices().nth(most) {
        Some((at, _)) => (&text[..at], true),
        None => (text, false),
    }
}

//! The unit of work that travels along the edges of a loop.

use std::sync::Arc;

use nodetool_protocol::{Map, Value};

/// Metadata key of a sentinel.
pub const COMPLETED: &str = "__execution_completed__";

/// One unit of work (orchestrator spec 1.4: NodeOutput).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Token {
    /// Id of the unit of work; it stays the same from step to step.
    pub id: Arc<str>,
    /// What steps work on.
    pub data: Map,
    /// What they note beside it.
    pub metadata: Map,
}

impl Token {
    /// A token with this data.
    pub fn new(id: impl Into<Arc<str>>, data: Map) -> Self {
        Token {
            id: id.into(),
            data,
            metadata: Map::new(),
        }
    }

    /// The same token as a sentinel: nothing comes after it.
    #[must_use]
    pub fn completed(mut self) -> Self {
        self.metadata.insert(COMPLETED.into(), Value::Bool(true));
        self
    }

    /// Whether nothing comes after it.
    pub fn is_completed(&self) -> bool {
        matches!(self.metadata.get(COMPLETED), Some(Value::Bool(true)))
    }

    /// Adds a value under `base`, or under the first free one of `base_2`, `base_3`, ….
    pub fn put(&mut self, base: &str, value: Value) {
        let key = free_key(&self.data, base);
        self.data.insert(key, value);
    }

    /// As it stands on the wire.
    pub fn to_value(&self) -> Value {
        Value::from(Map::from_iter([
            (Arc::from("id"), Value::Str(self.id.clone())),
            (Arc::from("data"), Value::from(self.data.clone())),
            (Arc::from("metadata"), Value::from(self.metadata.clone())),
        ]))
    }

    /// Reads what [`to_value`](Self::to_value) wrote.
    pub fn from_value(value: &Value) -> Option<Self> {
        let part = |key| match value.get(key) {
            Some(Value::Map(map)) => Some((**map).clone()),
            _ => None,
        };
        Some(Token {
            id: value.get("id")?.as_str()?.into(),
            data: part("data")?,
            metadata: part("metadata").unwrap_or_default(),
        })
    }
}

/// `base`, or the first free one of `base_2`, `base_3`, ….
pub(super) fn free_key(data: &Map, base: &str) -> Arc<str> {
    if !data.contains_key(base) {
        return base.into();
    }
    (2u64..)
        .map(|n| format!("{base}_{n}"))
        .find(|key| !data.contains_key(key.as_str()))
        .map_or_else(|| base.into(), Into::into)
}

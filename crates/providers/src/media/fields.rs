//! The input of a model: fields that are set only when there is something to say.

use nodetool_sdk::Map as Extra;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Fields with their values.
#[derive(Default)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Sets a field, when there is a value for it.
    pub(crate) fn set(&mut self, name: &str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), json!(value));
        }
    }

    /// With what the caller says in the model's own words on top.
    pub(crate) fn with(mut self, extra: &Extra) -> Value {
        for (name, value) in extra {
            self.set(name, Some(value));
        }
        self.into()
    }
}

impl From<Fields> for Value {
    fn from(fields: Fields) -> Value {
        Value::Object(fields.0)
    }
}

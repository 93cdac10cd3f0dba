//! JSON bodies of requests, with their fields in the order they were set: models answer in the order of a schema's
//! properties.

use nodetool_sdk::protocol::{Map, Value};

/// An object that is being written.
#[derive(Default)]
pub(super) struct Body(Map);

impl Body {
    /// Sets a field.
    pub(super) fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.0.insert(field.into(), value.into());
    }

    /// Sets a field that has a value.
    pub(super) fn set_some(&mut self, field: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(field, value);
        }
    }

    /// Sets what was not set before.
    pub(super) fn add(&mut self, fields: &Map) {
        for (field, value) in fields {
            if !self.0.contains_key(field) {
                self.0.insert(field.clone(), value.clone());
            }
        }
    }

    /// Its fields.
    pub(super) fn into_map(self) -> Map {
        self.0
    }

    /// The object.
    pub(super) fn into_value(self) -> Value {
        self.0.into()
    }
}

/// An object of these fields.
pub(super) fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::map(fields)
}

/// `{"type": …, field: …}`
pub(super) fn tagged(tag: &str, field: &str, value: impl Into<Value>) -> Value {
    object([("type", tag.into()), (field, value.into())])
}

/// A list of texts.
pub(super) fn texts(texts: &[String]) -> Value {
    Value::list(texts.iter().map(|text| Value::from(text.as_str())))
}

/// A name as the wire takes them: letters, digits, `_` and `-`, at most 64.
pub(super) fn plain_name(name: &str, instead: &str) -> String {
    let plain = name.chars().map(|c| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => c,
        _ => '_',
    });
    let plain: String = plain.take(64).collect();
    match plain.is_empty() {
        true => instead.to_owned(),
        false => plain,
    }
}

/// A tool's schema; one without arguments has an empty object.
pub(super) fn parameters(schema: &Value) -> Value {
    match schema {
        Value::Map(map) if map.contains_key("type") => schema.clone(),
        Value::Map(map) => {
            let mut whole = Map::from([("type".into(), Value::from("object"))]);
            whole.extend(map.iter().map(|(k, v)| (k.clone(), v.clone())));
            whole
                .entry("properties".into())
                .or_insert_with(|| Map::new().into());
            whole.into()
        }
        _ => object([("type", "object".into()), ("properties", Map::new().into())]),
    }
}

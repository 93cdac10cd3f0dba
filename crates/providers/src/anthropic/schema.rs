//! JSON Schemas as the Messages API wants them: an object at the top, and objects that say whether more fields are
//! allowed.

use std::sync::Arc;

use nodetool_sdk::{Map, Value};

/// How deep schemas are looked through; what is deeper stays as it is.
const DEPTH: usize = 64;

/// The schema with `"additionalProperties": false` in every object that lists its fields and says nothing of others, and
/// at the top.
pub(super) fn closed(schema: &Value) -> Value {
    let Value::Map(top) = close(schema, DEPTH) else {
        return closed(&Value::map([("type", Value::str("object"))]));
    };
    let mut top = Arc::unwrap_or_clone(top);
    if !top.contains_key("type") {
        top.insert("type".into(), Value::str("object"));
    }
    if !top.contains_key("additionalProperties") {
        top.insert("additionalProperties".into(), Value::Bool(false));
    }
    Value::Map(Arc::new(top))
}

fn close(schema: &Value, depth: usize) -> Value {
    let Value::Map(fields) = schema else {
        return schema.clone();
    };
    if depth == 0 {
        return schema.clone();
    }
    let inside = |value: &Value| close(value, depth - 1);
    let mut closed: Map = fields
        .iter()
        .map(|(key, value)| {
            let value = match (&**key, value) {
                ("properties" | "$defs" | "definitions", Value::Map(named)) => {
                    Value::map(named.iter().map(|(name, s)| (name.clone(), inside(s))))
                }
                ("items", Value::Map(_)) => inside(value),
                ("anyOf" | "oneOf" | "prefixItems", Value::List(list)) => {
                    Value::list(list.iter().map(inside))
                }
                _ => value.clone(),
            };
            (key.clone(), value)
        })
        .collect();
    // Parts of an `allOf` must stay open to each other's fields, and so must what they are part of.
    let open = [
        "additionalProperties",
        "unevaluatedProperties",
        "allOf",
        "$ref",
    ]
    .iter()
    .any(|key| closed.contains_key(*key));
    if closed.contains_key("properties") && !open {
        closed.insert("additionalProperties".into(), Value::Bool(false));
    }
    Value::Map(Arc::new(closed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: serde_json::Value) -> Value {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn objects_that_list_their_fields_are_closed_at_every_depth() {
        let schema = read(serde_json::json!({
            "properties": {
                "point": {"type": "object", "properties": {"x": {"type": "number"}}},
                "free": {"type": "object"},
                "said": {"type": "object", "properties": {}, "additionalProperties": true},
                "list": {"type": "array", "items": {"$ref": "#/$defs/item"}}
            },
            "$defs": {"item": {"type": "object", "properties": {"name": {"type": "string"}}}}
        }));
        let expected = read(serde_json::json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "point": {"type": "object", "properties": {"x": {"type": "number"}}, "additionalProperties": false},
                "free": {"type": "object"},
                "said": {"type": "object", "properties": {}, "additionalProperties": true},
                "list": {"type": "array", "items": {"$ref": "#/$defs/item"}}
            },
            "$defs": {"item": {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": false}}
        }));
        assert_eq!(closed(&schema), expected);
    }

    #[test]
    fn a_schema_that_is_none_takes_no_fields() {
        let expected = read(serde_json::json!({"type": "object", "additionalProperties": false}));
        assert_eq!(closed(&Value::Null), expected);
    }
}

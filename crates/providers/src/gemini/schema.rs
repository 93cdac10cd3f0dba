//! JSON Schemas in the words of the Gemini API, which knows a part of them and refuses requests with the rest.
//!
//! `$ref` is resolved, `oneOf` becomes `anyOf`, `allOf` one schema, `const` an `enum` of one, a list of types an `anyOf`,
//! and `null` among them `nullable`. Unknown words are left out: what they would forbid is then allowed, so whoever needs
//! them has to check the answer. Schemas that contain themselves end in an object of any shape.

use std::sync::Arc;

use nodetool_sdk::{Map, Value};

/// How deep schemas may be.
const DEPTH: usize = 24;
/// Most schemas in one; references may multiply them.
const MOST: usize = 4096;

/// Words that mean the same to the API.
const KNOWN: &[&str] = &[
    "title",
    "description",
    "nullable",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "pattern",
];
/// Formats that do.
const FORMATS: &[&str] = &["date-time", "int32", "int64", "float", "double"];

/// The parameters of a function; nothing when it takes none.
pub(super) fn parameters(schema: &Value) -> Result<Option<Value>, String> {
    let has_fields = |schema: &Value| {
        let fields = schema.get("properties").and_then(Value::as_map);
        fields.is_some_and(|fields| !fields.is_empty())
    };
    let known = Translation::new(schema, false).top()?;
    Ok(has_fields(&known).then_some(known))
}

/// The form of an answer, with its fields in the order of the schema.
pub(super) fn answer(schema: &Value) -> Result<Value, String> {
    Translation::new(schema, true).top()
}

struct Translation<'a> {
    root: &'a Value,
    /// Whether the order of fields is told.
    ordered: bool,
    left: usize,
    /// References that are being resolved.
    inside: Vec<&'a str>,
}

fn object() -> Map {
    [("type".into(), Value::str("object"))].into()
}

fn typed(kind: &str) -> Value {
    Value::map([("type", Value::str(kind))])
}

impl<'a> Translation<'a> {
    fn new(root: &'a Value, ordered: bool) -> Self {
        Translation {
            root,
            ordered,
            left: MOST,
            inside: Vec::new(),
        }
    }

    fn top(mut self) -> Result<Value, String> {
        match self.root {
            Value::Map(_) => Ok(Value::Map(Arc::new(self.schema(self.root, DEPTH)?))),
            Value::Null => Ok(typed("object")),
            other => Err(format!("a schema is an object, not {}", other.preview(40))),
        }
    }

    fn schema(&mut self, schema: &'a Value, depth: usize) -> Result<Map, String> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(format!("the schema is more than {DEPTH} levels deep"));
        };
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => return Err(format!("the schema has more than {MOST} parts")),
        };
        let Some(fields) = schema.as_map() else {
            // `true`, and what is no schema at all.
            return Ok(anything());
        };
        if let Some(to) = fields.get("$ref").and_then(Value::as_str) {
            return self.referred(to, fields, depth);
        }
        let mut known: Map = fields
            .iter()
            .filter(|(key, _)| KNOWN.contains(&&***key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if let Some(format) = fields.get("format").and_then(Value::as_str)
            && FORMATS.contains(&format)
        {
            known.insert("format".into(), Value::str(format));
        }
        for part in list(fields, "allOf") {
            let part = self.schema(part, depth)?;
            merge(&mut known, part);
        }
        self.choices(fields, &mut known, depth)?;
        self.kind(fields, &mut known)?;
        self.object(fields, &mut known, depth)?;
        self.array(fields, &mut known, depth)?;
        if !known.contains_key("type") && !known.contains_key("anyOf") {
            let mut any = anything();
            any.extend(known);
            known = any;
        }
        Ok(known)
    }

    fn referred(&mut self, to: &'a str, fields: &'a Map, depth: usize) -> Result<Map, String> {
        let path = to
            .strip_prefix('#')
            .ok_or_else(|| format!("the schema refers to `{to}`, which is not in it"))?;
        let mut target = self.root;
        for step in path.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            target = match target {
                Value::List(items) => step.parse().ok().and_then(|at: usize| items.get(at)),
                target => target.get(&step),
            }
            .ok_or_else(|| format!("the schema refers to `{to}`, which is not in it"))?;
        }
        let mut known = match self.inside.contains(&to) {
            true => object(),
            false => {
                self.inside.push(to);
                let known = self.schema(target, depth);
                self.inside.pop();
                known?
            }
        };
        // What is said next to a reference is nearer to the point.
        for key in ["title", "description"] {
            if let Some(value) = fields.get(key) {
                known.insert(key.into(), value.clone());
            }
        }
        Ok(known)
    }

    /// `anyOf` and `oneOf`.
    fn choices(&mut self, fields: &'a Map, known: &mut Map, depth: usize) -> Result<(), String> {
        let mut choices = Vec::new();
        for choice in list(fields, "anyOf").chain(list(fields, "oneOf")) {
            match choice.get("type").and_then(Value::as_str) {
                Some("null") => {
                    known.insert("nullable".into(), Value::Bool(true));
                }
                _ => choices.push(self.schema(choice, depth)?),
            }
        }
        match choices.len() {
            0 => {}
            1 => choices.into_iter().for_each(|choice| merge(known, choice)),
            _ => {
                let choices = choices.into_iter().map(|c| Value::Map(Arc::new(c)));
                known.insert("anyOf".into(), Value::list(choices));
            }
        }
        Ok(())
    }

    /// `type`, `enum` and `const`.
    fn kind(&mut self, fields: &'a Map, known: &mut Map) -> Result<(), String> {
        match fields.get("type") {
            Some(Value::Str(kind)) if &**kind == "null" => {
                known.insert("nullable".into(), Value::Bool(true));
            }
            Some(Value::Str(kind)) => {
                known.insert("type".into(), Value::Str(kind.clone()));
            }
            Some(Value::List(kinds)) => {
                let (nulls, kinds): (Vec<_>, Vec<_>) = kinds
                    .iter()
                    .filter_map(Value::as_str)
                    .partition(|kind| *kind == "null");
                if !nulls.is_empty() {
                    known.insert("nullable".into(), Value::Bool(true));
                }
                match kinds.as_slice() {
                    [] => {}
                    [kind] => {
                        known.insert("type".into(), Value::str(*kind));
                    }
                    kinds => {
                        let kinds = kinds.iter().map(|kind| match *kind {
                            "array" => Value::map([
                                ("type", Value::str("array")),
                                ("items", typed("string")),
                            ]),
                            kind => typed(kind),
                        });
                        known.insert("anyOf".into(), Value::list(kinds));
                    }
                }
            }
            _ => {}
        }
        let values: Vec<&Value> = match fields.get("const") {
            Some(value) => vec![value],
            None => list(fields, "enum").collect(),
        };
        if values.is_empty() {
            return Ok(());
        }
        if values.iter().any(|value| value.is_null()) {
            known.insert("nullable".into(), Value::Bool(true));
        }
        let values: Vec<&Value> = values.into_iter().filter(|v| !v.is_null()).collect();
        if values.iter().all(|value| value.as_str().is_some()) {
            if !values.is_empty() {
                known.insert("type".into(), Value::str("string"));
                known.insert("enum".into(), Value::list(values.into_iter().cloned()));
            }
            return Ok(());
        }
        // The API has choices of texts only; the model shall know of the others.
        let said = known.get("description").and_then(Value::as_str);
        let shown: Vec<String> = values
            .iter()
            .map(|value| serde_json::to_string(value).map_err(|e| e.to_string()))
            .collect::<Result<_, _>>()?;
        let shown = format!("One of: {}", shown.join(", "));
        let said = said.map_or(shown.clone(), |said| format!("{said} {shown}"));
        known.insert("description".into(), Value::str(said));
        if !known.contains_key("type") {
            let kind = match values[0] {
                Value::Bool(_) => "boolean",
                Value::Int(_) => "integer",
                Value::Float(_) => "number",
                Value::Map(_) => "object",
                Value::List(_) => "array",
                _ => "string",
            };
            known.insert("type".into(), Value::str(kind));
        }
        Ok(())
    }

    /// `properties`, `required`.
    fn object(&mut self, fields: &'a Map, known: &mut Map, depth: usize) -> Result<(), String> {
        let named = fields.get("properties").and_then(Value::as_map);
        let named = named.filter(|named| !named.is_empty());
        if let Some(named) = named {
            let mut own = Map::new();
            own.insert("type".into(), Value::str("object"));
            let mut properties = Map::new();
            for (name, schema) in named {
                let schema = self.schema(schema, depth)?;
                properties.insert(name.clone(), Value::Map(Arc::new(schema)));
            }
            own.insert("properties".into(), Value::Map(Arc::new(properties)));
            merge(known, own);
        }
        let required = list(fields, "required").cloned().collect::<Vec<_>>();
        if !required.is_empty() {
            merge(known, [("required".into(), Value::list(required))].into());
        }
        let properties = known.get("properties").and_then(Value::as_map).cloned();
        let Some(properties) = properties else {
            known.shift_remove("required");
            return Ok(());
        };
        // A field that is not told of must not be required.
        let required = known.get("required").and_then(Value::as_list);
        let required: Vec<Value> = required
            .unwrap_or_default()
            .iter()
            .filter(|name| {
                name.as_str()
                    .is_some_and(|name| properties.contains_key(name))
            })
            .cloned()
            .collect();
        known.shift_remove("required");
        if !required.is_empty() {
            known.insert("required".into(), Value::list(required));
        }
        if self.ordered && properties.len() > 1 {
            let names = properties.keys().map(|name| Value::Str(name.clone()));
            known.insert("propertyOrdering".into(), Value::list(names));
        }
        Ok(())
    }

    /// `items` and `prefixItems`.
    fn array(&mut self, fields: &'a Map, known: &mut Map, depth: usize) -> Result<(), String> {
        let items = match fields.get("items") {
            Some(items @ Value::Map(_)) => Some(self.schema(items, depth)?),
            _ => {
                let mut first = Vec::new();
                for item in list(fields, "prefixItems") {
                    first.push(Value::Map(Arc::new(self.schema(item, depth)?)));
                }
                match first.len() {
                    0 => None,
                    _ => Some([("anyOf".into(), Value::list(first))].into()),
                }
            }
        };
        if let Some(items) = items {
            known.insert("type".into(), Value::str("array"));
            known.insert("items".into(), Value::Map(Arc::new(items)));
        }
        if known.get("type").and_then(Value::as_str) == Some("array")
            && !known.contains_key("items")
        {
            // The API refuses arrays of nothing said.
            known.insert("items".into(), Value::Map(Arc::new(anything())));
        }
        Ok(())
    }
}

/// Every schema needs a type, and there is none for everything.
fn anything() -> Map {
    let kinds = ["string", "number", "boolean", "object"].map(typed);
    [("anyOf".into(), Value::list(kinds))].into()
}

fn list<'a>(fields: &'a Map, key: &str) -> impl Iterator<Item = &'a Value> {
    let list = fields.get(key).and_then(Value::as_list);
    list.unwrap_or_default().iter()
}

/// Adds what another schema says of the same value.
fn merge(known: &mut Map, other: Map) {
    for (key, value) in other {
        let merged = match (&*key, known.get(&key), &value) {
            ("properties", Some(Value::Map(a)), Value::Map(b)) => {
                let both = a.iter().chain(b.iter());
                Value::map(both.map(|(name, schema)| (name.clone(), schema.clone())))
            }
            ("required", Some(Value::List(a)), Value::List(b)) => {
                let new = b.iter().filter(|name| !a.contains(name));
                Value::list(a.iter().chain(new).cloned())
            }
            // The nearer description counts.
            ("title" | "description", Some(_), _) => continue,
            _ => value,
        };
        known.insert(key, merged);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(json: serde_json::Value) -> Value {
        serde_json::from_value(json).unwrap()
    }

    fn told(schema: serde_json::Value) -> serde_json::Value {
        let known = parameters(&read(
            json!({"type": "object", "properties": {"x": schema}}),
        ));
        let known = serde_json::to_value(known.unwrap().unwrap()).unwrap();
        known["properties"]["x"].clone()
    }

    #[test]
    fn what_the_api_does_not_know_is_written_in_words_it_knows() {
        for (schema, expected) in [
            (
                json!({"const": "a"}),
                json!({"type": "string", "enum": ["a"]}),
            ),
            (
                json!({"const": 3}),
                json!({"type": "integer", "description": "One of: 3"}),
            ),
            (
                json!({"enum": [1, 2], "type": "integer", "description": "How many."}),
                json!({"type": "integer", "description": "How many. One of: 1, 2"}),
            ),
            (
                json!({"type": ["string", "null"]}),
                json!({"type": "string", "nullable": true}),
            ),
            (
                json!({"type": ["string", "integer"]}),
                json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
            ),
            (
                json!({"oneOf": [{"type": "string", "format": "uri"}, {"type": "number"}]}),
                json!({"anyOf": [{"type": "string"}, {"type": "number"}]}),
            ),
            (
                json!({"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}], "default": null}),
                json!({"type": "string", "maxLength": 3, "nullable": true}),
            ),
            (
                json!({"allOf": [
                    {"properties": {"a": {"type": "string"}}, "required": ["a"]},
                    {"properties": {"b": {"type": "string"}}, "required": ["b", "c"]}
                ]}),
                json!({
                    "type": "object",
                    "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                    "required": ["a", "b"]
                }),
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": "string"}, "required": ["a"]}),
                json!({"type": "object"}),
            ),
            (
                json!({"type": "string", "format": "date-time", "$comment": "x", "examples": ["y"]}),
                json!({"type": "string", "format": "date-time"}),
            ),
            (
                json!({"type": "array", "prefixItems": [{"type": "string"}], "uniqueItems": true}),
                json!({"type": "array", "items": {"anyOf": [{"type": "string"}]}}),
            ),
        ] {
            assert_eq!(told(schema.clone()), expected, "{schema}");
        }
    }

    #[test]
    fn references_are_resolved_and_schemas_within_themselves_end() {
        let schema = read(json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {"tree": {"$ref": "#/$defs/tree", "description": "The root."}},
            "$defs": {"tree": {
                "type": "object",
                "description": "A tree.",
                "properties": {"name": {"type": "string"}, "next": {"$ref": "#/$defs/tree"}}
            }}
        }));
        let known = serde_json::to_value(answer(&schema).unwrap()).unwrap();
        let expected = json!({
            "type": "object",
            "properties": {"tree": {
                "type": "object",
                "description": "The root.",
                "properties": {"name": {"type": "string"}, "next": {"type": "object"}},
                "propertyOrdering": ["name", "next"]
            }}
        });
        assert_eq!(known, expected);
    }

    #[test]
    fn functions_without_parameters_have_none() {
        for schema in [
            json!(null),
            json!({"type": "object", "properties": {}}),
            json!({}),
        ] {
            assert_eq!(parameters(&read(schema)), Ok(None));
        }
    }

    #[test]
    fn schemas_without_end_are_refused() {
        let mut deep = json!({"type": "string"});
        for _ in 0..40 {
            deep = json!({"type": "array", "items": deep});
        }
        let deep = answer(&read(deep)).unwrap_err();
        assert_eq!(deep, "the schema is more than 24 levels deep");
        let mut wide = serde_json::Map::new();
        for level in 0..15 {
            let next = json!({"$ref": format!("#/$defs/{}", level + 1)});
            wide.insert(
                level.to_string(),
                json!({"properties": {"a": next, "b": next}}),
            );
        }
        wide.insert("15".into(), json!({"type": "string"}));
        let wide = read(json!({"$defs": wide, "$ref": "#/$defs/0"}));
        assert!(answer(&wide).is_err());
        let gone = answer(&read(json!({"$ref": "#/$defs/none"}))).unwrap_err();
        assert_eq!(
            gone,
            "the schema refers to `#/$defs/none`, which is not in it"
        );
    }
}

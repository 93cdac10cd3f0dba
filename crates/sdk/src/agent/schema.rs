//! Checks values against the part of JSON Schema that models and their callers use.
//!
//! Checked: `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`, `items`, `prefixItems`,
//! `minItems`, `maxItems`, `minLength`, `maxLength`, `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`,
//! `anyOf`, `oneOf`, `allOf`, and `$ref` within the schema. Other words are notes and hold for every value. A whole
//! validator would be a large dependency of every node.

use nodetool_protocol::{Map, Value};

mod reading;

/// A schema may refer to itself; this ends a check that would go on for ever.
const MOST_DEPTH: usize = 64;
/// Checks of one value against one schema; choices in choices would multiply.
const MOST_WORK: usize = 200_000;
/// Faults that are told.
const MOST_FAULTS: usize = 16;

/// A schema that has been read.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    root: Value,
}

impl Schema {
    /// Takes a schema, or says what is wrong with it.
    pub fn new(schema: Value) -> Result<Self, String> {
        reading::check(&schema, &schema, "the schema", 0)?;
        Ok(Schema { root: schema })
    }

    /// Takes the JSON text of a schema, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let schema =
            serde_json::from_str(text).map_err(|e| format!("the schema is not JSON: {e}"))?;
        Self::new(schema)
    }

    /// The schema as it was given.
    pub fn value(&self) -> &Value {
        &self.root
    }

    /// What is wrong with a value, each with the place in it; nothing when it fits.
    pub fn faults(&self, value: &Value) -> Vec<String> {
        let mut check = Check {
            root: &self.root,
            faults: Vec::new(),
            work: 0,
        };
        check.value(value, &self.root, &At::Root, 0);
        check.faults
    }
}

/// A place in a value; written only when there is a fault.
enum At<'a> {
    Root,
    Key(&'a At<'a>, &'a str),
    Index(&'a At<'a>, usize),
}

impl std::fmt::Display for At<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            At::Root => f.write_str("the value"),
            At::Key(At::Root, key) => f.write_str(key),
            At::Key(up, key) => write!(f, "{up}.{key}"),
            At::Index(At::Root, i) => write!(f, "[{i}]"),
            At::Index(up, i) => write!(f, "{up}[{i}]"),
        }
    }
}

struct Check<'s> {
    root: &'s Value,
    faults: Vec<String>,
    work: usize,
}

impl<'s> Check<'s> {
    fn fault(&mut self, at: &At<'_>, what: impl std::fmt::Display) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(format!("{at}: {what}"));
        }
    }

    fn value(&mut self, value: &Value, schema: &'s Value, at: &At<'_>, depth: usize) {
        self.work += 1;
        if depth > MOST_DEPTH || self.work > MOST_WORK {
            if self.faults.is_empty() {
                self.fault(at, "the schema is too involved to check it");
            }
            return;
        }
        let schema = match schema {
            Value::Bool(false) => return self.fault(at, "nothing is allowed here"),
            Value::Map(map) => &**map,
            _ => return,
        };
        if let Some(Value::Str(name)) = schema.get("$ref")
            && let Some(target) = reading::target(self.root, name)
        {
            self.value(value, target, at, depth + 1);
        }
        if let Some(types) = schema.get("type")
            && !reading::types_of(types).any(|t| is_a(value, t))
        {
            let wanted: Vec<&str> = reading::types_of(types).collect();
            let wanted = wanted.join(" or ");
            return self.fault(at, format_args!("expected {wanted}, got {}", word(value)));
        }
        self.words(value, schema, at);
        match value {
            Value::Map(map) => self.object(map, schema, at, depth),
            Value::List(items) => self.items(items, schema, at, depth),
            Value::Str(text) => self.text(text, schema, at),
            Value::Int(_) | Value::Float(_) => self.number(value, schema, at),
            Value::Null | Value::Bool(_) | Value::Bytes(_) => {}
        }
        self.choices(value, schema, at, depth);
    }

    /// `enum` and `const`.
    fn words(&mut self, value: &Value, schema: &Map, at: &At<'_>) {
        if let Some(Value::List(allowed)) = schema.get("enum")
            && !allowed.contains(value)
        {
            let allowed = Value::List(allowed.clone()).preview(200);
            let got = value.preview(60);
            self.fault(at, format_args!("expected one of {allowed}, got {got}"));
        }
        if let Some(only) = schema.get("const")
            && only != value
        {
            let (only, got) = (only.preview(60), value.preview(60));
            self.fault(at, format_args!("expected {only}, got {got}"));
        }
    }

    fn object(&mut self, map: &Map, schema: &'s Map, at: &At<'_>, depth: usize) {
        let empty = &Map::new();
        let properties = schema.get("properties").and_then(Value::as_map);
        let required = schema.get("required").and_then(Value::as_list);
        for name in required.unwrap_or_default() {
            if let Value::Str(name) = name
                && !map.contains_key(name)
            {
                self.fault(at, format_args!("`{name}` is missing"));
            }
        }
        let rest = schema.get("additionalProperties");
        for (key, member) in map {
            let at = At::Key(at, key);
            match properties.and_then(|p| p.get(key)) {
                Some(schema) => self.value(member, schema, &at, depth + 1),
                None => match rest {
                    Some(Value::Bool(false)) => {
                        let known = properties.unwrap_or(empty).keys();
                        let known: Vec<&str> = known.map(|k| &**k).take(20).collect();
                        let known = known.join(", ");
                        self.fault(&at, format_args!("is not known; expected only: {known}"));
                    }
                    Some(schema) => self.value(member, schema, &at, depth + 1),
                    None => {}
                },
            }
        }
    }

    fn items(&mut self, items: &[Value], schema: &'s Map, at: &At<'_>, depth: usize) {
        let most = |key| schema.get(key).and_then(Value::as_f64);
        if most("minItems").is_some_and(|n| (items.len() as f64) < n) {
            let least = most("minItems").unwrap_or_default();
            self.fault(
                at,
                format_args!("expected at least {least} items, got {}", items.len()),
            );
        }
        if most("maxItems").is_some_and(|n| items.len() as f64 > n) {
            let most = most("maxItems").unwrap_or_default();
            self.fault(
                at,
                format_args!("expected at most {most} items, got {}", items.len()),
            );
        }
        let first = schema.get("prefixItems").and_then(Value::as_list);
        let first = first.unwrap_or_default();
        for (i, item) in items.iter().enumerate() {
            if let Some(schema) = first.get(i).or_else(|| schema.get("items")) {
                self.value(item, schema, &At::Index(at, i), depth + 1);
            }
        }
    }

    fn text(&mut self, text: &str, schema: &Map, at: &At<'_>) {
        let limit = |key| schema.get(key).and_then(Value::as_f64);
        if limit("minLength").is_none() && limit("maxLength").is_none() {
            return;
        }
        let length = text.chars().count();
        if let Some(least) = limit("minLength").filter(|n| (length as f64) < *n) {
            self.fault(
                at,
                format_args!("expected at least {least} characters, got {length}"),
            );
        }
        if let Some(most) = limit("maxLength").filter(|n| length as f64 > *n) {
            self.fault(
                at,
                format_args!("expected at most {most} characters, got {length}"),
            );
        }
    }

    fn number(&mut self, value: &Value, schema: &Map, at: &At<'_>) {
        let number = value.as_f64().unwrap_or_default();
        for (key, words) in [
            ("minimum", "at least"),
            ("maximum", "at most"),
            ("exclusiveMinimum", "more than"),
            ("exclusiveMaximum", "less than"),
        ] {
            let Some(limit) = schema.get(key).and_then(Value::as_f64) else {
                continue;
            };
            let holds = match key {
                "minimum" => number >= limit,
                "maximum" => number <= limit,
                "exclusiveMinimum" => number > limit,
                _ => number < limit,
            };
            if !holds {
                self.fault(at, format_args!("expected {words} {limit}, got {number}"));
            }
        }
    }

    /// `allOf`, `anyOf` and `oneOf`.
    fn choices(&mut self, value: &Value, schema: &'s Map, at: &At<'_>, depth: usize) {
        let list = |key| schema.get(key).and_then(Value::as_list);
        for all in list("allOf").unwrap_or_default() {
            self.value(value, all, at, depth + 1);
        }
        for (key, one) in [("anyOf", false), ("oneOf", true)] {
            let Some(choices) = list(key) else { continue };
            let mut fitting = 0usize;
            let mut nearest: Option<Vec<String>> = None;
            for choice in choices {
                let faults = std::mem::take(&mut self.faults);
                self.value(value, choice, at, depth + 1);
                let missed = std::mem::replace(&mut self.faults, faults);
                if missed.is_empty() {
                    fitting += 1;
                } else if nearest.as_ref().is_none_or(|n| missed.len() < n.len()) {
                    nearest = Some(missed);
                }
            }
            match fitting {
                0 => {
                    let nearest = nearest.unwrap_or_default().join("; ");
                    self.fault(at, format_args!("fits none of `{key}` ({nearest})"));
                }
                1 => {}
                n if one => self.fault(at, format_args!("fits {n} of `oneOf`, expected one")),
                _ => {}
            }
        }
    }
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => matches!(value, Value::Bool(_)),
        "integer" => match value {
            Value::Int(_) => true,
            Value::Float(f) => f.fract() == 0.0,
            _ => false,
        },
        "number" => matches!(value, Value::Int(_) | Value::Float(_)),
        "string" => matches!(value, Value::Str(_)),
        "array" => matches!(value, Value::List(_)),
        "object" => matches!(value, Value::Map(_)),
        _ => false,
    }
}

fn word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Int(_) | Value::Float(_) => "number",
        Value::Str(_) => "string",
        Value::Bytes(_) => "bytes",
        Value::List(_) => "array",
        Value::Map(_) => "object",
    }
}

#[cfg(test)]
mod tests;

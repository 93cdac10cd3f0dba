//! Reads a schema: whether its words mean what they must, and where its references lead.

use nodetool_protocol::Value;

/// Schemas in schemas beyond that are refused.
const MOST_DEPTH: usize = 48;

const TYPES: [&str; 7] = [
    "null", "boolean", "integer", "number", "string", "array", "object",
];

/// Says what is wrong with a schema, and where.
pub(super) fn check(root: &Value, schema: &Value, at: &str, depth: usize) -> Result<(), String> {
    if depth > MOST_DEPTH {
        return Err(format!("{at}: schemas are more than {MOST_DEPTH} deep"));
    }
    let map = match schema {
        Value::Bool(_) => return Ok(()),
        Value::Map(map) => map,
        other => return Err(format!("{at}: expected an object, got {}", other.kind())),
    };
    for (key, value) in map.iter() {
        let here = || format!("{at}.{key}");
        let fail = |wanted: &str| {
            Err(format!(
                "{}: expected {wanted}, got {}",
                here(),
                value.preview(60)
            ))
        };
        match &**key {
            "type" => {
                let list = value.as_list().map_or(1, <[Value]>::len);
                let known = types_of(value).filter(|t| TYPES.contains(t)).count();
                if known != list || list == 0 {
                    return fail("types of JSON Schema such as \"string\"");
                }
            }
            "properties" | "$defs" | "definitions" | "patternProperties" => {
                let Some(members) = value.as_map() else {
                    return fail("an object");
                };
                for (name, member) in members {
                    check(root, member, &format!("{}.{name}", here()), depth + 1)?;
                }
            }
            "items" | "additionalProperties" | "not" => check(root, value, &here(), depth + 1)?,
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
                let Some(members) = value.as_list() else {
                    return fail("a list of schemas");
                };
                for (i, member) in members.iter().enumerate() {
                    check(root, member, &format!("{}[{i}]", here()), depth + 1)?;
                }
            }
            "required" => {
                let names = value.as_list();
                if !names.is_some_and(|names| names.iter().all(|n| n.as_str().is_some())) {
                    return fail("a list of names");
                }
            }
            "enum" if value.as_list().is_none() => return fail("a list"),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "minItems"
            | "maxItems" | "minLength" | "maxLength"
                if value.as_f64().is_none() =>
            {
                return fail("a number");
            }
            "$ref" => match value.as_str() {
                Some(name) if target(root, name).is_some() => {}
                _ => return fail("a reference within the schema such as \"#/$defs/item\""),
            },
            _ => {}
        }
    }
    Ok(())
}

/// The types a `type` names.
pub(super) fn types_of(value: &Value) -> impl Iterator<Item = &str> {
    let several = value.as_list().unwrap_or_default();
    let one = value.as_str();
    one.into_iter()
        .chain(several.iter().filter_map(Value::as_str))
}

/// What a reference such as `#/$defs/item` leads to.
pub(super) fn target<'s>(root: &'s Value, name: &str) -> Option<&'s Value> {
    let path = name.strip_prefix('#')?;
    let mut at = root;
    for step in path.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        at = match at {
            Value::Map(map) => map.get(&*step)?,
            Value::List(items) => items.get(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(at)
}

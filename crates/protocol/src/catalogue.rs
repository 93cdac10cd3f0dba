//! The structured types every client knows, with their fields, defaults and families.
//!
//! A table and its reader; it must not know values in flight beyond tagging an untagged object.
//! Source: engine spec 2.7. Notation of a field: `name:type=default`, `?` nullable, `!` required.

use std::sync::{Arc, LazyLock};

use indexmap::IndexMap;

use crate::types::TypeMetadata;
use crate::value::{Map, Value};

/// One field of a structured type.
#[derive(Clone, Debug)]
pub struct Field {
    /// Key in the object.
    pub name: &'static str,
    /// Its type.
    pub ty: TypeMetadata,
    /// Value when absent; `None` when the field is required.
    pub default: Option<Value>,
}

/// Names of primitive and compound types.
pub const PRIMITIVES: [&str; 12] = [
    "any", "none", "str", "int", "float", "bool", "bytes", "list", "dict", "tuple", "object",
    "enum",
];

/// Types that count as assets.
pub const ASSETS: [&str; 13] = [
    "image",
    "audio",
    "video",
    "text",
    "html",
    "document",
    "folder",
    "model_ref",
    "excel",
    "json",
    "svg",
    "dataframe",
    "model_3d",
];

/// Whether `tag` names an asset reference.
pub fn is_asset(tag: &str) -> bool {
    ASSETS.contains(&tag)
}

/// Whether a value tagged `tag` may stand where `wanted` is declared, because its type extends it (2.4 row 10).
pub(crate) fn is_subtype(tag: &str, wanted: &str) -> bool {
    matches!(
        (tag, wanted),
        ("html", "text")
            | ("text" | "html", "file")
            | ("np_array", "tensor")
            | ("model_ref", "model")
    ) || (wanted == "asset" && is_asset(tag))
        || (wanted == "hf.model" && tag.starts_with("hf."))
}

/// The fields of a structured type, or nothing for a type this table does not know.
pub fn fields(tag: &str) -> Option<&'static [Field]> {
    if let Some(f) = TABLE.get(tag) {
        return Some(f);
    }
    if tag.starts_with("hf.") {
        return TABLE.get("hf.model").map(Vec::as_slice);
    }
    let inference = tag.starts_with("inference_provider_") && tag.ends_with("_model");
    if inference {
        TABLE.get("inference_provider_model").map(Vec::as_slice)
    } else {
        None
    }
}

/// Every tag of the table, in its order.
pub fn tags() -> impl Iterator<Item = &'static str> {
    TABLE.keys().copied()
}

/// A value of this type with every field at its default; `None` when the type is unknown or has required fields.
pub fn default_value(tag: &str) -> Option<Value> {
    let mut map = Map::new();
    map.insert("type".into(), tag.into());
    for f in fields(tag)? {
        map.insert(f.name.into(), f.default.clone()?);
    }
    Some(map.into())
}

/// Adds the tag to an object that has none, when it validates as that type: required fields there, known fields of
/// the right type.
pub(crate) fn tag_untyped(tag: &str, map: &Map) -> Option<Value> {
    let known = fields(tag)?;
    for f in known {
        match (map.get(f.name), &f.default) {
            (None, None) => return None,
            (Some(v), _) if !f.ty.accepts(v) => return None,
            _ => {}
        }
    }
    let mut out = Map::with_capacity(map.len() + 1);
    out.insert("type".into(), tag.into());
    out.extend(map.iter().map(|(k, v)| (k.clone(), v.clone())));
    Some(Value::Map(Arc::new(out)))
}

static TABLE: LazyLock<IndexMap<&'static str, Vec<Field>>> = LazyLock::new(|| {
    let mut table = IndexMap::new();
    for line in include_str!("catalogue.txt").lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (tags, spec) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let parsed: Vec<Field> = split_fields(spec).into_iter().map(parse_field).collect();
        for tag in tags.split(',') {
            table.insert(tag, parsed.clone());
        }
    }
    table
});

/// Splits on blanks outside brackets and quotes.
fn split_fields(spec: &'static str) -> Vec<&'static str> {
    let (mut out, mut depth, mut quoted, mut start) = (Vec::new(), 0i32, false, 0);
    for (i, c) in spec.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth -= 1,
            ' ' if depth == 0 && !quoted => {
                out.push(&spec[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    out.push(&spec[start..]);
    out.retain(|s| !s.is_empty());
    out
}

fn parse_field(text: &'static str) -> Field {
    let (name, rest) = text.split_once(':').unwrap_or((text, "any?"));
    let (ty, default) = match rest.split_once('=') {
        Some((ty, default)) => (ty, Some(literal(default))),
        None if rest.ends_with('!') => (&rest[..rest.len() - 1], None),
        None => (rest, Some(Value::Null)),
    };
    let mut ty: TypeMetadata = ty.parse().unwrap_or_else(|_| TypeMetadata::any());
    ty.optional |= matches!(default, Some(Value::Null));
    Field { name, ty, default }
}

/// The few literals the table uses.
fn literal(text: &str) -> Value {
    match text {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "[]" => Value::list([]),
        "{}" => Value::Map(Arc::new(Map::new())),
        _ if text.starts_with('"') => Value::from(text.trim_matches('"')),
        _ if text.starts_with('[') => Value::list(
            text[1..text.len() - 1]
                .split(',')
                .map(|t| literal(t.trim())),
        ),
        _ => text
            .parse::<i64>()
            .map(Value::Int)
            .or_else(|_| text.parse().map(Value::Float))
            .unwrap_or_else(|_| text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_reads_as_meant() {
        assert_eq!(
            serde_json::to_string(&default_value("image").unwrap()).unwrap(),
            r#"{"type":"image","uri":"","asset_id":null,"data":null,"metadata":null}"#
        );
        assert_eq!(
            serde_json::to_string(&default_value("language_model").unwrap()).unwrap(),
            r#"{"type":"language_model","provider":"empty","id":"","name":"","path":null,"supported_tasks":[]}"#
        );
        for tag in tags() {
            for f in fields(tag).unwrap() {
                if let Some(d) = &f.default {
                    assert!(
                        f.ty.accepts(d),
                        "{tag}.{}: default {d:?} does not fit {}",
                        f.name,
                        f.ty
                    );
                }
            }
        }
        assert!(
            default_value("step").is_none(),
            "step requires instructions"
        );
        assert!(fields("hf.text_to_image").is_some());
        assert!(fields("no_such_type").is_none());
    }
}

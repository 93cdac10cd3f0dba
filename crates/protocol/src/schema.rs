//! JSON Schema of a type, for tools, control actions and workflow interfaces (engine spec 2.6, FIX-42).

use crate::catalogue;
use crate::types::TypeMetadata;
use crate::value::{Map, Value};

fn object<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::map(pairs)
}

fn typed(name: &str) -> Value {
    object([("type", name.into())])
}

/// The JSON Schema of a type.
pub fn json_schema(ty: &TypeMetadata) -> Value {
    match &*ty.name {
        "any" => Value::Map(Map::new().into()),
        "none" => typed("null"),
        "int" => typed("integer"),
        "float" => typed("number"),
        "bool" => typed("boolean"),
        "str" | "text" => typed("string"),
        "bytes" => object([("type", "string".into()), ("format", "binary".into())]),
        "object" => typed("object"),
        "np_array" => object([("type", "array".into()), ("items", typed("number"))]),
        "list" => match ty.type_args.first() {
            Some(t) => object([("type", "array".into()), ("items", json_schema(t))]),
            None => typed("array"),
        },
        "dict" => match ty.type_args.get(1) {
            Some(t) => object([
                ("type", "object".into()),
                ("additionalProperties", json_schema(t)),
            ]),
            None => typed("object"),
        },
        "union" => object([("anyOf", Value::list(ty.type_args.iter().map(json_schema)))]),
        "tuple" => object([
            ("type", "array".into()),
            ("items", Value::list(ty.type_args.iter().map(json_schema))),
        ]),
        "enum" => match &ty.values {
            Some(values) => object([("type", "string".into()), ("enum", values.clone().into())]),
            None => typed("string"),
        },
        "image_size" => {
            let side = || object([("type", "integer".into()), ("minimum", 1i64.into())]);
            object([
                ("type", "object".into()),
                ("widget", "ImageSizeInput".into()),
                (
                    "properties",
                    object([
                        ("width", side()),
                        ("height", side()),
                        ("preset", typed("string")),
                    ]),
                ),
            ])
        }
        name if name.starts_with("comfy.") => object([
            ("type", "object".into()),
            ("properties", object([("id", typed("string"))])),
        ]),
        name if catalogue::is_asset(name) || name == "asset" => {
            let uri = object([("type", "string".into()), ("format", "uri".into())]);
            let tag = object([
                ("type", "string".into()),
                ("enum", Value::list([name.into()])),
            ]);
            object([
                ("type", "object".into()),
                ("properties", object([("uri", uri), ("type", tag)])),
            ])
        }
        name => structured(name),
    }
}

fn structured(name: &str) -> Value {
    let Some(fields) = catalogue::fields(name) else {
        return typed("object");
    };
    let tag = object([
        ("type", "string".into()),
        ("enum", Value::list([name.into()])),
    ]);
    let mut properties: Map = [("type".into(), tag)].into_iter().collect();
    let mut required = Vec::new();
    for f in fields {
        properties.insert(f.name.into(), json_schema(&f.ty));
        if f.default.is_none() {
            required.push(Value::from(f.name));
        }
    }
    let mut out: Map = [
        ("type".into(), "object".into()),
        ("properties".into(), properties.into()),
    ]
    .into_iter()
    .collect();
    if !required.is_empty() {
        out.insert("required".into(), required.into());
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_follow_the_type_table() {
        for (ty, want) in [
            ("any", "{}"),
            ("int", r#"{"type":"integer"}"#),
            ("list[str]", r#"{"type":"array","items":{"type":"string"}}"#),
            (
                "dict[str,int]",
                r#"{"type":"object","additionalProperties":{"type":"integer"}}"#,
            ),
            (
                "union[int,float]",
                r#"{"anyOf":[{"type":"integer"},{"type":"number"}]}"#,
            ),
            (
                "image",
                r#"{"type":"object","properties":{"uri":{"type":"string","format":"uri"},"type":{"type":"string","enum":["image"]}}}"#,
            ),
            (
                "comfy.vae",
                r#"{"type":"object","properties":{"id":{"type":"string"}}}"#,
            ),
        ] {
            assert_eq!(
                serde_json::to_string(&json_schema(&ty.parse().unwrap())).unwrap(),
                want,
                "{ty}"
            );
        }
    }
}

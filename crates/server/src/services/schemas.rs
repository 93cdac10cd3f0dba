//! The JSON Schemas of a workflow's inputs and outputs (engine spec 1.12, HTTP spec 5).

use nodetool_protocol::{Graph, Map, Node, Value};

/// `(input_schema, output_schema)` of a graph.
pub(crate) fn interface_schemas(graph: &Graph) -> (Value, Value) {
    let inputs = graph
        .nodes
        .iter()
        .filter_map(|n| Some((n, input_schema(n)?)));
    let outputs = graph
        .nodes
        .iter()
        .filter(|n| n.node_type.starts_with("nodetool.output."))
        .map(|n| (n, Map::from_iter([("type".into(), "any".into())])));
    (object(inputs), object(outputs))
}

fn object<'g>(entries: impl Iterator<Item = (&'g Node, Map)>) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (node, mut schema) in entries {
        let key = node.name().unwrap_or(&node.id);
        schema.insert(
            "label".into(),
            node.data
                .get("label")
                .cloned()
                .filter(|v| !v.is_null())
                .unwrap_or("".into()),
        );
        if properties.insert(key.into(), schema.into()).is_none() {
            required.push(Value::from(key));
        }
    }
    Value::map([
        ("type", "object".into()),
        ("properties", Value::from(properties)),
        ("required", required.into()),
    ])
}

fn input_schema(node: &Node) -> Option<Map> {
    let class = node.node_type.strip_prefix("nodetool.input.")?;
    let data = |key: &str, or: Value| {
        node.data
            .get(key)
            .cloned()
            .filter(|v| !v.is_null())
            .unwrap_or(or)
    };
    let number = |name: &str| {
        Map::from_iter([
            ("type".into(), name.into()),
            ("minimum".into(), data("min", 0i64.into())),
            ("maximum".into(), data("max", 100i64.into())),
            ("default".into(), data("value", 0i64.into())),
        ])
    };
    Some(match class {
        "FloatInput" => number("number"),
        "IntegerInput" => number("integer"),
        "StringInput" => Map::from_iter([
            ("type".into(), "string".into()),
            ("default".into(), data("value", "".into())),
        ]),
        "BooleanInput" => Map::from_iter([
            ("type".into(), "boolean".into()),
            ("default".into(), data("value", false.into())),
        ]),
        "ImageInput" | "VideoInput" | "AudioInput" | "DocumentInput" => {
            let kind = class.trim_end_matches("Input").to_lowercase();
            let uri = Value::map(
                [("type", "string"), ("format", "uri")].map(|(k, v)| (k, Value::from(v))),
            );
            let tag = Value::map([
                ("type", Value::from("string")),
                ("enum", Value::list([kind.into()])),
            ]);
            Map::from_iter([
                ("type".into(), "object".into()),
                (
                    "properties".into(),
                    Value::map([("uri", uri), ("type", tag)]),
                ),
                (
                    "required".into(),
                    Value::list(["uri".into(), "type".into()]),
                ),
            ])
        }
        _ => return None,
    })
}

//! Parts of a job's closing message: what is wrong with its graph, results with their types spelt out.

use nodetool_protocol::{Map, Value};

use super::Loaded;

impl Loaded {
    /// What is wrong with the graph, as `validation_issues` lists it (socket spec 4.2); empty when it can run.
    pub(crate) fn issues(&self) -> Vec<Map> {
        let Err(error) = &self.plan else {
            return Vec::new();
        };
        let issue = |fault: &nodetool_engine::Fault| {
            let id = fault.node_id.as_deref();
            let node_type = id.and_then(|id| self.titles.get(id)).map(|(_, t)| &**t);
            let message: String = fault.message.chars().take(1000).collect();
            Map::from_iter([
                ("node_id".into(), Value::from(id)),
                ("node_type".into(), node_type.into()),
                ("property".into(), fault.handle.as_deref().into()),
                ("message".into(), message.into()),
            ])
        };
        error.faults.iter().map(issue).collect()
    }
}

/// Results with each value as `{type, value}`; objects are wrapped value by value, typed
/// ones stay as they are (socket spec 4.2).
pub(crate) fn explicit_types(results: Map) -> Map {
    let wrap = |(key, value)| (key, explicit(value));
    results.into_iter().map(wrap).collect()
}

fn explicit(value: Value) -> Value {
    let kind = match &value {
        Value::Str(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Int(_) => "integer",
        Value::Float(_) => "float",
        Value::Bytes(_) => "bytes",
        Value::List(_) => "list",
        Value::Null => return value,
        Value::Map(map) if map.contains_key("type") => return value,
        Value::Map(map) => return explicit_types(Map::clone(map)).into(),
    };
    Value::map([("type", kind.into()), ("value", value)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_of_a_result_says_its_type() {
        let wrapped =
            |kind: &str, value: Value| Value::map([("type", kind.into()), ("value", value)]);
        let inner = Value::map([("n", 1i64.into())]);
        let results = Map::from_iter([
            ("out".into(), Value::list(["a".into()])),
            ("map".into(), inner),
            ("none".into(), Value::Null),
        ]);
        let explicit = explicit_types(results);
        assert_eq!(explicit["out"], wrapped("list", Value::list(["a".into()])));
        assert_eq!(
            explicit["map"].get("n"),
            Some(&wrapped("integer", 1i64.into()))
        );
        assert!(explicit["none"].is_null());
    }
}

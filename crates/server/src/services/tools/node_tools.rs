//! Node types as tools: one execution of the node, with the arguments as its properties.

use std::sync::Arc;

use nodetool_protocol::{Graph, json_schema};
use nodetool_sdk::models::ToolSpec;
use nodetool_sdk::tools::Tool;
use nodetool_sdk::{Effect, Map, NodeDef, Registry, Value};

use super::Desk;
use super::names::sanitised;

/// The node type of this name, if it may be a tool: by the type's own name, else by the name providers take.
pub(super) fn find(registry: &Registry, name: &str) -> Option<Arc<str>> {
    let usable = |def: &&Arc<NodeDef>| def.metadata.expose_as_tool && !def.hidden;
    let exact = registry.get(name).filter(usable);
    let found = exact.or_else(|| {
        let mut all = registry.iter().filter(usable);
        all.find(|def| sanitised(&def.metadata.node_type) == name)
    });
    found.map(|def| def.metadata.node_type.as_str().into())
}

/// What a model is told of a node type.
pub(super) fn tool(def: &NodeDef) -> Tool {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for property in &def.metadata.properties {
        let mut schema = match json_schema(&property.ty) {
            Value::Map(schema) => Arc::unwrap_or_clone(schema),
            _ => Map::new(),
        };
        if let Some(description) = &property.description {
            schema.insert("description".into(), description.as_str().into());
        }
        if !property.default.is_null() && !matches!(property.default, Value::Map(_)) {
            schema.insert("default".into(), property.default.clone());
        }
        for (key, limit) in [("minimum", property.min), ("maximum", property.max)] {
            if let Some(limit) = limit {
                schema.insert(key.into(), limit.into());
            }
        }
        if property.required {
            required.push(Value::from(property.name.as_str()));
        }
        properties.insert(property.name.as_str().into(), schema.into());
    }
    let summary = def.metadata.description.lines().next();
    Tool {
        spec: ToolSpec {
            name: sanitised(&def.metadata.node_type),
            description: summary.unwrap_or(&def.metadata.title).to_owned(),
            parameters: Value::map([
                ("type", Value::from("object")),
                ("properties", properties.into()),
                ("required", required.into()),
                ("additionalProperties", def.metadata.is_dynamic.into()),
            ]),
            ..ToolSpec::default()
        },
        effects: def.effect != Effect::Pure,
    }
}

impl Desk {
    pub(super) async fn run_node(&self, node_type: &str, arguments: Map) -> Result<Value, String> {
        let Some(def) = self.house.registry.get(node_type) else {
            return Err(format!("there is no node type {node_type}"));
        };
        let graph = Graph::from_value(around(def, arguments)).map_err(|faults| {
            let first = faults.first().map(|f| format!("{f:?}"));
            format!("the arguments make no graph: {}", first.unwrap_or_default())
        })?;
        let loaded = self.house.workflows.plan_graph(&self.scope.caller, &graph);
        self.run_loaded(Arc::new(loaded), Map::new()).await
    }
}

/// A graph of the node, with an output for each of its slots.
fn around(def: &NodeDef, arguments: Map) -> Value {
    let (declared, dynamic): (Map, Map) = arguments
        .into_iter()
        .partition(|(name, _)| def.property_index(name).is_some());
    let mut nodes = vec![Value::map([
        ("id", Value::from("tool")),
        ("type", def.metadata.node_type.as_str().into()),
        ("data", declared.into()),
        ("dynamic_properties", dynamic.into()),
    ])];
    let mut edges = Vec::new();
    for (i, slot) in def.metadata.outputs.iter().enumerate() {
        let id = format!("output_{i}");
        let name = Map::from_iter([("name".into(), slot.name.as_str().into())]);
        nodes.push(Value::map([
            ("id", Value::from(id.as_str())),
            ("type", "nodetool.output.Output".into()),
            ("data", name.into()),
        ]));
        edges.push(Value::map([
            ("id", Value::from(format!("edge_{i}"))),
            ("source", "tool".into()),
            ("sourceHandle", slot.name.as_str().into()),
            ("target", id.into()),
            ("targetHandle", "value".into()),
        ]));
    }
    Value::map([("nodes", nodes), ("edges", edges)].map(|(k, v)| (k, Value::from(v))))
}

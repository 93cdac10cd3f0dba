//! Step types as the Orchestrator lists them (spec 3.8). It must not know workflows.

use std::sync::Arc;

use nodetool_protocol::{Map, Value};
use nodetool_sdk::steps::{StepDef, StepKind, Steps};
use serde::Serialize;
use utoipa::ToSchema;

use super::projection::type_name;

/// Levels of folders that a category may have.
const MAX_LEVELS: usize = 8;

/// A place where connections begin or end.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Port {
    id: String,
    label: String,
}

fn ports(of: &[(&str, &str)]) -> Vec<Port> {
    let port = |(id, label): &(&str, &str)| Port {
        id: (*id).to_owned(),
        label: (*label).to_owned(),
    };
    of.iter().map(port).collect()
}

/// A type as the canvas shows it with each node.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct NodeType {
    identifier: String,
    /// Its label, or its class where it has none.
    name: String,
    /// `ProducerNode`, …; `unknown` for types this server does not have.
    #[serde(rename = "type")]
    kind: String,
    #[schema(required)]
    description: Option<String>,
    has_form: bool,
    #[schema(required)]
    category: Option<String>,
    icon: String,
    input_ports: Vec<Port>,
    output_ports: Vec<Port>,
}

/// A type in lists.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct NodeMeta {
    /// Its class.
    name: String,
    pub(crate) identifier: String,
    #[serde(rename = "type")]
    kind: String,
    has_form: bool,
    #[schema(required)]
    form_class: Option<String>,
    #[schema(required)]
    label: Option<String>,
    #[schema(required)]
    description: Option<String>,
    input_ports: Vec<Port>,
    output_ports: Vec<Port>,
    icon: String,
    category: String,
    supported_workflow_types: Vec<String>,
}

/// A type by itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct NodeDetail {
    name: String,
    identifier: String,
    #[serde(rename = "type")]
    kind: String,
    has_form: bool,
    #[schema(required)]
    form_class: Option<String>,
    #[schema(required)]
    label: Option<String>,
    #[schema(required)]
    description: Option<String>,
    icon: String,
    category: String,
    supported_workflow_types: Vec<String>,
}

/// The file of a type's icon: its own, or that of its kind.
fn icon(def: &StepDef) -> String {
    let of_kind = match def.kind {
        StepKind::Producer => "producer.png",
        StepKind::Blocking => "blocking.png",
        StepKind::NonBlocking => "non-blocking.png",
        StepKind::Conditional => "conditional.png",
        StepKind::Loop => "loop.png",
    };
    def.icon.as_deref().unwrap_or(of_kind).to_owned()
}

/// What the canvas shows of a type, also of one this server does not have.
pub(crate) fn node_type_of(node_type: &str, steps: &Steps) -> NodeType {
    let Some(def) = steps.get(node_type) else {
        let raw = type_name(node_type).to_owned();
        return NodeType {
            identifier: raw.clone(),
            name: raw,
            kind: "unknown".to_owned(),
            description: None,
            has_form: false,
            category: None,
            icon: "default.png".to_owned(),
            input_ports: ports(StepKind::Blocking.input_ports()),
            output_ports: ports(StepKind::Blocking.output_ports()),
        };
    };
    NodeType {
        identifier: def.identifier.to_string(),
        name: def.label.as_ref().unwrap_or(&def.class).to_string(),
        kind: def.kind.as_str().to_owned(),
        description: def.description.as_deref().map(str::to_owned),
        has_form: def.form.is_some(),
        category: Some(def.category.to_string()),
        icon: icon(&def),
        input_ports: ports(def.kind.input_ports()),
        output_ports: ports(def.kind.output_ports()),
    }
}

/// A type in lists.
pub(crate) fn meta(def: &StepDef) -> NodeMeta {
    let detail = detail(def);
    NodeMeta {
        name: detail.name,
        identifier: detail.identifier,
        kind: detail.kind,
        has_form: detail.has_form,
        form_class: detail.form_class,
        label: detail.label,
        description: detail.description,
        input_ports: ports(def.kind.input_ports()),
        output_ports: ports(def.kind.output_ports()),
        icon: detail.icon,
        category: detail.category,
        supported_workflow_types: detail.supported_workflow_types,
    }
}

/// A type by itself.
pub(crate) fn detail(def: &StepDef) -> NodeDetail {
    NodeDetail {
        name: def.class.to_string(),
        identifier: def.identifier.to_string(),
        kind: def.kind.as_str().to_owned(),
        has_form: def.form.is_some(),
        form_class: def.form.as_ref().map(|form| form.name.to_owned()),
        label: def.label.as_deref().map(str::to_owned),
        description: def.description.as_deref().map(str::to_owned),
        icon: icon(def),
        category: def.category.to_string(),
        supported_workflow_types: def.supports.iter().map(|s| (*s).to_owned()).collect(),
    }
}

/// All types by category: `{category: {nodes, subfolders}}`; a category with slashes is a folder in a folder.
pub(crate) fn tree<'a>(defs: impl Iterator<Item = &'a Arc<StepDef>>) -> Value {
    let mut root = Map::new();
    for def in defs {
        let parts: Vec<&str> = def.category.splitn(MAX_LEVELS, '/').collect();
        let meta = serde_json::to_value(meta(def)).unwrap_or_default();
        let meta = serde_json::from_value(meta).unwrap_or_default();
        put(&mut root, &parts, meta);
    }
    root.into()
}

fn put(folders: &mut Map, parts: &[&str], meta: Value) {
    let Some((first, rest)) = parts.split_first() else {
        return;
    };
    let folder = folders.entry((*first).into()).or_insert_with(|| {
        Value::map([
            ("nodes", Value::list([])),
            ("subfolders", Map::new().into()),
        ])
    });
    let Value::Map(folder) = folder else { return };
    let folder = Arc::make_mut(folder);
    if rest.is_empty() {
        if let Some(Value::List(nodes)) = folder.get_mut("nodes") {
            Arc::make_mut(nodes).push(meta);
        }
    } else if let Some(Value::Map(inner)) = folder.get_mut("subfolders") {
        put(Arc::make_mut(inner), rest, meta);
    }
}

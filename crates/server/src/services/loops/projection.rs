//! A workflow, its nodes and its edges as the Orchestrator shows them, whoever made them (spec 3.2, 3.4).
//!
//! Plain functions over what is stored; they change nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use nodetool_engine::merge_upstream;
use nodetool_protocol::{Edge, Graph, Map, Node, Value};
use nodetool_sdk::steps::{DEFAULT, Steps};
use nodetool_store::{LoopRow, NodeDataRow, WorkflowRow};
use serde::Serialize;
use utoipa::ToSchema;

use super::catalogue::{NodeType, node_type_of};
use super::{ids, masks};
use crate::services::WorkflowError;
use crate::services::outbox::zulu_text;

/// A workflow.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct WorkflowObject {
    pub(crate) id: String,
    pub(crate) name: String,
    #[schema(required)]
    pub(crate) description: Option<String>,
    #[schema(required)]
    pub(crate) category: Option<String>,
    /// `production` or `api`.
    pub(crate) workflow_type: String,
    /// What becomes of a run that a lost process left behind: `never` or `on-boot`.
    restart: String,
    /// `active`, `inactive` or `error`.
    pub(crate) status: String,
    #[schema(required)]
    pub(crate) last_run: Option<String>,
    #[schema(required)]
    pub(crate) next_run: Option<String>,
    pub(crate) runs_count: i64,
    #[schema(value_type = Vec<serde_json::Value>)]
    pub(crate) tags: Value,
    /// Its newest run.
    #[schema(required)]
    pub(crate) task_id: Option<String>,
    #[schema(value_type = Object)]
    pub(crate) env: Value,
    #[schema(value_type = Object)]
    pub(crate) runtime_state: Value,
    /// The owner: a number where their id is one.
    #[schema(value_type = serde_json::Value)]
    pub(crate) created_by: Value,
    pub(crate) created_by_username: String,
    /// `loop` or `dataflow`: through which API it was made.
    pub(crate) dialect: String,
    #[schema(format = DateTime)]
    pub(crate) created_at: String,
    #[schema(format = DateTime)]
    pub(crate) updated_at: String,
}

/// A node.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct NodeObject {
    pub(crate) id: String,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
    pub(crate) node_type: String,
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// Raw values of its form; what is secret shows as stars.
    #[schema(value_type = Object)]
    pub(crate) form_values: Map,
    #[schema(value_type = Object)]
    pub(crate) config: Map,
    #[schema(value_type = Object)]
    pub(crate) input_data: Map,
    #[schema(value_type = Object)]
    pub(crate) output_data: Map,
}

/// Where a node is on the canvas.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Position {
    #[schema(value_type = f64)]
    pub(crate) x: Value,
    #[schema(value_type = f64)]
    pub(crate) y: Value,
}

/// A node on the canvas: what its type is beside its values.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct CanvasNode {
    pub(crate) id: String,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
    pub(crate) node_type: NodeType,
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) position: Position,
    #[schema(value_type = Object)]
    pub(crate) form_values: Map,
    #[schema(value_type = Object)]
    pub(crate) config: Map,
    #[schema(value_type = Object)]
    pub(crate) input_data: Map,
    #[schema(value_type = Object)]
    pub(crate) output_data: Map,
}

impl CanvasNode {
    pub(crate) fn new(object: NodeObject, position: Position, node_type: NodeType) -> Self {
        CanvasNode {
            id: object.id,
            created_at: object.created_at,
            updated_at: object.updated_at,
            node_type,
            x: object.x,
            y: object.y,
            position,
            form_values: object.form_values,
            config: object.config,
            input_data: object.input_data,
            output_data: object.output_data,
        }
    }
}

/// A connection of two nodes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct EdgeObject {
    pub(crate) id: String,
    pub(crate) source_node: String,
    pub(crate) target_node: String,
    pub(crate) source_handle: String,
    pub(crate) created_at: String,
    /// `source_node` again.
    pub(crate) source: String,
    /// `target_node` again.
    pub(crate) target: String,
    /// `source_handle` again.
    #[serde(rename = "sourceHandle")]
    pub(crate) source_handle_again: String,
}

/// What the canvas says of the workflow itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct CanvasWorkflow {
    id: String,
    name: String,
    #[schema(required)]
    description: Option<String>,
    status: String,
    workflow_type: String,
    runs_count: i64,
    #[schema(required)]
    last_run: Option<String>,
    #[schema(value_type = Object)]
    runtime_state: Value,
}

/// All that an editor shows of a workflow.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Canvas {
    pub(crate) id: String,
    pub(crate) nodes: Vec<CanvasNode>,
    pub(crate) edges: Vec<EdgeObject>,
    pub(crate) workflow: CanvasWorkflow,
}

/// A node as the engine reads it, beside what the editor reads.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RawNode {
    #[serde(flatten)]
    node: NodeObject,
    /// `node_type` again.
    #[serde(rename = "type")]
    kind: String,
    /// `{form, config}`.
    #[schema(value_type = Object)]
    data: Value,
}

/// A workflow with all that it is made of.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RawConfig {
    #[serde(flatten)]
    workflow: WorkflowObject,
    nodes: Vec<RawNode>,
    connections: Vec<EdgeObject>,
}

/// The last values of a workflow's nodes, by key.
#[derive(Default)]
pub(crate) struct NodeValues(HashMap<String, (Map, Map)>);

impl NodeValues {
    pub(crate) fn read(workflow_id: &str, rows: Vec<NodeDataRow>) -> Result<Self, WorkflowError> {
        let map = |text: Option<String>| match text {
            Some(text) => object(workflow_id, &text),
            None => Ok(Map::new()),
        };
        let one = |row: NodeDataRow| {
            let values = (map(row.input_data)?, map(row.output_data)?);
            Ok((row.node_id, values))
        };
        rows.into_iter()
            .map(one)
            .collect::<Result<_, _>>()
            .map(NodeValues)
    }

    fn of(&self, key: &str) -> (Map, Map) {
        self.0.get(key).cloned().unwrap_or_default()
    }

    /// What a node last gave.
    pub(crate) fn output(&self, key: &str) -> Map {
        self.of(key).1
    }

    /// What the nodes before a node last gave, as one (spec 1.8): each of them once, in the order of the edges. Those
    /// that have given nothing yet do not count.
    pub(crate) fn merged_input(&self, graph: &Graph, key: &str) -> Map {
        let mut seen = HashSet::new();
        let before: Vec<Map> = graph
            .edges
            .iter()
            .filter(|edge| *edge.target == *key && seen.insert(edge.source.clone()))
            .filter_map(|edge| self.0.get(&*edge.source))
            .map(|(_, output)| output.clone())
            .filter(|output| !output.is_empty())
            .collect();
        merge_upstream(&before)
    }
}

/// A stored JSON object.
pub(crate) fn object(workflow_id: &str, text: &str) -> Result<Map, WorkflowError> {
    serde_json::from_str(text).map_err(|source| WorkflowError::Corrupt {
        id: workflow_id.to_owned(),
        source,
    })
}

/// A workflow; without a row of its own as a loop it is one that was never made one.
pub(crate) fn workflow(
    row: &WorkflowRow,
    beside: Option<&LoopRow>,
    owner: &str,
) -> Result<WorkflowObject, WorkflowError> {
    let new;
    let beside = match beside {
        Some(beside) => beside,
        None => {
            new = LoopRow::new(&row.id, "dataflow");
            &new
        }
    };
    let tags = serde_json::from_str(&row.tags).map_err(|source| WorkflowError::Corrupt {
        id: row.id.clone(),
        source,
    })?;
    let owner_id = row.user_id.parse::<i64>().map(Value::Int);
    Ok(WorkflowObject {
        id: ids::shown(&row.id),
        name: row.name.clone(),
        description: row.description.clone(),
        category: beside.category.clone(),
        workflow_type: beside.workflow_type.clone(),
        status: beside.status.clone(),
        last_run: beside.last_run.map(zulu_text),
        restart: beside.restart.clone(),
        next_run: beside.next_run.map(zulu_text),
        runs_count: beside.runs_count,
        tags,
        task_id: beside.last_job_id.as_deref().map(ids::shown),
        env: object(&row.id, &beside.env)?.into(),
        runtime_state: object(&row.id, &beside.runtime_state)?.into(),
        created_by: owner_id.unwrap_or_else(|_| Value::str(row.user_id.as_str())),
        created_by_username: owner.to_owned(),
        dialect: beside.dialect.clone(),
        created_at: zulu_text(row.created_at),
        updated_at: zulu_text(row.updated_at),
    })
}

/// What a node's type is called here.
pub(crate) fn type_name(node_type: &str) -> &str {
    node_type.strip_prefix(Steps::PREFIX).unwrap_or(node_type)
}

/// What graphs call a type that clients name.
pub(crate) fn graph_type(name: &str) -> Arc<str> {
    if name.contains('.') {
        name.into()
    } else {
        format!("{}{name}", Steps::PREFIX).into()
    }
}

/// A time beside a node or an edge; the workflow's own where there is none.
fn time_of(extra: &Map, key: &str, otherwise: i64) -> String {
    match extra.get(key).and_then(Value::as_str) {
        Some(text) => text.to_owned(),
        None => zulu_text(otherwise),
    }
}

fn coordinate(node: &Node, axis: &str) -> Value {
    let place = node.ui_properties.get("position");
    match place.and_then(|place| place.get(axis)) {
        Some(number @ (Value::Int(_) | Value::Float(_))) => number.clone(),
        _ => Value::Int(0),
    }
}

pub(crate) fn position(node: &Node) -> Position {
    Position {
        x: coordinate(node, "x"),
        y: coordinate(node, "y"),
    }
}

/// The settings of a node beside its form.
pub(crate) fn config(node: &Node) -> Map {
    let config = node.extra.get("config").and_then(Value::as_map);
    config.cloned().unwrap_or_default()
}

/// A node of a workflow with its last values.
pub(crate) fn node(
    row: &WorkflowRow,
    node: &Node,
    values: &NodeValues,
    steps: &Steps,
) -> NodeObject {
    let Position { x, y } = position(node);
    let (input_data, output_data) = values.of(&node.id);
    let created_at = time_of(&node.extra, "created_at", row.created_at);
    NodeObject {
        id: ids::node_id(&row.id, &node.id),
        updated_at: match node.extra.get("updated_at").and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => created_at.clone(),
        },
        created_at,
        node_type: type_name(&node.node_type).to_owned(),
        x: x.as_f64().unwrap_or_default(),
        y: y.as_f64().unwrap_or_default(),
        form_values: masks::mask(steps.get(&node.node_type).as_deref(), &node.data),
        config: config(node),
        input_data,
        output_data,
    }
}

/// An edge of a workflow.
pub(crate) fn edge(row: &WorkflowRow, edge: &Edge) -> EdgeObject {
    let source = ids::node_id(&row.id, &edge.source);
    let target = ids::node_id(&row.id, &edge.target);
    let handle = match &*edge.source_handle {
        "" => DEFAULT.to_owned(),
        handle => handle.to_owned(),
    };
    EdgeObject {
        id: ids::edge_id(&row.id, edge),
        source_node: source.clone(),
        target_node: target.clone(),
        source_handle: handle.clone(),
        created_at: time_of(&edge.extra, "created_at", row.created_at),
        source,
        target,
        source_handle_again: handle,
    }
}

fn canvas_node(
    row: &WorkflowRow,
    of_graph: &Node,
    values: &NodeValues,
    steps: &Steps,
) -> CanvasNode {
    let node_type = node_type_of(&of_graph.node_type, steps);
    CanvasNode::new(
        node(row, of_graph, values, steps),
        position(of_graph),
        node_type,
    )
}

/// All that an editor shows.
pub(crate) fn canvas(
    row: &WorkflowRow,
    whole: WorkflowObject,
    graph: &Graph,
    values: &NodeValues,
    steps: &Steps,
) -> Canvas {
    let nodes = graph.nodes.iter();
    Canvas {
        id: whole.id.clone(),
        nodes: nodes.map(|n| canvas_node(row, n, values, steps)).collect(),
        edges: graph.edges.iter().map(|e| edge(row, e)).collect(),
        workflow: CanvasWorkflow {
            id: whole.id,
            name: whole.name,
            description: whole.description,
            status: whole.status,
            workflow_type: whole.workflow_type,
            runs_count: whole.runs_count,
            last_run: whole.last_run,
            runtime_state: whole.runtime_state,
        },
    }
}

/// All that a workflow is made of.
pub(crate) fn raw_config(
    row: &WorkflowRow,
    whole: WorkflowObject,
    graph: &Graph,
    values: &NodeValues,
    steps: &Steps,
) -> RawConfig {
    let raw = |of_graph: &Node| {
        let object = node(row, of_graph, values, steps);
        RawNode {
            kind: object.node_type.clone(),
            data: Value::map([
                ("form", Value::from(object.form_values.clone())),
                ("config", Value::from(object.config.clone())),
            ]),
            node: object,
        }
    };
    RawConfig {
        workflow: whole,
        nodes: graph.nodes.iter().map(raw).collect(),
        connections: graph.edges.iter().map(|e| edge(row, e)).collect(),
    }
}

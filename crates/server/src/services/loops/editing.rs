//! Changes of a workflow's graph, one node or one edge at a time (spec 3.4).
//!
//! Each is made on the graph as it is stored and saved only if nobody has saved since; else it is made again. The
//! changes themselves are plain functions over the graph.

use std::sync::Arc;

use nodetool_protocol::{Edge, EdgeKind, Graph, Map, Node, Value};
use nodetool_sdk::steps::{DEFAULT, Steps};
use nodetool_store::{IfMatch, NodeDataRow, WorkflowRow, now_micros};

use super::projection::{self, EdgeObject, NodeObject, NodeValues, Position};
use super::{EditError, LoopService, catalogue, ids, masks};
use crate::services::outbox::zulu_text;
use crate::services::workflows::{read_graph, to_json};
use crate::services::{Caller, WorkflowError};

/// How often a change is made again that others come before.
const ATTEMPTS: usize = 256;
/// Most nodes of a graph, as documents may have.
const MAX_NODES: usize = 100_000;
/// Most edges of a graph.
const MAX_EDGES: usize = 500_000;
/// Longest name of a way out, in characters.
pub(crate) const MAX_HANDLE: usize = 50;

/// What a client says of a node; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeChange {
    pub(crate) node_type: Option<String>,
    pub(crate) x: Option<Value>,
    pub(crate) y: Option<Value>,
    pub(crate) form_values: Option<Map>,
    pub(crate) config: Option<Map>,
    pub(crate) input_data: Option<Map>,
    pub(crate) output_data: Option<Map>,
}

/// The ends of an edge, as a client names them; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct EdgeChange {
    pub(crate) source: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) handle: Option<String>,
}

/// A node with what only some answers show of it.
pub(crate) struct EditedNode {
    pub(crate) object: NodeObject,
    pub(crate) position: Position,
    pub(crate) node_type: catalogue::NodeType,
}

/// Why an edge cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EdgeFault {
    #[error("Source or target node not found")]
    NoSource,
    #[error("Source or target node not found")]
    NoTarget,
    #[error("Source node and target node cannot be the same.")]
    ToItself,
    #[error("Connection already exists")]
    Exists,
}

/// The type of a node that is added without one.
const UNNAMED: &str = "custom-node";

impl LoopService {
    /// Changes the graph of the caller's workflow; `edit` may be asked more than once.
    async fn edit<T>(
        &self,
        caller: &Caller,
        id: &str,
        edit: impl Fn(&WorkflowRow, &mut Graph) -> Result<T, EditError>,
    ) -> Result<(T, WorkflowRow, Graph), EditError> {
        let read = self.graph_of(caller, id).await?;
        self.edit_from(read, caller, id, edit).await
    }

    /// The same for a graph that was read already: reading it is most of the work of a change.
    async fn edit_from<T>(
        &self,
        read: (WorkflowRow, Graph),
        caller: &Caller,
        id: &str,
        edit: impl Fn(&WorkflowRow, &mut Graph) -> Result<T, EditError>,
    ) -> Result<(T, WorkflowRow, Graph), EditError> {
        let mut read = Some(read);
        for _ in 0..ATTEMPTS {
            let (row, mut graph) = match read.take() {
                Some(read) => read,
                None => self.graph_of(caller, id).await?,
            };
            let made = edit(&row, &mut graph)?;
            let expected = IfMatch::OneOf(vec![row.etag()]);
            let saved = self
                .0
                .workflows
                .save_own(row, Some(&graph), expected, |_| false);
            match saved.await {
                Ok((row, _)) => return Ok((made, row, graph)),
                Err(WorkflowError::Changed) => tokio::task::yield_now().await,
                Err(e) => return Err(e.into()),
            }
        }
        Err(EditError::Contended)
    }

    /// Refuses a workflow that is not the caller's.
    pub(crate) async fn check_own(&self, caller: &Caller, id: &str) -> Result<(), EditError> {
        self.0.workflows.get_own(caller, id).await?;
        Ok(())
    }

    /// The caller's workflow with its graph.
    pub(crate) async fn graph_of(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(WorkflowRow, Graph), EditError> {
        let row = self.0.workflows.get_own(caller, id).await?;
        let graph = read_graph(&row.id, &row.graph)?;
        Ok((row, graph))
    }

    /// The last values of a workflow's nodes.
    pub(crate) async fn values_of(&self, row: &WorkflowRow) -> Result<NodeValues, EditError> {
        let rows = self.0.store.node_data(&row.id).await?;
        Ok(NodeValues::read(&row.id, rows)?)
    }

    /// The last values of one node.
    async fn values_of_node(&self, row: &WorkflowRow, key: &str) -> Result<NodeValues, EditError> {
        let (store, key) = (&self.0.store, vec![key.to_owned()]);
        let (_, rows) = store.get_loop_and_data(&row.id, key).await?;
        Ok(NodeValues::read(&row.id, rows)?)
    }

    async fn put_values(
        &self,
        row: &WorkflowRow,
        key: &str,
        input: Option<&Map>,
        output: Option<&Map>,
    ) -> Result<(), EditError> {
        if input.is_none() && output.is_none() {
            return Ok(());
        }
        let data = NodeDataRow {
            node_id: key.to_owned(),
            updated_at: now_micros(),
            input_data: input.map(to_json),
            output_data: output.map(to_json),
        };
        Ok(self.0.store.put_node_data(&row.id, vec![data]).await?)
    }

    fn edited(
        &self,
        row: &WorkflowRow,
        graph: &Graph,
        at: usize,
        values: &NodeValues,
    ) -> Result<EditedNode, EditError> {
        let node = graph.nodes.get(at).ok_or(EditError::NoNode)?;
        let steps = self.steps();
        Ok(EditedNode {
            object: projection::node(row, node, values, steps),
            position: projection::position(node),
            node_type: catalogue::node_type_of(&node.node_type, steps),
        })
    }

    /// Every node, newest first.
    pub(crate) async fn nodes(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Vec<NodeObject>, EditError> {
        let (row, graph) = self.graph_of(caller, id).await?;
        let values = self.values_of(&row).await?;
        let show = |node| projection::node(&row, node, &values, self.steps());
        let mut nodes: Vec<_> = graph.nodes.iter().rev().map(show).collect();
        nodes.sort_by(|a, b| b.created_at.cmp(&a.created_at));
        Ok(nodes)
    }

    /// One node.
    pub(crate) async fn node(
        &self,
        caller: &Caller,
        id: &str,
        node_id: &str,
    ) -> Result<EditedNode, EditError> {
        let (row, graph) = self.graph_of(caller, id).await?;
        let at = ids::find_node(&graph, &row.id, node_id).ok_or(EditError::NoNode)?;
        let values = self.values_of_node(&row, &graph.nodes[at].id).await?;
        self.edited(&row, &graph, at, &values)
    }

    /// Puts a new node into a workflow.
    pub(crate) async fn add_node(
        &self,
        caller: &Caller,
        id: &str,
        mut change: NodeChange,
    ) -> Result<EditedNode, EditError> {
        let key = ids::fresh();
        let steps = self.steps();
        if let Some(values) = change.form_values.take() {
            let name = change.node_type.as_deref().unwrap_or(UNNAMED);
            let def = steps.get(&projection::graph_type(name));
            let sealed = self.sealed(&caller.user_id, def.as_deref(), values).await?;
            change.form_values = Some(sealed);
        }
        let add = |_: &WorkflowRow, graph: &mut Graph| add_node(graph, &key, &change, steps);
        let (at, row, graph) = self.edit(caller, id, add).await?;
        let (input, output) = (change.input_data.as_ref(), change.output_data.as_ref());
        self.put_values(&row, &key, input, output).await?;
        let values = if input.is_some() || output.is_some() {
            self.values_of_node(&row, &key).await?
        } else {
            NodeValues::default()
        };
        self.edited(&row, &graph, at, &values)
    }

    /// Changes a node.
    pub(crate) async fn change_node(
        &self,
        caller: &Caller,
        id: &str,
        node_id: &str,
        mut change: NodeChange,
    ) -> Result<EditedNode, EditError> {
        let steps = self.steps();
        let (row, graph) = self.graph_of(caller, id).await?;
        if let Some(values) = change.form_values.take() {
            let node_type = match &change.node_type {
                Some(name) => projection::graph_type(name),
                None => {
                    let at = ids::find_node(&graph, &row.id, node_id).ok_or(EditError::NoNode)?;
                    graph.nodes[at].node_type.clone()
                }
            };
            let def = steps.get(&node_type);
            let sealed = self.sealed(&caller.user_id, def.as_deref(), values).await?;
            change.form_values = Some(sealed);
        }
        let set = |row: &WorkflowRow, graph: &mut Graph| {
            let at = ids::find_node(graph, &row.id, node_id).ok_or(EditError::NoNode)?;
            set_node(&mut graph.nodes[at], &change, steps);
            Ok(at)
        };
        let changed = self.edit_from((row, graph), caller, id, set).await?;
        let (at, row, graph) = changed;
        let key = graph.nodes[at].id.clone();
        let (input, output) = (change.input_data.as_ref(), change.output_data.as_ref());
        self.put_values(&row, &key, input, output).await?;
        let values = self.values_of_node(&row, &key).await?;
        self.edited(&row, &graph, at, &values)
    }

    /// Takes a node out of a workflow, with its edges and values; answers the keys of its files' contents.
    pub(crate) async fn remove_node(
        &self,
        caller: &Caller,
        id: &str,
        node_id: &str,
    ) -> Result<Vec<String>, EditError> {
        let remove = |row: &WorkflowRow, graph: &mut Graph| remove_node(graph, &row.id, node_id);
        let (key, row, _) = self.edit(caller, id, remove).await?;
        let shown = ids::node_id(&row.id, &key);
        Ok(self.0.store.forget_node(&row.id, &key, &shown).await?)
    }

    /// What the nodes before a node last gave, as one.
    pub(crate) async fn node_input(
        &self,
        caller: &Caller,
        id: &str,
        node_id: &str,
    ) -> Result<Map, EditError> {
        let (row, graph) = self.graph_of(caller, id).await?;
        let at = ids::find_node(&graph, &row.id, node_id).ok_or(EditError::NoNode)?;
        let values = self.values_of(&row).await?;
        Ok(values.merged_input(&graph, &graph.nodes[at].id))
    }

    /// What a node last gave.
    pub(crate) async fn node_output(
        &self,
        caller: &Caller,
        id: &str,
        node_id: &str,
    ) -> Result<Map, EditError> {
        let (row, graph) = self.graph_of(caller, id).await?;
        let at = ids::find_node(&graph, &row.id, node_id).ok_or(EditError::NoNode)?;
        let key = &graph.nodes[at].id;
        Ok(self.values_of_node(&row, key).await?.output(key))
    }

    /// Forgets what a node last gave.
    pub(crate) async fn clear_output(
        &self,
        caller: &Caller,
        id: &str,
        node_id: &str,
    ) -> Result<(), EditError> {
        let (row, graph) = self.graph_of(caller, id).await?;
        let at = ids::find_node(&graph, &row.id, node_id).ok_or(EditError::NoNode)?;
        let nothing = Map::new();
        self.put_values(&row, &graph.nodes[at].id, None, Some(&nothing))
            .await
    }

    /// Every edge, newest first.
    pub(crate) async fn edges(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Vec<EdgeObject>, EditError> {
        let (row, graph) = self.graph_of(caller, id).await?;
        let edges = graph.edges.iter().rev();
        let mut edges: Vec<_> = edges.map(|edge| projection::edge(&row, edge)).collect();
        edges.sort_by(|a, b| b.created_at.cmp(&a.created_at));
        Ok(edges)
    }

    /// One edge.
    pub(crate) async fn edge(
        &self,
        caller: &Caller,
        id: &str,
        edge_id: &str,
    ) -> Result<EdgeObject, EditError> {
        let (row, graph) = self.graph_of(caller, id).await?;
        let at = ids::find_edge(&graph, &row.id, edge_id).ok_or(EditError::NoConnection)?;
        Ok(projection::edge(&row, &graph.edges[at]))
    }

    /// Connects two nodes.
    pub(crate) async fn add_edge(
        &self,
        caller: &Caller,
        id: &str,
        ends: EdgeChange,
    ) -> Result<EdgeObject, EditError> {
        let edge_id = ids::fresh();
        let add = |row: &WorkflowRow, graph: &mut Graph| add_edge(graph, &row.id, &edge_id, &ends);
        let (at, row, graph) = self.edit(caller, id, add).await?;
        Ok(projection::edge(&row, &graph.edges[at]))
    }

    /// Changes the ends of an edge.
    pub(crate) async fn change_edge(
        &self,
        caller: &Caller,
        id: &str,
        edge_id: &str,
        ends: EdgeChange,
    ) -> Result<EdgeObject, EditError> {
        let set = |row: &WorkflowRow, graph: &mut Graph| {
            let at = ids::find_edge(graph, &row.id, edge_id).ok_or(EditError::NoConnection)?;
            set_edge(graph, &row.id, at, &ends)?;
            Ok(at)
        };
        let (at, row, graph) = self.edit(caller, id, set).await?;
        Ok(projection::edge(&row, &graph.edges[at]))
    }

    /// Takes an edge out of a workflow.
    pub(crate) async fn remove_edge(
        &self,
        caller: &Caller,
        id: &str,
        edge_id: &str,
    ) -> Result<(), EditError> {
        let remove = |row: &WorkflowRow, graph: &mut Graph| {
            let at = ids::find_edge(graph, &row.id, edge_id).ok_or(EditError::NoConnection)?;
            graph.edges.remove(at);
            Ok(())
        };
        self.edit(caller, id, remove).await.map(|_| ())
    }
}

fn stamp(extra: &mut Map, key: &str) {
    extra.insert(key.into(), Value::str(zulu_text(now_micros())));
}

fn add_node(
    graph: &mut Graph,
    key: &str,
    change: &NodeChange,
    steps: &Steps,
) -> Result<usize, EditError> {
    if graph.nodes.len() >= MAX_NODES {
        let text = format!("A workflow has at most {MAX_NODES} nodes");
        return Err(EditError::Invalid(text));
    }
    let name = change.node_type.as_deref().unwrap_or(UNNAMED);
    let mut node = Node::new(key, &projection::graph_type(name));
    stamp(&mut node.extra, "created_at");
    let zero = || Some(Value::Int(0));
    let change = NodeChange {
        node_type: None,
        x: change.x.clone().or_else(zero),
        y: change.y.clone().or_else(zero),
        ..change.clone()
    };
    set_node(&mut node, &change, steps);
    graph.nodes.push(node);
    Ok(graph.nodes.len() - 1)
}

fn set_node(node: &mut Node, change: &NodeChange, steps: &Steps) {
    if let Some(name) = &change.node_type
        && *name != projection::type_name(&node.node_type)
    {
        node.node_type = projection::graph_type(name);
    }
    if let Some(values) = &change.form_values {
        let def = steps.get(&node.node_type);
        node.data = masks::unmask(def.as_deref(), values.clone(), &node.data);
    }
    if let Some(config) = &change.config {
        node.extra.insert("config".into(), config.clone().into());
    }
    if change.x.is_some() || change.y.is_some() {
        let Position { x, y } = projection::position(node);
        let place = Value::map([
            ("x", change.x.clone().unwrap_or(x)),
            ("y", change.y.clone().unwrap_or(y)),
        ]);
        let mut ui = node.ui_properties.as_map().cloned().unwrap_or_default();
        ui.insert("position".into(), place);
        node.ui_properties = ui.into();
    }
    stamp(&mut node.extra, "updated_at");
}

fn remove_node(graph: &mut Graph, workflow_id: &str, given: &str) -> Result<Arc<str>, EditError> {
    let at = ids::find_node(graph, workflow_id, given).ok_or(EditError::NoNode)?;
    let key = graph.nodes.remove(at).id;
    graph.edges.retain(|e| e.source != key && e.target != key);
    // What was in a group that is gone is in none.
    for node in &mut graph.nodes {
        if node.parent_id.as_ref() == Some(&key) {
            node.parent_id = None;
        }
    }
    Ok(key)
}

/// A way out as it is stored (spec 1.3): in small letters, nothing is `default`.
fn handle_of(given: &str) -> String {
    match given.trim() {
        "" => DEFAULT.to_owned(),
        given => given.to_lowercase(),
    }
}

/// Keys of the two ends, where an edge can be between them.
fn ends_of(
    graph: &Graph,
    workflow_id: &str,
    source: &str,
    target: &str,
) -> Result<(Arc<str>, Arc<str>), EdgeFault> {
    let key = |given: &str| {
        let at = ids::find_node(graph, workflow_id, given)?;
        Some(graph.nodes[at].id.clone())
    };
    let source = key(source).ok_or(EdgeFault::NoSource)?;
    let target = key(target).ok_or(EdgeFault::NoTarget)?;
    if source == target {
        return Err(EdgeFault::ToItself);
    }
    Ok((source, target))
}

fn is_there(graph: &Graph, but: Option<usize>, source: &str, handle: &str, target: &str) -> bool {
    let others = graph.edges.iter().enumerate();
    others.filter(|(at, _)| Some(*at) != but).any(|(_, e)| {
        *e.source == *source && *e.target == *target && handle_of(&e.source_handle) == handle
    })
}

fn add_edge(
    graph: &mut Graph,
    workflow_id: &str,
    edge_id: &str,
    ends: &EdgeChange,
) -> Result<usize, EditError> {
    if graph.edges.len() >= MAX_EDGES {
        let text = format!("A workflow has at most {MAX_EDGES} connections");
        return Err(EditError::Invalid(text));
    }
    let given = |end: &Option<String>| end.clone().unwrap_or_default();
    let handle = handle_of(&given(&ends.handle));
    let (source, target) = (given(&ends.source), given(&ends.target));
    let (source, target) = ends_of(graph, workflow_id, &source, &target)?;
    if is_there(graph, None, &source, &handle, &target) {
        return Err(EdgeFault::Exists.into());
    }
    let mut extra = Map::new();
    stamp(&mut extra, "created_at");
    graph.edges.push(Edge {
        id: Some(edge_id.into()),
        source,
        source_handle: handle.into(),
        target,
        target_handle: "data".into(),
        ui_properties: Value::Null,
        kind: EdgeKind::Data,
        extra,
    });
    Ok(graph.edges.len() - 1)
}

fn set_edge(
    graph: &mut Graph,
    workflow_id: &str,
    at: usize,
    ends: &EdgeChange,
) -> Result<(), EditError> {
    let edge = graph.edges.get(at).ok_or(EditError::NoConnection)?;
    let source = ends.source.as_deref().unwrap_or(&edge.source);
    let target = ends.target.as_deref().unwrap_or(&edge.target);
    let handle = ends.handle.as_deref().map(handle_of);
    let (source, target) = ends_of(graph, workflow_id, source, target)?;
    let shown = handle
        .clone()
        .unwrap_or_else(|| handle_of(&edge.source_handle));
    if is_there(graph, Some(at), &source, &shown, &target) {
        return Err(EdgeFault::Exists.into());
    }
    let edge = &mut graph.edges[at];
    if edge.target != target {
        edge.target_handle = "data".into();
    }
    if let Some(handle) = handle {
        edge.source_handle = handle.into();
    }
    (edge.source, edge.target) = (source, target);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(steps: &Steps) -> Graph {
        let mut graph = Graph::default();
        for key in ["a", "b"] {
            add_node(&mut graph, key, &NodeChange::default(), steps).unwrap();
        }
        graph
    }

    fn ends(source: &str, target: &str, handle: &str) -> EdgeChange {
        EdgeChange {
            source: Some(source.into()),
            target: Some(target.into()),
            handle: Some(handle.into()),
        }
    }

    /// Why an edge was not made or changed.
    fn fault<T: std::fmt::Debug>(refused: Result<T, EditError>) -> EdgeFault {
        match refused {
            Err(EditError::Edge(fault)) => fault,
            other => panic!("expected a fault of the edge, got {other:?}"),
        }
    }

    #[test]
    fn an_edge_is_there_once_however_its_way_out_is_written() {
        let mut graph = graph(&Steps::default());
        let mut add = |ends| add_edge(&mut graph, "w", &ids::fresh(), &ends);
        assert_eq!(add(ends("a", "b", "")).unwrap(), 0);
        assert_eq!(fault(add(ends("a", "b", "default"))), EdgeFault::Exists);
        assert_eq!(add(ends("a", "b", "Yes")).unwrap(), 1);
        assert_eq!(fault(add(ends("a", "b", "yes"))), EdgeFault::Exists);
        assert_eq!(fault(add(ends("a", "a", ""))), EdgeFault::ToItself);
        assert_eq!(fault(add(ends("x", "b", ""))), EdgeFault::NoSource);
        assert_eq!(fault(add(ends("a", "x", ""))), EdgeFault::NoTarget);
        assert_eq!(&*graph.edges[1].source_handle, "yes");
        let moved = set_edge(&mut graph, "w", 1, &ends("a", "b", "default"));
        assert_eq!(fault(moved), EdgeFault::Exists);
        set_edge(&mut graph, "w", 1, &ends("b", "a", "default")).unwrap();
    }

    #[test]
    fn a_node_takes_its_edges_with_it_and_leaves_what_others_keep() {
        let steps = Steps::default();
        let mut graph = graph(&steps);
        graph.nodes[1].ui_properties = Value::map([("color", "red".into())]);
        graph.nodes[1].parent_id = Some("a".into());
        let moved = NodeChange {
            x: Some(Value::Int(5)),
            ..NodeChange::default()
        };
        set_node(&mut graph.nodes[1], &moved, &steps);
        let ui = &graph.nodes[1].ui_properties;
        assert_eq!(ui.get("color").and_then(Value::as_str), Some("red"));
        add_edge(&mut graph, "w", "e", &ends("a", "b", "")).unwrap();
        remove_node(&mut graph, "w", "a").unwrap();
        assert!(graph.edges.is_empty());
        assert_eq!(graph.nodes.len(), 1);
        assert_eq!(graph.nodes[0].parent_id, None);
        assert!(matches!(
            remove_node(&mut graph, "w", "a"),
            Err(EditError::NoNode)
        ));
    }
}

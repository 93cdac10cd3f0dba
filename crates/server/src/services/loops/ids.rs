//! Ids as clients of the Orchestrator see them: UUIDs with hyphens, whatever the id in the store or the graph is.
//!
//! Spec 7.6: what is no UUID shows as one that is made of it, the same each time. Pure.

use nodetool_protocol::{Edge, Graph};
use uuid::Uuid;

/// An id of the store as it shows: with hyphens if it is a UUID, else as it is.
pub(crate) fn shown(id: &str) -> String {
    match uuid_of(id) {
        Some(uuid) => uuid.hyphenated().to_string(),
        None => id.to_owned(),
    }
}

/// The other way to write a UUID: without hyphens if it has them, else with them.
pub(crate) fn other_spelling(id: &str) -> Option<String> {
    let uuid = uuid_of(id)?;
    Some(if id.len() == 32 {
        uuid.hyphenated().to_string()
    } else {
        uuid.simple().to_string()
    })
}

/// Only the two ways that are taken: the parser knows more.
fn uuid_of(id: &str) -> Option<Uuid> {
    matches!(id.len(), 32 | 36)
        .then(|| Uuid::parse_str(id).ok())
        .flatten()
}

fn within(workflow_id: &str, name: &str) -> Uuid {
    let space = uuid_of(workflow_id)
        .unwrap_or_else(|| Uuid::new_v5(&Uuid::NAMESPACE_OID, workflow_id.as_bytes()));
    Uuid::new_v5(&space, name.as_bytes())
}

fn node_uuid(workflow_id: &str, key: &str) -> Uuid {
    uuid_of(key).unwrap_or_else(|| within(workflow_id, key))
}

/// A node of a workflow, by the key it has in the graph.
pub(crate) fn node_id(workflow_id: &str, key: &str) -> String {
    node_uuid(workflow_id, key).hyphenated().to_string()
}

fn edge_uuid(workflow_id: &str, edge: &Edge) -> Uuid {
    let id = edge.id.as_deref();
    id.and_then(uuid_of).unwrap_or_else(|| {
        let ends = [
            id.unwrap_or_default(),
            &edge.source,
            &edge.source_handle,
            &edge.target,
            &edge.target_handle,
        ];
        within(workflow_id, &ends.join("\n"))
    })
}

/// An edge of a workflow.
pub(crate) fn edge_id(workflow_id: &str, edge: &Edge) -> String {
    edge_uuid(workflow_id, edge).hyphenated().to_string()
}

/// Where in the graph the node is that a client means: by the id it was shown, or by its key.
pub(crate) fn find_node(graph: &Graph, workflow_id: &str, given: &str) -> Option<usize> {
    let by_key = graph.nodes.iter().position(|n| *n.id == *given);
    by_key.or_else(|| {
        let meant = uuid_of(given)?;
        let mut nodes = graph.nodes.iter();
        nodes.position(|n| node_uuid(workflow_id, &n.id) == meant)
    })
}

/// Where in the graph the edge is that a client means.
pub(crate) fn find_edge(graph: &Graph, workflow_id: &str, given: &str) -> Option<usize> {
    let meant = uuid_of(given)?;
    let mut edges = graph.edges.iter();
    edges.position(|e| edge_uuid(workflow_id, e) == meant)
}

/// A fresh id of a node or an edge.
pub(crate) fn fresh() -> String {
    Uuid::new_v4().hyphenated().to_string()
}

/// A fresh id of a workflow, as it is stored.
pub(crate) fn fresh_workflow() -> String {
    Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests {
    use nodetool_protocol::Node;

    use super::*;

    #[test]
    fn both_ways_to_write_a_uuid_show_as_one_and_other_ids_stay() {
        let id = fresh_workflow();
        let hyphens = shown(&id);
        assert_eq!(hyphens.len(), 36);
        assert_eq!(shown(&hyphens), hyphens);
        assert_eq!(other_spelling(&id).as_deref(), Some(&*hyphens));
        assert_eq!(other_spelling(&hyphens), Some(id));
        assert_eq!(shown("newid"), "newid");
        assert_eq!(other_spelling("newid"), None);
        assert_eq!(other_spelling(&format!("{{{hyphens}}}")), None);
    }

    #[test]
    fn keys_that_are_no_uuids_show_as_ones_of_their_workflow() {
        let (a, b) = (fresh_workflow(), fresh_workflow());
        assert_eq!(node_id(&a, "1"), node_id(&shown(&a), "1"));
        assert_ne!(node_id(&a, "1"), node_id(&b, "1"));
        assert_ne!(node_id(&a, "1"), node_id(&a, "2"));
        let graph = Graph {
            nodes: vec![Node::new("1", "x.Y"), Node::new("2", "x.Y")],
            ..Graph::default()
        };
        assert_eq!(find_node(&graph, &a, &node_id(&a, "2")), Some(1));
        assert_eq!(find_node(&graph, &a, "1"), Some(0));
        assert_eq!(find_node(&graph, &a, &node_id(&b, "2")), None);
        assert_eq!(find_node(&graph, &a, "nope"), None);
    }
}

//! A workflow as its runs see it: the graph, what it has as a loop, and what its nodes last gave.

use std::sync::Arc;

use nodetool_protocol::{Graph, Map, Node};
use nodetool_store::LoopRow;

use super::projection::NodeValues;
use super::sealing::SEALED;
use super::{LoopFailure, LoopService, ids};
use crate::services::{Caller, Loaded, read_graph};

/// A workflow that is about to run, or a step of it.
pub(super) struct Opened {
    /// Its id in the store.
    pub(super) id: Arc<str>,
    pub(super) loaded: Arc<Loaded>,
    pub(super) graph: Arc<Graph>,
    pub(super) row: LoopRow,
}

impl LoopService {
    /// The id of a workflow of the caller's in the store, as a client may have written it.
    pub(crate) async fn stored_id(
        &self,
        caller: &Caller,
        given: &str,
    ) -> Result<String, LoopFailure> {
        Ok(self.0.workflows.own_id(caller, given).await?)
    }

    /// A workflow of the caller's.
    pub(super) async fn opened(&self, caller: &Caller, given: &str) -> Result<Opened, LoopFailure> {
        let mut opened = self.unread(caller, given).await?;
        if let Some(row) = self.0.store.get_loop(&opened.id).await? {
            opened.row = row;
        }
        Ok(opened)
    }

    /// The same, with the last values of a node, by any id a client may know, and of those right before it.
    pub(super) async fn opened_at(
        &self,
        caller: &Caller,
        given: &str,
        node_id: &str,
    ) -> Result<(Opened, NodeValues), LoopFailure> {
        let mut opened = self.unread(caller, given).await?;
        let node = &opened.node(node_id)?.id;
        let edges = opened.graph.edges.iter().filter(|e| e.target == *node);
        let mut near: Vec<String> = edges.map(|e| e.source.to_string()).collect();
        near.push(node.to_string());
        near.sort_unstable();
        near.dedup();
        let (row, data) = self.0.store.get_loop_and_data(&opened.id, near).await?;
        if let Some(row) = row {
            opened.row = row;
        }
        let values = NodeValues::read(&opened.id, data)?;
        Ok((opened, values))
    }

    /// A workflow of the caller's whose row has not been read yet.
    async fn unread(&self, caller: &Caller, given: &str) -> Result<Opened, LoopFailure> {
        let id = self.stored_id(caller, given).await?;
        let loaded = self.0.workflows.load(caller, &id).await?;
        let text = loaded.graph.as_deref().unwrap_or("{}");
        let mut graph = read_graph(&id, text)?;
        if text.contains(SEALED) {
            graph = self.unsealed_graph(&caller.user_id, graph).await?;
        }
        Ok(Opened {
            row: LoopRow::new(&id, "dataflow"),
            id: id.into(),
            graph: Arc::new(graph),
            loaded,
        })
    }
}

impl Opened {
    /// A node of it, by any id a client may know.
    pub(super) fn node(&self, given: &str) -> Result<&Node, LoopFailure> {
        let at = ids::find_node(&self.graph, &self.id, given);
        at.map(|at| &self.graph.nodes[at])
            .ok_or_else(|| LoopFailure::NoNode {
                node: given.chars().take(128).collect(),
                workflow: ids::shown(&self.id),
            })
    }

    /// Its env.
    pub(super) fn env(&self) -> Arc<Map> {
        Arc::new(object(&self.row.env))
    }

    /// The part of the graph that can be reached from a node.
    pub(super) fn scope(&self, node_id: &str) -> Graph {
        let mut reached: Vec<&str> = vec![node_id];
        let mut next = 0;
        while let Some(at) = reached.get(next).copied() {
            next += 1;
            for edge in self.graph.edges.iter().filter(|e| *e.source == *at) {
                if !reached.contains(&&*edge.target) {
                    reached.push(&edge.target);
                }
            }
        }
        let nodes = self.graph.nodes.iter();
        let edges = self.graph.edges.iter();
        Graph {
            nodes: nodes
                .filter(|n| reached.contains(&&*n.id))
                .cloned()
                .collect(),
            edges: edges
                .filter(|e| reached.contains(&&*e.source) && reached.contains(&&*e.target))
                .cloned()
                .collect(),
            extra: Map::new(),
        }
    }
}

/// Stored JSON as an object; what is none is an empty one.
pub(super) fn object(text: &str) -> Map {
    serde_json::from_str(text).unwrap_or_default()
}

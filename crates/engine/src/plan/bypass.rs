//! Bypassed nodes: edges around them, before anything else is looked at (engine spec 1.9).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use nodetool_sdk::protocol::{Edge, EdgeKind, Graph, Node};
use nodetool_sdk::{Registry, TypeMetadata};

/// The graph's edges with every bypassed node taken out of their way.
pub(super) fn rewrite(graph: &Graph, registry: &Registry) -> Vec<Edge> {
    let mut edges = graph.edges.clone();
    let bypassed: Vec<&Node> = graph.nodes.iter().filter(|n| n.bypassed()).collect();
    if bypassed.is_empty() {
        return edges;
    }
    let nodes: HashMap<&str, &Node> = graph.nodes.iter().map(|n| (&*n.id, n)).collect();
    let out_type = |id: &str, slot: &str| -> Option<TypeMetadata> {
        let node = nodes.get(id)?;
        if let Some(t) = node.dynamic_outputs.get(slot) {
            return Some(t.clone());
        }
        let def = registry.get(&node.node_type)?;
        def.slot_index(slot)
            .map(|i| def.metadata.outputs[i].ty.clone())
    };
    let in_type = |id: &str, handle: &str| -> Option<TypeMetadata> {
        let def = registry.get(&nodes.get(id)?.node_type)?;
        def.property_index(handle)
            .map(|i| def.metadata.properties[i].ty.clone())
    };
    let fits = |s: &Option<TypeMetadata>, t: &Option<TypeMetadata>| match (s, t) {
        (Some(s), Some(t)) => s.fits(t),
        _ => true,
    };
    for id in in_feeding_order(&bypassed, &edges) {
        let (of_node, mut kept): (Vec<Edge>, Vec<Edge>) = edges
            .into_iter()
            .partition(|e| *e.source == *id || *e.target == *id);
        let incoming: Vec<&Edge> = of_node
            .iter()
            .filter(|e| *e.target == *id && e.kind == EdgeKind::Data && *e.source != *id)
            .collect();
        for e in of_node
            .iter()
            .filter(|e| *e.source == *id && e.kind == EdgeKind::Data && *e.target != *id)
        {
            let (own, wanted) = (
                out_type(&id, &e.source_handle),
                in_type(&e.target, &e.target_handle),
            );
            let mut candidates = incoming.clone();
            candidates.retain(|c| fits(&out_type(&c.source, &c.source_handle), &wanted));
            let mut preferred = candidates.clone();
            preferred.retain(|c| fits(&out_type(&c.source, &c.source_handle), &own));
            let same_name = preferred
                .iter()
                .find(|c| c.target_handle == e.source_handle);
            let pick = same_name.or(preferred.first()).or(candidates.first());
            if let Some(from) = pick {
                kept.push(Edge {
                    source: from.source.clone(),
                    source_handle: from.source_handle.clone(),
                    ..e.clone()
                });
            }
        }
        edges = kept;
    }
    edges
}

/// Bypassed nodes so that none comes before a bypassed node that feeds it; what remains of a cycle comes last.
fn in_feeding_order(bypassed: &[&Node], edges: &[Edge]) -> Vec<Arc<str>> {
    let mut left: Vec<Arc<str>> = bypassed.iter().map(|n| n.id.clone()).collect();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waiting: HashSet<Arc<str>> = left.iter().cloned().collect();
        let blocked = |id: &Arc<str>| {
            edges
                .iter()
                .any(|e| e.target == *id && e.source != *id && waiting.contains(&e.source))
        };
        let (later, now): (Vec<_>, Vec<_>) = left.iter().cloned().partition(blocked);
        if now.is_empty() {
            order.extend(later);
            break;
        }
        order.extend(now);
        left = later;
    }
    order
}

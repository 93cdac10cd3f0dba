//! Bypassed nodes: edges around them, before anything else is looked at (engine spec 1.9).

use std::collections::HashMap;
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
    // Edges by end, as places in `wired`; a place is emptied when its edge is gone, new edges come last.
    let mut wired: Vec<Option<Edge>> = Vec::new();
    let (mut into, mut from) = (Ends::new(), Ends::new());
    let order = in_feeding_order(&bypassed, &edges);
    let add = |wired: &mut Vec<Option<Edge>>, into: &mut Ends, from: &mut Ends, e: Edge| {
        into.entry(e.target.clone()).or_default().push(wired.len());
        from.entry(e.source.clone()).or_default().push(wired.len());
        wired.push(Some(e));
    };
    for e in edges.drain(..) {
        add(&mut wired, &mut into, &mut from, e);
    }
    for id in order {
        let mut take = |ends: &mut Ends| -> Vec<Edge> {
            let places = ends.remove(&id).unwrap_or_default();
            places.iter().filter_map(|&p| wired[p].take()).collect()
        };
        // A self-loop is taken with the incoming edges, and left out with them.
        let mut incoming = take(&mut into);
        incoming.retain(|e| e.kind == EdgeKind::Data && *e.source != *id);
        let outgoing = take(&mut from);
        for e in outgoing.into_iter().filter(|e| e.kind == EdgeKind::Data) {
            let (own, wanted) = (
                out_type(&id, &e.source_handle),
                in_type(&e.target, &e.target_handle),
            );
            let mut candidates: Vec<&Edge> = incoming.iter().collect();
            candidates.retain(|c| fits(&out_type(&c.source, &c.source_handle), &wanted));
            let mut preferred = candidates.clone();
            preferred.retain(|c| fits(&out_type(&c.source, &c.source_handle), &own));
            let same_name = preferred
                .iter()
                .find(|c| c.target_handle == e.source_handle);
            let pick = same_name.or(preferred.first()).or(candidates.first());
            if let Some(feed) = pick {
                let around = Edge {
                    source: feed.source.clone(),
                    source_handle: feed.source_handle.clone(),
                    ..e
                };
                add(&mut wired, &mut into, &mut from, around);
            }
        }
    }
    wired.into_iter().flatten().collect()
}

/// Places of edges by the node at one end.
type Ends = HashMap<Arc<str>, Vec<usize>>;

/// Bypassed nodes so that none comes before a bypassed node that feeds it; what a cycle holds back comes last.
fn in_feeding_order(bypassed: &[&Node], edges: &[Edge]) -> Vec<Arc<str>> {
    let index: HashMap<&str, usize> = bypassed
        .iter()
        .enumerate()
        .map(|(i, n)| (&*n.id, i))
        .collect();
    let mut feeds: Vec<Vec<usize>> = vec![Vec::new(); bypassed.len()];
    let mut waits_for = vec![0usize; bypassed.len()];
    for e in edges.iter().filter(|e| e.source != e.target) {
        if let (Some(&s), Some(&t)) = (index.get(&*e.source), index.get(&*e.target)) {
            feeds[s].push(t);
            waits_for[t] += 1;
        }
    }
    let mut level = vec![usize::MAX; bypassed.len()];
    let mut now: Vec<usize> = (0..bypassed.len()).filter(|&i| waits_for[i] == 0).collect();
    for round in 0.. {
        if now.is_empty() {
            break;
        }
        let mut later = Vec::new();
        for i in now {
            level[i] = round;
            for &t in &feeds[i] {
                waits_for[t] -= 1;
                if waits_for[t] == 0 {
                    later.push(t);
                }
            }
        }
        now = later;
    }
    let mut order: Vec<usize> = (0..bypassed.len()).collect();
    order.sort_by_key(|&i| level[i]);
    order.into_iter().map(|i| bypassed[i].id.clone()).collect()
}

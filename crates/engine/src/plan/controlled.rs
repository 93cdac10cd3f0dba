//! What a controller is told of the nodes it controls (engine spec 3.10).

use std::sync::Arc;

use nodetool_sdk::protocol::Node;
use nodetool_sdk::{ControlledNode, Value};

use super::{Draft, PlanEdge, PlanNode};

/// Tells every node which nodes its control edges lead to.
pub(super) fn introduce(drafts: &[Draft<'_>], nodes: &mut [PlanNode], edges: &[PlanEdge]) {
    for source in 0..nodes.len() {
        if nodes[source].control_out.is_empty() {
            continue;
        }
        let mut targets: Vec<usize> = Vec::new();
        for &e in &nodes[source].control_out {
            let target = edges[e].target;
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        let controlled = targets.iter().map(|&t| {
            let (node, plan) = (drafts[t].node, &nodes[t]);
            ControlledNode {
                id: node.id.clone(),
                title: given_title(node).unwrap_or_else(|| plan.info.title.clone()),
                def: plan.def.clone(),
                props: plan.props.clone(),
            }
        });
        let controlled: Arc<[ControlledNode]> = controlled.collect();
        Arc::make_mut(&mut nodes[source].info).controlled = controlled;
    }
}

/// The title somebody gave the node in the editor.
fn given_title(node: &Node) -> Option<Arc<str>> {
    ["title", "label", "name"].into_iter().find_map(|key| {
        let text = node.ui_properties.get(key).and_then(Value::as_str)?.trim();
        (!text.is_empty()).then(|| text.into())
    })
}

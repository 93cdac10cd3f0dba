//! What is wrong with a graph, for people: one line per fault, with the node types that may have been meant.

use nodetool_engine::{Fault, FaultKind, PlanError};
use nodetool_protocol::Graph;
use nodetool_sdk::Registry;

/// Faults told one by one; a graph of garbage should not scroll everything else away.
pub(super) const TOLD: usize = 50;
/// Types named in a hint.
const NAMED: usize = 3;

/// The faults as indented lines.
pub(super) fn lines(error: &PlanError, graph: &Graph, registry: &Registry) -> String {
    let mut lines: Vec<String> = error
        .faults
        .iter()
        .take(TOLD)
        .map(|f| format!("  {}", text(f, graph, registry)))
        .collect();
    if error.faults.len() > TOLD {
        lines.push(format!("  … and {} more", error.faults.len() - TOLD));
    }
    lines.join("\n")
}

/// One fault with a hint.
pub(super) fn text(fault: &Fault, graph: &Graph, registry: &Registry) -> String {
    let asked = (fault.kind == FaultKind::Load)
        .then_some(fault.node_id.as_ref())
        .flatten()
        .and_then(|id| graph.nodes.iter().find(|n| n.id == *id))
        .map(|n| &*n.node_type)
        .filter(|t| registry.get(t).is_none());
    let hint = asked.map(|t| hint(registry, t)).unwrap_or_default();
    format!("{}{hint}", fault.message)
}

/// `; did you mean …?` with the types that resemble one that does not exist, or nothing.
pub(super) fn hint(registry: &Registry, asked: &str) -> String {
    let asked: String = asked.chars().take(100).collect::<String>().to_lowercase();
    let mut near: Vec<(usize, &str)> = registry
        .iter()
        .filter(|d| !d.hidden)
        .map(|d| d.metadata.node_type.as_str())
        .filter_map(|known| Some((distance(&known.to_lowercase(), &asked)?, known)))
        .collect();
    near.sort_unstable();
    let near: Vec<&str> = near.into_iter().take(NAMED).map(|(_, t)| t).collect();
    if near.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", near.join(", "))
    }
}

/// How far apart two type names are; nothing when they do not resemble each other. The last segment counts: people
/// know it by heart, and namespaces change.
fn distance(known: &str, asked: &str) -> Option<usize> {
    let tail = |s: &'_ str| s.rsplit('.').next().unwrap_or_default().to_owned();
    let (known_tail, asked_tail) = (tail(known), tail(asked));
    if asked_tail.is_empty() {
        return None;
    }
    let whole = edits(known, asked);
    let tails = edits(&known_tail, &asked_tail);
    let part = asked_tail.len() >= 3
        && (known_tail.contains(&asked_tail) || asked_tail.contains(&known_tail));
    let alike = whole <= 2 || tails <= asked_tail.chars().count() / 3 || part;
    // Of types whose last segments are equally close, the one with the closer namespace comes first.
    alike.then_some(tails * 1000 + whole)
}

/// Letters to insert, remove or change to make one text of the other.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_services::registry;

    #[test]
    fn the_closest_types_are_named_and_nothing_when_none_is_close() {
        let registry = registry();
        for (asked, meant) in [
            ("lib.math.Ad", "lib.math.Add"),
            ("nodetool.math.Add", "lib.math.Add"),
            ("nodetool.control.Colect", "nodetool.control.Collect"),
            ("stringinput", "nodetool.input.StringInput"),
        ] {
            let told = hint(&registry, asked);
            assert!(
                told.starts_with(&format!("; did you mean {meant}")),
                "{asked}{told}"
            );
        }
        for asked in ["", ".", "zzzzzzzz", "nodetool.control."] {
            assert_eq!(hint(&registry, asked), "", "{asked}");
        }
    }
}

//! The checks of a graph whose nodes could be made (engine spec 1.6 to 1.8). All faults are collected.

use std::collections::HashMap;
use std::sync::Arc;

use nodetool_sdk::Role;
use nodetool_sdk::protocol::{Edge, EdgeKind};

use super::{Draft, Fault, FaultKind, targets_control};

/// Connected inputs of one node: handles are numbered in 16 bits, the last number means something else.
const MAX_HANDLES: usize = u16::MAX as usize;
/// Nodes of a long cycle that are named at either end.
const NAMED: usize = 10;

fn fault(node: Option<&Arc<str>>, handle: Option<&Arc<str>>, message: String) -> Fault {
    Fault {
        kind: FaultKind::Validation,
        node_id: node.cloned(),
        handle: handle.cloned(),
        message,
    }
}

/// Input nodes need names, each its own.
pub(super) fn input_names(drafts: &[Draft<'_>], faults: &mut Vec<Fault>) {
    let inputs: Vec<&Draft<'_>> = drafts
        .iter()
        .filter(|d| d.def.role == Role::Input)
        .collect();
    let input = |node_id: Option<Arc<str>>, message| Fault {
        kind: FaultKind::Input,
        node_id,
        handle: Some("name".into()),
        message,
    };
    let nameless: Vec<&str> = inputs
        .iter()
        .filter(|d| d.node.name().is_none())
        .map(|d| &*d.node.id)
        .collect();
    if let Some(first) = nameless.first() {
        let message = format!(
            "All InputNode(s) must have a non-empty name. Invalid: {}",
            nameless.join(", ")
        );
        faults.push(input(Some((*first).into()), message));
    }
    let mut count: HashMap<&str, usize> = HashMap::new();
    let mut twice: Vec<&str> = Vec::new();
    for name in inputs.iter().filter_map(|d| d.node.name()) {
        let n = count.entry(name).or_default();
        *n += 1;
        if *n == 2 {
            twice.push(name);
        }
    }
    if !twice.is_empty() {
        let message = format!(
            "Multiple InputNode(s) have the same name. Duplicate names: {}. Please use unique names for each input node.",
            twice.join(", ")
        );
        faults.push(input(None, message));
    }
}

/// Required inputs, edge types, control edges, cycles.
pub(super) fn graph(
    drafts: &[Draft<'_>],
    edges: &[Edge],
    index: &HashMap<&str, usize>,
    faults: &mut Vec<Fault>,
) {
    required_inputs(drafts, edges, faults);
    edge_types(drafts, edges, index, faults);
    control_edges(edges, index, faults);
    if let Some(cycle) = find_cycle(drafts.len(), edges, index, |_| true) {
        let control = find_cycle(drafts.len(), edges, index, |e| e.kind == EdgeKind::Control);
        let (words, cycle) = match control {
            Some(c) => ("Circular control dependency detected", c),
            None => ("Circular dependency detected", cycle),
        };
        let mut names: Vec<&str> = cycle.iter().map(|&i| &*drafts[i].node.id).collect();
        if names.len() > 2 * NAMED {
            names.splice(NAMED..names.len() - NAMED, ["…"]);
        }
        let node = cycle.first().map(|&i| &drafts[i].node.id);
        faults.push(fault(
            node,
            None,
            format!("{words}: {}", names.join(" -> ")),
        ));
    }
}

fn required_inputs(drafts: &[Draft<'_>], edges: &[Edge], faults: &mut Vec<Fault>) {
    for d in drafts.iter().filter(|d| !d.def.required_inputs.is_empty()) {
        let missing: Vec<&str> = d
            .def
            .required_inputs
            .iter()
            .filter(|h| {
                !edges
                    .iter()
                    .any(|e| e.target == d.node.id && *e.target_handle == ***h)
            })
            .map(String::as_str)
            .collect();
        if let Some(first) = missing.first() {
            let handle: Arc<str> = (*first).into();
            faults.push(fault(
                Some(&d.node.id),
                Some(&handle),
                format!("Missing inputs: {}", missing.join(", ")),
            ));
        }
    }
}

fn edge_types(
    drafts: &[Draft<'_>],
    edges: &[Edge],
    index: &HashMap<&str, usize>,
    faults: &mut Vec<Fault>,
) {
    let data = || edges.iter().filter(|e| e.kind == EdgeKind::Data);
    let mut fan_in: HashMap<(usize, &str), usize> = HashMap::new();
    for e in data() {
        *fan_in
            .entry((index[&*e.target], &e.target_handle))
            .or_default() += 1;
    }
    let mut handles: HashMap<usize, usize> = HashMap::new();
    for (target, _) in fan_in.keys() {
        *handles.entry(*target).or_default() += 1;
    }
    for (t, n) in handles.into_iter().filter(|(_, n)| *n > MAX_HANDLES) {
        let id = &drafts[t].node.id;
        let message = format!("{id}: {n} inputs are connected; {MAX_HANDLES} are allowed");
        faults.push(fault(Some(id), None, message));
    }
    let mut reported: Vec<(usize, &str)> = Vec::new();
    for e in data() {
        let (s, t) = (index[&*e.source], index[&*e.target]);
        let (source, target) = (&drafts[s], &drafts[t]);
        let Some(have) = source.slot_type(&e.source_handle) else {
            continue;
        };
        let Some(want) = target.property_type(&e.target_handle) else {
            continue;
        };
        let many = fan_in[&(t, &*e.target_handle)] > 1;
        let message = if many && !want.is("list") {
            if reported.contains(&(t, &*e.target_handle)) {
                continue;
            }
            reported.push((t, &e.target_handle));
            format!(
                "{}: Multiple edges target non-list property '{}' (type: {want}). Either change property type to list or \
                 use a Collect node.",
                e.target, e.target_handle
            )
        } else if many {
            let element = want.element();
            let fits = have.fits(&element) && !have.is("list")
                || (have.is("list") && have.element().fits(&element));
            // In a typed list an int is no str, but also no float: elements are not converted.
            if fits {
                continue;
            }
            format!(
                "{}: Edge from {}.{} has incompatible type '{have}' for list element type '{element}' on property '{}'",
                e.target, e.source, e.source_handle, e.target_handle
            )
        } else if !have.fits(&want) {
            format!(
                "{}: Type mismatch for property '{th}' - {}.{} outputs {have} but {}.{th} expects {want}",
                e.target,
                e.source,
                e.source_handle,
                e.target,
                th = e.target_handle
            )
        } else {
            continue;
        };
        faults.push(fault(Some(&e.target), Some(&e.target_handle), message));
    }
}

fn control_edges(edges: &[Edge], index: &HashMap<&str, usize>, faults: &mut Vec<Fault>) {
    for e in edges
        .iter()
        .filter(|e| e.kind == EdgeKind::Control && index.contains_key(&*e.target))
    {
        if !targets_control(e) {
            let id = e.id.as_deref().unwrap_or("");
            let message = format!(
                "Control edge {id} must use '__control__' as targetHandle, got '{}'",
                e.target_handle
            );
            faults.push(fault(Some(&e.target), Some(&e.target_handle), message));
        }
    }
}

/// A directed cycle, first node repeated at its end, or nothing. Iterative: graphs may be 100,000 nodes deep.
fn find_cycle(
    count: usize,
    edges: &[Edge],
    index: &HashMap<&str, usize>,
    follow: impl Fn(&Edge) -> bool,
) -> Option<Vec<usize>> {
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); count];
    for e in edges.iter().filter(|e| follow(e)) {
        next[index[&*e.source]].push(index[&*e.target]);
    }
    let mut state = vec![0u8; count];
    let mut path: Vec<(usize, usize)> = Vec::new();
    for start in 0..count {
        if state[start] != 0 {
            continue;
        }
        state[start] = 1;
        path.push((start, 0));
        while let Some(&mut (n, ref mut i)) = path.last_mut() {
            if let Some(&t) = next[n].get(*i) {
                *i += 1;
                match state[t] {
                    0 => {
                        state[t] = 1;
                        path.push((t, 0));
                    }
                    1 => {
                        let at = path.iter().position(|&(p, _)| p == t).unwrap_or(0);
                        let mut cycle: Vec<usize> = path[at..].iter().map(|&(p, _)| p).collect();
                        cycle.push(t);
                        return Some(cycle);
                    }
                    _ => {}
                }
            } else {
                state[n] = 2;
                path.pop();
            }
        }
    }
    None
}

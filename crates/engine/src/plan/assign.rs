//! Property values: what the document sets, and what arrives over an edge (engine spec 1.4 and 2.5).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use nodetool_sdk::protocol::{Edge, EdgeKind};
use nodetool_sdk::{NodeDef, Property, Props, TypeMetadata, Value};

use super::{Draft, Fault, FaultKind, Target, is_unset};

/// The values every execution of a node starts from: defaults, then what the document sets on unconnected properties.
pub(super) fn static_values(
    drafts: &[Draft<'_>],
    edges: &[Edge],
    index: &HashMap<&str, usize>,
    faults: &mut Vec<Fault>,
) -> Vec<Props> {
    let mut connected: HashSet<(usize, &str)> = HashSet::new();
    for e in edges.iter().filter(|e| e.kind == EdgeKind::Data) {
        connected.insert((index[&*e.target], &e.target_handle));
    }
    drafts
        .iter()
        .enumerate()
        .map(|(i, d)| {
            let mut props = d.def.defaults();
            for (name, value) in &d.node.data {
                if connected.contains(&(i, &**name)) {
                    continue;
                }
                match d.def.property_index(name) {
                    Some(p) => match fit(&d.def.metadata.properties[p], value.clone()) {
                        Ok(Some(v)) => props.values[p] = v,
                        Ok(None) => {}
                        Err(detail) => faults.push(Fault {
                            kind: FaultKind::Load,
                            node_id: Some(d.node.id.clone()),
                            handle: Some(name.clone()),
                            message: format!(
                                "Failed to load node {id} (type: {ty}): Error setting property '{name}' on node '{id}': \
                                 [{class}] Invalid value for property `{name}`: {detail}",
                                id = d.node.id,
                                ty = d.node.node_type,
                                class = d.def.class_name(),
                            ),
                        }),
                    },
                    None if d.def.metadata.is_dynamic => {
                        props.dynamic.insert(name.clone(), value.clone());
                    }
                    None => {}
                }
            }
            for (name, value) in &d.node.dynamic_properties {
                match d.def.property_index(name) {
                    Some(p) if !connected.contains(&(i, &**name)) => {
                        if let Ok(Some(v)) = fit(&d.def.metadata.properties[p], value.clone()) {
                            props.values[p] = v;
                        }
                    }
                    Some(_) => {}
                    None => {
                        props.dynamic.insert(name.clone(), value.clone());
                    }
                }
            }
            props
        })
        .collect()
}

/// Fits a value to a property: its value, nothing when the default stays, or what is wrong with it.
fn fit(property: &Property, value: Value) -> Result<Option<Value>, String> {
    match (&value, &*property.ty.name) {
        // The common shapes need no look at the rules, only at the bounds.
        (Value::Int(_), "int" | "float")
        | (Value::Float(_), "float")
        | (Value::Str(_), "str")
        | (Value::Bool(_), "bool")
        | (_, "any") => {}
        (Value::Int(_), "union") if holds(&property.ty, "int") => {}
        (Value::Float(_), "union") if holds(&property.ty, "float") => {}
        (Value::Null, _) if !property.ty.optional => return Ok(None),
        _ => match property.ty.assign(value.clone()) {
            Ok(v) => return bounded(property, v).map(Some),
            Err(_) if is_unset(&value) => return Ok(None),
            Err(e) => return Err(e.to_string()),
        },
    }
    bounded(property, value).map(Some)
}

fn holds(union: &TypeMetadata, member: &str) -> bool {
    union.type_args.iter().any(|t| t.is(member))
}

fn bounded(property: &Property, value: Value) -> Result<Value, String> {
    if property.min.is_none() && property.max.is_none() {
        return Ok(value);
    }
    let Some(number) = value.as_f64() else {
        return Ok(value);
    };
    let low = property.min.is_some_and(|m| number < m);
    let high = property.max.is_some_and(|m| number > m);
    if low || high {
        let bound = |b: Option<f64>| b.map_or("…".to_owned(), |b| b.to_string());
        let range = format!("{} to {}", bound(property.min), bound(property.max));
        return Err(format!(
            "{} {} (expected {range})",
            value.kind(),
            value.preview(40)
        ));
    }
    Ok(value)
}

/// Puts an arriving item into the property values of one execution (FIX-7, FIX-8): null resets to the default, a
/// wrong type is the text of a node error.
pub(crate) fn fit_input(
    def: &NodeDef,
    target: Target,
    name: &Arc<str>,
    value: Value,
    props: &mut Props,
) -> Result<(), String> {
    match target {
        Target::Dynamic => {
            props.dynamic.insert(name.clone(), value);
            Ok(())
        }
        Target::Property(p) => {
            let property = &def.metadata.properties[p];
            match fit(property, value) {
                Ok(Some(v)) => props.values[p] = v,
                Ok(None) => props.values[p] = property.default.clone(),
                Err(e) => {
                    return Err(format!(
                        "[{}] Invalid value for property `{name}`: {e}",
                        def.class_name()
                    ));
                }
            }
            Ok(())
        }
    }
}

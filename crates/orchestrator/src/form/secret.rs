//! Passwords are written, never read: what clients see of them is a mask, and the mask coming back changes nothing.

use nodetool_sdk::steps::{FieldKind, FormSpec};
use nodetool_sdk::{Map, Value};

use super::is_empty;

/// What stands for a password that is there.
pub const MASK: &str = "********";

/// The raw values of a form as they may be shown.
pub fn masked(spec: &FormSpec, values: &Map) -> Map {
    let mut shown = values.clone();
    for name in passwords(spec) {
        if let Some(value) = shown.get_mut(name)
            && !is_empty(Some(value))
        {
            *value = MASK.into();
        }
    }
    shown
}

/// The raw values to store when a client sends `given`: where it sends the mask, what is stored stays.
pub fn unmasked(spec: &FormSpec, mut given: Map, stored: &Map) -> Map {
    for name in passwords(spec) {
        if given.get(name).and_then(Value::as_str) != Some(MASK) {
            continue;
        }
        match stored.get(name) {
            Some(value) => given.insert(name.into(), value.clone()),
            None => given.shift_remove(name),
        };
    }
    given
}

fn passwords(spec: &FormSpec) -> impl Iterator<Item = &'static str> {
    let secret = |kind: &FieldKind| matches!(kind, FieldKind::Password { .. });
    spec.fields
        .iter()
        .filter(move |field| secret(&field.kind))
        .map(|field| field.name)
}

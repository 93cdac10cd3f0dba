//! Forms: what their values mean. Values are checked before anything runs, rendered and read for each token, and shown
//! to clients as a schema. It must not know steps or tokens. Source: orchestrator spec 2.
//!
//! A value that holds a template can only be checked for being there until it has been rendered; then every rule
//! applies, and so do the checks between fields.

mod bound;
mod clean;
mod dependent;
mod schema;
mod secret;

use std::collections::HashMap;

use nodetool_sdk::steps::{Choice, FieldKind, FieldSpec, FormFaults, FormSpec};
use nodetool_sdk::{Map, Value};

pub(crate) use bound::BoundForm;
pub use clean::clean;
pub use dependent::{FieldQuestion, FormState, OptionsError, field_options, show, update};
pub use schema::schema;
pub use secret::{MASK, masked, unmasked};

/// The field under which a fault of the form as a whole stands.
pub const WHOLE_FORM: &str = "__all__";

/// Choices by field, as they were loaded.
pub type Options = HashMap<&'static str, Vec<Choice>>;

/// Messages by field, in the order of the form.
pub type Faults = Vec<(String, Vec<String>)>;

/// What is wrong with values that a form does not take, ready to be sent.
pub fn faults_of(
    spec: &FormSpec,
    values: &Map,
    fields: Faults,
    readiness: bool,
) -> Box<FormFaults> {
    let schema = schema(spec, values, &Options::new(), &fields);
    Box::new(FormFaults {
        fields,
        readiness,
        schema: Some(schema),
    })
}

/// Checks a form when its type is registered: its parents are fields before they are named, none is its own.
///
/// # Panics
/// When they are not, which is a defect of ours.
pub(crate) fn assert_sound(spec: &FormSpec) {
    let parents_of = |name: &str| {
        let field = spec.fields.iter().find(|field| field.name == name);
        field.map_or(&[] as &[&str], |field| field.parents)
    };
    for field in &spec.fields {
        let name = field.name;
        let double = spec.fields.iter().filter(|f| f.name == name).count();
        assert!(
            double == 1,
            "{}: the field `{name}` is there twice",
            spec.name
        );
        assert!(
            field.parents.is_empty() || loader_of(field).is_some(),
            "{}: `{name}` depends on fields and loads nothing",
            spec.name
        );
        let mut above: Vec<&str> = field.parents.to_vec();
        let mut at = 0;
        while let Some(parent) = above.get(at).copied() {
            assert!(
                spec.fields.iter().any(|f| f.name == parent),
                "{}: `{name}` depends on `{parent}`, which is no field",
                spec.name
            );
            assert!(parent != name, "{}: `{name}` depends on itself", spec.name);
            let more = parents_of(parent).iter().filter(|p| !above.contains(p));
            let more: Vec<&str> = more.copied().collect();
            above.extend(more);
            at += 1;
        }
    }
}

fn loader_of(field: &FieldSpec) -> Option<nodetool_sdk::steps::Loader> {
    match field.kind {
        FieldKind::Dependent(loader) | FieldKind::BrowserPool(loader) => Some(loader),
        _ => None,
    }
}

/// Whether a value counts as none at all.
fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Str(text)) => text.is_empty(),
        Some(Value::List(items)) => items.is_empty(),
        Some(Value::Map(map)) => map.is_empty(),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests;

//! A form as clients are shown it. Secrets are never part of it.

use nodetool_sdk::steps::{FieldKind, FieldSpec, FormSpec};
use nodetool_sdk::{Map, Value};

use super::{Faults, Options, WHOLE_FORM};

/// What stands first among choices that are loaded.
const UNCHOSEN: (&str, &str) = ("", "Select an option");

/// The schema of a form with these raw values, loaded choices and faults.
pub fn schema(spec: &FormSpec, values: &Map, options: &Options, faults: &Faults) -> Value {
    let messages = |name: &str| {
        let found = faults.iter().find(|(field, _)| field == name);
        let messages = found.map_or(&[] as &[String], |(_, messages)| messages);
        Value::list(messages.iter().map(|m| Value::from(m.as_str())))
    };
    let fields = spec.fields.iter().map(|field| {
        let loaded = options.get(field.name).map_or(&[] as &[_], Vec::as_slice);
        one(field, values, loaded, messages(field.name))
    });
    let names = spec.fields.iter().map(|field| Value::from(field.name));
    let depending = spec.fields.iter().filter(|f| !f.parents.is_empty());
    Value::map([
        ("form_name", Value::from(spec.name)),
        ("fields", Value::list(fields)),
        ("field_order", Value::list(names)),
        (
            "dependencies_graph",
            Value::map(depending.map(|field| (field.name, texts(field.parents)))),
        ),
        ("form_level_errors", messages(WHOLE_FORM)),
    ])
}

fn one(field: &FieldSpec, values: &Map, loaded: &[(String, String)], faults: Value) -> Value {
    let ready = field.parents.iter().all(|p| values.contains_key(*p));
    let status = field
        .parents
        .iter()
        .map(|parent| (*parent, Value::Bool(values.contains_key(*parent))));
    let value = match field.kind {
        FieldKind::Password { .. } => Value::Null,
        _ => values.get(field.name).cloned().unwrap_or_default(),
    };
    let label = field.label.map_or_else(|| label_of(field.name), Into::into);
    Value::map([
        ("name", Value::from(field.name)),
        ("label", label.into()),
        ("help_text", field.help.map(Value::from).unwrap_or_default()),
        ("disabled", Value::Bool(!ready)),
        ("initial", field.initial.clone().unwrap_or_default()),
        ("value", value),
        ("dependencies", texts(field.parents)),
        ("dependency_status", Value::map(status)),
        ("ready", Value::Bool(ready)),
        ("widget", widget(field, loaded)),
        ("field_level_errors", faults),
    ])
}

fn widget(field: &FieldSpec, loaded: &[(String, String)]) -> Value {
    let input_type = match field.kind {
        FieldKind::Text { .. } => Value::from("text"),
        FieldKind::Textarea { .. } => Value::Null,
        FieldKind::Password { .. } => "password".into(),
        FieldKind::Integer { .. } | FieldKind::Float { .. } => "number".into(),
        FieldKind::Boolean => "checkbox".into(),
        FieldKind::Choice(_) | FieldKind::Dependent(_) | FieldKind::BrowserPool(_) => {
            "select".into()
        }
    };
    let mut widget = vec![
        ("input_type", input_type),
        ("attrs", attributes(field)),
        ("is_required", Value::Bool(field.required)),
    ];
    let pair = |value: &str, label: &str| Value::list([value.into(), label.into()]);
    let choices: Vec<Value> = match &field.kind {
        FieldKind::Choice(choices) => choices.iter().map(|(v, label)| pair(v, label)).collect(),
        FieldKind::Dependent(_) | FieldKind::BrowserPool(_) => {
            let unchosen = std::iter::once(pair(UNCHOSEN.0, UNCHOSEN.1));
            unchosen
                .chain(loaded.iter().map(|(v, label)| pair(v, label)))
                .collect()
        }
        _ => Vec::new(),
    };
    if !choices.is_empty() {
        let choices = Value::from(choices);
        widget.extend([("choices", choices.clone()), ("_choices", choices)]);
    }
    if matches!(field.kind, FieldKind::Password { .. }) {
        widget.push(("render_value", Value::Bool(false)));
    }
    Value::map(widget)
}

fn attributes(field: &FieldSpec) -> Value {
    let mut out: Vec<(&str, Value)> = Vec::new();
    if let FieldKind::Textarea { rows, .. } = field.kind {
        out.extend([("cols", "40".into()), ("rows", i64::from(rows).into())]);
    }
    if let Some(placeholder) = field.placeholder {
        out.push(("placeholder", placeholder.into()));
    }
    match field.kind {
        FieldKind::Text { max } | FieldKind::Password { max } => {
            out.extend(max.map(|max| ("maxlength", max.to_string().into())));
        }
        FieldKind::Textarea { json: true, .. } => out.push(("data-json-mode", "true".into())),
        FieldKind::Integer { min, max } => {
            out.extend(min.map(|min| ("min", min.into())));
            out.extend(max.map(|max| ("max", max.into())));
        }
        FieldKind::Float { min, max } => {
            out.extend(min.map(|min| ("min", min.into())));
            out.extend(max.map(|max| ("max", max.into())));
            out.push(("step", "any".into()));
        }
        _ => {}
    }
    Value::map(out)
}

/// `min_value` becomes `Min_Value`: a capital after everything that is no letter.
fn label_of(name: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    out
}

fn texts(items: &[&str]) -> Value {
    Value::list(items.iter().map(|item| Value::from(*item)))
}

//! Secret values of forms: they are written, never read back (spec 8.1, S17).
//!
//! A client that sends back what it was shown changes nothing. Pure.

use nodetool_orchestrator::form;
use nodetool_protocol::Map;
use nodetool_sdk::steps::{FieldKind, StepDef};

/// The fields of a form that are secret.
pub(crate) fn secret_fields(def: Option<&StepDef>) -> impl Iterator<Item = &'static str> {
    let form = def.and_then(|def| def.form.clone());
    let fields = form.map(|form| form.fields.clone()).unwrap_or_default();
    let secret =
        |field: &nodetool_sdk::steps::FieldSpec| matches!(field.kind, FieldKind::Password { .. });
    fields.into_iter().filter(secret).map(|field| field.name)
}

/// The values as clients see them.
pub(crate) fn mask(def: Option<&StepDef>, values: &Map) -> Map {
    match def.and_then(|def| def.form.as_ref()) {
        Some(form) => form::masked(form, values),
        None => values.clone(),
    }
}

/// The values a client sends, with what was stored where it sends the mask.
pub(crate) fn unmask(def: Option<&StepDef>, given: Map, stored: &Map) -> Map {
    match def.and_then(|def| def.form.as_ref()) {
        Some(form) => form::unmasked(form, given, stored),
        None => given,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::steps::{FieldSpec, FormSpec, StepConfig, StepKind, StepRole};

    use super::*;

    fn def() -> StepDef {
        let password = FieldSpec::new("auth_password", FieldKind::Password { max: None });
        StepDef {
            identifier: "x".into(),
            class: "X".into(),
            label: None,
            description: None,
            category: "X".into(),
            icon: None,
            kind: StepKind::Blocking,
            role: StepRole::Plain,
            pool: nodetool_sdk::steps::Pool::Async,
            form: Some(Arc::new(FormSpec {
                name: "XForm",
                fields: vec![FieldSpec::text("url"), password],
                check: None,
            })),
            supports: &["production"],
            effects: false,
            make: Box::new(|_: StepConfig| unreachable!("nothing runs here")),
        }
    }

    fn values(password: &str) -> Map {
        Map::from_iter([
            ("url".into(), "u".into()),
            ("auth_password".into(), password.into()),
        ])
    }

    #[test]
    fn a_secret_is_not_shown_and_survives_being_sent_back() {
        let def = def();
        let stored = values("pw");
        let shown = mask(Some(&def), &stored);
        assert_eq!(shown, values(form::MASK));
        assert_eq!(unmask(Some(&def), shown.clone(), &stored), stored);
        assert_eq!(unmask(Some(&def), values("new"), &stored), values("new"));
        assert_eq!(mask(Some(&def), &values("")), values(""));
        assert!(!unmask(Some(&def), shown, &Map::new()).contains_key("auth_password"));
        assert_eq!(mask(None, &stored), stored);
    }
}

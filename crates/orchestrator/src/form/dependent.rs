//! Fields whose choices hang on what others hold: which are loaded, what becomes stale, what chooses itself.

use std::time::Duration;

use nodetool_sdk::services::Services;
use nodetool_sdk::steps::{Choice, Compat, FieldSpec, FormSpec, Loader};
use nodetool_sdk::{Map, NodeError, Value};

use super::clean::text_of;
use super::{Faults, Options, is_empty, loader_of, schema};
use crate::template::Template;

/// Most choices of one field.
const MAX_CHOICES: usize = 5_000;
/// Longest wait for the choices of one field.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// A form as it stands: raw values, what was loaded for them, and what could not be.
#[derive(Clone, Debug, Default)]
pub struct FormState {
    /// Raw values.
    pub values: Map,
    /// Choices by field.
    pub options: Options,
    /// Messages by field.
    pub faults: Faults,
}

impl FormState {
    /// The schema clients are shown.
    pub fn schema(&self, spec: &FormSpec) -> Value {
        schema(spec, &self.values, &self.options, &self.faults)
    }
}

/// Loads what a form with these values shows. Nothing is changed.
pub async fn show(spec: &FormSpec, values: &Map, services: &Services) -> FormState {
    let mut state = FormState {
        values: values.clone(),
        ..FormState::default()
    };
    for field in parents_first(spec) {
        state.load(field, services).await;
    }
    state
}

/// Puts some values into a form: what depends on them is loaded, loses a value that is stale, and takes a choice that
/// is the only one, unless it was itself among those values.
pub async fn update(spec: &FormSpec, stored: &Map, given: &Map, services: &Services) -> FormState {
    let mut state = FormState {
        values: stored.clone(),
        ..FormState::default()
    };
    for (name, value) in given {
        state.values.insert(name.clone(), value.clone());
    }
    let mut touched: Vec<&str> = given.keys().map(|name| &**name).collect();
    for field in parents_first(spec) {
        let affected = field.parents.iter().any(|parent| touched.contains(parent));
        let provided = given.contains_key(field.name);
        let whole = field.parents.iter().all(|p| state.values.contains_key(*p));
        if affected && (!whole || !provided) {
            state.values.shift_remove(field.name);
        }
        state.load(field, services).await;
        if !affected {
            continue;
        }
        touched.push(field.name);
        let only = match state.options.get(field.name).map(Vec::as_slice) {
            Some([(only, _)]) if whole && !provided => only.clone(),
            _ => continue,
        };
        state.values.insert(field.name.into(), only.into());
    }
    state
}

impl FormState {
    /// Loads the choices of a field whose parents are there. A value that is none of them is offered as well.
    async fn load(&mut self, field: &FieldSpec, services: &Services) {
        let Some(loader) = loader_of(field) else {
            return;
        };
        let usable = |parent: &&str| {
            let value = self.values.get(*parent);
            let text = value.and_then(Value::as_str);
            // What looks like a template is nothing to load by in any profile.
            !is_empty(value) && !text.is_some_and(|text| Template::is_in(text, Compat::Doc))
        };
        let mut choices = Vec::new();
        if field.parents.iter().all(usable) {
            match loaded(loader, &self.values, services).await {
                Ok(found) => choices = found,
                Err(why) => self
                    .faults
                    .push((field.name.to_owned(), vec![why.to_string()])),
            }
        }
        let configured = text_of(field, self.values.get(field.name));
        if !configured.is_empty() && choices.iter().all(|(value, _)| **value != *configured) {
            choices.push((configured.to_string(), format!("{configured} (configured)")));
        }
        self.options.insert(field.name, choices);
    }
}

/// What a client asks when a parent has changed: the choices of one field.
#[derive(Clone, Debug, Default)]
pub struct FieldQuestion {
    /// The field that has changed.
    pub parent_field: String,
    /// What it holds now.
    pub parent_value: Value,
    /// The field whose choices are wanted.
    pub dependent_field: String,
    /// What the other fields hold.
    pub form_values: Map,
}

/// Why the choices of a field cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// The form has no such field.
    #[error("The form {form} has no field '{field}'")]
    UnknownField {
        /// The form.
        form: &'static str,
        /// The field that was asked for.
        field: String,
    },
    /// The field does not hang on that parent.
    #[error("Field '{field}' does not depend on '{parent}'")]
    NotDependent {
        /// The field that was asked for.
        field: String,
        /// The parent that was named.
        parent: String,
    },
    /// Its loader says why.
    #[error(transparent)]
    Loader(#[from] NodeError),
}

/// The choices of a dependent field; none while one of its parents has no value.
///
/// # Errors
/// When there is no such field, it does not depend on the parent, or its choices cannot be loaded.
pub async fn field_options(
    spec: &FormSpec,
    question: FieldQuestion,
    services: &Services,
) -> Result<Vec<Choice>, OptionsError> {
    let find = |name: &str| {
        let found = spec.fields.iter().find(|field| field.name == name);
        found.ok_or_else(|| OptionsError::UnknownField {
            form: spec.name,
            field: name.to_owned(),
        })
    };
    let field = find(&question.dependent_field)?;
    let parent = find(&question.parent_field)?;
    let loader = loader_of(field).filter(|_| field.parents.contains(&parent.name));
    let Some(loader) = loader else {
        return Err(OptionsError::NotDependent {
            field: question.dependent_field,
            parent: question.parent_field,
        });
    };
    let mut values = question.form_values;
    values.insert(parent.name.into(), question.parent_value);
    if field.parents.iter().any(|p| is_empty(values.get(*p))) {
        return Ok(Vec::new());
    }
    Ok(loaded(loader, &values, services).await?)
}

async fn loaded(
    loader: Loader,
    values: &Map,
    services: &Services,
) -> Result<Vec<Choice>, NodeError> {
    let mut choices = match tokio::time::timeout(MAX_WAIT, loader(values, services)).await {
        Ok(choices) => choices?,
        Err(_) => return Err(NodeError::TimedOut(MAX_WAIT.as_secs_f64())),
    };
    choices.truncate(MAX_CHOICES);
    Ok(choices)
}

/// The fields of a form, each after those it depends on.
fn parents_first(spec: &FormSpec) -> Vec<&FieldSpec> {
    let mut out: Vec<&FieldSpec> = Vec::with_capacity(spec.fields.len());
    let mut left: Vec<&FieldSpec> = spec.fields.iter().collect();
    while !left.is_empty() {
        let before = left.len();
        left.retain(|field| {
            let known = |parent: &&str| out.iter().any(|f| f.name == *parent);
            let next = field.parents.iter().all(known);
            if next {
                out.push(field);
            }
            !next
        });
        // Forms are checked when they are registered; one that was not ends here.
        if left.len() == before {
            out.append(&mut left);
        }
    }
    out
}

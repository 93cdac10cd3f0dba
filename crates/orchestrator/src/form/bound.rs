//! The values of one step's form: what is fixed is read once, what holds a template is rendered for each token.

use std::sync::Arc;

use nodetool_sdk::steps::{Compat, FieldKind, FieldSpec, FormFaults, FormSpec, StepError};
use nodetool_sdk::{Map, NodeError, Value};

use super::clean::{REQUIRED, text_of};
use super::{Faults, clean, faults_of, is_empty};
use crate::template::{Names, Template};

/// Most characters of what is wrong with a template.
const MAX_MESSAGE: usize = 1_000;

/// The values of a form, read.
#[derive(Debug)]
pub(crate) struct BoundForm {
    spec: Arc<FormSpec>,
    raw: Map,
    names: Vec<Arc<str>>,
    fields: Vec<Bound>,
    /// Values without templates, read and checked against each other.
    fixed: Option<Map>,
}

/// What a field was given.
#[derive(Debug)]
enum Bound {
    /// A value, read, or what is wrong with it.
    Value(Result<Value, String>),
    /// A template, or why it cannot be read.
    Template(Result<Template, String>),
}

impl Bound {
    fn of(field: &FieldSpec, raw: Option<&Value>, compat: Compat) -> Self {
        let text = text_of(field, raw);
        if !Template::is_in(&text, compat) {
            return Bound::Value(clean(field, raw));
        }
        Bound::Template(Template::parse(&text).map_err(|e| e.to_string()))
    }
}

impl BoundForm {
    pub(crate) fn new(spec: Arc<FormSpec>, raw: Map, compat: Compat) -> Self {
        let fields: Vec<Bound> = spec
            .fields
            .iter()
            .map(|field| Bound::of(field, raw.get(field.name), compat))
            .collect();
        let names = spec.fields.iter().map(|f| f.name.into()).collect();
        let mut form = BoundForm {
            spec,
            raw,
            names,
            fields,
            fixed: None,
        };
        if form.fields.iter().all(|b| matches!(b, Bound::Value(_))) {
            form.fixed = form.read(Vec::new()).ok();
        }
        form
    }

    /// The values of a form without templates that is filled in well.
    pub(crate) fn fixed(&self) -> Option<&Map> {
        self.fixed.as_ref()
    }

    /// Whether the values can be used, as far as it can be told before templates are rendered.
    pub(crate) fn ready(&self) -> Result<(), Box<FormFaults>> {
        if self.fixed.is_some() {
            return Ok(());
        }
        let mut faults = Faults::new();
        let mut templates = false;
        for (field, bound) in self.spec.fields.iter().zip(&self.fields) {
            let fault = match bound {
                Bound::Template(_) => {
                    templates = true;
                    None
                }
                // Whether it is one of the choices depends on what others answer.
                Bound::Value(_) if is_loaded(field) => {
                    let missing = field.required && is_empty(self.raw.get(field.name));
                    missing.then(|| REQUIRED.to_owned())
                }
                Bound::Value(value) => value.as_ref().err().cloned(),
            };
            faults.extend(fault.map(|fault| (field.name.to_owned(), vec![fault])));
        }
        if faults.is_empty() && !templates {
            faults = self.read(Vec::new()).err().unwrap_or_default();
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(faults_of(&self.spec, &self.raw, faults, true))
    }

    /// Renders, reads and checks all values.
    pub(crate) async fn bind(&self, names: &Names) -> Result<Map, StepError> {
        let mut rendered = Vec::new();
        for (field, bound) in self.spec.fields.iter().zip(&self.fields) {
            if let Bound::Template(template) = bound {
                let text = rendered_text(field, template, names).await?;
                rendered.push(clean(field, Some(&Value::Str(text))));
            }
        }
        self.read(rendered).map_err(|faults| {
            let faults = faults_of(&self.spec, &self.raw, faults, false);
            StepError::Form(faults)
        })
    }

    /// The values that can be known before there is a token. What looks at `data`, and what cannot be used, is left
    /// out: there is no token yet that could be blamed.
    pub(crate) async fn bind_early(&self, names: &Names) -> Result<Map, StepError> {
        let mut values = Map::new();
        for (field, bound) in self.spec.fields.iter().zip(&self.fields) {
            let value = match bound {
                Bound::Value(value) => value.clone(),
                Bound::Template(Err(why)) => return Err(unreadable(field, why)),
                Bound::Template(Ok(template)) => match template.rendered(names).await {
                    Ok(rendered) if rendered.used_data => continue,
                    // What it would change is changed when it is rendered for a token.
                    Ok(rendered) => clean(field, Some(&Value::Str(rendered.text()))),
                    Err(_) => continue,
                },
            };
            if let Ok(value) = value {
                values.insert(field.name.into(), value);
            }
        }
        Ok(values)
    }

    /// All values, with those of the templates in their order.
    fn read(&self, rendered: Vec<Result<Value, String>>) -> Result<Map, Faults> {
        let mut rendered = rendered.into_iter();
        let mut values = Map::with_capacity(self.fields.len());
        let mut faults = Faults::new();
        for (name, bound) in self.names.iter().zip(&self.fields) {
            let value = match bound {
                Bound::Value(value) => value.clone(),
                Bound::Template(_) => match rendered.next() {
                    Some(value) => value,
                    None => continue,
                },
            };
            match value {
                Ok(value) => {
                    values.insert(name.clone(), value);
                }
                Err(fault) => faults.push((name.to_string(), vec![fault])),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let Some(check) = self.spec.check else {
            return Ok(values);
        };
        for (field, message) in check(&values) {
            match faults.iter_mut().find(|(known, _)| known == field) {
                Some((_, messages)) => messages.push(message),
                None => faults.push((field.to_owned(), vec![message])),
            }
        }
        if faults.is_empty() {
            Ok(values)
        } else {
            Err(faults)
        }
    }
}

async fn rendered_text(
    field: &FieldSpec,
    template: &Result<Template, String>,
    names: &Names,
) -> Result<Arc<str>, StepError> {
    match template {
        Err(why) => Err(unreadable(field, why)),
        Ok(template) => template
            .render(names)
            .await
            .map_err(|why| unreadable(field, &why.to_string())),
    }
}

fn unreadable(field: &FieldSpec, why: &str) -> StepError {
    let why: String = why.chars().take(MAX_MESSAGE).collect();
    NodeError::new(format!("Template of field '{}': {why}", field.name)).into()
}

fn is_loaded(field: &FieldSpec) -> bool {
    matches!(
        field.kind,
        FieldKind::Dependent(_) | FieldKind::BrowserPool(_)
    )
}

//! Templates in the values of a form: text with `{{ … }}` and `{% … %}`, rendered for each token.
//!
//! The dialect is that of [`nodetool_sdk::compat::template`], which counts every step and every byte it makes. Here it
//! gets the names of loops: `data` (what it lacks is an empty dict that can be asked on), `workflowenv` and `runtime`
//! (what they lack prints as nothing), and the filters `set_runtime(key, value)` and `delete_runtime(key)`, which give
//! on what they are given. What a template changes in the run's state is stored when all of it has been rendered.
//!
//! A rendering begins where it is asked for, with a small allowance; only one that needs more is moved to a thread of
//! its own, so that the runtime never waits. It must not know forms or steps. Source: orchestrator spec 2.5.

mod scope;

use std::sync::Arc;

use nodetool_sdk::compat::py_repr;
use nodetool_sdk::compat::template::{self as jinja, Limits};
use nodetool_sdk::steps::{Compat, Runtime};
use nodetool_sdk::{Map, Value};

use scope::{Change, Rendering};

pub use nodetool_sdk::compat::template::TemplateError;

/// What one rendering may cost.
pub const LIMITS: Limits = Limits {
    steps: 1_000_000,
    output: 4 << 20,
};

/// What it may cost where it is asked for: well under a millisecond.
const AT_ONCE: Limits = Limits {
    steps: 5_000,
    output: LIMITS.output,
};

/// What templates can look at.
#[derive(Clone, Debug)]
pub struct Names {
    /// The data of the token.
    pub data: Arc<Map>,
    /// Values of the workflow.
    pub env: Arc<Map>,
    /// Values of the run.
    pub runtime: Arc<Runtime>,
}

/// What came of a rendering.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) text: Arc<str>,
    /// Whether `data` was looked at.
    pub(crate) used_data: bool,
    changes: Vec<Change>,
}

/// A template that was read, to be rendered any number of times.
#[derive(Clone, Debug)]
pub struct Template {
    parsed: Arc<jinja::Template>,
    /// The keys of a template that is nothing but `{{ data.a.b }}`.
    path: Option<Arc<[Arc<str>]>>,
}

impl Template {
    /// Whether a text is to be rendered at all: by its marks wherever they stand, in the profile `reference` only by an
    /// expression that begins and ends on one line.
    pub fn is_in(text: &str, compat: Compat) -> bool {
        match compat {
            Compat::Doc => text.contains("{{") || text.contains("{%"),
            Compat::Reference => text.lines().any(|line| {
                let begun = line.split_once("{{");
                begun.is_some_and(|(_, rest)| rest.contains("}}"))
            }),
        }
    }

    /// Reads a template. One newline at its end is dropped.
    ///
    /// # Errors
    /// What is wrong with it, and in which line.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let parsed = jinja::Template::parse(source)?;
        let path = match parsed.path() {
            Some(("data", keys)) => Some(keys.into_iter().map(Arc::from).collect()),
            _ => None,
        };
        Ok(Template {
            parsed: Arc::new(parsed),
            path,
        })
    }

    /// Renders it.
    ///
    /// # Errors
    /// What could not be evaluated, and in which line.
    pub async fn render(&self, names: &Names) -> Result<Arc<str>, TemplateError> {
        if let Some(text) = self.plain(&names.data) {
            return Ok(text);
        }
        let rendered = self.rendered(names).await?;
        Ok(rendered.kept(&names.runtime))
    }

    /// The value itself that a template of nothing but `{{ data.a.b }}` names; null where there is none.
    pub(crate) fn value(&self, data: &Map) -> Option<Value> {
        let path = self.path.as_ref()?;
        match path.split_first() {
            None => Some(data.clone().into()),
            Some((first, rest)) => {
                let mut value = data.get(first);
                for key in rest {
                    value = value.and_then(|value| value.get(key));
                }
                Some(value.cloned().unwrap_or_default())
            }
        }
    }

    /// Renders it without storing what it changes.
    pub(crate) async fn rendered(&self, names: &Names) -> Result<Rendered, TemplateError> {
        // What failed may have failed for want of steps; nothing has been changed, so it can be done again.
        if let Ok(rendered) = Rendering::of(names, &self.parsed, AT_ONCE) {
            return Ok(rendered);
        }
        let (names, parsed) = (names.clone(), self.parsed.clone());
        let work = move || Rendering::of(&names, &parsed, LIMITS);
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(_) => Err(TemplateError {
                message: "the template could not be rendered to its end".into(),
                line: 1,
            }),
        }
    }

    /// The text of a template of nothing but `{{ data.a.b }}`, where it is short.
    fn plain(&self, data: &Map) -> Option<Arc<str>> {
        let (first, rest) = self.path.as_ref()?.split_first()?;
        let mut value = data.get(first);
        for key in rest {
            value = match value {
                // What nothing has no parts, and still can be asked for them.
                None | Some(Value::Null) => None,
                Some(Value::Map(map)) => map.get(key),
                Some(_) => return None,
            };
        }
        match value {
            None | Some(Value::Null) => Some("{}".into()),
            Some(Value::Str(text)) if text.len() <= LIMITS.output => Some(text.clone()),
            Some(value @ (Value::Bool(_) | Value::Int(_) | Value::Float(_))) => {
                Some(py_repr(value).into())
            }
            Some(_) => None,
        }
    }
}

impl Rendered {
    /// The text alone; changes are forgotten.
    pub(crate) fn text(self) -> Arc<str> {
        self.text
    }

    /// The text, once what the template changed is stored.
    pub(crate) fn kept(self, runtime: &Runtime) -> Arc<str> {
        for (key, value) in self.changes {
            match value {
                Some(value) => runtime.set(&key, value),
                None => runtime.delete(&key),
            }
        }
        self.text
    }
}

#[cfg(test)]
mod tests;

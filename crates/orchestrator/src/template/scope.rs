//! The names and filters of one rendering. What it changes is noted, and seen by what comes after it in the template.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use nodetool_sdk::compat::template::{FilterArgs, Limits, Name, Scope, Template, TemplateError};
use nodetool_sdk::{Map, Value};

use super::{Names, Rendered};

/// Most keys of a run's state.
const MAX_KEYS: usize = 1_000;
/// Most bytes of a key.
const MAX_KEY: usize = 255;
/// Deepest nesting of a value that is kept.
const MAX_LEVELS: usize = 32;
/// Most bytes of a value that is kept.
const MAX_WEIGHT: usize = 1 << 20;

/// A key and what became of it.
pub(super) type Change = (Arc<str>, Option<Value>);

pub(super) struct Rendering<'a> {
    names: &'a Names,
    /// The run's state as this template sees it.
    state: RefCell<Option<Arc<Map>>>,
    changes: RefCell<Vec<Change>>,
    used_data: Cell<bool>,
}

impl<'a> Rendering<'a> {
    pub(super) fn of(
        names: &'a Names,
        template: &Template,
        limits: Limits,
    ) -> Result<Rendered, TemplateError> {
        let rendering = Rendering {
            names,
            state: RefCell::new(None),
            changes: RefCell::new(Vec::new()),
            used_data: Cell::new(false),
        };
        let text = template.render_in(&rendering, limits)?;
        Ok(Rendered {
            text: text.into(),
            used_data: rendering.used_data.get(),
            changes: rendering.changes.into_inner(),
        })
    }

    fn state(&self) -> Arc<Map> {
        let mut state = self.state.borrow_mut();
        let taken = state.get_or_insert_with(|| Arc::new(self.names.runtime.snapshot()));
        taken.clone()
    }

    fn change(&self, key: &Value, value: Option<Value>) -> Result<(), String> {
        let Value::Str(key) = key else {
            return Err(format!("the key is {} (expected text)", key.kind()));
        };
        if key.len() > MAX_KEY {
            return Err(format!(
                "the key has {} bytes (expected at most {MAX_KEY})",
                key.len()
            ));
        }
        drop(self.state());
        let mut state = self.state.borrow_mut();
        let Some(map) = state.as_mut() else {
            return Ok(());
        };
        match &value {
            Some(value) => {
                if value.deeper_than(MAX_LEVELS) {
                    return Err(format!(
                        "the value of '{key}' is nested more than {MAX_LEVELS} levels deep"
                    ));
                }
                if heavier(value, &mut { MAX_WEIGHT }) {
                    return Err(format!(
                        "the value of '{key}' is too large (expected at most {MAX_WEIGHT} bytes)"
                    ));
                }
                if map.len() >= MAX_KEYS && !map.contains_key(key) {
                    return Err(format!(
                        "the run's state is full (expected at most {MAX_KEYS} keys)"
                    ));
                }
                Arc::make_mut(map).insert(key.clone(), value.clone());
            }
            None => {
                Arc::make_mut(map).shift_remove(key);
            }
        }
        self.changes.borrow_mut().push((key.clone(), value));
        Ok(())
    }
}

impl Scope for Rendering<'_> {
    fn name(&self, name: &str) -> Option<Name> {
        match name {
            "data" => {
                self.used_data.set(true);
                Some(Name::Soft(Value::Map(self.names.data.clone())))
            }
            "workflowenv" => Some(Name::Value(Value::Map(self.names.env.clone()))),
            "runtime" => Some(Name::Value(Value::Map(self.state()))),
            _ => None,
        }
    }

    fn filter(
        &self,
        name: &str,
        value: &Value,
        args: &FilterArgs,
    ) -> Option<Result<Value, String>> {
        let most = match name {
            "set_runtime" => 2,
            "delete_runtime" => 1,
            _ => return None,
        };
        let changed = || {
            let Some(key) = args.get(0, "key") else {
                return Err(format!("`{name}` needs a key"));
            };
            if args.positional.len() + args.named.len() > most {
                return Err(format!("`{name}` got more than {most} arguments"));
            }
            if most == 1 {
                return self.change(key, None);
            }
            let Some(kept) = args.get(1, "value").or_else(|| args.get(1, "val")) else {
                return Err(format!("`{name}` needs a key and a value"));
            };
            self.change(key, Some(kept.clone()))
        };
        Some(changed().map(|()| value.clone()))
    }

    fn cost(&self) -> usize {
        // The state may have to be copied.
        1 + self.state.borrow().as_ref().map_or(0, |map| map.len())
    }
}

/// Whether a value is heavier than what is left; shared parts count as often as they occur.
fn heavier(value: &Value, left: &mut usize) -> bool {
    let own = size_of::<Value>()
        + match value {
            Value::Str(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
    let Some(rest) = left.checked_sub(own) else {
        return true;
    };
    *left = rest;
    match value {
        Value::List(items) => items.iter().any(|item| heavier(item, left)),
        Value::Map(map) => map.iter().any(|(key, item)| {
            *left = left.saturating_sub(key.len());
            heavier(item, left)
        }),
        _ => false,
    }
}

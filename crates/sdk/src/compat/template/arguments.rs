//! The arguments of a filter, test, method or function, by place or by name.

use nodetool_protocol::Value;

use super::operators::{number, truth};

/// A value, or the lack of one under a name.
#[derive(Clone, Debug)]
pub(super) enum Val {
    Is(Value),
    /// A value whose parts are always there.
    Soft(Value),
    Missing(String),
}

impl Val {
    /// The value; the lack of one is null.
    pub(super) fn value(self) -> Value {
        match self {
            Val::Is(v) | Val::Soft(v) => v,
            Val::Missing(_) => Value::Null,
        }
    }

    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Val::Missing(_))
    }

    pub(super) fn truth(&self) -> bool {
        matches!(self, Val::Is(v) | Val::Soft(v) if truth(v))
    }

    pub(super) fn is_soft(&self) -> bool {
        matches!(self, Val::Soft(_))
    }

    /// The same value, as soft or not as told; the lack of one stays.
    pub(super) fn softened(self, soft: bool) -> Self {
        match self {
            Val::Is(v) | Val::Soft(v) if soft => Val::Soft(v),
            Val::Is(v) | Val::Soft(v) => Val::Is(v),
            missing => missing,
        }
    }

    /// The same value, its parts no longer always there.
    pub(super) fn firm(self) -> Self {
        self.softened(false)
    }
}

impl<T: Into<Value>> From<T> for Val {
    fn from(value: T) -> Self {
        Val::Is(value.into())
    }
}

pub(super) struct Arguments {
    positional: std::vec::IntoIter<Value>,
    named: Vec<(String, Value)>,
}

impl Arguments {
    pub(super) fn new(positional: Vec<Value>, named: Vec<(String, Value)>) -> Self {
        Arguments {
            positional: positional.into_iter(),
            named,
        }
    }

    /// The next argument by place, else the one of that name.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.positional.next().or_else(|| self.by_name(name))
    }

    /// The argument of that name only.
    pub(super) fn by_name(&mut self, name: &str) -> Option<Value> {
        let at = self.named.iter().position(|(n, _)| n == name)?;
        Some(self.named.remove(at).1)
    }

    /// The argument of that name, which stays.
    pub(super) fn named(&self, name: &str) -> Option<Value> {
        let found = self.named.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.clone())
    }

    pub(super) fn required(&mut self, name: &str) -> Result<Value, String> {
        self.take(name)
            .ok_or_else(|| format!("the argument `{name}` is missing"))
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String, String> {
        match self.required(name)? {
            Value::Str(s) => Ok(s.to_string()),
            other => Err(format!(
                "the argument `{name}` is {} (expected text)",
                other.kind()
            )),
        }
    }

    pub(super) fn text_or(&mut self, name: &str, default: &str) -> Result<String, String> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(default.into()),
            Some(Value::Str(s)) => Ok(s.to_string()),
            Some(other) => Err(format!(
                "the argument `{name}` is {} (expected text)",
                other.kind()
            )),
        }
    }

    pub(super) fn int_or(&mut self, name: &str, default: i64) -> Result<i64, String> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(default),
            Some(v) => match number(&v) {
                Some(Value::Int(i)) => Ok(i),
                Some(Value::Float(f)) if f.fract() == 0.0 && f.abs() < 9e15 => Ok(f as i64),
                _ => Err(format!(
                    "the argument `{name}` is {} (expected a whole number)",
                    v.kind()
                )),
            },
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.take(name).is_some_and(|v| truth(&v))
    }

    /// What is left by place.
    pub(super) fn rest(&mut self) -> Vec<Value> {
        self.positional.by_ref().collect()
    }

    /// What is left by name, in order.
    pub(super) fn rest_named(&mut self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.named)
    }

    /// Refuses what nobody took.
    pub(super) fn done(mut self, of: &str) -> Result<(), String> {
        if let Some((name, _)) = self.named.first() {
            return Err(format!("`{of}` does not know the argument `{name}`"));
        }
        match self.positional.next() {
            Some(_) => Err(format!("`{of}` got too many arguments")),
            None => Ok(()),
        }
    }
}

//! What evaluation costs: steps, and the bytes of all text made on the way. It must not know the tree.

use std::sync::Arc;

use nodetool_protocol::Value;

use super::arguments::Val;
use super::eval::{Outcome, Vm};
use crate::compat::py_str;

/// Bytes that count as one step.
pub(super) const BYTES_PER_STEP: usize = 64;
/// Deepest nesting of a value that is printed or compared.
const MAX_DEPTH: usize = 200;

impl Vm<'_> {
    /// Counts work.
    pub(super) fn spend(&mut self, steps: usize) -> Outcome<()> {
        match self.left.checked_sub(steps as u64) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(format!(
                "the template does too much work (expected at most {} steps)",
                self.limits.steps
            )),
        }
    }

    /// Counts text that is about to be made.
    pub(super) fn grow(&mut self, bytes: usize) -> Outcome<()> {
        if bytes > self.limits.output {
            return Err(format!(
                "the text becomes too long (expected at most {} bytes)",
                self.limits.output
            ));
        }
        self.spend(bytes / BYTES_PER_STEP)
    }

    /// Counts text that is about to be added to a text of so many bytes.
    pub(super) fn extend(&mut self, before: usize, more: usize) -> Outcome<()> {
        if before + more > self.limits.output {
            return self.grow(before + more);
        }
        self.grow(more)
    }

    /// Counts the whole of a value, shared parts as often as they occur; gives its bytes.
    pub(super) fn weigh(&mut self, value: &Value) -> Outcome<usize> {
        self.weigh_at(value, 0)
    }

    fn weigh_at(&mut self, value: &Value, depth: usize) -> Outcome<usize> {
        if depth > MAX_DEPTH {
            return Err(format!(
                "a value is nested more than {MAX_DEPTH} levels deep"
            ));
        }
        let mut sum = 2;
        match value {
            Value::Str(s) => {
                // Reading a long text is work, too.
                self.spend(s.len() >> 8)?;
                sum = s.len();
            }
            Value::Bytes(b) => sum = b.len(),
            Value::List(items) => {
                self.spend(items.len())?;
                for item in items.iter() {
                    sum += 2 + self.weigh_at(item, depth + 1)?;
                }
            }
            Value::Map(map) => {
                self.spend(map.len())?;
                for (key, item) in map.iter() {
                    sum += 6 + key.len() + self.weigh_at(item, depth + 1)?;
                }
            }
            _ => sum = 8,
        }
        Ok(sum)
    }

    /// A value as Python prints it.
    pub(super) fn text(&mut self, value: &Value) -> Outcome<Arc<str>> {
        if let Value::Str(s) = value {
            return Ok(s.clone());
        }
        let bytes = self.weigh(value)?;
        self.grow(bytes)?;
        Ok(py_str(value).into())
    }

    /// A value as it is printed: the lack of one is nothing.
    pub(super) fn shown(&mut self, value: Val) -> Outcome<Arc<str>> {
        match value {
            Val::Is(value) | Val::Soft(value) => self.text(&value),
            Val::Missing(_) => Ok("".into()),
        }
    }
}

//! A JavaScript expression over `item`, asked for many items at once.

use nodetool_sdk::{NodeCx, NodeError, Severity, Value};

/// Asks the sandbox; what throws is told once in the log and then counts as no answer.
pub(super) struct Expression<'a> {
    cx: &'a NodeCx,
    property: &'static str,
    told: bool,
}

impl<'a> Expression<'a> {
    /// The expression that `property` holds.
    pub(super) fn of(property: &'static str, cx: &'a NodeCx) -> Self {
        Expression {
            cx,
            property,
            told: false,
        }
    }

    /// What `text` gives for each item; nothing where it throws.
    pub(super) async fn values(
        &mut self,
        text: &str,
        items: &[Value],
    ) -> Result<Vec<Option<Value>>, NodeError> {
        if text.trim().is_empty() {
            return Err(NodeError::bad(
                self.property,
                "empty text (expected a JavaScript expression over `item`)",
            ));
        }
        let scripts = &self.cx.services().scripts;
        let answers = scripts.eval_items(text, items.to_vec()).await?;
        if answers.len() != items.len() {
            return Err(NodeError::new(format!(
                "The script of `{}` gave {} answers for {} items",
                self.property,
                answers.len(),
                items.len()
            )));
        }
        Ok(answers.into_iter().map(|a| self.heard(a)).collect())
    }

    /// Whether `text` holds for each item; it does not where it throws.
    pub(super) async fn truths(
        &mut self,
        text: &str,
        items: &[Value],
    ) -> Result<Vec<bool>, NodeError> {
        match text.trim() {
            "true" => return Ok(vec![true; items.len()]),
            "false" => return Ok(vec![false; items.len()]),
            _ => {}
        }
        let answers = self.values(text, items).await?;
        Ok(answers
            .iter()
            .map(|a| a.as_ref().is_some_and(truthy))
            .collect())
    }

    fn heard(&mut self, answer: Result<Value, String>) -> Option<Value> {
        let why = match answer {
            Ok(value) => return Some(value),
            Err(why) => why,
        };
        if !self.told {
            self.told = true;
            self.cx.log(
                Severity::Warning,
                format!("`{}` throws for some items: {why}", self.property),
            );
        }
        None
    }
}

/// What JavaScript takes for true.
fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Int(i) => *i != 0,
        Value::Float(f) => *f != 0.0 && !f.is_nan(),
        Value::Str(s) => !s.is_empty(),
        Value::Bytes(_) | Value::List(_) | Value::Map(_) => true,
    }
}

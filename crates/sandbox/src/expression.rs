//! Expressions over items: predicates and keys of nodes, evaluated in batches.
//!
//! It must not know what a result is used for, except that JavaScript has its own idea of what counts as true.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use nodetool_protocol::Value;

use super::error::SandboxError;
use super::pool::{ATTEMPTS, SandboxPool};
use super::seat::{Event, Gone};
use super::wire::{self, Fault, MAX_CODE, MAX_FRAME, Reply, Request};

/// Items are sent together up to this weight.
const BATCH_BYTES: usize = 16 << 20;
/// The results of one batch may have this many bytes.
const OUTPUT_BYTES: u64 = 48 << 20;

/// One JavaScript expression over `item` and `index`, ready to be evaluated often.
///
/// What it leaves behind in the interpreter is seen by nobody but itself, and may be forgotten at any time.
#[derive(Debug, Clone)]
pub struct Expression {
    pool: SandboxPool,
    scope: u64,
    text: Arc<str>,
}

impl Expression {
    pub(super) fn fleeting(pool: SandboxPool, text: &str) -> Self {
        Self {
            pool,
            scope: 0,
            text: text.into(),
        }
    }

    pub(super) fn lasting(pool: SandboxPool, scope: u64, text: &str) -> Self {
        Self {
            pool,
            scope,
            text: text.into(),
        }
    }

    /// One result per item, in order; a throwing expression gives an error text for that item only.
    pub async fn eval(
        &self,
        items: Vec<Value>,
    ) -> Result<Vec<Result<Value, String>>, SandboxError> {
        if self.text.len() > MAX_CODE {
            return Err(SandboxError::Input(format!(
                "The expression is longer than {MAX_CODE} bytes."
            )));
        }
        let mut results = Vec::with_capacity(items.len());
        let mut batch = Vec::new();
        let mut bytes = 0;
        for item in items {
            let weight = wire::weigh(&item).map_err(SandboxError::Input)?;
            if weight > MAX_FRAME - MAX_CODE - 1024 {
                let text = format!(
                    "An item has {weight} bytes; an expression can look at {} at most.",
                    MAX_FRAME - MAX_CODE
                );
                return Err(SandboxError::Input(text));
            }
            if bytes + weight > BATCH_BYTES && !batch.is_empty() {
                let done = self
                    .batch(std::mem::take(&mut batch), results.len())
                    .await?;
                results.extend(done);
                bytes = 0;
            }
            bytes += weight;
            batch.push(item);
        }
        // An empty batch is sent too, when it is the only one: a wrong expression is wrong without items.
        if !batch.is_empty() || results.is_empty() {
            results.extend(self.batch(batch, results.len()).await?);
        }
        Ok(results)
    }

    async fn batch(
        &self,
        items: Vec<Value>,
        first: usize,
    ) -> Result<Vec<Result<Value, String>>, SandboxError> {
        let options = self.pool.options();
        let limit = Some(options.expression_timeout);
        let count = items.len();
        let request = Request::Evaluate {
            scope: self.scope,
            expression: self.text.to_string(),
            items,
            first: first as u64,
            limits: self.pool.limits(limit, options.memory_bytes, OUTPUT_BYTES),
        };
        let frame: Bytes = wire::encode(&request)
            .map_err(|error| SandboxError::Input(error.to_string()))?
            .into();
        drop(request);
        for _ in 0..ATTEMPTS {
            match self.turn(frame.clone(), limit).await? {
                Ok(Reply::Evaluated(results)) if results.len() == count => return Ok(results),
                Ok(Reply::Failed(fault)) => return Err(self.explain(fault)),
                Ok(_) => {
                    return Err(SandboxError::Died(
                        "it gave an answer to another question".into(),
                    ));
                }
                Err(gone) if gone.overtime => return Err(self.explain(Fault::Timeout)),
                Err(gone) if gone.begun => return Err(SandboxError::Died(gone.reason.to_string())),
                Err(_) => {}
            }
        }
        Err(SandboxError::Died(
            "it ended before the expression began, again and again".into(),
        ))
    }

    async fn turn(
        &self,
        frame: Bytes,
        limit: Option<Duration>,
    ) -> Result<Result<Reply, Gone>, SandboxError> {
        let mut replies = self.pool.seat()?.turn(frame, limit);
        loop {
            match replies.next().await {
                Event::Reply(_) => {}
                Event::End(reply, _) => return Ok(Ok(reply)),
                Event::Gone(gone) => return Ok(Err(gone)),
            }
        }
    }

    fn explain(&self, fault: Fault) -> SandboxError {
        let options = self.pool.options();
        match fault {
            Fault::Script(text) => SandboxError::Script(text),
            Fault::Timeout => SandboxError::Timeout(options.expression_timeout),
            Fault::Memory => SandboxError::Memory {
                limit: options.memory_bytes,
            },
            Fault::Output => SandboxError::Output {
                limit: OUTPUT_BYTES,
            },
            Fault::Stuck => SandboxError::Stuck,
            Fault::Cancelled | Fault::Unknown => {
                SandboxError::Died("it dropped the expression".into())
            }
        }
    }
}

/// Whether JavaScript takes a value for true: everything but null, false, 0, NaN and the empty text.
pub fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(fact) => *fact,
        Value::Int(number) => *number != 0,
        Value::Float(number) => *number != 0.0 && !number.is_nan(),
        Value::Str(text) => !text.is_empty(),
        Value::Bytes(_) | Value::List(_) | Value::Map(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_is_that_of_javascript() {
        for falsy in [
            Value::Null,
            Value::Bool(false),
            Value::Int(0),
            Value::Float(f64::NAN),
            Value::str(""),
        ] {
            assert!(!truthy(&falsy), "{falsy:?}");
        }
        for holds in [
            Value::Bool(true),
            Value::Int(-1),
            Value::str("0"),
            Value::list([]),
            Value::Map(Arc::default()),
        ] {
            assert!(truthy(&holds), "{holds:?}");
        }
    }
}

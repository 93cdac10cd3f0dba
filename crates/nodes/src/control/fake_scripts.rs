//! Stands in for the script process in tests: it knows the handful of expressions the tests use.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nodetool_sdk::services::{ScriptLimits, ScriptSession, Scripts, Services};
use nodetool_sdk::testing::context_with;
use nodetool_sdk::{BoxFuture, NodeCx, NodeError, Value};

/// A context whose scripts are this fake.
pub(super) fn context() -> NodeCx {
    counted().0
}

/// The same, with the number of calls.
pub(super) fn counted() -> (NodeCx, Calls) {
    let calls = Arc::new(AtomicUsize::new(0));
    let scripts = Arc::new(Fake(calls.clone()));
    let services = Services {
        scripts,
        ..Services::none()
    };
    (context_with(services, None), Calls(calls))
}

/// How often the sandbox was asked.
pub(super) struct Calls(Arc<AtomicUsize>);

impl Calls {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

struct Fake(Arc<AtomicUsize>);

impl Scripts for Fake {
    fn eval_items<'a>(
        &'a self,
        expression: &'a str,
        items: Vec<Value>,
    ) -> BoxFuture<'a, Result<Vec<Result<Value, String>>, NodeError>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { Ok(items.iter().map(|i| eval(expression, i)).collect()) })
    }

    fn session<'a>(
        &'a self,
        _: &'a str,
        _: Vec<String>,
        _: ScriptLimits,
    ) -> BoxFuture<'a, Result<Box<dyn ScriptSession>, NodeError>> {
        Box::pin(async { Err(NodeError::new("the fake has no sessions")) })
    }
}

fn eval(expression: &str, item: &Value) -> Result<Value, String> {
    let number = || item.as_f64().ok_or("not a number");
    Ok(match expression {
        "item !== null" => (!item.is_null()).into(),
        "item % 2 === 0" => (number()? % 2.0 == 0.0).into(),
        "item % 2" => (number()? % 2.0).into(),
        "item + 1" => (number()? + 1.0).into(),
        "item < 3" => (number()? < 3.0).into(),
        "item < 4" => (number()? < 4.0).into(),
        "item < 5" => (number()? < 5.0).into(),
        "item.a.b > 1" => return Err("TypeError: cannot read property 'b' of undefined".into()),
        other => return Err(format!("the fake does not know `{other}`")),
    })
}

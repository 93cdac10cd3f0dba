//! Scripts in real child processes.

mod examples;
mod expressions;
mod hostile;
mod lifecycle;
mod packages;
mod scripts;
mod speed;

use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

use nodetool_protocol::{Map, Value};
use nodetool_sandbox::{
    CallLimits, CallResult, Host, PoolOptions, SandboxError, SandboxPool, Session,
};

fn options() -> PoolOptions {
    PoolOptions {
        program: env!("CARGO_BIN_EXE_sandbox-child").into(),
        args: Vec::new(),
        ..PoolOptions::default()
    }
}

fn pool() -> SandboxPool {
    SandboxPool::new(options())
}

fn limits() -> CallLimits {
    CallLimits {
        timeout: Duration::from_secs(20),
        memory: 64 << 20,
        max_output_bytes: 8 << 20,
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("test data is JSON")
}

fn inputs(text: &str) -> Map {
    json(text)
        .as_map()
        .cloned()
        .expect("test data is an object")
}

async fn open(pool: &SandboxPool, code: &str) -> Result<Session, SandboxError> {
    pool.session(code, Vec::new(), limits()).await
}

/// Runs a body once, without inputs.
async fn run(code: &str) -> Result<CallResult, SandboxError> {
    open(&pool(), code)
        .await?
        .call(Map::new(), &Desk::default(), ignore)
        .await
}

/// The value a body gives, whatever its form.
async fn value(code: &str) -> Value {
    match run(code).await.expect(code) {
        CallResult::Nothing => Value::Null,
        CallResult::Outputs(map) => map.into(),
        CallResult::Value(value) => value,
    }
}

fn ignore(_: CallResult) -> std::future::Ready<()> {
    std::future::ready(())
}

/// A host that answers a few calls and notes all of them.
#[derive(Default)]
struct Desk {
    seen: Mutex<Vec<(String, Vec<Value>)>>,
}

impl Desk {
    fn seen(&self, name: &str) -> Vec<Vec<Value>> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|(own, _)| own == name)
            .map(|(_, args)| args.clone())
            .collect()
    }
}

impl Host for Desk {
    fn call<'a>(
        &'a self,
        name: &'a str,
        args: Vec<Value>,
    ) -> Pin<Box<dyn Future<Output = Result<Value, String>> + Send + 'a>> {
        self.seen
            .lock()
            .unwrap()
            .push((name.to_owned(), args.clone()));
        Box::pin(async move {
            match name {
                "getSecret" => Ok(Value::from(format!(
                    "secret of {}",
                    args[0].as_str().unwrap_or_default()
                ))),
                "workspace.read" => Err("there is no such file".into()),
                "workspace.write" | "log" => Ok(Value::Null),
                "workspace.list" => Ok(json(r#"["a.txt"]"#)),
                "fetch" => Ok(json(
                    r#"{"status": 200, "status_text": "OK", "url": "http://x/", "headers": {"A": "1"}, "body": "{\"n\":3}"}"#,
                )),
                "sleep" if args[0].as_f64() < Some(1000.0) => Ok(Value::Null),
                "sleep" => std::future::pending().await,
                other => Err(format!("there is no {other}")),
            }
        })
    }
}

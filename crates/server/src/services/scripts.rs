//! The JavaScript sandbox as nodes see it.

use std::future::ready;
use std::path::PathBuf;
use std::time::Duration;

use nodetool_sandbox::{
    CallLimits, CallResult, Confinement, Host, PoolOptions, SandboxError, SandboxPool, Session,
};
use nodetool_sdk::services::{ScriptHost, ScriptLimits, ScriptResult, ScriptSession, Scripts};
use nodetool_sdk::{BoxFuture, Map, NodeError, Value};

/// The hidden subcommand that turns this binary into a sandboxed child.
pub(crate) const CHILD_COMMAND: &str = "__sandbox";
/// Interpreter memory of one script.
const MEMORY: u64 = 128 << 20;

/// Scripts run by child processes of this binary.
pub(crate) struct SandboxedScripts {
    pool: SandboxPool,
}

impl SandboxedScripts {
    /// Scripts run by children of the given program.
    pub(crate) fn new(program: PathBuf) -> Self {
        let args = vec![CHILD_COMMAND.into()];
        // The allocator of this program takes a gibibyte at its start, more than the data limit of a child: all of it
        // counts as used unless it is committed piece by piece.
        let environment = vec![("MIMALLOC_ARENA_EAGER_COMMIT".into(), "0".into())];
        let options = PoolOptions {
            program,
            args,
            environment,
            ..PoolOptions::default()
        };
        SandboxedScripts {
            pool: SandboxPool::new(options),
        }
    }
}

impl SandboxedScripts {
    /// Runs a script that does next to nothing; tells how far it was confined.
    pub(crate) async fn probe(&self) -> Result<Confinement, String> {
        let results = self.pool.eval_items("item + 1", vec![Value::Int(1)]).await;
        let results = results.map_err(|e| e.to_string())?;
        match &results[..] {
            [Ok(Value::Int(2))] => {}
            [Err(e)] => return Err(e.clone()),
            _ => return Err("it gave a wrong result".into()),
        }
        let confinement = self.pool.confinement();
        confinement.ok_or_else(|| "it did not say how it is confined".into())
    }
}

fn failed(e: SandboxError) -> NodeError {
    NodeError::new(e.to_string())
}

fn result_of(result: CallResult) -> ScriptResult {
    match result {
        CallResult::Nothing => ScriptResult::Nothing,
        CallResult::Outputs(map) => ScriptResult::Outputs(map),
        CallResult::Value(v) => ScriptResult::Value(v),
    }
}

impl Scripts for SandboxedScripts {
    fn eval_items<'a>(
        &'a self,
        expression: &'a str,
        items: Vec<Value>,
    ) -> BoxFuture<'a, Result<Vec<Result<Value, String>>, NodeError>> {
        Box::pin(async move {
            self.pool
                .eval_items(expression, items)
                .await
                .map_err(failed)
        })
    }

    fn session<'a>(
        &'a self,
        code: &'a str,
        packages: Vec<String>,
        limits: ScriptLimits,
    ) -> BoxFuture<'a, Result<Box<dyn ScriptSession>, NodeError>> {
        Box::pin(async move {
            let limits = CallLimits {
                timeout: limits.timeout_s.map_or(Duration::ZERO, |s| {
                    Duration::from_secs_f64(s.clamp(0.001, 1e6))
                }),
                memory: MEMORY,
                max_output_bytes: limits.max_output_bytes as u64,
            };
            let session = self
                .pool
                .session(code, packages, limits)
                .await
                .map_err(failed)?;
            Ok(Box::new(OneScript(session)) as Box<dyn ScriptSession>)
        })
    }
}

struct OneScript(Session);

struct Answers<'a>(&'a dyn ScriptHost);

impl Host for Answers<'_> {
    fn call<'a>(&'a self, name: &'a str, args: Vec<Value>) -> BoxFuture<'a, Result<Value, String>> {
        self.0.call(name, args)
    }
}

impl ScriptSession for OneScript {
    fn call<'a>(
        &'a mut self,
        inputs: Map,
        host: &'a dyn ScriptHost,
        on_yield: &'a mut (dyn FnMut(Value) + Send),
    ) -> BoxFuture<'a, Result<ScriptResult, NodeError>> {
        Box::pin(async move {
            let taken = |result| {
                on_yield(match result {
                    CallResult::Nothing => Value::Null,
                    CallResult::Outputs(map) => map.into(),
                    CallResult::Value(v) => v,
                });
                ready(())
            };
            self.0
                .call(inputs, &Answers(host), taken)
                .await
                .map(result_of)
                .map_err(failed)
        })
    }
}

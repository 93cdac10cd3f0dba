//! `nodetool.code.Code`.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use nodetool_sdk::services::{ScriptLimits, ScriptResult, ScriptSession};
use nodetool_sdk::{
    DynamicOutputs, Emitter, Generate, Map, Node, NodeCx, NodeError, Severity, Value,
};
use tokio::sync::mpsc;

use super::script_host::NodeHost;

/// Largest answer or result in megabytes.
const MAX_MB: i64 = 64;
/// Longest time for one execution in seconds; 0 asks for none at all.
const MAX_TIMEOUT_S: i64 = 86_400;
const MAX_PACKAGES: usize = 100;

/// Runs JavaScript in a sandbox.
/// javascript, code, script, function, transform, custom
///
/// Inputs are read from `inputs`; a returned object gives one output per key, anything else leaves on `output`, and
/// each `yield` is sent at once. `state` lives as long as the run.
#[derive(Node)]
#[node(namespace = "nodetool.code", kind = Generate, dynamic, dynamic_outputs, effect = "idempotent", stateful)]
pub(super) struct Code {
    /// The script.
    #[prop(default = "return {};")]
    code: String,
    /// Seconds one execution may take; 0 for no limit.
    #[prop(default = 30)]
    timeout: i64,
    /// What the script may import: names, or objects with a `specifier`.
    packages: Vec<Value>,
    /// Largest answer or result in megabytes.
    #[prop(default = 8)]
    max_response_mb: i64,
    /// Not offered: requests never reach the server's own network.
    allow_local_network: bool,
    /// Not offered: files are those of the workspace.
    allow_host_filesystem: bool,
    #[prop(dynamic)]
    inputs: Map,
}

/// A script that stays ready for the next execution.
struct Kept {
    made_of: (String, Vec<String>, i64, i64),
    session: Box<dyn ScriptSession>,
}

impl Generate for Code {
    type Output = DynamicOutputs;

    async fn generate(
        self,
        out: &Emitter<'_, DynamicOutputs>,
        cx: &NodeCx,
    ) -> Result<(), NodeError> {
        let packages = specifiers(&self.packages)?;
        let limits = self.limits()?;
        let host = NodeHost {
            cx,
            max_bytes: limits.max_output_bytes,
            requests: AtomicU64::new(0),
        };
        let warnings = self.warnings();
        let made_of = (self.code, packages, self.timeout, self.max_response_mb);
        let kept = cx.take_kept::<Kept>().filter(|k| k.made_of == made_of);
        let mut kept = match kept {
            Some(kept) => kept,
            None => {
                for line in warnings {
                    cx.log(Severity::Warning, line);
                }
                let scripts = &cx.services().scripts;
                let session = scripts
                    .session(&made_of.0, made_of.1.clone(), limits)
                    .await?;
                Kept { made_of, session }
            }
        };
        let result = run(&mut *kept.session, self.inputs, &host, out).await?;
        cx.keep(kept);
        match result {
            ScriptResult::Nothing => Ok(()),
            ScriptResult::Outputs(map) => send(Value::from(map), out).await,
            ScriptResult::Value(value) => send_on_output(value, out).await,
        }
    }
}

/// One execution; yielded values leave while it is under way. A script waits while nobody takes them.
async fn run(
    session: &mut dyn ScriptSession,
    inputs: Map,
    host: &NodeHost<'_>,
    out: &Emitter<'_, DynamicOutputs>,
) -> Result<ScriptResult, NodeError> {
    let (tx, mut yielded) = mpsc::unbounded_channel();
    let mut on_yield = move |value| {
        // The receiver lives as long as the call.
        let _ = tx.send(value);
    };
    let mut call = session.call(inputs, host, &mut on_yield);
    let result = loop {
        tokio::select! {
            biased;
            Some(value) = yielded.recv() => send(value, out).await?,
            result = &mut call => break result,
        }
    };
    drop(call);
    while let Ok(value) = yielded.try_recv() {
        send(value, out).await?;
    }
    result
}

/// A plain object leaves by its keys, anything else as it is.
async fn send(value: Value, out: &Emitter<'_, DynamicOutputs>) -> Result<(), NodeError> {
    match value {
        Value::Map(map) if map.is_empty() => Ok(()),
        Value::Map(map) => out.emit(DynamicOutputs(Arc::unwrap_or_clone(map))).await,
        other => send_on_output(other, out).await,
    }
}

async fn send_on_output(value: Value, out: &Emitter<'_, DynamicOutputs>) -> Result<(), NodeError> {
    if value.is_null() {
        return Ok(());
    }
    out.emit_named("output", value).await
}

impl Code {
    fn limits(&self) -> Result<ScriptLimits, NodeError> {
        let within = |name: &str, value: i64, least: i64, most: i64| {
            if (least..=most).contains(&value) {
                return Ok(value);
            }
            let why = format!("{value} (expected {least} to {most})");
            Err(NodeError::bad(name, why))
        };
        let timeout = within("timeout", self.timeout, 0, MAX_TIMEOUT_S)?;
        let mb = within("max_response_mb", self.max_response_mb, 1, MAX_MB)?;
        Ok(ScriptLimits {
            timeout_s: (timeout > 0).then_some(timeout as f64),
            max_output_bytes: (mb as usize) << 20,
        })
    }

    fn warnings(&self) -> Vec<String> {
        [
            ("allow_local_network", self.allow_local_network),
            ("allow_host_filesystem", self.allow_host_filesystem),
        ]
        .into_iter()
        .filter(|(_, asked)| *asked)
        .map(|(name, _)| format!("`{name}` is not offered on this server and has no effect"))
        .collect()
    }
}

/// The names of packages, given as texts or as objects with a `specifier`.
fn specifiers(packages: &[Value]) -> Result<Vec<String>, NodeError> {
    if packages.len() > MAX_PACKAGES {
        let why = format!("{} items (expected at most {MAX_PACKAGES})", packages.len());
        return Err(NodeError::bad("packages", why));
    }
    packages
        .iter()
        .map(|package| {
            let name = package.get("specifier").unwrap_or(package).as_str();
            name.map(str::to_owned).ok_or_else(|| {
                let shown = format!("{} {}", package.kind(), package.preview(80));
                let why = format!("{shown} (expected a name or an object with a `specifier`)");
                NodeError::bad("packages", why)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use nodetool_sdk::BoxFuture;
    use nodetool_sdk::services::{ScriptHost, Scripts, Services};
    use nodetool_sdk::testing::{Case, case, context_with};

    use super::*;

    /// Counts sessions; a session counts its calls and does what its code says, in words the tests use.
    struct Fake(Arc<AtomicUsize>);

    struct Session {
        code: String,
        calls: i64,
    }

    impl Scripts for Fake {
        fn eval_items<'a>(
            &'a self,
            _: &'a str,
            _: Vec<Value>,
        ) -> BoxFuture<'a, Result<Vec<Result<Value, String>>, NodeError>> {
            Box::pin(async { Err(NodeError::new("the fake has no expressions")) })
        }

        fn session<'a>(
            &'a self,
            code: &'a str,
            packages: Vec<String>,
            limits: ScriptLimits,
        ) -> BoxFuture<'a, Result<Box<dyn ScriptSession>, NodeError>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let code = match code {
                "settings" => format!("{packages:?} {limits:?}"),
                other => other.to_owned(),
            };
            Box::pin(async { Ok(Box::new(Session { code, calls: 0 }) as Box<_>) })
        }
    }

    impl ScriptSession for Session {
        fn call<'a>(
            &'a mut self,
            inputs: Map,
            host: &'a dyn ScriptHost,
            on_yield: &'a mut (dyn FnMut(Value) + Send),
        ) -> BoxFuture<'a, Result<ScriptResult, NodeError>> {
            Box::pin(async move {
                self.calls += 1;
                Ok(match self.code.as_str() {
                    "return null" => ScriptResult::Nothing,
                    "return {}" => ScriptResult::Outputs(Map::new()),
                    "return inputs" => ScriptResult::Outputs(inputs),
                    "return calls" => ScriptResult::Value(self.calls.into()),
                    "return uuid()" => {
                        ScriptResult::Value(host.call("uuid", vec![]).await.unwrap())
                    }
                    "yield 1; yield {a: 2}; return 3" => {
                        on_yield(1i64.into());
                        tokio::task::yield_now().await;
                        on_yield(Value::map([("a", Value::Int(2))]));
                        ScriptResult::Value(3i64.into())
                    }
                    "throw" => return Err("Error: thrown".into()),
                    other => ScriptResult::Value(other.into()),
                })
            })
        }
    }

    fn code(text: &str) -> (Case, Arc<AtomicUsize>) {
        let sessions = Arc::new(AtomicUsize::new(0));
        let services = Services {
            scripts: Arc::new(Fake(sessions.clone())),
            ..Services::none()
        };
        let case = case::<Code>()
            .set("code", text)
            .within(context_with(services, None));
        (case, sessions)
    }

    #[tokio::test]
    async fn objects_leave_by_key_other_values_on_output_and_null_not_at_all() {
        let (inputs, _) = code("return inputs");
        let got = inputs.set("a", 1i64).set("b", Value::Null).run().await;
        let want: Map = [("a".into(), 1i64.into()), ("b".into(), Value::Null)].into();
        assert_eq!(got.unwrap(), [want]);
        assert!(code("return null").0.run().await.unwrap().is_empty());
        assert!(code("return {}").0.run().await.unwrap().is_empty());
        let id = code("return uuid()").0.value().await.unwrap();
        assert_eq!(id.as_str().map(str::len), Some(36));
    }

    #[tokio::test]
    async fn yielded_values_leave_before_the_result() {
        let got = code("yield 1; yield {a: 2}; return 3").0.run().await;
        let got: Vec<String> = got.unwrap().iter().map(|m| format!("{m:?}")).collect();
        assert_eq!(got, [r#"{"output": 1}"#, r#"{"a": 2}"#, r#"{"output": 3}"#]);
    }

    #[tokio::test]
    async fn the_session_is_kept_between_executions_of_one_node() {
        let sessions = Arc::new(AtomicUsize::new(0));
        let services = Services {
            scripts: Arc::new(Fake(sessions.clone())),
            ..Services::none()
        };
        let def = Code::definition();
        let nodetool_sdk::Behaviour::Generate(generate) = &def.behaviour else {
            panic!("Code is a generator");
        };
        let cx = context_with(services, None);
        let sink = Sink::default();
        for text in ["return calls", "return calls", "return 0"] {
            let mut props = def.defaults();
            props.values[0] = text.into();
            generate(props, &sink, &cx).await.unwrap();
        }
        let got = sink.0.into_inner().unwrap();
        assert_eq!(got, [1i64.into(), 2i64.into(), Value::from("return 0")]);
        assert_eq!(sessions.load(Ordering::Relaxed), 2);
    }

    /// Keeps what leaves on `output`.
    #[derive(Default)]
    struct Sink(std::sync::Mutex<Vec<Value>>);

    impl nodetool_sdk::Emit for Sink {
        fn put(&self, emitted: nodetool_sdk::Emitted) -> Result<bool, NodeError> {
            if let nodetool_sdk::Emitted::Named(mut map) = emitted {
                self.0.lock().unwrap().extend(map.shift_remove("output"));
            }
            Ok(true)
        }
        fn ready<'a>(&'a self) -> BoxFuture<'a, Result<(), NodeError>> {
            Box::pin(async { Ok(()) })
        }
        fn complete(&self, _: &str) {}
        fn control(&self, _: nodetool_sdk::ControlMessage) -> Result<(), NodeError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn limits_and_packages_reach_the_sandbox() {
        let packages = Value::list(["a".into(), Value::map([("specifier", "b".into())])]);
        let (case, _) = code("settings");
        let case = case.set("packages", packages).set("timeout", 0i64);
        let got = case.value().await.unwrap();
        let got = got.as_str().unwrap().to_owned();
        assert!(got.contains(r#"["a", "b"]"#), "{got}");
        assert!(got.contains("timeout_s: None"), "{got}");
        assert!(got.contains("max_output_bytes: 8388608"), "{got}");
    }

    #[tokio::test]
    async fn what_the_sandbox_cannot_grant_is_refused_by_name() {
        for (name, value) in [
            ("timeout", Value::Int(-1)),
            ("max_response_mb", Value::Int(0)),
            ("max_response_mb", Value::Int(i64::MAX)),
            ("packages", Value::list([Value::Int(1)])),
        ] {
            let error = code("").0.set(name, value).run().await.unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
        let error = code("throw").0.run().await.unwrap_err().to_string();
        assert_eq!(error, "Error: thrown");
    }
}

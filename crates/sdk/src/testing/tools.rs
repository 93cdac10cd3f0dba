//! Tools made of closures that remember how they were called.

use std::sync::{Mutex, PoisonError};

use nodetool_protocol::{Map, Value};

use crate::BoxFuture;
use crate::models::ToolSpec;
use crate::tools::{Tool, Tools};

type Work = Box<dyn Fn(Map) -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// Tools made of closures.
#[derive(Default)]
pub struct ScriptedTools {
    tools: Vec<(Tool, Work)>,
    calls: Mutex<Vec<(String, Map)>>,
}

impl ScriptedTools {
    /// No tools yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one that answers at once.
    pub fn with(
        self,
        name: &str,
        work: impl Fn(Map) -> Result<Value, String> + Send + Sync + 'static,
    ) -> Self {
        self.with_async(name, move |arguments| {
            Box::pin(std::future::ready(work(arguments)))
        })
    }

    /// Adds one that takes its time.
    pub fn with_async(
        mut self,
        name: &str,
        work: impl Fn(Map) -> BoxFuture<'static, Result<Value, String>> + Send + Sync + 'static,
    ) -> Self {
        let spec = ToolSpec {
            name: name.to_owned(),
            description: format!("The tool {name}."),
            parameters: Value::map([("type", "object".into())]),
            ..ToolSpec::default()
        };
        let effects = false;
        self.tools.push((Tool { spec, effects }, Box::new(work)));
        self
    }

    /// What a model is told of all of them.
    pub fn specs(&self) -> Vec<ToolSpec> {
        self.tools.iter().map(|(t, _)| t.spec.clone()).collect()
    }

    /// The calls so far, in order.
    pub fn calls(&self) -> Vec<(String, Map)> {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Tools for ScriptedTools {
    fn find<'a>(&'a self, names: &'a [String]) -> BoxFuture<'a, Vec<Option<Tool>>> {
        let find = |name: &String| {
            let found = self.tools.iter().find(|(t, _)| t.spec.name == *name);
            found.map(|(tool, _)| tool.clone())
        };
        Box::pin(std::future::ready(names.iter().map(find).collect()))
    }

    fn call<'a>(&'a self, name: &'a str, arguments: Map) -> BoxFuture<'a, Result<Value, String>> {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((name.to_owned(), arguments.clone()));
        match self.tools.iter().find(|(t, _)| t.spec.name == name) {
            Some((_, work)) => work(arguments),
            None => Box::pin(std::future::ready(Err(format!("no tool {name}")))),
        }
    }
}

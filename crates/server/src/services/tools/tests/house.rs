//! A house of tools with a store of its own, and stand-ins for the network, the sandbox and what is on shelves.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;
use nodetool_sdk::collections::{DocumentRange, FoundDocument, NewDocument, Search};
use nodetool_sdk::services::{
    HttpRequest, HttpResponse, ScriptHost, ScriptLimits, ScriptResult, ScriptSession, Services,
};
use nodetool_sdk::testing::{Scripted as Said, ScriptedModels};
use nodetool_sdk::{NodeError, protocol::Graph};
use nodetool_store::{Options, Store};
use serde_json::json;

use super::super::*;
use crate::node_services;
use crate::services::{
    Changes, CollectionService, Feeds, JobServiceParts, KeyFiles, KeyPlaces, Keys, Ledger, Limits,
    ModelParts, ModelService, ModelSettings, Recovery, Safe, SaveWorkflow, SecretsParts,
    ThreadService,
};

/// Answers every request alike and keeps what was asked.
pub(super) struct Site {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) body: String,
    pub(super) asked: Mutex<Vec<HttpRequest>>,
}

impl Site {
    pub(super) fn new(kind: &'static str, body: impl Into<String>) -> Arc<Self> {
        Arc::new(Site {
            status: 200,
            kind,
            body: body.into(),
            asked: Mutex::default(),
        })
    }
}

impl Http for Site {
    fn send<'a>(&'a self, request: HttpRequest) -> BoxFuture<'a, Result<HttpResponse, NodeError>> {
        let response = HttpResponse {
            status: self.status,
            headers: vec![("content-type".into(), self.kind.into())],
            body: Bytes::from(self.body.clone()),
            url: request.url.clone(),
        };
        self.asked.lock().unwrap().push(request);
        Box::pin(async move { Ok(response) })
    }
}

/// A sandbox whose scripts ask the host what their code says, and give the answer.
pub(super) struct Scripted;

struct Asking(String);

impl Scripts for Scripted {
    fn eval_items<'a>(
        &'a self,
        _: &'a str,
        _: Vec<Value>,
    ) -> BoxFuture<'a, Result<Vec<Result<Value, String>>, NodeError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn session<'a>(
        &'a self,
        code: &'a str,
        _: Vec<String>,
        _: ScriptLimits,
    ) -> BoxFuture<'a, Result<Box<dyn ScriptSession>, NodeError>> {
        let session: Box<dyn ScriptSession> = Box::new(Asking(code.to_owned()));
        Box::pin(async { Ok(session) })
    }
}

impl ScriptSession for Asking {
    fn call<'a>(
        &'a mut self,
        inputs: Map,
        host: &'a dyn ScriptHost,
        _: &'a mut (dyn FnMut(Value) + Send),
    ) -> BoxFuture<'a, Result<ScriptResult, NodeError>> {
        Box::pin(async move {
            if let Some(html) = inputs.get("html").and_then(Value::as_str) {
                return Ok(ScriptResult::Value(format!("# {}", html.len()).into()));
            }
            let mut words = self.0.split(' ').map(Value::from);
            let name = words.next().unwrap_or_default();
            let answer = host
                .call(name.as_str().unwrap_or_default(), words.collect())
                .await;
            answer.map(ScriptResult::Value).map_err(NodeError::new)
        })
    }
}

/// A few models and one collection.
pub(super) struct Few;

impl Shelves for Few {
    fn models<'a>(
        &'a self,
        _: &'a Caller,
        kind: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Value>, String>> {
        let model = |id: &str| Value::map([("id", Value::from(id)), ("kind", kind.into())]);
        let models = vec![model("small"), model("large")];
        Box::pin(async move { Ok(models) })
    }
    fn list_collections<'a>(&'a self, _: &'a Caller) -> BoxFuture<'a, Result<Vec<Value>, String>> {
        Box::pin(async { Ok(vec![Value::map([("name", Value::from("notes"))])]) })
    }
    fn collections(&self, _: &Caller) -> Arc<dyn Collections> {
        Arc::new(Few)
    }
    fn language(&self, _: &Caller) -> Arc<dyn Models> {
        // An agent that makes a plan of one step and is done with it.
        let plan = r#"{"title":"T","steps":[{"id":"only","instructions":"Do it"}]}"#;
        Arc::new(ScriptedModels::new([
            Said::calls(&[("create_task", plan)]),
            Said::calls(&[("finish_step", r#"{"result":"all done"}"#)]),
        ]))
    }
}

impl Collections for Few {
    fn ensure<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async { Ok(()) })
    }
    fn put<'a>(
        &'a self,
        _: &'a str,
        _: Vec<NewDocument>,
    ) -> BoxFuture<'a, Result<Vec<String>, NodeError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn search<'a>(
        &'a self,
        name: &'a str,
        search: Search,
    ) -> BoxFuture<'a, Result<Vec<FoundDocument>, NodeError>> {
        Box::pin(async move {
            if name != "notes" {
                return Err(NodeError::new(format!("there is no collection '{name}'")));
            }
            let found = FoundDocument {
                id: "d".into(),
                text: "x".repeat(5_000),
                metadata: Map::new(),
                distance: None,
                score: None,
            };
            Ok(vec![found; search.limit.min(2)])
        })
    }
    fn documents<'a>(
        &'a self,
        _: &'a str,
        _: DocumentRange,
    ) -> BoxFuture<'a, Result<Vec<FoundDocument>, NodeError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn count<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<u64, NodeError>> {
        Box::pin(async { Ok(0) })
    }
}

/// A house with a store of its own.
pub(super) struct House {
    pub(super) folder: tempfile::TempDir,
    pub(super) tools: ToolService,
    pub(super) workflows: WorkflowService,
    pub(super) secrets: SecretsService,
}

pub(super) fn house(site: Arc<Site>) -> House {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("db"), Options::default()).unwrap();
    let changes = Changes::default();
    let registry = Arc::new(node_services::registry());
    let assets = folder.path().join("assets");
    let assets = AssetService::open(store.clone(), &assets, changes.clone(), 1 << 20).unwrap();
    let workflows = WorkflowService::new(store.clone(), registry.clone(), changes.clone());
    let key = folder.path().join("keys");
    let secrets = SecretsService::new(SecretsParts {
        store: store.clone(),
        changes: changes.clone(),
        safe: Safe::new(
            store.clone(),
            KeyPlaces {
                files: Some(KeyFiles::new(key)),
                ..KeyPlaces::default()
            },
        ),
        environment: BTreeMap::new(),
        shared: true,
        accounts: None,
        google: None,
        more: Default::default(),
    });
    let models = ModelService::new(ModelParts {
        settings: ModelSettings::default(),
        keys: Keys::Given(Arc::default()),
        chosen: None,
        ledger: Ledger::default(),
    })
    .unwrap();
    let jobs = JobService::new(JobServiceParts {
        store: store.clone(),
        assets: assets.clone(),
        workflows: workflows.clone(),
        services: Services::none(),
        threads: ThreadService::new(store.clone(), changes.clone()),
        models: models.clone(),
        collections: CollectionService::new(
            store.clone(),
            workflows.clone(),
            Arc::new(move |caller: &Caller| models.of(caller)),
        ),
        secrets: secrets.clone(),
        workspace: folder.path().join("runs"),
        changes,
        feeds: Feeds::default(),
        limits: Limits::default(),
        recovery: Recovery::Resume,
    });
    let tools = ToolService::new(ToolServiceParts {
        registry,
        workflows: workflows.clone(),
        jobs,
        assets,
        settings: SettingsService::new(store, false, secrets.clone()),
        secrets: secrets.clone(),
        http: site,
        scripts: Arc::new(Scripted),
        shelves: Some(Arc::new(Few)),
        mcp: McpServers::default(),
        search: SearchPlaces::default(),
        examples: Arc::new(ExampleService::new(Arc::default(), None)),
        library: None,
        agents: Budgets::default(),
    });
    House {
        folder,
        tools,
        workflows,
        secrets,
    }
}

pub(super) fn quiet() -> House {
    house(Site::new("text/plain", "quiet"))
}

impl House {
    pub(super) fn scope(&self) -> ToolScope {
        ToolScope {
            workspace: Some(self.folder.path().join("workspace")),
            ..ToolScope::of(Caller::local())
        }
    }

    pub(super) async fn call(
        &self,
        name: &str,
        arguments: serde_json::Value,
    ) -> Result<Value, String> {
        self.call_in(self.scope(), name, arguments).await
    }

    pub(super) async fn call_in(
        &self,
        scope: ToolScope,
        name: &str,
        arguments: serde_json::Value,
    ) -> Result<Value, String> {
        let Value::Map(arguments) = value(arguments) else {
            panic!("arguments are an object");
        };
        self.tools
            .of(scope)
            .call(name, Map::clone(&arguments))
            .await
    }

    /// A workflow that repeats a text.
    pub(super) async fn workflow(&self, tool_name: &str, wait: bool) -> String {
        let mut nodes = vec![
            json!({"id": "in", "type": "nodetool.input.StringInput", "data": {"name": "text", "value": "hi"}}),
            json!({"id": "twice", "type": "nodetool.text.Concat", "data": {}}),
            json!({"id": "out", "type": "nodetool.output.Output", "data": {"name": "said"}}),
        ];
        if wait {
            nodes.push(json!({"id": "wait", "type": "nodetool.triggers.Wait", "data": {}}));
        }
        let edge = |id: &str, from: &str, to: &str, handle: &str| json!({"id": id, "source": from, "sourceHandle": "output", "target": to, "targetHandle": handle});
        let graph = json!({"nodes": nodes, "edges": [
            edge("1", "in", "twice", "a"), edge("2", "in", "twice", "b"), edge("3", "twice", "out", "value"),
        ]});
        let save = SaveWorkflow {
            name: format!("Twice {tool_name}"),
            access: "private".into(),
            tool_name: Some(tool_name.into()),
            graph: Some(serde_json::from_value::<Graph>(graph).unwrap()),
            ..SaveWorkflow::default()
        };
        self.workflows
            .create(&Caller::local(), save)
            .await
            .unwrap()
            .id
    }
}

pub(super) fn value(json: serde_json::Value) -> Value {
    serde_json::from_value(json).unwrap()
}

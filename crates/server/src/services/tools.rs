//! What models can have done for a user: tools of this server, node types, workflows, other servers and clients, by name.
//!
//! It must not know conversations, agents or sockets. Arguments come from a model and are checked against the schema the
//! model was told; what a tool gives is bounded; each call has a time limit, and dropping it ends it.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use nodetool_sdk::agent::{Budgets, Schema};
use nodetool_sdk::collections::Collections;
use nodetool_sdk::models::{Models, ToolSpec};
use nodetool_sdk::services::{Http, Scripts, Secrets};
use nodetool_sdk::tools::{Tool, Tools};
use nodetool_sdk::{BoxFuture, Map, Registry, Value, Workspace};

use super::downloads::ModelLibrary;
use super::{
    AssetService, Caller, ExampleService, JobService, RunSecrets, SecretsService, Seen,
    SettingsService, WorkflowService,
};

mod agent;
mod arguments;
mod assets;
mod authoring;
mod built_in;
mod calculator;
mod files;
mod hub;
mod human;
mod jobs;
mod knowledge;
mod mcp;
mod names;
mod node_tools;
mod nodes;
mod runs;
mod scripts;
mod search;
mod shelf;
mod stored;
mod web;
mod workflows;

use arguments::Arguments;
use built_in::BuiltIn;
pub(crate) use human::{Human, HumanQuestion};
pub(crate) use mcp::{McpServer, McpServers};
pub(crate) use search::SearchPlaces;
pub(crate) use shelf::Shelf;

/// How deep workflows may run agents that run workflows.
const MAX_DEPTH: u32 = 8;

/// What the service is made of.
pub(crate) struct ToolServiceParts {
    pub(crate) registry: Arc<Registry>,
    pub(crate) workflows: WorkflowService,
    pub(crate) jobs: JobService,
    pub(crate) assets: AssetService,
    pub(crate) secrets: SecretsService,
    pub(crate) settings: SettingsService,
    /// The one guarded client.
    pub(crate) http: Arc<dyn Http>,
    /// The sandbox.
    pub(crate) scripts: Arc<dyn Scripts>,
    /// Without, there are neither models nor collections.
    pub(crate) shelves: Option<Arc<dyn Shelves>>,
    /// Servers of tools.
    pub(crate) mcp: McpServers,
    /// Where searches of the web are answered.
    pub(crate) search: SearchPlaces,
    pub(crate) examples: Arc<ExampleService>,
    /// Models of the hub; nothing where the server does not look after them.
    pub(crate) library: Option<ModelLibrary>,
    /// What an agent may take that a model calls as a tool.
    pub(crate) agents: Budgets,
}

/// Models and collections of a user, as the services of those know them.
pub(crate) trait Shelves: Send + Sync {
    /// Models of a kind (`language`, `image`, `tts`, …; all when empty), of one provider or all.
    fn models<'a>(
        &'a self,
        caller: &'a Caller,
        kind: &'a str,
        provider: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Value>, String>>;
    /// The user's collections.
    fn list_collections<'a>(
        &'a self,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Vec<Value>, String>>;
    /// The user's collections, to look into.
    fn collections(&self, caller: &Caller) -> Arc<dyn Collections>;
    /// The models the user may ask.
    fn language(&self, caller: &Caller) -> Arc<dyn Models>;
}

/// For whom and within what tools are called.
#[derive(Clone)]
pub(crate) struct ToolScope {
    pub(crate) caller: Caller,
    /// The one folder they may touch.
    pub(crate) workspace: Option<PathBuf>,
    /// Tools of the client of the conversation, which come last.
    pub(crate) client: Option<Arc<dyn Tools>>,
    /// Who answers questions.
    pub(crate) human: Option<Arc<dyn Human>>,
    /// How many runs deep the caller is; 0 for a conversation.
    pub(crate) depth: u32,
    /// The workflows around, outermost first; none of them is run again.
    pub(crate) inside: Arc<[Arc<str>]>,
}

impl ToolScope {
    /// The scope of a user without a folder, a client or a person to ask.
    pub(crate) fn of(caller: Caller) -> Self {
        ToolScope {
            caller,
            workspace: None,
            client: None,
            human: None,
            depth: 0,
            inside: Arc::new([]),
        }
    }
}

/// Gives users their tools.
#[derive(Clone)]
pub(crate) struct ToolService(Arc<ToolServiceParts>);

impl ToolService {
    pub(crate) fn new(parts: ToolServiceParts) -> Self {
        ToolService(Arc::new(parts))
    }

    /// The tools within a scope.
    pub(crate) fn of(&self, scope: ToolScope) -> Arc<dyn Tools> {
        Arc::new(Desk {
            house: self.0.clone(),
            scope,
        })
    }

    /// Tools of all other servers that answer, for lists of what there is.
    pub(crate) async fn of_servers(&self) -> Vec<Tool> {
        self.0.mcp.tools().await
    }

    /// A grip that does not keep the service alive.
    pub(crate) fn downgrade(&self) -> WeakTools {
        WeakTools(Arc::downgrade(&self.0))
    }
}

/// The service of tools as seen by those it uses itself.
pub(crate) struct WeakTools(Weak<ToolServiceParts>);

impl WeakTools {
    pub(crate) fn upgrade(&self) -> Option<ToolService> {
        self.0.upgrade().map(ToolService)
    }
}

/// The tools within one scope.
struct Desk {
    house: Arc<ToolServiceParts>,
    scope: ToolScope,
}

/// What a name stands for.
enum Found {
    Node(Arc<str>),
    BuiltIn(&'static BuiltIn),
    Workflow(Box<workflows::WorkflowTool>),
    Mcp(Tool),
    Client(Tool),
}

impl Found {
    fn tool(&self, desk: &Desk) -> Option<Tool> {
        Some(match self {
            Found::Node(node_type) => node_tools::tool(desk.house.registry.get(node_type)?),
            Found::BuiltIn(built_in) => built_in.tool(),
            Found::Workflow(workflow) => workflow.tool(),
            Found::Mcp(tool) | Found::Client(tool) => tool.clone(),
        })
    }

    fn seconds(&self) -> u64 {
        match self {
            Found::BuiltIn(built_in) => built_in.seconds,
            Found::Node(_) | Found::Workflow(_) => 1800,
            Found::Mcp(_) => 300,
            // Whoever gave them knows how long to wait.
            Found::Client(_) => 3600,
        }
    }
}

impl Desk {
    /// What a name stands for: a node type, a tool of the server, a workflow, a tool of another server, one of
    /// the client, in this order.
    async fn resolve(&self, name: &str) -> Result<Option<Found>, String> {
        if let Some(node_type) = node_tools::find(&self.house.registry, name) {
            return Ok(Some(Found::Node(node_type)));
        }
        if let Some(built_in) = built_in::find(name) {
            return Ok(Some(Found::BuiltIn(built_in)));
        }
        // Only the leading word belongs to us; the rest is the user's.
        if let Some(tool_name) = name.strip_prefix("workflow_")
            && let Some(found) = self.workflow_tool(tool_name).await?
        {
            return Ok(Some(Found::Workflow(Box::new(found))));
        }
        if McpServers::may_have(name)
            && let Some(tool) = self.house.mcp.find(name).await
        {
            return Ok(Some(Found::Mcp(tool)));
        }
        if let Some(client) = &self.scope.client {
            let found = client.find(&[name.to_owned()]).await;
            return Ok(found.into_iter().next().flatten().map(Found::Client));
        }
        Ok(None)
    }

    async fn run(&self, found: &Found, arguments: Map) -> Result<Value, String> {
        // Those check their arguments themselves, by schemas that may say more than is checked here.
        if let Found::Mcp(tool) = found {
            return self.house.mcp.call(&tool.spec.name, arguments).await;
        }
        if let Found::Client(tool) = found {
            let Some(client) = &self.scope.client else {
                return Err("the client is gone".into());
            };
            return client.call(&tool.spec.name, arguments).await;
        }
        let Some(tool) = found.tool(self) else {
            return Err("the tool is gone".into());
        };
        let arguments = checked(&tool.spec, arguments)?;
        match found {
            Found::Node(node_type) => self.run_node(node_type, arguments.into_map()).await,
            Found::BuiltIn(built_in) => self.run_built_in(built_in.name, &arguments).await,
            Found::Workflow(workflow) => {
                let id = workflow.id.clone();
                self.run_workflow_by_id(&id, arguments.into_map()).await
            }
            Found::Mcp(_) | Found::Client(_) => Err("the tool is gone".into()),
        }
    }

    async fn run_built_in(&self, name: &str, arguments: &Arguments) -> Result<Value, String> {
        match name {
            "read_file" => self.read_file(arguments).await,
            "write_file" => self.write_file(arguments).await,
            "list_directory" => self.list_directory(arguments).await,
            "download_file" => self.download_file(arguments).await,
            "browser" => self.browser(arguments).await,
            "http_request" => self.http_request(arguments).await,
            "run_javascript" | "execute_javascript" => self.run_javascript(arguments).await,
            "google_search" => self.web_search(arguments).await,
            "calculator" => calculator::calculate(arguments),
            "list_workflows" => self.list_workflows(arguments).await,
            "get_workflow" => self.get_workflow(arguments).await,
            "run_workflow" | "run_workflow_tool" => self.run_workflow(arguments).await,
            "create_workflow" => self.create_workflow(arguments).await,
            "run_graph" => self.run_graph(arguments).await,
            "start_background_job" => self.start_background_job(arguments).await,
            "export_workflow_digraph" => self.export_workflow_digraph(arguments).await,
            "generate_dot_graph" => self.generate_dot_graph(arguments).await,
            "get_example_workflow" => self.get_example_workflow(arguments),
            agent::RUN_AGENT => self.run_agent(arguments).await,
            "validate_workflow" => self.validate_workflow(arguments).await,
            "list_nodes" => Ok(self.list_nodes(arguments)),
            "search_nodes" => Ok(self.search_nodes(arguments)),
            "get_node_info" => self.get_node_info(arguments),
            "list_jobs" => self.list_jobs(arguments).await,
            "get_job" => self.get_job(arguments).await,
            "get_job_logs" => self.get_job_logs(arguments).await,
            "list_assets" => self.list_assets(arguments).await,
            "get_asset" => self.get_asset(arguments).await,
            "read_asset" => self.read_asset(arguments).await,
            "save_text_asset" => self.save_text_asset(arguments).await,
            "list_collections" => self.list_collections().await,
            "get_collection" => self.get_collection(arguments).await,
            "get_documents_from_collection" => self.get_documents_from_collection(arguments).await,
            "list_storage_files" => self.list_storage_files(arguments).await,
            "get_file_metadata" => self.get_file_metadata(arguments).await,
            "download_file_from_storage" => self.download_file_from_storage(arguments).await,
            "get_hf_cache_info" => self.get_hf_cache_info(arguments).await,
            "inspect_hf_cached_model" => self.inspect_hf_cached_model(arguments).await,
            "query_hf_model_files" => self.query_hf_model_files(arguments).await,
            "search_hf_hub_models" => self.search_hf_hub_models(arguments).await,
            "get_hf_model_info" => self.get_hf_model_info(arguments).await,
            "query_collection" => self.query_collection(arguments).await,
            "list_models" | "query_models" => self.list_models(arguments).await,
            "ask_human" => self.ask_human(arguments).await,
            other => Err(format!("the tool {other} cannot be called")),
        }
    }

    /// Secrets of the user, as their nodes get them.
    fn secrets(&self) -> RunSecrets {
        let user_id = self.scope.caller.user_id.as_str().into();
        RunSecrets::new(
            self.house.secrets.clone(),
            user_id,
            Arc::new(Seen::default()),
        )
    }

    async fn secret(&self, key: &str) -> Result<Option<String>, String> {
        let secret = self.secrets().get(key).await.map_err(|e| e.to_string())?;
        Ok(secret.filter(|value| !value.is_empty()))
    }

    /// Does something in the folder of the scope, off the tasks of the server.
    async fn with_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Workspace) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let Some(root) = self.scope.workspace.clone() else {
            return Err("there is no workspace folder here".into());
        };
        let work = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&root)
                .map_err(|e| format!("the workspace folder cannot be made: {e}"))?;
            work(&Workspace::open(&root).map_err(|e| e.to_string())?)
        });
        match work.await {
            Ok(result) => result,
            Err(_) => Err("the work on files broke off".into()),
        }
    }
}

/// The arguments when they fit what the model was told.
fn checked(spec: &ToolSpec, arguments: Map) -> Result<Arguments, String> {
    let schema = Schema::new(spec.parameters.clone())?;
    let value = Value::from(arguments);
    let faults = schema.faults(&value);
    if faults.is_empty() {
        Ok(Arguments::new(value))
    } else {
        Err(format!("invalid arguments: {}", faults.join("; ")))
    }
}

impl Tools for Desk {
    fn find<'a>(&'a self, names: &'a [String]) -> BoxFuture<'a, Vec<Option<Tool>>> {
        Box::pin(async move {
            let mut found = Vec::with_capacity(names.len());
            for name in names {
                let tool = match self.resolve(name).await {
                    Ok(found) => found.and_then(|f| f.tool(self)),
                    Err(error) => {
                        tracing::warn!(tool = %name, error = %error, "a tool could not be looked up");
                        None
                    }
                };
                found.push(tool);
            }
            found
        })
    }

    fn describe(&self, name: &str, arguments: &Map) -> String {
        if let Some(built_in) = built_in::find(name) {
            return built_in.note(arguments);
        }
        let node_type = node_tools::find(&self.house.registry, name);
        if let Some(def) = node_type.and_then(|t| self.house.registry.get(&t)) {
            return format!("Running {}", def.metadata.title);
        }
        match (name.strip_prefix("workflow_"), &self.scope.client) {
            (Some(workflow), _) => format!("Running the workflow {workflow}"),
            (None, Some(client)) => client.describe(name, arguments),
            (None, None) => format!("Running {name}"),
        }
    }

    fn call<'a>(&'a self, name: &'a str, arguments: Map) -> BoxFuture<'a, Result<Value, String>> {
        Box::pin(async move {
            let Some(found) = self.resolve(name).await? else {
                return Err(format!("Unknown tool: {name}"));
            };
            let seconds = found.seconds();
            let work = self.run(&found, arguments);
            match tokio::time::timeout(Duration::from_secs(seconds), Box::pin(work)).await {
                Ok(result) => result,
                Err(_) => Err(format!("{name} gave no answer within {seconds} seconds")),
            }
        })
    }
}

#[cfg(test)]
mod tests;

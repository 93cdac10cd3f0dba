//! The Model Context Protocol: the server's tools, and its users' workflows, for models elsewhere (HTTP spec 6.21).
//!
//! Each request is carried out for the caller that the door let in with it; a session remembers nobody.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use nodetool_protocol::{Map, Value};
use nodetool_sdk::tools::{Tool, Tools};
use nodetool_store::WorkflowFilter;
use rmcp::ErrorData;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
    Tool as Described, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionConfig};
use rmcp::transport::streamable_http_server::session::{SessionId, SessionManager};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use crate::services::{Caller, ToolScope, ToolService, WorkflowService};

mod sse;

/// Where clients find it; the second is an older place.
const PATHS: [&str; 2] = ["/mcp", "/mcp/mcp"];
/// Most workflows that are tools of their own.
const MOST_WORKFLOWS: usize = 500;
/// Most sessions of one user.
const MOST_SESSIONS: usize = 32;
/// The header that names a session.
const HEADER_SESSION_ID: &str = "mcp-session-id";
/// How long a session without requests lives.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// Tools of the server that are offered, beside workflows with a tool name. Those that reach the network, files or
/// scripts are for this server's own agents.
const OFFERED: [&str; 35] = [
    "list_workflows",
    "get_workflow",
    "get_example_workflow",
    "run_workflow",
    "run_workflow_tool",
    "run_agent",
    "validate_workflow",
    "create_workflow",
    "run_graph",
    "start_background_job",
    "export_workflow_digraph",
    "generate_dot_graph",
    "list_nodes",
    "search_nodes",
    "get_node_info",
    "list_jobs",
    "get_job",
    "get_job_logs",
    "list_assets",
    "get_asset",
    "read_asset",
    "list_models",
    "list_collections",
    "get_collection",
    "get_documents_from_collection",
    "query_collection",
    "save_text_asset",
    "list_storage_files",
    "get_file_metadata",
    "download_file_from_storage",
    "get_hf_cache_info",
    "inspect_hf_cached_model",
    "query_hf_model_files",
    "search_hf_hub_models",
    "get_hf_model_info",
];

/// What is offered to callers.
#[derive(Clone)]
pub(crate) struct Offer {
    tools: ToolService,
    workflows: WorkflowService,
}

impl Offer {
    pub(crate) fn new(tools: ToolService, workflows: WorkflowService) -> Self {
        Offer { tools, workflows }
    }

    /// The tools a caller is shown, and what calls them.
    async fn to(&self, caller: &Caller) -> Result<(Arc<dyn Tools>, Vec<Tool>), ErrorData> {
        let filter = WorkflowFilter {
            user_id: Some(caller.user_id.clone()),
            has_tool_name: true,
            columns: Some(vec!["tool_name"]),
            ..WorkflowFilter::default()
        };
        let listed = self.workflows.list(filter, MOST_WORKFLOWS, "").await;
        let listed = listed.map_err(|e| ErrorData::internal_error(e.to_string(), None))?;
        let workflows = listed.rows.into_iter().filter_map(|row| row.tool_name);
        let workflows = workflows.map(|name| format!("workflow_{name}"));
        let names: Vec<String> = OFFERED
            .map(str::to_owned)
            .into_iter()
            .chain(workflows)
            .collect();
        let tools = self.tools.of(ToolScope::of(caller.clone()));
        let found = tools.find(&names).await.into_iter().flatten().collect();
        Ok((tools, found))
    }
}

/// The routes, which have to stand behind the door.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(offer: Offer) -> Router<S> {
    let mut session = SessionConfig::default();
    session.keep_alive = Some(IDLE);
    let mut sessions = LocalSessionManager::default();
    sessions.session_config = session;
    // The door has looked at Host and Origin.
    let config = StreamableHttpServerConfig::default().disable_allowed_hosts();
    let sessions = Arc::new(sessions);
    let streamed = offer.clone();
    let service = StreamableHttpService::new(
        move || Ok(Handler(streamed.clone())),
        sessions.clone(),
        config,
    );
    let holders = Arc::new(Holders {
        sessions,
        of_users: tokio::sync::Mutex::default(),
    });
    let routes = PATHS.iter().fold(Router::new(), |routes, path| {
        routes.route_service(path, service.clone())
    });
    routes
        .layer(middleware::from_fn_with_state(holders, hold))
        .merge(sse::routes(offer))
}

/// Who has which sessions.
struct Holders {
    sessions: Arc<LocalSessionManager>,
    of_users: tokio::sync::Mutex<HashMap<String, VecDeque<SessionId>>>,
}

/// Lets callers into sessions of their own only, and keeps so many of them as one needs: the oldest make room.
async fn hold(State(holders): State<Arc<Holders>>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>();
    let Some(user_id) = caller.map(|caller| caller.user_id.clone()) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let named = |headers: &HeaderMap| {
        let id = headers.get(HEADER_SESSION_ID)?.to_str().ok()?;
        Some(SessionId::from(id))
    };
    if let Some(id) = named(request.headers()) {
        let own = holders.of_users.lock().await;
        if !own.get(&user_id).is_some_and(|own| own.contains(&id)) {
            // What a session that is over is answered with, too.
            return StatusCode::NOT_FOUND.into_response();
        }
    }
    let began = named(request.headers()).is_none();
    let response = next.run(request).await;
    if began && let Some(id) = named(response.headers()) {
        let mut all = holders.of_users.lock().await;
        let own = all.entry(user_id).or_default();
        own.push_back(id);
        while own.len() > MOST_SESSIONS
            && let Some(oldest) = own.pop_front()
        {
            // It may have ended by itself.
            let _ = holders.sessions.close_session(&oldest).await;
        }
    }
    response
}

#[derive(Clone)]
struct Handler(Offer);

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let mut info = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        info.server_info = Implementation::new("nodetool", env!("CARGO_PKG_VERSION"));
        info.instructions = Some(
            "Workflows of a NodeTool server. Find one with list_workflows, read what it takes with get_workflow, run \
             it with run_workflow. Workflows with a tool name are tools of their own, workflow_<name>. list_jobs and \
             get_job tell what became of runs."
                .to_owned(),
        );
        info
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let caller = caller(&context)?;
        let (_, found) = self.0.to(&caller).await?;
        let tools = found.into_iter().map(|tool| {
            let schema = object(&tool.spec.parameters);
            let hints = ToolAnnotations::new().read_only(!tool.effects);
            Described::new(tool.spec.name, tool.spec.description, schema).with_annotations(hints)
        });
        Ok(ListToolsResult::with_all_items(tools.collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = caller(&context)?;
        let name = request.name.into_owned();
        let (tools, offered) = self.0.to(&caller).await?;
        let Some(tool) = offered.iter().find(|tool| tool.spec.name == name) else {
            let message = format!("there is no tool `{}`", name.escape_default());
            return Err(ErrorData::invalid_params(message, None));
        };
        let arguments = arguments(request.arguments.unwrap_or_default())?;
        let result = tokio::select! {
            result = tools.call(&tool.spec.name, arguments) => result,
            () = context.ct.cancelled() => Err("the call was cancelled".to_owned()),
        };
        Ok(match result {
            Ok(value) => told(&value).into(),
            Err(e) => CallToolResult::error(vec![ContentBlock::text(e)]).into(),
        })
    }
}

/// Who asks, as the door has found out.
fn caller(context: &RequestContext<RoleServer>) -> Result<Caller, ErrorData> {
    let parts = context.extensions.get::<Parts>();
    let caller = parts.and_then(|parts| parts.extensions.get::<Caller>());
    caller
        .cloned()
        .ok_or_else(|| ErrorData::internal_error("nobody knows who asks", None))
}

fn object(schema: &Value) -> Arc<JsonObject> {
    let json = serde_json::to_value(schema).unwrap_or_default();
    match json {
        serde_json::Value::Object(object) => Arc::new(object),
        _ => Arc::new(JsonObject::new()),
    }
}

fn arguments(given: JsonObject) -> Result<Map, ErrorData> {
    let read = serde_json::from_value::<Value>(serde_json::Value::Object(given));
    match read {
        Ok(Value::Map(map)) => Ok(Arc::unwrap_or_clone(map)),
        _ => Err(ErrorData::invalid_params("`arguments` is no object", None)),
    }
}

/// What a tool gave: as data where it is an object, which is all that clients take, and as text for models.
fn told(value: &Value) -> CallToolResult {
    if let Value::Str(text) = value {
        return CallToolResult::success(vec![ContentBlock::text(text.to_string())]);
    }
    match serde_json::to_value(value) {
        Ok(json @ serde_json::Value::Object(_)) => CallToolResult::structured(json),
        Ok(json) => CallToolResult::success(vec![ContentBlock::text(json.to_string())]),
        Err(e) => CallToolResult::error(vec![ContentBlock::text(e.to_string())]),
    }
}

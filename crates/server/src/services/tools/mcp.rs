//! Tools of other servers that speak the Model Context Protocol.
//!
//! Servers are named by whoever runs this one, in its settings; graphs and models only know their tools. A program is
//! started with a fixed command line and an environment of its own. It must not know users: a server is the same for
//! all of them.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nodetool_sdk::models::ToolSpec;
use nodetool_sdk::tools::Tool;
use nodetool_sdk::{Map, Value};
use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock};
use rmcp::service::RunningService;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{RoleClient, ServiceExt};
use serde::Deserialize;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::names::sanitised;

/// Time for a server to answer before it is taken for dead.
const PATIENCE: Duration = Duration::from_secs(15);
/// A server that could not be reached is not tried again within this time.
const REST: Duration = Duration::from_secs(30);
/// How long a list of tools counts.
const LIST_KEPT: Duration = Duration::from_secs(300);
/// Most tools of one server.
const MOST_TOOLS: usize = 200;
/// Most bytes of one answer.
const MOST_BYTES: usize = 16 << 20;
/// What the name of every such tool begins with.
const PREFIX: &str = "mcp_";

/// A server as the settings name it: a program, or an address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct McpServer {
    /// Absolute path of a program that speaks over its standard input and output.
    pub(crate) command: Option<PathBuf>,
    /// Its arguments.
    pub(crate) args: Vec<String>,
    /// Variables of this server's environment that it gets; it gets no others.
    pub(crate) pass_env: Vec<String>,
    /// Address of a server that speaks streamable HTTP.
    pub(crate) url: Option<String>,
    /// Variable of this server's environment with the bearer token for it.
    pub(crate) token_env: Option<String>,
}

/// Where a server is.
enum Reach {
    Program {
        command: PathBuf,
        args: Vec<String>,
        environment: HashMap<String, String>,
    },
    Address {
        url: String,
        token: Option<String>,
    },
}

/// One server and the connection to it.
struct Link {
    name: String,
    reach: Reach,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connected: Option<Arc<Connected>>,
    failed: Option<(Instant, String)>,
}

struct Connected {
    service: Arc<RunningService<RoleClient, ()>>,
    listed: Instant,
    /// Each with its name at the server.
    tools: Vec<(String, Tool)>,
}

/// The servers of this process.
#[derive(Clone, Default)]
pub(crate) struct McpServers(Arc<Vec<Link>>);

impl McpServers {
    /// The servers of the settings; `programs` says whether some may be programs of this machine. Nothing is started
    /// before its first use.
    pub(crate) fn new(
        servers: &BTreeMap<String, McpServer>,
        programs: bool,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let link = |(name, server): (&String, &McpServer)| {
            let reach = reach(server, programs, &environment);
            Ok(Link {
                reach: reach.map_err(|fault| format!("mcp_servers.{name}: {fault}"))?,
                name: checked_name(name)?,
                state: Mutex::default(),
            })
        };
        let links = servers.iter().map(link).collect::<Result<_, String>>()?;
        Ok(McpServers(Arc::new(links)))
    }

    /// Whether a name may be that of such a tool.
    pub(super) fn may_have(name: &str) -> bool {
        name.starts_with(PREFIX)
    }

    /// All tools of all servers that answer.
    pub(crate) async fn tools(&self) -> Vec<Tool> {
        let asked = self.0.iter().map(Link::connected);
        let answers = futures_util::future::join_all(asked).await;
        let connected = answers.iter().flatten();
        connected
            .flat_map(|c| c.tools.iter().map(|(_, tool)| tool.clone()))
            .collect()
    }

    /// The tool of this name.
    pub(super) async fn find(&self, name: &str) -> Option<Tool> {
        let (_, connected, at) = self.place(name).await?;
        connected.tools.get(at).map(|(_, tool)| tool.clone())
    }

    async fn place(&self, name: &str) -> Option<(&Link, Arc<Connected>, usize)> {
        for link in self.0.iter() {
            // Names of servers do not overlap with tools of others by accident only; the list decides.
            if !name.starts_with(&sanitised(&format!("{PREFIX}{}_", link.name))) {
                continue;
            }
            let Ok(connected) = link.connected().await else {
                continue;
            };
            let at = connected
                .tools
                .iter()
                .position(|(_, tool)| tool.spec.name == name);
            if let Some(at) = at {
                return Some((link, connected, at));
            }
        }
        None
    }

    /// Calls a tool by its name here. Dropping the future withdraws the call.
    pub(super) async fn call(&self, name: &str, arguments: Map) -> Result<Value, String> {
        let Some((link, connected, at)) = self.place(name).await else {
            return Err(format!("Unknown tool: {name}"));
        };
        let theirs = connected.tools.get(at).map(|(name, _)| name.clone());
        let mut params = CallToolRequestParams::new(theirs.unwrap_or_default());
        let arguments = serde_json::to_value(Value::from(arguments)).map_err(|e| e.to_string())?;
        params.arguments = arguments.as_object().cloned();
        let result = connected.service.call_tool(params).await;
        match result {
            Ok(result) => given(&result),
            Err(e) => Err(format!("the server {}: {e}", link.name)),
        }
    }
}

impl Link {
    /// The connection, made or made again when there is none.
    async fn connected(&self) -> Result<Arc<Connected>, String> {
        let mut state = self.state.lock().await;
        let open = state.connected.take();
        let open = open.filter(|c| !c.service.is_transport_closed());
        if let Some(connected) = &open
            && connected.listed.elapsed() < LIST_KEPT
        {
            state.connected.clone_from(&open);
            return Ok(connected.clone());
        }
        if let Some((at, why)) = &state.failed
            && at.elapsed() < REST
        {
            return Err(why.clone());
        }
        let work = async {
            let service = match open {
                Some(connected) => connected.service.clone(),
                None => Arc::new(self.connect().await?),
            };
            self.list(service).await
        };
        let made = timeout(PATIENCE, Box::pin(work)).await;
        let made = made.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")));
        match made {
            Ok(connected) => {
                let connected = Arc::new(connected);
                state.connected = Some(connected.clone());
                state.failed = None;
                Ok(connected)
            }
            Err(why) => {
                tracing::warn!(mcp.server = %self.name, error = %why, "a server of tools cannot be used");
                state.failed = Some((Instant::now(), why.clone()));
                Err(why)
            }
        }
    }

    async fn connect(&self) -> Result<RunningService<RoleClient, ()>, String> {
        match &self.reach {
            Reach::Program {
                command,
                args,
                environment,
            } => {
                let mut program = Command::new(command);
                program
                    .args(args)
                    .env_clear()
                    .envs(environment)
                    .kill_on_drop(true);
                let child = TokioChildProcess::builder(program).stderr(Stdio::null());
                let (child, _) = child
                    .spawn()
                    .map_err(|e| format!("cannot be started: {e}"))?;
                ().serve(child).await.map_err(|e| e.to_string())
            }
            Reach::Address { url, token } => {
                let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
                    .max_sse_event_size(MOST_BYTES)
                    .max_json_response_size(MOST_BYTES);
                if let Some(token) = token {
                    config = config.auth_header(token.as_str());
                }
                let transport = StreamableHttpClientTransport::with_client(client()?, config);
                ().serve(transport).await.map_err(|e| e.to_string())
            }
        }
    }

    async fn list(
        &self,
        service: Arc<RunningService<RoleClient, ()>>,
    ) -> Result<Connected, String> {
        let listed = service.list_all_tools().await.map_err(|e| e.to_string())?;
        let tools = listed.into_iter().take(MOST_TOOLS).map(|tool| {
            let effects = tool.annotations.as_ref().and_then(|a| a.read_only_hint) != Some(true);
            let parameters = serde_json::Value::Object(tool.input_schema.as_ref().clone());
            let description = tool.description.as_deref().unwrap_or_default();
            let spec = ToolSpec {
                name: sanitised(&format!("{PREFIX}{}_{}", self.name, tool.name)),
                description: super::arguments::cut(description, 2_000).0.to_owned(),
                parameters: serde_json::from_value(parameters).unwrap_or_default(),
                ..ToolSpec::default()
            };
            (tool.name.into_owned(), Tool { spec, effects })
        });
        Ok(Connected {
            tools: tools.collect(),
            service,
            listed: Instant::now(),
        })
    }
}

/// What a tool gave: its structured result, else its texts, with notes for what is no text.
fn given(result: &CallToolResult) -> Result<Value, String> {
    let block = |block: &ContentBlock| match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => format!("<an image, {}>", image.mime_type),
        ContentBlock::Audio(audio) => format!("<a sound, {}>", audio.mime_type),
        ContentBlock::ResourceLink(link) => format!("<a resource at {}>", link.uri),
        _ => "<a resource>".to_owned(),
    };
    let texts: Vec<String> = result.content.iter().map(block).collect();
    let text = texts.join("\n");
    if result.is_error == Some(true) {
        return Err(if text.is_empty() {
            "the tool failed".into()
        } else {
            text
        });
    }
    match &result.structured_content {
        Some(value) => serde_json::from_value(value.clone()).map_err(|e| e.to_string()),
        None => Ok(text.into()),
    }
}

/// The client for servers of the settings. They may be on this machine, which nodes may not reach.
fn client() -> Result<reqwest::Client, String> {
    let tls = crate::outbound::tls::config().map_err(|e| e.to_string())?;
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(PATIENCE)
        .build()
        .map_err(|e| e.to_string())
}

fn reach(
    server: &McpServer,
    programs: bool,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<Reach, String> {
    let variable = |name: &String| {
        let value = environment(name);
        value.ok_or_else(|| format!("the environment variable {name} is not set"))
    };
    match (&server.command, &server.url) {
        (Some(_), None) if !programs => Err(
            "programs are started only by a server on its user's own machine; expected `url`"
                .into(),
        ),
        (Some(command), None) if !command.is_absolute() => {
            Err("command: expected an absolute path".into())
        }
        (Some(command), None) => {
            let pair = |name: &String| Ok((name.clone(), variable(name)?));
            Ok(Reach::Program {
                command: command.clone(),
                args: server.args.clone(),
                environment: server
                    .pass_env
                    .iter()
                    .map(pair)
                    .collect::<Result<_, String>>()?,
            })
        }
        (None, Some(url)) => {
            let parsed = url::Url::parse(url).ok();
            let usable = parsed.is_some_and(|u| matches!(u.scheme(), "http" | "https"));
            if !usable {
                return Err("url: expected an http or https address".into());
            }
            Ok(Reach::Address {
                url: url.clone(),
                token: server.token_env.as_ref().map(variable).transpose()?,
            })
        }
        _ => Err("expected either `command` or `url`".into()),
    }
}

fn checked_name(name: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=24).contains(&name.len()) && name.chars().all(plain) {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "mcp_servers: the name '{name}' is not made of 1 to 24 small letters, digits and '-'"
        ))
    }
}

#[cfg(test)]
mod tests;

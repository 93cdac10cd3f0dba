//! Commands that look things up (socket spec 4.5).

use std::sync::Arc;

use nodetool_protocol::{Graph, Map, Node, NodeMetadata, Value, type_to_value};
use nodetool_store::{WorkflowFilter, WorkflowRow};
use serde::Serialize;

use super::command::{Command, object};
use super::connection::Socket;
use crate::services::{TimeText, WorkflowError, interface_schemas, read_graph, workflow_body};

/// The commands of this family, those that are not offered among them.
pub(super) const COMMANDS: &[&str] = &[
    "get_capabilities",
    "list_workflows",
    "list_workflow_summaries",
    "get_workflow",
    "get_workflow_interface",
    "get_workflow_interfaces",
    "list_assets",
    "get_asset",
    "list_nodes",
    "get_node",
    "get_node_type_inventory",
    "preflight_workflow",
    "lookup_generations",
    "generate_text",
    "generate_media",
    "transcribe_audio",
];

/// Rows a page has when the client does not say.
const PAGE: u64 = 100;
/// Rows a page has at most.
const MAX_PAGE: u64 = 1000;

/// Why a look-up failed.
struct Failure {
    code: &'static str,
    message: String,
    retryable: bool,
}

impl Failure {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Failure {
            code,
            message: message.into(),
            retryable: false,
        }
    }

    fn input(message: impl Into<String>) -> Self {
        Self::new("INVALID_INPUT", message)
    }
}

impl Failure {
    fn unwritten(cause: &serde_json::Error) -> Self {
        tracing::error!(error = %cause, "a reply cannot be written");
        Failure::new("INTERNAL", "Internal server error")
    }
}

impl From<WorkflowError> for Failure {
    fn from(e: WorkflowError) -> Self {
        match e {
            WorkflowError::NotFound | WorkflowError::Foreign => {
                Failure::new("NOT_FOUND", "Workflow not found")
            }
            WorkflowError::Changed => Failure::input(e.to_string()),
            WorkflowError::NoGraph | WorkflowError::Corrupt { .. } => Failure::input(e.to_string()),
            WorkflowError::Store(nodetool_store::StoreError::BadCursor { .. }) => {
                Failure::input("cursor: not a cursor of this list")
            }
            WorkflowError::Store(e) => {
                tracing::error!(error = %e, "a workflow could not be read");
                Failure {
                    retryable: true,
                    ..Failure::new("INTERNAL", "Internal server error")
                }
            }
        }
    }
}

/// Looks something up in its turn and answers.
pub(super) async fn perform(socket: &Socket, command: Command) {
    let Some(request_id) = command.request_id().filter(|id| !id.is_empty()) else {
        socket.reply(&command.fail("request_id is required for RPC commands"));
        return;
    };
    let _turn = socket.rpc_lane.lock().await;
    let outcome = match look_up(socket, &command).await {
        Ok(result) => ("result", result),
        Err(failure) => (
            "error",
            object([
                ("code", failure.code.into()),
                ("message", failure.message.into()),
                ("retryable", failure.retryable.into()),
                ("apiCode", Value::Null),
                ("trpcCode", Value::Null),
            ])
            .into(),
        ),
    };
    let reply = object([
        ("type", "rpc_response".into()),
        ("request_id", request_id.into()),
        ("command", command.name.clone().into()),
        outcome,
    ]);
    socket.reply(&reply.into());
}

async fn look_up(socket: &Socket, command: &Command) -> Result<Value, Failure> {
    match &*command.name {
        "get_capabilities" => Ok(capabilities(socket)),
        "list_workflows" => list_workflows(socket, command, false).await,
        "list_workflow_summaries" => list_workflows(socket, command, true).await,
        "get_workflow" => body_of(&workflow(socket, command).await?),
        "get_workflow_interface" => {
            check_version(command)?;
            interface(socket, &workflow(socket, command).await?)
        }
        "get_workflow_interfaces" => interfaces(socket, command).await,
        "list_nodes" => list_nodes(socket, command),
        "get_node" => get_node(socket, command),
        "get_node_type_inventory" => {
            let listed = listed(socket).map(|m| m.node_type.as_str().into());
            Ok(object([("node_types", Value::list(listed))]).into())
        }
        "preflight_workflow" => preflight(socket, command).await,
        "list_assets" | "get_asset" => Err(Failure::new(
            "NOT_AVAILABLE",
            "Assets are not available over this connection; use /api/assets",
        )),
        other => Err(Failure::new(
            "NOT_FOUND",
            format!("This server has no command {other}"),
        )),
    }
}

/// Anything that serialises, as a value; raw JSON inside it included.
fn to_value(value: &impl Serialize) -> Result<Value, Failure> {
    let read = serde_json::to_vec(value).and_then(|json| serde_json::from_slice(&json));
    read.map_err(|e| Failure::unwritten(&e))
}

fn capabilities(socket: &Socket) -> Value {
    let words = |words: &[&str]| Value::list(words.iter().map(|w| Value::from(*w)));
    let parts = &socket.sockets.0.parts;
    let time = to_value(&TimeText(nodetool_store::now_micros())).unwrap_or_default();
    let limits = object([("max_message_bytes", parts.max_message.into())]);
    object([
        ("protocol_version", "1".into()),
        ("nodetool_version", env!("CARGO_PKG_VERSION").into()),
        ("server_time", time),
        ("supported_encodings", words(&["messagepack"])),
        ("default_encoding", "messagepack".into()),
        ("profiles", words(&["ws", "jobs", "chat", "updates"])),
        ("registry_revision", parts.revision.as_str().into()),
        ("python_bridge", false.into()),
        ("auth_modes", words(&["local"])),
        (
            "asset_uri_schemes",
            words(&["data", "asset", "http", "https"]),
        ),
        ("limits", limits.into()),
    ])
    .into()
}

fn text(command: &Command, key: &str) -> Result<Option<Arc<str>>, Failure> {
    let read = command.text(key);
    read.map_err(|_| Failure::input(format!("{key}: expected a string")))
}

fn limit(command: &Command, default: u64) -> Result<usize, Failure> {
    let bad = || {
        Failure::input(format!(
            "limit: expected a whole number from 1 to {MAX_PAGE}"
        ))
    };
    let limit = command
        .number("limit")
        .map_err(|_| bad())?
        .unwrap_or(default);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(bad());
    }
    Ok(limit as usize)
}

fn check_version(command: &Command) -> Result<(), Failure> {
    match command.number("version") {
        Ok(None | Some(1)) => Ok(()),
        _ => Err(Failure::input("version: expected 1")),
    }
}

async fn list_workflows(
    socket: &Socket,
    command: &Command,
    summaries: bool,
) -> Result<Value, Failure> {
    let cursor = text(command, "cursor")?.unwrap_or_default();
    let filter = WorkflowFilter {
        user_id: Some(socket.caller.user_id.clone()),
        ..WorkflowFilter::default()
    };
    let workflows = &socket.sockets.0.parts.workflows;
    let page = workflows
        .list(filter, limit(command, PAGE)?, &cursor)
        .await?;
    let rows = page.rows.into_iter().map(|row| {
        let mut value = body_of(&row)?;
        if let Value::Map(map) = &mut value
            && summaries
        {
            let map = Arc::make_mut(map);
            map.retain(|k, _| {
                !matches!(
                    &**k,
                    "graph" | "input_schema" | "output_schema" | "html_app"
                )
            });
        }
        Ok(value)
    });
    let rows: Vec<Value> = rows.collect::<Result<_, Failure>>()?;
    Ok(object([("next", page.next.into()), ("workflows", rows.into())]).into())
}

async fn workflow_of(socket: &Socket, id: &str) -> Result<WorkflowRow, Failure> {
    let workflows = &socket.sockets.0.parts.workflows;
    Ok(workflows.get(&socket.caller, id).await?)
}

async fn workflow(socket: &Socket, command: &Command) -> Result<WorkflowRow, Failure> {
    let id = match text(command, "id")? {
        Some(id) => Some(id),
        None => text(command, "workflow_id")?,
    };
    match id {
        Some(id) => workflow_of(socket, &id).await,
        None => Err(Failure::input("id: Field required")),
    }
}

fn interface(socket: &Socket, row: &WorkflowRow) -> Result<Value, Failure> {
    let graph = read_graph(&row.id, &row.graph)?;
    let (input_schema, output_schema) = interface_schemas(&graph);
    let registry = &socket.sockets.0.parts.registry;
    let port = |node: &Node, input: bool| {
        let metadata = registry.get(&node.node_type).map(|d| &d.metadata);
        let ty = match metadata {
            Some(m) if input => m.outputs.first().map(|o| &o.ty),
            Some(m) => m
                .properties
                .iter()
                .find(|p| p.name == "value")
                .map(|p| &p.ty),
            None => None,
        };
        Value::from(object([
            ("name", node.name().unwrap_or(&node.id).into()),
            ("node_id", node.id.clone().into()),
            ("node_type", node.node_type.clone().into()),
            ("type", ty.map(type_to_value).into()),
            ("description", node.data.get("description").cloned().into()),
            (
                "default",
                node.data.get("value").cloned().filter(|_| input).into(),
            ),
        ]))
    };
    let ports = |prefix: &str, input| {
        let nodes = graph
            .nodes
            .iter()
            .filter(|n| n.node_type.starts_with(prefix));
        Value::list(nodes.map(|n| port(n, input)))
    };
    Ok(object([
        ("version", 1i64.into()),
        ("id", row.id.as_str().into()),
        ("name", row.name.as_str().into()),
        ("inputs", ports("nodetool.input.", true)),
        ("outputs", ports("nodetool.output.", false)),
        ("input_schema", input_schema),
        ("output_schema", output_schema),
    ])
    .into())
}

async fn interfaces(socket: &Socket, command: &Command) -> Result<Value, Failure> {
    check_version(command)?;
    let expected = || Failure::input("ids: expected a list of at most 100 ids");
    let ids = command
        .data
        .get("ids")
        .and_then(Value::as_list)
        .ok_or_else(expected)?;
    if ids.len() > 100 {
        return Err(expected());
    }
    let mut interfaces = Vec::with_capacity(ids.len());
    for id in ids {
        let row = workflow_of(socket, id.as_str().ok_or_else(expected)?).await?;
        interfaces.push(interface(socket, &row)?);
    }
    Ok(object([("interfaces", interfaces.into())]).into())
}

fn listed(socket: &Socket) -> impl Iterator<Item = &NodeMetadata> {
    let registry = &socket.sockets.0.parts.registry;
    registry.iter().filter(|d| !d.hidden).map(|d| &d.metadata)
}

fn list_nodes(socket: &Socket, command: &Command) -> Result<Value, Failure> {
    let namespace = text(command, "namespace")?;
    let query = text(command, "query")?.map(|q| q.to_lowercase());
    let full = match text(command, "fields")?.as_deref() {
        None | Some("summary") => false,
        Some("full") => true,
        Some(_) => return Err(Failure::input("fields: expected summary or full")),
    };
    let limit = limit(command, MAX_PAGE)?;
    let within = |m: &&NodeMetadata| {
        namespace.as_ref().is_none_or(|n| {
            let rest = m.namespace.strip_prefix(&**n);
            rest.is_some_and(|r| r.is_empty() || r.starts_with('.'))
        })
    };
    let matching = |m: &&NodeMetadata| {
        query.as_ref().is_none_or(|q| {
            [&m.title, &m.description, &m.node_type]
                .iter()
                .any(|t| t.to_lowercase().contains(q))
        })
    };
    let found = listed(socket).filter(within).filter(matching);
    let nodes: Vec<Value> = found
        .take(limit)
        .map(|m| if full { to_value(m) } else { Ok(summary(m)) })
        .collect::<Result<_, _>>()?;
    Ok(object([("nodes", nodes.into())]).into())
}

fn summary(metadata: &NodeMetadata) -> Value {
    object([
        ("node_type", metadata.node_type.as_str().into()),
        ("title", metadata.title.as_str().into()),
        ("description", metadata.description.as_str().into()),
        ("namespace", metadata.namespace.as_str().into()),
    ])
    .into()
}

fn get_node(socket: &Socket, command: &Command) -> Result<Value, Failure> {
    let wanted = text(command, "node_type")?;
    let wanted = wanted.ok_or_else(|| Failure::input("node_type: Field required"))?;
    match socket.sockets.0.parts.registry.get(&wanted) {
        Some(def) => to_value(&def.metadata),
        None => {
            let wanted: String = wanted.chars().take(200).collect();
            Err(Failure::new(
                "NOT_FOUND",
                format!("There is no node type {wanted}"),
            ))
        }
    }
}

async fn preflight(socket: &Socket, command: &Command) -> Result<Value, Failure> {
    let workflows = &socket.sockets.0.parts.workflows;
    let graph = command
        .object("graph")
        .map_err(|_| Failure::input("graph: expected an object"))?;
    let issues: Vec<Map> = match graph {
        Some(map) => match Graph::from_value(Value::Map(map)) {
            Ok(graph) => workflows.plan_graph(&socket.caller, &graph).issues(),
            Err(faults) => {
                let issue = |fault: &nodetool_protocol::DocumentFault| {
                    object([
                        ("node_id", Value::Null),
                        ("node_type", Value::Null),
                        ("property", fault.path.join(".").into()),
                        ("message", fault.message.as_str().into()),
                    ])
                };
                faults.iter().map(issue).collect()
            }
        },
        None => {
            let id = workflow(socket, command).await?.id;
            workflows.load(&socket.caller, &id).await?.issues()
        }
    };
    Ok(object([
        ("valid", issues.is_empty().into()),
        (
            "validation_issues",
            Value::list(issues.into_iter().map(Value::from)),
        ),
    ])
    .into())
}

/// A workflow as HTTP gives it.
fn body_of(row: &WorkflowRow) -> Result<Value, Failure> {
    let json = workflow_body::write(row, workflow_body::Beyond::default());
    serde_json::from_slice(&json).map_err(|e| Failure::unwritten(&e))
}

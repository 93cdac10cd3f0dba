//! Turns of an agent that plans: every step of the plan is stored as it happens, pieces of text only pass by (socket
//! spec 8.3).

use nodetool_protocol::{Map, Value};
use nodetool_sdk::BoxFuture;
use nodetool_sdk::agent::plan::{Assignment, PlanAgent, PlanError, PlanEvent, PlanListener};
use nodetool_sdk::models::{ChatMessage, Part, Role};
use nodetool_store::{MessageRow, new_id};

use super::prompt;
use super::regular::{request, toolbox};
use super::toolbox::Toolbox;
use super::turn::{Turn, TurnError, Voice};

/// Tools of an agent whose client names none.
const USUAL: [&str; 23] = [
    "read_file",
    "write_file",
    "list_directory",
    "browser",
    "google_search",
    "list_workflows",
    "get_workflow",
    "create_workflow",
    "run_workflow",
    "run_graph",
    "validate_workflow",
    "export_workflow_digraph",
    "list_nodes",
    "search_nodes",
    "get_node_info",
    "list_jobs",
    "get_job",
    "get_job_logs",
    "start_background_job",
    "list_assets",
    "get_asset",
    "list_collections",
    "query_collection",
];

/// Answers with a plan that is carried out.
pub(super) async fn answer(turn: &Turn, voice: &Voice) -> Result<(), TurnError> {
    let parts = &turn.service.0.parts;
    let (toolbox, files) = toolbox(turn, voice).await?;
    let names = match &turn.ask.tools {
        Some(names) if !names.is_empty() => names.clone(),
        _ => {
            let of_servers = parts.tools.of_servers().await.into_iter();
            let usual = USUAL.iter().map(|name| (*name).to_owned());
            usual.chain(of_servers.map(|tool| tool.spec.name)).collect()
        }
    };
    let mut messages = turn.history().await?;
    prompt::name_files(&mut messages, &files);
    let last = messages.iter().rposition(|m| m.role == Role::User);
    let asked = last.map(|at| messages.remove(at));
    let objective = asked
        .as_ref()
        .map_or_else(|| turn.ask.text(), ChatMessage::plain_text);
    // What was said before, and pictures that were shown, come first in every request.
    let seen = asked.map(|asked| ChatMessage {
        parts: asked
            .parts
            .into_iter()
            .filter(|part| !matches!(part, Part::Text(_)))
            .collect(),
        ..ChatMessage::text(Role::User, "")
    });
    messages.extend(seen.filter(|seen| !seen.parts.is_empty()));
    prompt::begin(&mut messages, &turn.ask);
    let assignment = Assignment {
        objective,
        output_schema: Some(wanted()),
        tools: toolbox.specs(&names).await,
        request: nodetool_sdk::models::ChatRequest {
            messages,
            ..request(turn)
        },
        ..Assignment::default()
    };
    let models = parts.models.of(&turn.caller);
    let mut budgets = parts.settings.agent.clone();
    budgets.tool_seconds = parts.settings.longest_tool();
    let agent = PlanAgent {
        models: &*models,
        tools: &toolbox,
        budgets: &budgets,
    };
    let mut teller = Teller {
        turn,
        voice,
        toolbox: &toolbox,
        execution: new_id(),
    };
    let text = match agent.run(&assignment, &mut teller).await {
        Ok(outcome) => text_of(&outcome.result),
        Err(stopped @ PlanError::Stopped(_)) => stopped.to_string(),
        Err(PlanError::Model(e)) if is_told_by_kind(&e) => return Err(TurnError::Model(e)),
        Err(e) => return Err(TurnError::Agent(e.to_string())),
    };
    let row = MessageRow {
        agent_execution_id: Some(teller.execution),
        ..turn.says(&text.into())
    };
    voice.message(row).await;
    Ok(())
}

/// Whether clients tell this failure by its kind, whoever asked the model.
fn is_told_by_kind(e: &nodetool_sdk::models::ModelError) -> bool {
    use nodetool_sdk::models::ModelErrorKind as Kind;
    matches!(e.kind, Kind::MissingKey { .. } | Kind::NoModel)
}

/// What the result of the plan has to be.
fn wanted() -> Value {
    let text = Value::map([("type", Value::from("string"))]);
    Value::map([
        ("type", Value::from("object")),
        ("properties", Value::map([("markdown", text)])),
        ("required", Value::list(["markdown".into()])),
    ])
}

fn text_of(result: &Value) -> String {
    let markdown = result.get("markdown").unwrap_or(result);
    match markdown {
        Value::Str(text) => text.to_string(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

/// Tells what the agent does.
struct Teller<'a> {
    turn: &'a Turn,
    voice: &'a Voice,
    toolbox: &'a Toolbox,
    execution: String,
}

impl Teller<'_> {
    async fn tell(&self, event: PlanEvent) {
        if let PlanEvent::ToolCall { call, .. } = &event {
            self.toolbox.begins(call.clone());
        }
        let mut told = match event.to_value() {
            Value::Map(map) => Map::clone(&map),
            _ => Map::new(),
        };
        let execution = Value::from(self.execution.as_str());
        told.insert("thread_id".into(), self.turn.thread_id.clone().into());
        if !event.is_record() {
            let workflow_id = self.turn.ask.workflow_id.clone();
            told.insert("workflow_id".into(), workflow_id.into());
            told.insert("agent_execution_id".into(), execution);
            return self.voice.frame(told).await;
        }
        let row = MessageRow {
            role: "agent_execution".to_owned(),
            content: serde_json::to_string(&Value::from(told)).ok(),
            agent_execution_id: Some(self.execution.clone()),
            execution_event_type: Some(event.kind().to_owned()),
            ..MessageRow::default()
        };
        self.voice.message(row).await;
    }
}

impl PlanListener for Teller<'_> {
    fn on<'a>(&'a mut self, event: PlanEvent) -> BoxFuture<'a, ()> {
        Box::pin(async move { self.tell(event).await })
    }
}

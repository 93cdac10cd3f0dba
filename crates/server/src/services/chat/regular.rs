//! Turns that a model answers, with tools (socket spec 8.2), also those about the program itself (8.7).

use std::sync::Arc;

use nodetool_protocol::{Map, Value};
use nodetool_sdk::BoxFuture;
use nodetool_sdk::agent::{Agent, AgentEvent, Budgets, Listener, Window};
use nodetool_sdk::models::{
    ChatMessage, ChatRequest, Media, Part, Role, ToolCall, Usage, read_arguments,
};
use nodetool_sdk::tools::Tools;

use super::client_tools::{ASK_HUMAN, ClientCalls};
use super::toolbox::Toolbox;
use super::turn::{Turn, TurnError, Voice, WINDOW, tokens};
use super::{knowledge, prompt};
use crate::services::{Human, ToolScope, to_row};

/// Tools for questions about the program.
const HELP_TOOLS: [&str; 3] = ["search_nodes", "list_nodes", "get_node_info"];
/// What the cost table names in the place of a node.
pub(super) const COST_OF: &str = "chat";
/// Credits of a dollar.
const CREDITS: f64 = 100.0;

/// Answers with a model.
pub(super) async fn answer(turn: &Turn, voice: &Voice) -> Result<(), TurnError> {
    let parts = &turn.service.0.parts;
    let (ask, caller) = (&turn.ask, &turn.caller);
    let (toolbox, files) = toolbox(turn, voice).await?;
    let mut names = ask.tools.clone().unwrap_or_default();
    if ask.help_mode {
        names.extend(HELP_TOOLS.map(str::to_owned));
    }
    let tools = toolbox.specs(&names).await;
    let mut messages = turn.history().await?;
    prompt::name_files(&mut messages, &files);
    if let Some(names) = &ask.collections {
        let collections = parts.collections.of(caller);
        knowledge::add(&mut messages, names, &*collections).await;
    }
    prompt::begin(&mut messages, ask);
    let request = ChatRequest {
        messages,
        tools,
        ..request(turn)
    };
    let models = parts.models.of(caller);
    let budgets = Budgets {
        tool_seconds: parts.settings.longest_tool(),
        ..Budgets::default()
    };
    let agent = Agent {
        window: Some(Window {
            tokens: WINDOW,
            count: &tokens,
        }),
        ..Agent::new(&*models, &toolbox, &budgets)
    };
    let mut teller = Teller {
        turn,
        voice,
        toolbox: &toolbox,
        files: Vec::new(),
        fault: None,
    };
    let ended = agent.run(request, &mut teller).await;
    if let Some(fault) = teller.fault {
        return Err(fault);
    }
    match ended {
        Ok(_) => Ok(()),
        Err(failure) => Err(TurnError::Model(failure.error)),
    }
}

/// A request of this turn, without a conversation.
pub(super) fn request(turn: &Turn) -> ChatRequest {
    ChatRequest {
        provider: turn.ask.provider.clone(),
        model: turn.ask.model.clone(),
        node_id: Some(COST_OF.into()),
        workflow_id: turn.ask.workflow_id.clone(),
        ..ChatRequest::default()
    }
}

/// The tools of this turn, and the names of the files that came along, which are in the folder of the tools.
pub(super) async fn toolbox(
    turn: &Turn,
    voice: &Voice,
) -> Result<(Toolbox, Vec<String>), TurnError> {
    let parts = &turn.service.0.parts;
    let folder = parts.settings.workspace_of(&turn.caller);
    let files = turn.unpack_files(folder.as_deref()).await?;
    let client = ClientCalls {
        waiting: turn.service.0.waiting.clone(),
        user_id: turn.caller.user_id.as_str().into(),
        thread_id: turn.thread_id.clone(),
        voice: voice.clone(),
        patience: parts.settings.client_tool,
        attached: turn.over.seat.feed.attached(),
    };
    let manifest = turn.manifest.clone();
    let client = Arc::new(client);
    // Questions go to a person where the client says that it puts them to one.
    let human = manifest
        .has(ASK_HUMAN)
        .then(|| client.clone() as Arc<dyn Human>);
    let server = parts.tools.of(ToolScope {
        workspace: folder,
        human,
        ..ToolScope::of(turn.caller.clone())
    });
    let toolbox = Toolbox::new(
        server,
        manifest,
        client,
        turn.assets.clone(),
        turn.service.0.permissions.clone(),
    );
    Ok((toolbox, files))
}

/// Tells a turn's tool call for display.
pub(super) fn tool_call_update(turn: &Turn, call: &ToolCall, message: String) -> Map {
    let args = read_arguments(&call.arguments).unwrap_or_default();
    turn.frame(
        "tool_call_update",
        [
            ("node_id", Value::Null),
            ("tool_call_id", call.id.as_str().into()),
            ("name", call.name.as_str().into()),
            ("args", args.into()),
            ("message", message.into()),
            ("step_id", Value::Null),
            ("agent_execution_id", Value::Null),
        ],
    )
}

/// Tells what the loop does.
struct Teller<'a> {
    turn: &'a Turn,
    voice: &'a Voice,
    toolbox: &'a Toolbox,
    /// Files of the answer that is under way.
    files: Vec<Media>,
    fault: Option<TurnError>,
}

impl Teller<'_> {
    async fn tell(&mut self, event: AgentEvent) -> Result<(), TurnError> {
        match event {
            AgentEvent::Text(piece) => self.voice.text(piece).await,
            AgentEvent::Reasoning(piece) => self.voice.frame(self.turn.chunk(piece, true)).await,
            AgentEvent::File(file) => self.files.push(file),
            AgentEvent::TurnEnded { message, usage } => self.turn_ended(message, usage).await?,
            AgentEvent::ToolStarted { call, .. } => self.toolbox.begins(call),
            AgentEvent::ToolEnded { .. } => {}
            AgentEvent::ToolAnswered(message) => self.store(message, None).await?,
        }
        Ok(())
    }

    async fn turn_ended(
        &mut self,
        mut message: ChatMessage,
        usage: Option<Usage>,
    ) -> Result<(), TurnError> {
        for call in &message.tool_calls {
            let arguments = read_arguments(&call.arguments).unwrap_or_default();
            let note = self.toolbox.describe(&call.name, &arguments);
            let update = tool_call_update(self.turn, call, note);
            self.voice.frame(update).await;
        }
        for file in self.files.drain(..) {
            let part = match file.mime.split('/').next() {
                Some("audio") => Part::Audio(file),
                Some("video") => Part::Video(file),
                Some("image") => Part::Image(file),
                _ => Part::Document(file),
            };
            message.parts.push(part);
        }
        self.store(message, usage).await
    }

    async fn store(&mut self, message: ChatMessage, usage: Option<Usage>) -> Result<(), TurnError> {
        let row = to_row(&message, &*self.turn.assets).await;
        let mut row = row.map_err(|e| TurnError::Plain(e.to_string()))?;
        if row.content.is_none() && row.tool_calls.is_none() && message.role == Role::Assistant {
            row.content = Some(r#""""#.to_owned());
        }
        row.cost = usage.and_then(|usage| usage.cost).map(|c| c * CREDITS);
        self.voice.message(row).await;
        Ok(())
    }
}

impl Listener for Teller<'_> {
    fn on<'a>(&'a mut self, event: AgentEvent) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if self.fault.is_none() {
                self.fault = self.tell(event).await.err();
            }
        })
    }

    fn enough(&self) -> bool {
        self.fault.is_some()
    }
}

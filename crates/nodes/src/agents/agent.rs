//! `nodetool.agents.Agent`.

use nodetool_sdk::agent::{self, AgentEvent, AgentOutcome, Budgets};
use nodetool_sdk::models::{
    ChatMessage, ChatRequest, Media, MediaSource, ModelErrorKind, ResponseFormat, Role, ToolSpec,
};
use nodetool_sdk::tools::Tools;
use nodetool_sdk::{
    AudioRef, BoxFuture, Chunk, Emitter, Generate, ImageRef, LanguageModel, Map, Message, Node,
    NodeCx, NodeError, Outputs, Severity, ToolName, Value,
};

use super::control_tools::Toolbox;
use super::create_thread::TITLE;
use super::history;
use crate::models::fields::Fields;
use crate::models::{Ear, Piece, Question, Unanswered, converse, media};

const SYSTEM: &str = "You are a friendly assistant";
/// Requests to the model in one execution.
const MAX_TURNS: u32 = 32;
/// Answers that may lack declared outputs before the model is given up.
const MAX_TRIES: u32 = 3;
/// Outputs the type has itself.
const OWN_SLOTS: [&str; 4] = ["text", "chunk", "thinking", "audio"];

/// Answers with a language model that may use tools and run other nodes.
/// agent, chat, answer, tools, assistant, language model, llm
///
/// Its tools are those it is given by name, and the nodes its control edges lead to: calling such a tool runs the node
/// with the properties the model chooses. With outputs declared on the node, the answer is a JSON object with a value
/// for each of them. With a thread, it remembers what was said before.
#[derive(Node)]
#[node(
    namespace = "nodetool.agents",
    kind = Generate,
    dynamic_outputs,
    effect = "once",
    basic("prompt", "model", "tools", "image", "audio")
)]
pub(super) struct Agent {
    /// The model that answers.
    model: LanguageModel,
    /// Who it is and how it is to behave.
    #[prop(default = SYSTEM)]
    system: String,
    /// What it is to do.
    prompt: String,
    /// Tools it may use.
    tools: Vec<ToolName>,
    /// An image that belongs to the prompt.
    image: ImageRef,
    /// A sound that belongs to the prompt.
    audio: AudioRef,
    /// What was said before.
    #[prop(title = "Messages")]
    history: Vec<Message>,
    /// The conversation that is gone on with and kept.
    #[prop(title = "Thread ID", default = "")]
    thread_id: Option<String>,
    /// Most tokens of one answer of the model.
    #[prop(default = 8192, min = 1, max = 100000)]
    max_tokens: i64,
}

/// What leaves while the agent works: whole texts at the end of each turn, else pieces.
#[derive(Outputs)]
pub(super) enum Said {
    Text(String),
    Chunk(Chunk),
    Thinking(Chunk),
    Audio(AudioRef),
}

impl Generate for Agent {
    type Output = Said;

    async fn generate(self, out: &Emitter<'_, Said>, cx: &NodeCx) -> Result<(), NodeError> {
        let thread = self.thread_id.as_deref().map_or("", str::trim).to_owned();
        let question = Question {
            model: self.model,
            system: self.system,
            text: self.prompt,
            image: self.image,
            audio: self.audio,
            max_tokens: Some(self.max_tokens),
        };
        let mut request = question.opening(cx)?;
        let conversations = &cx.services().conversations;
        let thread = match thread.as_str() {
            "" => None,
            id => Some(conversations.ensure(id, TITLE).await?),
        };
        if let Some(id) = &thread {
            request.messages.extend(conversations.messages(id).await?);
        }
        let before: Vec<Value> = self.history.into_iter().map(|m| m.0).collect();
        let before = history::read(cx, &before).await?;
        let said = question.message(cx).await?;
        if said.is_none() && before.is_empty() {
            let message = "is empty (expected what the agent is to do)";
            return Err(NodeError::bad("prompt", message));
        }
        request.messages.extend(before);
        let kept = request.messages.len();
        request.messages.extend(said);
        request.tools = named_tools(cx, self.tools).await?;
        let toolbox = Toolbox::new(cx, &cx.node.controlled, out, &request.tools);
        request.tools.extend(toolbox.specs());
        let work = Work {
            cx,
            out,
            tools: &toolbox,
        };
        let values = match Fields::declared_beside(&cx.node, &OWN_SLOTS) {
            Some(fields) => Some(Box::pin(work.fill(&mut request, &fields)).await?),
            None => {
                Box::pin(work.turn(&mut request)).await?;
                None
            }
        };
        let last = Piece::text("").last();
        out.emit(Said::Chunk(last.value(cx))).await?;
        if let Some(id) = thread {
            let new = request.messages.split_off(kept);
            conversations.add(&id, new).await?;
        }
        for (name, value) in values.unwrap_or_default() {
            out.emit_named(&name, value).await?;
        }
        Ok(())
    }
}

/// An agent at work.
struct Work<'a> {
    cx: &'a NodeCx,
    out: &'a Emitter<'a, Said>,
    tools: &'a dyn Tools,
}

impl Work<'_> {
    /// Has the model answer, with tools; what is said goes into the request's conversation.
    async fn turn(&self, request: &mut ChatRequest) -> Result<AgentOutcome, NodeError> {
        let budgets = Budgets {
            turns: MAX_TURNS,
            ..Budgets::default()
        };
        let agent = agent::Agent::new(&*self.cx.services().models, self.tools, &budgets);
        let mut ear = Telling {
            out: self.out,
            cx: self.cx,
            heard: false,
            said_something: false,
        };
        let mut outcome = converse(&agent, request.clone(), &mut ear).await;
        if let Err(Unanswered::Model(e)) = &outcome
            && e.kind == ModelErrorKind::Unsupported
            && request.response_format.is_some()
            && !ear.heard
        {
            // What is wanted stands in the conversation, too.
            request.response_format = None;
            outcome = converse(&agent, request.clone(), &mut ear).await;
        }
        let outcome = outcome?;
        if !ear.said_something {
            self.out.emit(Said::Text(String::new())).await?;
        }
        request.messages.extend(outcome.messages.iter().cloned());
        Ok(outcome)
    }

    /// Has the model answer with these fields; an answer that does not fit is sent back with what is wrong.
    async fn fill(&self, request: &mut ChatRequest, fields: &Fields) -> Result<Map, NodeError> {
        let schema = fields.schema();
        let text = serde_json::to_string(&schema).unwrap_or_default();
        let words = format!(
            "When you are done, answer with nothing but one JSON object that fits this JSON Schema:\n{text}"
        );
        request
            .messages
            .insert(0, ChatMessage::text(Role::System, words));
        request.response_format = Some(ResponseFormat::JsonSchema {
            name: "outputs".into(),
            description: None,
            schema,
            strict: None,
        });
        let mut tries = 1;
        let values = loop {
            let outcome = self.turn(request).await?;
            match fields.read(&outcome.text) {
                Ok(values) => break values,
                Err(_) if outcome.stopped.is_some() => return Err(NodeError::new(outcome.text)),
                Err(fault) if tries == MAX_TRIES => {
                    let said: String = outcome.text.chars().take(200).collect();
                    let message =
                        format!("the model gave no valid outputs: {fault}; it said: {said}");
                    return Err(NodeError::new(message));
                }
                Err(fault) => {
                    let correction = format!(
                        "That is not what was asked for: {fault}. Answer again, with nothing but the corrected JSON."
                    );
                    let correction = ChatMessage::text(Role::User, correction);
                    request.messages.push(correction);
                }
            }
            tries += 1;
        };
        request.messages.remove(0);
        Ok(values)
    }
}

/// The tools of these names; unknown ones are left out with a warning.
pub(super) async fn named_tools(
    cx: &NodeCx,
    tools: Vec<ToolName>,
) -> Result<Vec<ToolSpec>, NodeError> {
    let names: Vec<String> = tools
        .iter()
        .map(|tool| tool.text("name").trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let found = cx.services().tools.find(&names).await;
    let mut specs: Vec<ToolSpec> = Vec::with_capacity(found.len());
    for (name, tool) in names.iter().zip(found) {
        match tool {
            Some(tool) if specs.iter().any(|s| s.name == tool.spec.name) => {}
            Some(tool) => specs.push(tool.spec),
            None => cx.log(
                Severity::Warning,
                format!("There is no tool `{name}`; the agent works without it"),
            ),
        }
    }
    Ok(specs)
}

/// Passes on what the agent says.
struct Telling<'a> {
    out: &'a Emitter<'a, Said>,
    cx: &'a NodeCx,
    heard: bool,
    said_something: bool,
}

impl Telling<'_> {
    async fn tell(&mut self, event: AgentEvent) -> Result<(), NodeError> {
        self.heard = true;
        match event {
            AgentEvent::Text(text) => {
                let piece = Piece::text(&text);
                piece.tell(self.cx);
                self.out.emit(Said::Chunk(piece.value(self.cx))).await
            }
            AgentEvent::Reasoning(text) => {
                let piece = Piece::thought(&text);
                piece.tell(self.cx);
                self.out.emit(Said::Thinking(piece.value(self.cx))).await
            }
            AgentEvent::TurnEnded { message, .. } => {
                let text = message.plain_text();
                if text.is_empty() {
                    return Ok(());
                }
                self.said_something = true;
                self.out.emit(Said::Text(text)).await
            }
            AgentEvent::File(file) => self.file(file).await,
            AgentEvent::ToolStarted { note, .. } => {
                self.cx.log(Severity::Info, note);
                Ok(())
            }
            AgentEvent::ToolEnded { call, result } => {
                if let Err(fault) = result {
                    let name = call.name;
                    self.cx
                        .log(Severity::Warning, format!("{name} failed: {fault}"));
                }
                Ok(())
            }
            AgentEvent::ToolAnswered(_) => Ok(()),
        }
    }

    async fn file(&mut self, file: Media) -> Result<(), NodeError> {
        let sound = file.mime.starts_with("audio/");
        if !sound {
            let kind = match &file.source {
                MediaSource::Bytes(_) if file.mime.is_empty() => "a file",
                _ => &file.mime,
            };
            let line = format!("The model made {kind}, which this node has no output for");
            self.cx.log(Severity::Warning, line);
            return Ok(());
        }
        let audio = media::made(self.cx, AudioRef::default().0, file).await?;
        self.out.emit(Said::Audio(AudioRef(audio))).await
    }
}

impl Ear for Telling<'_> {
    fn hear<'a>(&'a mut self, event: AgentEvent) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(self.tell(event))
    }
}

#[cfg(test)]
mod tests;

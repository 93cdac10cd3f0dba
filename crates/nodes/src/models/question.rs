//! Asking a language model.

use std::pin::pin;

use nodetool_sdk::agent::{
    Agent, AgentEvent, AgentOutcome, Budgets, Listener, StructuredError, structured,
};
use nodetool_sdk::models::{ChatMessage, ChatRequest, ModelError, Part, Role};
use nodetool_sdk::{AudioRef, BoxFuture, ImageRef, LanguageModel, NodeCx, NodeError, Value};
use tokio::sync::oneshot;

use super::media::{self, Kind};
use super::selector::chosen;

/// A question of a node: who is asked, how it is to behave, and what is asked.
#[derive(Debug, Default)]
pub(crate) struct Question {
    pub(crate) model: LanguageModel,
    pub(crate) system: String,
    pub(crate) text: String,
    pub(crate) image: ImageRef,
    pub(crate) audio: AudioRef,
    /// Most tokens of the answer; the model's own limit when absent.
    pub(crate) max_tokens: Option<i64>,
}

impl Question {
    /// What the person says in it; nothing when it is empty.
    pub(crate) async fn message(&self, cx: &NodeCx) -> Result<Option<ChatMessage>, NodeError> {
        let mut parts = Vec::new();
        if !self.text.is_empty() {
            parts.push(Part::Text(self.text.clone()));
        }
        if let Some(image) = media::read(cx, "image", &self.image.0, Kind::Image).await? {
            parts.push(Part::Image(image));
        }
        if let Some(audio) = media::read(cx, "audio", &self.audio.0, Kind::Audio).await? {
            parts.push(Part::Audio(audio));
        }
        Ok((!parts.is_empty()).then(|| ChatMessage {
            parts,
            ..ChatMessage::text(Role::User, "")
        }))
    }

    /// The request without anything said by the person yet.
    pub(crate) fn opening(&self, cx: &NodeCx) -> Result<ChatRequest, NodeError> {
        let chosen = chosen(&self.model.0, "language model")?;
        let max_tokens = match self.max_tokens {
            None => None,
            Some(n) => Some(u32::try_from(n).ok().filter(|n| *n > 0).ok_or_else(|| {
                NodeError::bad("max_tokens", format!("{n} (expected 1 or more)"))
            })?),
        };
        let system = self.system.trim();
        let messages = match system.is_empty() {
            true => Vec::new(),
            false => vec![ChatMessage::text(Role::System, system)],
        };
        Ok(ChatRequest {
            provider: chosen.provider,
            model: chosen.model,
            messages,
            max_tokens,
            node_id: Some(cx.node.id.clone()),
            workflow_id: super::workflow(cx),
            ..ChatRequest::default()
        })
    }

    /// The request. A question that says nothing is refused in the name of `property`.
    pub(crate) async fn request(
        &self,
        cx: &NodeCx,
        property: &str,
    ) -> Result<ChatRequest, NodeError> {
        let mut request = self.opening(cx)?;
        let Some(message) = self.message(cx).await? else {
            let message = "is empty (expected something for the model to work on)";
            return Err(NodeError::bad(property, message));
        };
        request.messages.push(message);
        Ok(request)
    }
}

/// Hears what a model says while it says it. An error ends the asking.
pub(crate) trait Ear: Send {
    /// Takes one event; the model waits until it has been taken.
    fn hear<'a>(&'a mut self, event: AgentEvent) -> BoxFuture<'a, Result<(), NodeError>>;
}

/// Who only wants the answer.
pub(crate) struct Silent;

impl Ear for Silent {
    fn hear<'a>(&'a mut self, _: AgentEvent) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The model did not answer.
    Model(ModelError),
    /// The node gave up.
    Node(NodeError),
}

impl From<Unanswered> for NodeError {
    fn from(e: Unanswered) -> Self {
        match e {
            Unanswered::Model(e) => e.into(),
            Unanswered::Node(e) => e,
        }
    }
}

/// Asks one question that no tool is needed for.
pub(crate) async fn ask(
    cx: &NodeCx,
    request: ChatRequest,
    ear: &mut dyn Ear,
) -> Result<AgentOutcome, NodeError> {
    Ok(try_ask(cx, request, ear).await?)
}

/// The same, telling apart why there is no answer.
pub(crate) async fn try_ask(
    cx: &NodeCx,
    request: ChatRequest,
    ear: &mut dyn Ear,
) -> Result<AgentOutcome, Unanswered> {
    let budgets = Budgets {
        turns: 1,
        tool_calls: Some(0),
        ..Budgets::default()
    };
    let services = cx.services();
    let agent = Agent::new(&*services.models, &*services.tools, &budgets);
    let outcome = Box::pin(converse(&agent, request, ear)).await?;
    if outcome.stopped.is_some() {
        let message = "the model asked for tools that it was not offered in place of an answer";
        return Err(Unanswered::Node(NodeError::new(message)));
    }
    Ok(outcome)
}

/// Asks for JSON that fits a schema. The schema goes along in words, too: not every provider that takes one heeds it.
pub(crate) async fn fill(
    cx: &NodeCx,
    mut request: ChatRequest,
    name: &str,
    schema: Value,
) -> Result<Value, NodeError> {
    let text = serde_json::to_string(&schema).unwrap_or_default();
    let words =
        format!("Answer with nothing but one JSON value that fits this JSON Schema:\n{text}");
    if let Some(last) = request.messages.last_mut() {
        last.parts.push(Part::Text(format!("\n\n{words}")));
    }
    let models = &*cx.services().models;
    match Box::pin(structured(models, request, name, schema)).await {
        Ok(structured) => Ok(structured.value),
        Err(StructuredError::Model(e)) => Err(e.into()),
        Err(e) => Err(NodeError::new(e.to_string())),
    }
}

/// Lets an agent work. When the ear fails, what is at work is ended.
pub(crate) async fn converse(
    agent: &Agent<'_>,
    request: ChatRequest,
    ear: &mut dyn Ear,
) -> Result<AgentOutcome, Unanswered> {
    let (tell, told) = oneshot::channel();
    let mut relay = Relay {
        ear,
        tell: Some(tell),
    };
    let run = pin!(agent.run(request, &mut relay));
    tokio::select! {
        biased;
        Ok(error) = told => Err(Unanswered::Node(error)),
        ended = run => ended.map_err(|failure| Unanswered::Model(failure.error)),
    }
}

struct Relay<'e> {
    ear: &'e mut dyn Ear,
    tell: Option<oneshot::Sender<NodeError>>,
}

impl Listener for Relay<'_> {
    fn on<'a>(&'a mut self, event: AgentEvent) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Err(error) = self.ear.hear(event).await else {
                return;
            };
            if let Some(tell) = self.tell.take() {
                // Who asked is there as long as this is.
                let _ = tell.send(error);
            }
            std::future::pending::<()>().await;
        })
    }
}

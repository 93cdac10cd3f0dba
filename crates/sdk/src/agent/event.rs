//! What a run of an agent tells while it is at work.

use nodetool_protocol::Value;

use crate::BoxFuture;
use crate::models::{ChatMessage, Media, ToolCall, Usage};

/// One thing that happened. Text and reasoning come in pieces; everything else is whole.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentEvent {
    /// A piece of the answer.
    Text(String),
    /// A piece of its reasoning.
    Reasoning(String),
    /// A file the model made.
    File(Media),
    /// The model is done with a turn. The message is to be stored; it lists the tools it wants called.
    TurnEnded {
        /// What the model said.
        message: ChatMessage,
        /// What the turn took, where the provider says so.
        usage: Option<Usage>,
    },
    /// A tool begins. Tools of one turn begin and end in any order.
    ToolStarted {
        /// The call.
        call: ToolCall,
        /// A line for people, such as `Reading notes.txt`.
        note: String,
    },
    /// A tool has ended.
    ToolEnded {
        /// The call.
        call: ToolCall,
        /// What it gave, whole, or what went wrong.
        result: Result<Value, String>,
    },
    /// A message of a tool for the conversation, to be stored; these come in the order of the calls.
    ToolAnswered(ChatMessage),
}

/// Who is told what happens. A closure that takes an [`AgentEvent`] is one.
pub trait Listener: Send {
    /// Takes one event. The run waits until it has been taken.
    fn on<'a>(&'a mut self, event: AgentEvent) -> BoxFuture<'a, ()>;
    /// Whether the run may end now; asked after each round of tools.
    fn enough(&self) -> bool {
        false
    }
}

impl<F: FnMut(AgentEvent) + Send> Listener for F {
    fn on<'a>(&'a mut self, event: AgentEvent) -> BoxFuture<'a, ()> {
        self(event);
        Box::pin(std::future::ready(()))
    }
}

/// A listener that does not care.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Listener for Nobody {
    fn on<'a>(&'a mut self, _: AgentEvent) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

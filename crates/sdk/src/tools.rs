//! What a model can have done for it: tools by name, for the agent loop.
//!
//! It must not know what stands behind a tool: the server's own, a node, a workflow, another server, a client.

use nodetool_protocol::{Map, Value};

use crate::BoxFuture;
use crate::models::ToolSpec;

/// A tool that was found by its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// What the model is told.
    pub spec: ToolSpec,
    /// Whether calling it changes something outside of the conversation.
    pub effects: bool,
}

/// Tools of the user of a run or conversation.
pub trait Tools: Send + Sync {
    /// The tools of these names, in order; `None` for a name nothing is known by.
    fn find<'a>(&'a self, names: &'a [String]) -> BoxFuture<'a, Vec<Option<Tool>>>;
    /// A line for people about what a call does, such as `Reading notes.txt`.
    fn describe(&self, name: &str, arguments: &Map) -> String {
        let _ = arguments;
        format!("Running {name}")
    }
    /// Calls a tool by the name in its spec. `Err` is what the model is told went wrong. Dropping the future ends the
    /// call.
    fn call<'a>(&'a self, name: &'a str, arguments: Map) -> BoxFuture<'a, Result<Value, String>>;
}

//! Why a node did not finish.

use nodetool_protocol::Value;

/// The error of a node; its text is what the user reads in `node_update.error`.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The node says why.
    #[error("{0}")]
    Failed(String),
    /// A property holds something the node cannot use.
    #[error("Invalid value for property `{property}`: {message}")]
    BadInput {
        /// The property or handle.
        property: String,
        /// What came and what was expected.
        message: String,
    },
    /// The run is over; nobody listens any more. Not shown to users.
    #[error("The run has stopped")]
    Stopped,
    /// The node took longer than allowed.
    #[error("Node timed out after {0}s")]
    TimedOut(f64),
    /// A defect of the node.
    #[error("The node panicked: {0}")]
    Panicked(String),
    /// The node waits for the outside; the run can be resumed.
    #[error("Workflow suspended: {reason}")]
    Suspended {
        /// Why.
        reason: String,
        /// What it needs to go on.
        state: Value,
    },
}

impl NodeError {
    /// A failure in the node's own words.
    pub fn new(text: impl Into<String>) -> Self {
        NodeError::Failed(text.into())
    }

    /// A property that cannot be used, and why.
    pub fn bad(property: impl Into<String>, message: impl Into<String>) -> Self {
        NodeError::BadInput {
            property: property.into(),
            message: message.into(),
        }
    }
}

impl From<String> for NodeError {
    fn from(text: String) -> Self {
        NodeError::Failed(text)
    }
}

impl From<&str> for NodeError {
    fn from(text: &str) -> Self {
        NodeError::Failed(text.into())
    }
}

impl From<std::io::Error> for NodeError {
    fn from(e: std::io::Error) -> Self {
        NodeError::Failed(e.to_string())
    }
}

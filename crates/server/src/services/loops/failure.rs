//! Why something about the runs of a workflow was not done.

use nodetool_sdk::steps::FormFaults;
use nodetool_store::StoreError;

use crate::services::{RunError, WorkflowError};

/// Why a workflow, or a step of it, was not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoopFailure {
    /// The caller has no such workflow.
    #[error("No WorkFlow matches the given query.")]
    NoWorkflow,
    /// The workflow has no such node.
    #[error("Node not found: {node} in workflow {workflow}")]
    NoNode { node: String, workflow: String },
    /// There is no such step type.
    #[error("Node type not found: {0}")]
    NoNodeType(String),
    /// The request makes no sense.
    #[error("{0}")]
    Refused(String),
    /// The form of a node holds values it cannot use.
    #[error("{faults}")]
    Form {
        node: String,
        faults: Box<FormFaults>,
    },
    /// It took too long.
    #[error("Node execution timed out after {0} seconds")]
    TimedOut(f64),
    #[error(transparent)]
    Run(RunError),
}

impl From<WorkflowError> for LoopFailure {
    fn from(e: WorkflowError) -> Self {
        match e {
            WorkflowError::NotFound | WorkflowError::Foreign => LoopFailure::NoWorkflow,
            e => LoopFailure::Run(e.into()),
        }
    }
}

impl From<StoreError> for LoopFailure {
    fn from(e: StoreError) -> Self {
        match e {
            // An id that no row can have.
            StoreError::InvalidInput { .. } => LoopFailure::NoWorkflow,
            e => LoopFailure::Run(e.into()),
        }
    }
}

impl From<RunError> for LoopFailure {
    fn from(e: RunError) -> Self {
        match e {
            RunError::Workflow(e) => e.into(),
            e => LoopFailure::Run(e),
        }
    }
}

//! Why something about a loop was not done.

use nodetool_store::{BlobError, StoreError};

use super::editing::EdgeFault;
use crate::services::WorkflowError;

/// Why a loop was not read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EditError {
    /// The caller has no such workflow.
    #[error("No WorkFlow matches the given query.")]
    NoWorkflow,
    /// The workflow has no such node.
    #[error("No Node matches the given query.")]
    NoNode,
    /// The workflow has no such connection.
    #[error("No Connection matches the given query.")]
    NoConnection,
    /// The node has no such file.
    #[error("No NodeFile matches the given query.")]
    NoFile,
    /// There cannot be such a connection.
    #[error(transparent)]
    Edge(#[from] EdgeFault),
    /// It makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// A field that cannot be as it is.
    #[error("{field}: {reason}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What is expected of it.
        reason: String,
    },
    /// Too many change the same workflow at once.
    #[error("The workflow is being changed by many at once; try again")]
    Contended,
    #[error(transparent)]
    Workflow(WorkflowError),
    #[error("the contents of a node file failed")]
    Blob(#[source] BlobError),
}

impl EditError {
    /// A field that cannot be as it is.
    pub(crate) fn field(field: &'static str, reason: impl Into<String>) -> Self {
        EditError::Field {
            field,
            reason: reason.into(),
        }
    }
}

impl From<WorkflowError> for EditError {
    fn from(e: WorkflowError) -> Self {
        match e {
            WorkflowError::NotFound | WorkflowError::Foreign => EditError::NoWorkflow,
            e => EditError::Workflow(e),
        }
    }
}

impl From<StoreError> for EditError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::InvalidInput { field, reason } => EditError::Field { field, reason },
            e => WorkflowError::from(e).into(),
        }
    }
}

impl From<BlobError> for EditError {
    fn from(e: BlobError) -> Self {
        match e {
            BlobError::TooLarge { limit } => EditError::field(
                "file",
                format!("Ensure this file is not larger than {limit} bytes."),
            ),
            e => EditError::Blob(e),
        }
    }
}

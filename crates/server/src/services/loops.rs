//! Workflows as loops: edited node by node, run step by step or for ever, watched live.
//!
//! The graph stays the workflow's own document; what only a loop has lies beside it. It must not know HTTP.
//! Source: orchestrator spec 1, 3, 7.

mod catalogue;
mod editing;
mod error;
mod files;
mod forms;
pub(crate) mod ids;
mod masks;
mod objects;
mod projection;

use std::sync::Arc;

use nodetool_sdk::steps::Steps;
use nodetool_store::Store;

use super::{Changes, JobService, SecretsService, WorkflowService};

pub(crate) use catalogue::{NodeDetail, NodeMeta, NodeType, detail, meta, tree};
pub(crate) use editing::{EdgeChange, EdgeFault, EditedNode, MAX_HANDLE, NodeChange};
pub(crate) use error::EditError;
pub(crate) use files::{CONTENTS, MAX_FILE, check_key};
pub(crate) use masks::secret_fields;
pub(crate) use objects::{MAX_NAME, Ordering, Unfit, WorkflowChange};
pub(crate) use projection::{Canvas, EdgeObject, NodeObject, Position, RawConfig, WorkflowObject};

/// What the service is made of.
pub(crate) struct LoopParts {
    pub(crate) store: Store,
    pub(crate) workflows: WorkflowService,
    pub(crate) jobs: JobService,
    pub(crate) secrets: SecretsService,
    pub(crate) steps: Arc<Steps>,
    pub(crate) changes: Changes,
}

/// Edits, runs and watches loops.
#[derive(Clone)]
pub(crate) struct LoopService(Arc<LoopParts>);

impl LoopService {
    pub(crate) fn new(parts: LoopParts) -> Self {
        LoopService(Arc::new(parts))
    }

    /// Every step type of this server.
    pub(crate) fn steps(&self) -> &Arc<Steps> {
        &self.0.steps
    }
}

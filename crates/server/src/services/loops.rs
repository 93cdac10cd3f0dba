//! Workflows as loops: edited node by node, run step by step or for ever, watched live.
//!
//! The graph stays the workflow's own document; what only a loop has lies beside it. It must not know HTTP.
//! Source: orchestrator spec 1, 3, 7.

mod calls;
mod catalogue;
mod dataflow;
mod dead_letters;
mod development;
mod drive;
mod editing;
mod error;
mod failure;
mod files;
mod forms;
pub(crate) mod ids;
mod journal;
mod live;
mod masks;
mod objects;
mod opened;
mod previews;
mod projection;
mod recovery;
mod running;
mod sealing;
mod sessions;
mod single;
mod state;
mod tasks;
mod watch;
mod webhooks;

use std::sync::Arc;

use nodetool_sdk::steps::Steps;
use nodetool_store::Store;

use super::{JobService, SecretsService, WorkflowService};

pub(crate) use calls::{Answer, ApiCall};
pub(crate) use development::NodeRun;
pub(crate) use failure::LoopFailure;
pub(crate) use single::{DirectRun, LONGEST_TIMEOUT};
pub(crate) use tasks::Task;
pub(crate) use watch::LoopWatch;
pub(crate) use webhooks::{WebhookError, without_credentials};

use live::Live;

pub(crate) use catalogue::{NodeDetail, NodeMeta, NodeType, detail, meta, tree};
pub(crate) use editing::{EdgeChange, EdgeFault, EditedNode, MAX_HANDLE, NodeChange};
pub(crate) use error::EditError;
pub(crate) use files::{CONTENTS, MAX_FILE, check_key};
pub(crate) use masks::secret_fields;
pub(crate) use objects::{MAX_NAME, Ordering, Unfit, WorkflowChange};
pub(crate) use projection::{
    Canvas, CanvasNode, EdgeObject, NodeObject, Position, RawConfig, WorkflowObject,
};

/// What the service is made of.
pub(crate) struct LoopParts {
    pub(crate) store: Store,
    pub(crate) workflows: WorkflowService,
    pub(crate) jobs: JobService,
    pub(crate) secrets: SecretsService,
    pub(crate) steps: Arc<Steps>,
}

/// Edits, runs and watches loops: what it works with, and what is at work.
#[derive(Clone)]
pub(crate) struct LoopService(Arc<LoopParts>, Arc<Live>);

impl LoopService {
    pub(crate) fn new(parts: LoopParts) -> Self {
        let service = LoopService(Arc::new(parts), Arc::default());
        service.0.jobs.offer_loops(service.lowering());
        service
    }

    /// Every step type of this server.
    pub(crate) fn steps(&self) -> &Arc<Steps> {
        &self.0.steps
    }
}

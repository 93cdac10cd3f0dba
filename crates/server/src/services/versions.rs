//! Versions of workflows: snapshots on request, autosaves by their rules, restoring.

use std::time::Duration;

use nodetool_protocol::{Graph, Value};
use nodetool_store::{
    AutosaveRules, Autosaved, NewVersion, Store, StoreError, VersionRow, WorkflowRow, new_id,
    now_micros,
};

use super::workflows::{read_graph, to_json};
use super::{Caller, WorkflowError, WorkflowService};

/// Most autosaves a request may ask to keep.
const MOST_KEPT: usize = 1000;

/// The settings of autosaves; a request may ask for another number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AutosaveSettings {
    /// Time between two autosaves of a workflow.
    pub(crate) min_interval: Duration,
    /// Autosaves kept of a workflow.
    pub(crate) keep: usize,
    /// Age at which autosaves beyond those go.
    pub(crate) keep_for: Duration,
}

/// What an editor wants saved by the way.
#[derive(Clone, Debug)]
pub(crate) struct Autosave {
    pub(crate) save_type: SaveType,
    pub(crate) description: String,
    /// Whether the time since the last one does not matter.
    pub(crate) force: bool,
    pub(crate) client_id: Option<String>,
    /// The graph on the client's screen; the stored one when it sent none.
    pub(crate) graph: Option<Graph>,
    pub(crate) max_versions: Option<usize>,
}

/// Why a version was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SaveType {
    Autosave,
    Manual,
    Checkpoint,
    Restore,
}

impl SaveType {
    /// Every word a client may use.
    pub(crate) const WORDS: [&'static str; 4] = ["autosave", "manual", "checkpoint", "restore"];

    /// The type of a word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "autosave" => SaveType::Autosave,
            "manual" => SaveType::Manual,
            "checkpoint" => SaveType::Checkpoint,
            "restore" => SaveType::Restore,
            _ => return None,
        })
    }

    fn word(self) -> &'static str {
        match self {
            SaveType::Autosave => "autosave",
            SaveType::Manual => "manual",
            SaveType::Checkpoint => "checkpoint",
            SaveType::Restore => "restore",
        }
    }
}

/// Why a use case of versions failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VersionError {
    #[error("Version not found")]
    NotFound,
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
}

impl From<StoreError> for VersionError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::NotFound {
                kind: "version", ..
            } => VersionError::NotFound,
            e => VersionError::Workflow(e.into()),
        }
    }
}

/// The use cases of versions.
#[derive(Clone)]
pub(crate) struct VersionService {
    store: Store,
    workflows: WorkflowService,
    settings: AutosaveSettings,
}

impl VersionService {
    pub(crate) fn new(
        store: Store,
        workflows: WorkflowService,
        settings: AutosaveSettings,
    ) -> Self {
        VersionService {
            store,
            workflows,
            settings,
        }
    }

    /// Keeps the graph the workflow has now; without a name it is called by its number.
    pub(crate) async fn create(
        &self,
        caller: &Caller,
        workflow_id: &str,
        name: String,
        description: String,
    ) -> Result<VersionRow, VersionError> {
        let new = NewVersion {
            id: new_id(),
            workflow_id: workflow_id.to_owned(),
            user_id: caller.user_id.clone(),
            created_at: now_micros(),
            name,
            unnamed: "Version",
            description,
            save_type: SaveType::Manual.word(),
            autosave_metadata: "{}".into(),
            graph: None,
        };
        Ok(self.store.insert_version(new).await?)
    }

    /// Versions below a number, newest first, and the number the rest is below.
    pub(crate) async fn list(
        &self,
        caller: &Caller,
        workflow_id: &str,
        below: i64,
        limit: usize,
    ) -> Result<(Vec<VersionRow>, Option<i64>), VersionError> {
        self.workflows.check_readable(caller, workflow_id).await?;
        Ok(self.store.list_versions(workflow_id, below, limit).await?)
    }

    pub(crate) async fn get(
        &self,
        caller: &Caller,
        workflow_id: &str,
        version: i64,
    ) -> Result<VersionRow, VersionError> {
        self.workflows.check_readable(caller, workflow_id).await?;
        self.store
            .get_version(workflow_id, version)
            .await?
            .ok_or(VersionError::NotFound)
    }

    /// Puts the graph of a version in place of the workflow's own.
    pub(crate) async fn restore(
        &self,
        caller: &Caller,
        workflow_id: &str,
        version: i64,
    ) -> Result<WorkflowRow, VersionError> {
        self.workflows.check_owned(caller, workflow_id).await?;
        let version = self
            .store
            .get_version(workflow_id, version)
            .await?
            .ok_or(VersionError::NotFound)?;
        let graph = read_graph(workflow_id, &version.graph)?;
        Ok(self
            .workflows
            .replace_graph(caller, workflow_id, graph)
            .await?)
    }

    pub(crate) async fn delete(
        &self,
        caller: &Caller,
        workflow_id: &str,
        id: &str,
    ) -> Result<(), VersionError> {
        self.workflows.check_owned(caller, workflow_id).await?;
        Ok(self
            .store
            .delete_version(&caller.user_id, workflow_id, id)
            .await?)
    }

    /// Keeps what an editor shows, unless that was done a moment ago or there is nothing to keep.
    pub(crate) async fn autosave(
        &self,
        caller: &Caller,
        workflow_id: &str,
        request: Autosave,
    ) -> Result<Autosaved, VersionError> {
        self.workflows.check_owned(caller, workflow_id).await?;
        let graph = match request.graph {
            Some(graph) => (!graph.nodes.is_empty()).then(|| to_json(&graph).into()),
            None => {
                let row = self.workflows.get(caller, workflow_id).await?;
                let graph = read_graph(workflow_id, &row.graph)?;
                (!graph.nodes.is_empty()).then_some(row.graph)
            }
        };
        let word = request.save_type.word();
        let metadata = Value::map([
            (
                "client_id",
                request.client_id.map_or(Value::Null, Value::from),
            ),
            ("trigger_reason", word.into()),
        ]);
        let new = NewVersion {
            id: new_id(),
            workflow_id: workflow_id.to_owned(),
            user_id: caller.user_id.clone(),
            created_at: now_micros(),
            name: String::new(),
            unnamed: "Autosave",
            description: request.description,
            save_type: word,
            autosave_metadata: to_json(&metadata),
            graph,
        };
        let paced = request.save_type == SaveType::Autosave && !request.force;
        let kept = request.max_versions.filter(|n| *n > 0);
        let rules = AutosaveRules {
            min_interval: if paced {
                micros(self.settings.min_interval)
            } else {
                0
            },
            keep: kept.unwrap_or(self.settings.keep).clamp(1, MOST_KEPT),
            keep_for: micros(self.settings.keep_for),
        };
        Ok(self.store.insert_autosave(new, rules).await?)
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

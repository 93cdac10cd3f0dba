//! Saved workflows: create, read, change, delete, and the plans made of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use nodetool_engine::{Plan, PlanError};
use nodetool_protocol::{Graph, Map, Value};
use nodetool_sdk::Registry;
use nodetool_store::{
    Page, Store, StoreError, Upserted, WorkflowFilter, WorkflowRow, new_id, now_micros,
};

use super::{Caller, Changes, Happened};

/// Plans kept ready; a workflow that is not among them is planned again.
const PLANS_KEPT: usize = 128;

/// A workflow ready to run.
pub(crate) struct Loaded {
    pub(crate) id: Arc<str>,
    owner: String,
    public: bool,
    /// The plan, or why there is none.
    pub(crate) plan: Result<Arc<Plan>, PlanError>,
    /// Title and type of each node by id, to tell faults.
    pub(crate) titles: HashMap<Arc<str>, (String, String)>,
    /// The graph as JSON, for the job that keeps it.
    pub(crate) graph: Option<Arc<str>>,
}

/// What a client saves.
#[derive(Clone, Debug, Default)]
pub(crate) struct SaveWorkflow {
    pub(crate) name: String,
    pub(crate) access: String,
    pub(crate) tool_name: Option<String>,
    pub(crate) package_name: Option<String>,
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) description: Option<String>,
    pub(crate) thumbnail: Option<String>,
    pub(crate) thumbnail_url: Option<String>,
    pub(crate) graph: Option<Graph>,
    pub(crate) settings: Option<Map>,
    pub(crate) run_mode: Option<String>,
    pub(crate) workspace_id: Option<String>,
    pub(crate) html_app: Option<String>,
}

/// Why a workflow use case failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkflowError {
    #[error("Workflow not found")]
    NotFound,
    #[error("Invalid workflow")]
    NoGraph,
    #[error("the stored graph of workflow {id} cannot be read")]
    Corrupt { id: String },
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for WorkflowError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::NotFound { .. } => WorkflowError::NotFound,
            e => WorkflowError::Store(e),
        }
    }
}

#[derive(Default)]
struct Plans {
    by_id: HashMap<Arc<str>, (u64, Arc<Loaded>)>,
    /// Counts uses; the least recently used plan goes first.
    clock: u64,
    /// Counts writes, so that a plan made of a row read before a write is not kept.
    writes: u64,
}

/// The one owner of workflow rows in this process.
#[derive(Clone)]
pub(crate) struct WorkflowService {
    store: Store,
    registry: Arc<Registry>,
    plans: Arc<Mutex<Plans>>,
    changes: Changes,
}

impl WorkflowService {
    pub(crate) fn new(store: Store, registry: Arc<Registry>, changes: Changes) -> Self {
        WorkflowService {
            store,
            registry,
            changes,
            plans: Arc::default(),
        }
    }

    fn plans(&self) -> std::sync::MutexGuard<'_, Plans> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, id: &str) {
        let mut plans = self.plans();
        plans.writes += 1;
        plans.by_id.remove(id);
    }

    pub(crate) async fn create(
        &self,
        caller: &Caller,
        save: SaveWorkflow,
    ) -> Result<WorkflowRow, WorkflowError> {
        let now = now_micros();
        let row = WorkflowRow {
            id: new_id(),
            user_id: caller.user_id.clone(),
            created_at: now,
            ..WorkflowRow::default()
        };
        let row = fill(row, save, now)?;
        self.store.insert_workflow(row.clone()).await?;
        let owner = &caller.user_id;
        let etag = || row.etag();
        self.changes
            .tell(owner, Happened::Created, "workflow", &row.id, etag);
        Ok(row)
    }

    /// Saves under a given id: changes the caller's workflow, creates one that is not there.
    pub(crate) async fn save(
        &self,
        caller: &Caller,
        id: &str,
        save: SaveWorkflow,
    ) -> Result<WorkflowRow, WorkflowError> {
        let now = now_micros();
        let row = match self.store.get_workflow(id).await? {
            Some(row) if row.user_id != caller.user_id => return Err(WorkflowError::NotFound),
            Some(row) => row,
            None => {
                let user_id = caller.user_id.clone();
                WorkflowRow {
                    id: id.to_owned(),
                    user_id,
                    created_at: now,
                    ..WorkflowRow::default()
                }
            }
        };
        let row = fill(row, save, now)?;
        let saved = self.store.upsert_workflow(row).await;
        self.forget(id);
        let Upserted { row, created } = saved?;
        let happened = if created {
            Happened::Created
        } else {
            Happened::Updated
        };
        let etag = || row.etag();
        self.changes
            .tell(&caller.user_id, happened, "workflow", id, etag);
        Ok(row)
    }

    pub(crate) async fn get(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<WorkflowRow, WorkflowError> {
        match self.store.get_workflow(id).await? {
            Some(row) if row.user_id == caller.user_id || row.access == "public" => Ok(row),
            _ => Err(WorkflowError::NotFound),
        }
    }

    pub(crate) async fn list(
        &self,
        filter: WorkflowFilter,
        limit: usize,
        cursor: &str,
    ) -> Result<Page<WorkflowRow>, WorkflowError> {
        Ok(self.store.list_workflows(filter, limit, cursor).await?)
    }

    pub(crate) async fn delete(&self, caller: &Caller, id: &str) -> Result<(), WorkflowError> {
        let deleted = self.store.delete_workflow(&caller.user_id, id).await;
        self.forget(id);
        deleted?;
        let owner = &caller.user_id;
        self.changes
            .tell(owner, Happened::Deleted, "workflow", id, String::new);
        Ok(())
    }

    /// A workflow the caller may run, planned.
    pub(crate) async fn load(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Arc<Loaded>, WorkflowError> {
        let writes = {
            let mut plans = self.plans();
            plans.clock += 1;
            let clock = plans.clock;
            if let Some((used, loaded)) = plans.by_id.get_mut(id) {
                *used = clock;
                let visible = loaded.public || loaded.owner == caller.user_id;
                return if visible {
                    Ok(loaded.clone())
                } else {
                    Err(WorkflowError::NotFound)
                };
            }
            plans.writes
        };
        let row = self.get(caller, id).await?;
        let graph = read_graph(&row)?;
        let loaded = Arc::new(self.plan(
            row.id.as_str().into(),
            row.user_id,
            row.access == "public",
            &graph,
            Some(row.graph),
        ));
        let mut plans = self.plans();
        if plans.writes == writes {
            if plans.by_id.len() >= PLANS_KEPT
                && let Some(oldest) = plans
                    .by_id
                    .iter()
                    .min_by_key(|(_, (used, _))| *used)
                    .map(|(id, _)| id.clone())
            {
                plans.by_id.remove(&oldest);
            }
            let clock = plans.clock;
            plans
                .by_id
                .insert(loaded.id.clone(), (clock, loaded.clone()));
        }
        Ok(loaded)
    }

    /// A graph that is not stored, planned.
    pub(crate) fn plan_graph(&self, caller: &Caller, graph: &Graph) -> Arc<Loaded> {
        self.plan_graph_of("".into(), caller, graph)
    }

    /// A graph a job kept, planned; `id` is the workflow it was taken from.
    pub(crate) fn plan_graph_of(
        &self,
        id: Arc<str>,
        caller: &Caller,
        graph: &Graph,
    ) -> Arc<Loaded> {
        let text = to_json(graph).into();
        Arc::new(self.plan(id, caller.user_id.clone(), false, graph, Some(text)))
    }

    fn plan(
        &self,
        id: Arc<str>,
        owner: String,
        public: bool,
        graph: &Graph,
        text: Option<Arc<str>>,
    ) -> Loaded {
        let plan = Plan::build(graph, &self.registry).map(Arc::new);
        let titles = match &plan {
            Ok(_) => HashMap::new(),
            Err(_) => graph
                .nodes
                .iter()
                .filter_map(|n| {
                    let title = self.registry.get(&n.node_type)?.metadata.title.clone();
                    Some((n.id.clone(), (title, n.node_type.to_string())))
                })
                .collect(),
        };
        Loaded {
            id,
            owner,
            public,
            plan,
            titles,
            graph: text,
        }
    }
}

/// The graph of a row.
pub(crate) fn read_graph(row: &WorkflowRow) -> Result<Graph, WorkflowError> {
    serde_json::from_str(&row.graph).map_err(|e| {
        tracing::error!(workflow.id = %row.id, error = %e, "a stored graph cannot be read");
        WorkflowError::Corrupt { id: row.id.clone() }
    })
}

/// Which columns a save writes (HTTP spec 6.2, field persistence).
fn fill(mut row: WorkflowRow, save: SaveWorkflow, now: i64) -> Result<WorkflowRow, WorkflowError> {
    let mut graph = save.graph.ok_or(WorkflowError::NoGraph)?;
    graph.strip_connected();
    let fresh = row.updated_at == 0;
    row.graph = to_json(&graph).into();
    row.updated_at = now;
    row.name = save.name;
    row.access = save.access;
    row.tool_name = save.tool_name;
    row.tags = to_json(&save.tags.unwrap_or_default());
    row.description = save.description;
    row.package_name = save.package_name;
    row.settings = save.settings.map(|s| to_json(&Value::from(s)));
    row.workspace_id = save.workspace_id;
    row.html_app = save.html_app;
    if fresh {
        row.thumbnail_url = save.thumbnail_url;
    }
    if fresh || save.thumbnail.is_some() {
        row.thumbnail = save.thumbnail;
    }
    if fresh || save.run_mode.is_some() {
        row.run_mode = save.run_mode;
    }
    Ok(row)
}

fn to_json(value: &impl serde::Serialize) -> String {
    // Our own types with text keys: they always serialise.
    serde_json::to_string(value).unwrap_or_else(|_| "null".into())
}

//! Saved workflows: create, read, change, delete, and the plans made of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use nodetool_engine::{Plan, PlanError};
use nodetool_protocol::{Graph, Map, Value};
use nodetool_sdk::Registry;
use nodetool_sdk::steps::Steps;
use nodetool_store::{
    ChangedGraph, FilledSchemas, IfMatch, Page, Saved, Store, StoreError, WorkflowFilter,
    WorkflowRow, new_id, now_micros,
};

use super::loops::secret_fields;
use super::{Caller, Changes, Example, Happened, Saves, interface_schemas};

mod administration;
mod loops;
mod renaming;

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
    /// The folder its runs may touch, where it has one of its own.
    pub(crate) workspace_id: Option<String>,
    /// The graph as JSON, for the job that keeps it.
    pub(crate) graph: Option<Arc<str>>,
    /// Whether it is run as loops.
    pub(crate) loops: bool,
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

impl SaveWorkflow {
    /// A copy of an example: its graph, and what the client has not said itself.
    pub(crate) fn with_example(self, example: &Example) -> Result<Self, WorkflowError> {
        let row = &example.row;
        let tags = || serde_json::from_str(&row.tags).ok();
        let blank = |text: Option<String>| text.filter(|t| !t.is_empty());
        Ok(SaveWorkflow {
            graph: Some(read_graph(&row.id, &row.graph)?),
            description: blank(self.description).or_else(|| row.description.clone()),
            tags: self.tags.filter(|t| !t.is_empty()).or_else(tags),
            thumbnail_url: blank(self.thumbnail_url).or_else(|| row.thumbnail_url.clone()),
            html_app: None,
            ..self
        })
    }
}

/// Why a workflow use case failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkflowError {
    #[error("Workflow not found")]
    NotFound,
    #[error("Invalid workflow")]
    NoGraph,
    /// It is somebody else's; who asks is not to know more than that it is not found, except on a worker.
    #[error("Workflow access denied")]
    Foreign,
    #[error(
        "The workflow is not the one If-Match asks for: it was changed since, or there is none"
    )]
    Changed,
    #[error("workflow {id} holds text that is no JSON of its kind")]
    Corrupt {
        id: String,
        source: serde_json::Error,
    },
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for WorkflowError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::NotFound { .. } => WorkflowError::NotFound,
            StoreError::Conflict { .. } => WorkflowError::Changed,
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
    saves: Option<Saves>,
    /// Whose forms have secrets.
    steps: Arc<Steps>,
}

/// A workflow as those see it who may run it without it being theirs: its webhooks and forms keep their secrets.
fn for_others(steps: &Steps, mut row: WorkflowRow) -> WorkflowRow {
    if !row.graph.contains("WebhookTrigger") && !row.graph.contains(Steps::PREFIX) {
        return row;
    }
    let Ok(mut graph) = serde_json::from_str::<serde_json::Value>(&row.graph) else {
        return row;
    };
    let nodes = graph["nodes"].as_array_mut().into_iter().flatten();
    for node in nodes {
        let kind = node["type"].as_str().unwrap_or_default();
        let mut secrets: Vec<&str> = Vec::new();
        if kind.ends_with("WebhookTrigger") {
            secrets.push("secret");
        } else if kind.starts_with(Steps::PREFIX) {
            secrets.extend(secret_fields(steps.get(kind).as_deref()));
        }
        if let Some(data) = node["data"].as_object_mut() {
            for name in secrets {
                data.remove(name);
            }
        }
    }
    row.graph = graph.to_string().into();
    row
}

impl WorkflowService {
    pub(crate) fn new(store: Store, registry: Arc<Registry>, changes: Changes) -> Self {
        WorkflowService {
            store,
            registry,
            changes,
            plans: Arc::default(),
            saves: None,
            steps: Arc::default(),
        }
    }

    /// Keeps the secrets in the forms of these step types from others.
    pub(crate) fn with_steps(self, steps: Arc<Steps>) -> Self {
        WorkflowService { steps, ..self }
    }

    /// Tells of every workflow that is saved or deleted.
    pub(crate) fn telling(self, saves: Saves) -> Self {
        WorkflowService {
            saves: Some(saves),
            ..self
        }
    }

    async fn told(&self, id: &str, run_mode: Option<&str>) {
        if let Some(saves) = &self.saves {
            saves.saved(id, run_mode).await;
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
        self.told(&row.id, row.run_mode.as_deref()).await;
        Ok(row)
    }

    /// Saves under a given id: changes the caller's workflow, creates one that is not there.
    pub(crate) async fn save(
        &self,
        caller: &Caller,
        id: &str,
        save: SaveWorkflow,
        expected: IfMatch,
    ) -> Result<WorkflowRow, WorkflowError> {
        let now = now_micros();
        let row = WorkflowRow {
            id: id.to_owned(),
            user_id: caller.user_id.clone(),
            created_at: now,
            ..WorkflowRow::default()
        };
        let row = fill(row, save, now)?;
        let saved = self.store.save_workflow(row, expected).await;
        self.forget(id);
        let Saved { row, created } = saved.map_err(|e| match e {
            // An id that is not there would have been created.
            StoreError::NotFound { .. } => WorkflowError::Foreign,
            e => e.into(),
        })?;
        let happened = if created {
            Happened::Created
        } else {
            Happened::Updated
        };
        let etag = || row.etag();
        self.changes
            .tell(&caller.user_id, happened, "workflow", id, etag);
        self.told(id, row.run_mode.as_deref()).await;
        Ok(row)
    }

    /// Puts another graph in place of the caller's own.
    pub(crate) async fn replace_graph(
        &self,
        caller: &Caller,
        id: &str,
        mut graph: Graph,
    ) -> Result<WorkflowRow, WorkflowError> {
        graph.strip_connected();
        let (input_schema, output_schema) = schema_texts(&graph);
        let change = ChangedGraph {
            id: id.to_owned(),
            user_id: caller.user_id.clone(),
            updated_at: now_micros(),
            graph: to_json(&graph).into(),
            input_schema,
            output_schema,
        };
        let changed = self.store.change_graph(change).await;
        self.forget(id);
        let row = changed?;
        let etag = || row.etag();
        self.changes
            .tell(&caller.user_id, Happened::Updated, "workflow", id, etag);
        self.told(id, row.run_mode.as_deref()).await;
        Ok(row)
    }

    /// The caller's workflow, or a public one.
    pub(crate) async fn get(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<WorkflowRow, WorkflowError> {
        let id = self.spelling(id.to_owned()).await?;
        match self.store.get_workflow(&id).await? {
            Some(row) if row.user_id == caller.user_id => self.with_schemas(row).await,
            Some(row) if row.access == "public" => self
                .with_schemas(row)
                .await
                .map(|row| for_others(&self.steps, row)),
            _ => Err(WorkflowError::NotFound),
        }
    }

    /// A public workflow, whoever asks.
    pub(crate) async fn get_public(&self, id: &str) -> Result<WorkflowRow, WorkflowError> {
        match self.store.get_workflow(id).await? {
            Some(row) if row.access == "public" => self
                .with_schemas(row)
                .await
                .map(|row| for_others(&self.steps, row)),
            _ => Err(WorkflowError::NotFound),
        }
    }

    /// Refuses a workflow that is neither the caller's nor public.
    pub(crate) async fn check_readable(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(), WorkflowError> {
        match self.store.workflow_access(id).await? {
            Some((owner, access)) if owner == caller.user_id || access == "public" => Ok(()),
            _ => Err(WorkflowError::NotFound),
        }
    }

    /// Refuses a workflow that is not the caller's.
    pub(crate) async fn check_owned(&self, caller: &Caller, id: &str) -> Result<(), WorkflowError> {
        match self.store.workflow_access(id).await? {
            Some((owner, _)) if owner == caller.user_id => Ok(()),
            _ => Err(WorkflowError::NotFound),
        }
    }

    pub(crate) async fn list(
        &self,
        filter: WorkflowFilter,
        limit: usize,
        cursor: &str,
    ) -> Result<Page<WorkflowRow>, WorkflowError> {
        let mut filter = filter;
        let mut whole = true;
        if let Some(columns) = &mut filter.columns {
            whole = columns.contains(&"graph");
            if columns.contains(&"thumbnail_url") {
                columns.push("thumbnail");
            }
            if whole {
                // They tell that the graph has been read and found good.
                columns.extend(["input_schema", "output_schema"]);
            }
        }
        let of_others = filter.user_id.is_none();
        let mut page = self.store.list_workflows(filter, limit, cursor).await?;
        if whole {
            self.fill_schemas(&mut page.rows).await?;
            if of_others {
                let rows = page.rows.into_iter();
                page.rows = rows.map(|row| for_others(&self.steps, row)).collect();
            }
        } else {
            page.rows.iter().try_for_each(check_small)?;
        }
        Ok(page)
    }

    async fn with_schemas(&self, row: WorkflowRow) -> Result<WorkflowRow, WorkflowError> {
        let mut rows = [row];
        self.fill_schemas(&mut rows).await?;
        let [row] = rows;
        Ok(row)
    }

    /// Makes the schemas of rows that were stored without, and keeps them for the next time.
    async fn fill_schemas(&self, rows: &mut [WorkflowRow]) -> Result<(), WorkflowError> {
        let mut filled = Vec::new();
        for row in rows {
            if row.input_schema.is_some() && row.output_schema.is_some() {
                continue;
            }
            check_small(row)?;
            let graph = read_graph(&row.id, &row.graph)?;
            let (input_schema, output_schema) = schema_texts(&graph);
            row.input_schema = Some(input_schema.clone());
            row.output_schema = Some(output_schema.clone());
            filled.push(FilledSchemas {
                id: row.id.clone(),
                updated_at: row.updated_at,
                input_schema,
                output_schema,
            });
        }
        if !filled.is_empty()
            && let Err(e) = self.store.fill_schemas(filled).await
        {
            tracing::warn!(error = %e, "schemas made of stored graphs could not be kept");
        }
        Ok(())
    }

    pub(crate) async fn delete(
        &self,
        caller: &Caller,
        id: &str,
        expected: IfMatch,
    ) -> Result<(), WorkflowError> {
        let owner = &caller.user_id;
        let deleted = self.store.delete_workflow(owner, id, expected).await;
        self.forget(id);
        match deleted.map_err(WorkflowError::from) {
            Err(WorkflowError::NotFound) if self.store.workflow_access(id).await?.is_some() => {
                Err(WorkflowError::Foreign)
            }
            Err(e) => Err(e),
            Ok(()) => {
                self.changes
                    .tell(owner, Happened::Deleted, "workflow", id, String::new);
                self.told(id, None).await;
                Ok(())
            }
        }
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
        let graph = read_graph(&row.id, &row.graph)?;
        let id: Arc<str> = row.id.as_str().into();
        let public = row.access == "public";
        let mut loaded = self.plan(id, row.user_id, public, &graph, Some(row.graph));
        loaded.workspace_id = row.workspace_id;
        let looped = self.store.get_loop(&loaded.id).await?;
        loaded.loops = looped.is_some_and(|row| row.dialect == "loop");
        let loaded = Arc::new(loaded);
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
    pub(crate) fn plan_graph(&self, caller: &Caller, graph: &Graph) -> Loaded {
        let text = to_json(graph).into();
        self.plan("".into(), caller.user_id.clone(), false, graph, Some(text))
    }

    /// A graph that stands for a stored workflow, planned: its runs carry the workflow's id and use its folder.
    pub(crate) async fn plan_graph_of(
        &self,
        id: Arc<str>,
        caller: &Caller,
        graph: &Graph,
    ) -> Result<Arc<Loaded>, WorkflowError> {
        let mut loaded = self.plan_graph(caller, graph);
        if !id.is_empty() {
            let stored = self.store.get_workflow(&id).await?;
            let own = stored.filter(|row| row.user_id == caller.user_id);
            loaded.workspace_id = own.and_then(|row| row.workspace_id);
            loaded.id = id;
        }
        Ok(Arc::new(loaded))
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
            workspace_id: None,
            graph: text,
            loops: false,
        }
    }
}

/// The graph of a stored workflow.
pub(crate) fn read_graph(id: &str, graph: &str) -> Result<Graph, WorkflowError> {
    serde_json::from_str(graph).map_err(|source| WorkflowError::Corrupt {
        id: id.to_owned(),
        source,
    })
}

/// Refuses a row whose small JSON columns are none: they go out as they are.
fn check_small(row: &WorkflowRow) -> Result<(), WorkflowError> {
    for text in [Some(&row.tags), row.settings.as_ref()]
        .into_iter()
        .flatten()
    {
        serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|source| {
            WorkflowError::Corrupt {
                id: row.id.clone(),
                source,
            }
        })?;
    }
    Ok(())
}

/// The schemas of a graph's inputs and outputs as JSON.
pub(super) fn schema_texts(graph: &Graph) -> (String, String) {
    let (inputs, outputs) = interface_schemas(graph);
    (to_json(&inputs), to_json(&outputs))
}

/// What a save writes (HTTP spec 6.2, field persistence); the store keeps what a change may leave out.
fn fill(mut row: WorkflowRow, save: SaveWorkflow, now: i64) -> Result<WorkflowRow, WorkflowError> {
    let mut graph = save.graph.ok_or(WorkflowError::NoGraph)?;
    graph.strip_connected();
    let (input_schema, output_schema) = schema_texts(&graph);
    row.graph = to_json(&graph).into();
    row.input_schema = Some(input_schema);
    row.output_schema = Some(output_schema);
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
    row.thumbnail = save.thumbnail;
    row.thumbnail_url = save.thumbnail_url;
    row.run_mode = save.run_mode;
    Ok(row)
}

pub(crate) fn to_json(value: &impl serde::Serialize) -> String {
    // Our own types with text keys: they always serialise.
    serde_json::to_string(value).unwrap_or_else(|_| "null".into())
}

//! Workflows as a whole: listed, made, changed, copied, deleted (spec 3.2, 3.3).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use nodetool_engine::{LoopPlan, LoopPlanError, PlanError};
use nodetool_protocol::{Graph, Map, Value};
use nodetool_sdk::steps::{Mode, Steps};
use nodetool_store::{Blobs, IfMatch, LoopRow, WorkflowFilter, WorkflowRow, now_micros};

use super::projection::{self, Canvas, RawConfig, WorkflowObject};
use super::{EditError, LoopService, ids};
use crate::services::workflows::{read_graph, to_json};
use crate::services::{Caller, WorkflowError};

/// Longest name of a workflow, in characters.
pub(crate) const MAX_NAME: usize = 100;
/// Most workflows of a list.
const MAX_LISTED: usize = 10_000;
/// How often a change is made again that others come before.
const ATTEMPTS: usize = 256;
/// How long the runs of a workflow may take to end before it is deleted all the same.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between two looks at whether they have.
const PACE: Duration = Duration::from_millis(20);

/// What a client says of a workflow; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkflowChange {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<Option<String>>,
    pub(crate) category: Option<Option<String>>,
    pub(crate) workflow_type: Option<String>,
    /// Of workflows that are called; what runs for ever has the state it is in.
    pub(crate) status: Option<String>,
    /// `never` or `on-boot`.
    pub(crate) restart: Option<String>,
    pub(crate) next_run: Option<Option<i64>>,
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) env: Option<Map>,
    pub(crate) runtime_state: Option<Map>,
}

/// By what a list is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ordering {
    by: OrderBy,
    descending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OrderBy {
    Created,
    Updated,
    Name,
    Category,
    Type,
    Status,
    LastRun,
    Runs,
}

impl Ordering {
    /// Newest first.
    pub(crate) const NEWEST: Self = Ordering {
        by: OrderBy::Created,
        descending: true,
    };

    /// A field, with `-` before it for the other way round; nothing for other words.
    pub(crate) fn of(word: &str) -> Option<Self> {
        let (descending, word) = match word.strip_prefix('-') {
            Some(word) => (true, word),
            None => (false, word),
        };
        let by = match word {
            "created_at" => OrderBy::Created,
            "updated_at" => OrderBy::Updated,
            "name" => OrderBy::Name,
            "category" => OrderBy::Category,
            "workflow_type" => OrderBy::Type,
            "status" => OrderBy::Status,
            "last_run" => OrderBy::LastRun,
            "runs_count" => OrderBy::Runs,
            _ => return None,
        };
        Some(Ordering { by, descending })
    }

    fn sort(self, objects: &mut [WorkflowObject]) {
        // Equal ones stay newest first.
        objects.sort_by(|a, b| b.created_at.cmp(&a.created_at).then(b.id.cmp(&a.id)));
        objects.sort_by(|a, b| {
            let order = match self.by {
                OrderBy::Created => a.created_at.cmp(&b.created_at),
                OrderBy::Updated => a.updated_at.cmp(&b.updated_at),
                OrderBy::Name => a.name.cmp(&b.name),
                OrderBy::Category => a.category.cmp(&b.category),
                OrderBy::Type => a.workflow_type.cmp(&b.workflow_type),
                OrderBy::Status => a.status.cmp(&b.status),
                OrderBy::LastRun => a.last_run.cmp(&b.last_run),
                OrderBy::Runs => a.runs_count.cmp(&b.runs_count),
            };
            if self.descending {
                order.reverse()
            } else {
                order
            }
        });
    }
}

/// What is wrong with a workflow that cannot run.
pub(crate) enum Unfit {
    /// As loops; node ids are keys of the graph.
    Loops {
        workflow_id: String,
        fault: LoopPlanError,
    },
    /// As a graph of streams.
    Streams(PlanError),
}

impl WorkflowChange {
    fn of_row(&self, row: &mut WorkflowRow) {
        if let Some(name) = &self.name {
            row.name.clone_from(name);
        }
        if let Some(description) = &self.description {
            row.description.clone_from(description);
        }
        if let Some(tags) = &self.tags {
            row.tags = to_json(tags);
        }
    }

    /// Whether anything beside the row is said.
    fn is_of_loop(&self) -> bool {
        self.category.is_some()
            || self.workflow_type.is_some()
            || self.status.is_some()
            || self.restart.is_some()
            || self.next_run.is_some()
            || self.env.is_some()
            || self.runtime_state.is_some()
    }

    fn of_loop(&self, beside: &mut LoopRow) {
        let before = beside.workflow_type.clone();
        if let Some(category) = &self.category {
            beside.category.clone_from(category);
        }
        if let Some(workflow_type) = &self.workflow_type {
            beside.workflow_type.clone_from(workflow_type);
        }
        if let Some(status) = &self.status
            && beside.workflow_type == "api"
        {
            beside.status.clone_from(status);
        }
        // `active` means two things: that it may be called, and that it runs.
        if beside.workflow_type == "production" && before == "api" && beside.status == "active" {
            beside.status = "inactive".to_owned();
        }
        if let Some(restart) = &self.restart {
            beside.restart.clone_from(restart);
        }
        if let Some(next_run) = self.next_run {
            beside.next_run = next_run;
        }
        if let Some(env) = &self.env {
            beside.env = to_json(env);
        }
        if let Some(state) = &self.runtime_state {
            beside.runtime_state = to_json(state);
        }
    }
}

impl LoopService {
    async fn owner_name(&self, caller: &Caller) -> Result<String, EditError> {
        let name = self.0.store.sign_in_name(&caller.user_id).await?;
        Ok(name.unwrap_or_else(|| caller.user_id.clone()))
    }

    async fn shown(
        &self,
        caller: &Caller,
        row: &WorkflowRow,
        beside: Option<&LoopRow>,
    ) -> Result<WorkflowObject, EditError> {
        let owner = self.owner_name(caller).await?;
        Ok(projection::workflow(row, beside, &owner)?)
    }

    /// The caller's workflows, of one dialect or all.
    pub(crate) async fn list_workflows(
        &self,
        caller: &Caller,
        loops: Option<bool>,
        order: Ordering,
    ) -> Result<Vec<WorkflowObject>, EditError> {
        let filter = WorkflowFilter {
            user_id: Some(caller.user_id.clone()),
            loops,
            columns: Some(vec![
                "id",
                "user_id",
                "name",
                "description",
                "tags",
                "created_at",
            ]),
            ..WorkflowFilter::default()
        };
        let besides = self.0.store.loops_of(&caller.user_id).await?;
        let besides: HashMap<&str, &LoopRow> = besides
            .iter()
            .map(|b| (b.workflow_id.as_str(), b))
            .collect();
        let owner = self.owner_name(caller).await?;
        let (mut objects, mut cursor) = (Vec::new(), String::new());
        while objects.len() < MAX_LISTED {
            let page = self.0.store.list_workflows(filter.clone(), 1000, &cursor);
            let page = page.await?;
            for row in &page.rows {
                let beside = besides.get(row.id.as_str()).copied();
                objects.push(projection::workflow(row, beside, &owner)?);
            }
            cursor = page.next;
            if cursor.is_empty() {
                break;
            }
        }
        order.sort(&mut objects);
        Ok(objects)
    }

    /// Makes a workflow.
    pub(crate) async fn create_workflow(
        &self,
        caller: &Caller,
        change: WorkflowChange,
    ) -> Result<WorkflowObject, EditError> {
        let mut row = WorkflowRow {
            id: ids::fresh_workflow(),
            user_id: caller.user_id.clone(),
            created_at: now_micros(),
            description: None,
            ..WorkflowRow::default()
        };
        change.of_row(&mut row);
        self.insert(caller, row, &Graph::default(), move |beside| {
            change.of_loop(beside);
        })
        .await
    }

    async fn insert(
        &self,
        caller: &Caller,
        row: WorkflowRow,
        graph: &Graph,
        change: impl Fn(&mut LoopRow) + Send + 'static,
    ) -> Result<WorkflowObject, EditError> {
        let change = move |beside: &mut LoopRow| {
            change(beside);
            true
        };
        let workflows = &self.0.workflows;
        let saved = workflows.save_own(row, Some(graph), IfMatch::Anything, change);
        let (row, beside) = saved.await?;
        self.shown(caller, &row, Some(&beside)).await
    }

    /// One workflow of the caller's.
    pub(crate) async fn get_workflow(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<WorkflowObject, EditError> {
        let row = self.0.workflows.get_own(caller, id).await?;
        let beside = self.0.store.get_loop(&row.id).await?;
        self.shown(caller, &row, beside.as_ref()).await
    }

    /// Changes a workflow.
    pub(crate) async fn change_workflow(
        &self,
        caller: &Caller,
        id: &str,
        change: WorkflowChange,
    ) -> Result<WorkflowObject, EditError> {
        let change = Arc::new(change);
        for _ in 0..ATTEMPTS {
            let mut row = self.0.workflows.get_own(caller, id).await?;
            let expected = IfMatch::OneOf(vec![row.etag()]);
            change.of_row(&mut row);
            let beside = change.clone();
            let beside = move |row: &mut LoopRow| {
                beside.of_loop(row);
                beside.is_of_loop()
            };
            match self.0.workflows.save_own(row, None, expected, beside).await {
                Ok((row, beside)) => return self.shown(caller, &row, Some(&beside)).await,
                Err(WorkflowError::Changed) => tokio::task::yield_now().await,
                Err(e) => return Err(e.into()),
            }
        }
        Err(EditError::Contended)
    }

    /// Sets whether a workflow that is called may be; nothing when it is none.
    pub(crate) async fn set_called(
        &self,
        caller: &Caller,
        id: &str,
        active: bool,
    ) -> Result<Option<WorkflowObject>, EditError> {
        let before = self.get_workflow(caller, id).await?;
        if before.workflow_type != "api" {
            return Ok(None);
        }
        let status = if active { "active" } else { "inactive" };
        let change = WorkflowChange {
            status: Some(status.to_owned()),
            ..WorkflowChange::default()
        };
        self.change_workflow(caller, id, change).await.map(Some)
    }

    /// Deletes a workflow with all that belongs to it, once its runs have ended.
    pub(crate) async fn delete_workflow(
        &self,
        caller: &Caller,
        id: &str,
        blobs: &Blobs,
    ) -> Result<(), EditError> {
        let row = self.0.workflows.get_own(caller, id).await?;
        self.0.jobs.cancel_workflow(caller, &row.id).await?;
        let ended = async {
            let runs = || self.0.jobs.active(caller).into_iter();
            while runs().any(|job| *job.workflow_id == *row.id) {
                tokio::time::sleep(PACE).await;
            }
        };
        if tokio::time::timeout(PATIENCE, ended).await.is_err() {
            tracing::warn!(workflow.id = %row.id, "a workflow is deleted while a run of it does not end");
        }
        let contents = self.0.store.node_file_blobs(&row.id).await?;
        let workflows = &self.0.workflows;
        workflows.delete(caller, &row.id, IfMatch::Anything).await?;
        self.drop_contents(blobs, contents).await;
        Ok(())
    }

    /// A copy under another name, with ids of its own, that has never run.
    pub(crate) async fn duplicate_workflow(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<WorkflowObject, EditError> {
        let original = self.0.workflows.get_own(caller, id).await?;
        let beside = self.0.store.get_loop(&original.id).await?;
        let beside = beside.unwrap_or_else(|| LoopRow::new(&original.id, "dataflow"));
        let mut graph = read_graph(&original.id, &original.graph)?;
        renew_ids(&mut graph);
        let row = WorkflowRow {
            id: ids::fresh_workflow(),
            name: copy_name(&original.name),
            access: "private".to_owned(),
            tool_name: None,
            created_at: now_micros(),
            ..original
        };
        self.insert(caller, row, &graph, move |copy| {
            copy.dialect.clone_from(&beside.dialect);
            copy.workflow_type.clone_from(&beside.workflow_type);
            copy.category.clone_from(&beside.category);
            copy.restart.clone_from(&beside.restart);
            copy.env.clone_from(&beside.env);
        })
        .await
    }

    /// All that an editor shows.
    pub(crate) async fn canvas(&self, caller: &Caller, id: &str) -> Result<Canvas, EditError> {
        let (row, graph) = self.graph_of(caller, id).await?;
        let beside = self.0.store.get_loop(&row.id).await?;
        let whole = self.shown(caller, &row, beside.as_ref()).await?;
        let values = self.values_of(&row).await?;
        Ok(projection::canvas(
            &row,
            whole,
            &graph,
            &values,
            self.steps(),
        ))
    }

    /// All that a workflow is made of.
    pub(crate) async fn raw_config(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<RawConfig, EditError> {
        let (row, graph) = self.graph_of(caller, id).await?;
        let beside = self.0.store.get_loop(&row.id).await?;
        let whole = self.shown(caller, &row, beside.as_ref()).await?;
        let values = self.values_of(&row).await?;
        let steps = self.steps();
        Ok(projection::raw_config(&row, whole, &graph, &values, steps))
    }

    /// What keeps a workflow from running; nothing if nothing does.
    pub(crate) async fn validate(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Option<Unfit>, EditError> {
        let (row, graph) = self.graph_of(caller, id).await?;
        let beside = self.0.store.get_loop(&row.id).await?;
        let beside = beside.unwrap_or_else(|| LoopRow::new(&row.id, "dataflow"));
        let is_step = |n: &nodetool_protocol::Node| n.node_type.starts_with(Steps::PREFIX);
        if beside.dialect == "dataflow" && !graph.nodes.iter().any(is_step) {
            let loaded = self.0.workflows.load(caller, &row.id).await?;
            return Ok(loaded.plan.as_ref().err().cloned().map(Unfit::Streams));
        }
        let mode = match beside.workflow_type.as_str() {
            "api" => Mode::Api,
            _ => Mode::Production,
        };
        let fault = LoopPlan::build(&graph, self.steps(), mode).err();
        Ok(fault.map(|fault| Unfit::Loops {
            workflow_id: row.id,
            fault,
        }))
    }
}

/// The name of a copy, cut so that it is no longer than names may be.
fn copy_name(name: &str) -> String {
    const SUFFIX: &str = " (Copy)";
    let room = MAX_NAME - SUFFIX.len();
    let cut: String = name.chars().take(room).collect();
    format!("{}{SUFFIX}", cut.trim_end())
}

/// Gives nodes and edges ids of their own; what they were connected to stays connected.
fn renew_ids(graph: &mut Graph) {
    let fresh = |node: &nodetool_protocol::Node| (node.id.clone(), Arc::<str>::from(ids::fresh()));
    let new: HashMap<Arc<str>, Arc<str>> = graph.nodes.iter().map(fresh).collect();
    let renew = |id: &mut Arc<str>| {
        if let Some(new) = new.get(id) {
            *id = new.clone();
        }
    };
    let now = || Value::str(crate::services::outbox::zulu_text(now_micros()));
    let restamp = |extra: &mut Map| {
        for key in ["created_at", "updated_at"] {
            if let Some(time) = extra.get_mut(key) {
                *time = now();
            }
        }
    };
    for node in &mut graph.nodes {
        renew(&mut node.id);
        if let Some(parent) = &mut node.parent_id {
            renew(parent);
        }
        restamp(&mut node.extra);
    }
    for edge in &mut graph.edges {
        edge.id = Some(ids::fresh().into());
        renew(&mut edge.source);
        renew(&mut edge.target);
        restamp(&mut edge.extra);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_a_name_that_fits() {
        assert_eq!(copy_name("A"), "A (Copy)");
        let long = copy_name(&"ä".repeat(MAX_NAME));
        assert_eq!(long.chars().count(), MAX_NAME);
        assert!(long.ends_with(" (Copy)"));
    }

    #[test]
    fn only_what_is_called_can_be_switched_by_hand() {
        let active = WorkflowChange {
            status: Some("active".into()),
            ..WorkflowChange::default()
        };
        let mut row = LoopRow::new("w", "loop");
        active.of_loop(&mut row);
        assert_eq!(row.status, "inactive");
        row.workflow_type = "api".into();
        active.of_loop(&mut row);
        assert_eq!(row.status, "active");
        let production = WorkflowChange {
            workflow_type: Some("production".into()),
            ..WorkflowChange::default()
        };
        production.of_loop(&mut row);
        assert_eq!(row.status, "inactive");
    }
}

//! Workflows as the Orchestrator edits them: found by either spelling of their id, saved with what they have as loops.

use nodetool_protocol::Graph;
use nodetool_store::{IfMatch, LoopRow, WorkflowRow, now_micros};

use super::{WorkflowError, WorkflowService, schema_texts, to_json};
use crate::services::loops::ids;
use crate::services::{Caller, Happened};

/// Longest id that is looked up, in bytes.
const MAX_ID: usize = 128;

impl WorkflowService {
    /// The id a workflow is stored under that clients may write with hyphens or without; what is not there stays as
    /// it is.
    pub(crate) async fn spelling(&self, id: String) -> Result<String, WorkflowError> {
        // Without hyphens is how ids are made here, so nothing has to be looked up.
        if id.len() != 36 {
            return Ok(id);
        }
        let Some(other) = ids::other_spelling(&id) else {
            return Ok(id);
        };
        if self.store.workflow_access(&id).await?.is_some() {
            return Ok(id);
        }
        let found = self.store.workflow_access(&other).await?;
        Ok(if found.is_some() { other } else { id })
    }

    /// The caller's own workflow, by either spelling of its id.
    pub(crate) async fn get_own(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<WorkflowRow, WorkflowError> {
        for id in spellings(id) {
            let row = self.store.get_workflow(&id).await?;
            if let Some(row) = row.filter(|row| row.user_id == caller.user_id) {
                return Ok(row);
            }
        }
        Err(WorkflowError::NotFound)
    }

    /// The id in the store of the caller's own workflow, by either spelling.
    pub(crate) async fn own_id(&self, caller: &Caller, id: &str) -> Result<String, WorkflowError> {
        let planned = |id: &String| {
            let plans = self.plans();
            let known = plans.by_id.get(id.as_str());
            known.is_some_and(|(_, loaded)| loaded.owner == caller.user_id)
        };
        // What has been run lately is known without asking the store.
        if let Some(id) = spellings(id).find(planned) {
            return Ok(id);
        }
        for id in spellings(id) {
            match self.check_owned(caller, &id).await {
                Ok(()) => return Ok(id),
                Err(WorkflowError::NotFound) => {}
                Err(e) => return Err(e),
            }
        }
        Err(WorkflowError::NotFound)
    }

    /// Saves a row of the caller's with another graph or its own, and what it has as a loop; a row that is not the
    /// expected one is [`WorkflowError::Changed`].
    pub(crate) async fn save_own(
        &self,
        mut row: WorkflowRow,
        graph: Option<&Graph>,
        expected: IfMatch,
        change: impl Fn(&mut LoopRow) -> bool + Send + 'static,
    ) -> Result<(WorkflowRow, LoopRow), WorkflowError> {
        if let Some(graph) = graph {
            let (input_schema, output_schema) = schema_texts(graph);
            row.graph = to_json(graph).into();
            row.input_schema = Some(input_schema);
            row.output_schema = Some(output_schema);
        }
        row.updated_at = now_micros();
        let created = expected == IfMatch::Anything;
        let dialect = if created { "loop" } else { "dataflow" };
        let (id, owner) = (row.id.clone(), row.user_id.clone());
        let saved = self.store.save_loop(row, expected, dialect, change).await;
        self.forget(&id);
        let (row, beside) = saved?;
        let happened = if created {
            Happened::Created
        } else {
            Happened::Updated
        };
        self.changes
            .tell(&owner, happened, "workflow", &id, || row.etag());
        self.told(&id, row.run_mode.as_deref()).await;
        Ok((row, beside))
    }
}

/// The ids a workflow may have that a client names so, the likely one first.
fn spellings(id: &str) -> impl Iterator<Item = String> {
    let usable = !id.is_empty() && id.len() <= MAX_ID;
    let given = usable.then(|| id.to_owned());
    let other = usable.then(|| ids::other_spelling(id)).flatten();
    // Ids that are made here have no hyphens in the store, and most that are asked for have some.
    let (first, second) = if id.len() == 36 {
        (other, given)
    } else {
        (given, other)
    };
    first.into_iter().chain(second)
}

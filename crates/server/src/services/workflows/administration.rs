//! Workflow rows as whoever administers the server brings and takes them, whoever owns them.

use nodetool_protocol::Graph;
use nodetool_store::{IfMatch, WorkflowRow};

use super::{WorkflowError, WorkflowService, schema_texts, to_json};
use crate::services::{Caller, Happened};

impl WorkflowService {
    /// A row, whoever owns it.
    pub(crate) async fn find(&self, id: &str) -> Result<WorkflowRow, WorkflowError> {
        let row = self.store.get_workflow(id).await?;
        row.ok_or(WorkflowError::NotFound)
    }

    /// Stores a row as it is given, times and all; only its schemas are made of its graph. An id stays its owner's.
    pub(crate) async fn put(
        &self,
        mut row: WorkflowRow,
        mut graph: Graph,
    ) -> Result<(), WorkflowError> {
        graph.strip_connected();
        let (input_schema, output_schema) = schema_texts(&graph);
        row.graph = to_json(&graph).into();
        row.input_schema = Some(input_schema);
        row.output_schema = Some(output_schema);
        let (id, owner) = (row.id.clone(), row.user_id.clone());
        let (etag, run_mode) = (row.etag(), row.run_mode.clone());
        let created = self.store.put_workflow(row).await;
        self.forget(&id);
        let happened = if created? {
            Happened::Created
        } else {
            Happened::Updated
        };
        self.changes
            .tell(&owner, happened, "workflow", &id, || etag);
        self.told(&id, run_mode.as_deref()).await;
        Ok(())
    }

    /// Deletes a row, whoever owns it.
    pub(crate) async fn remove(&self, id: &str) -> Result<(), WorkflowError> {
        let owner = Caller::user(self.find(id).await?.user_id);
        self.delete(&owner, id, IfMatch::Anything).await
    }
}

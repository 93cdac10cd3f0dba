//! Another name for a workflow, with all else as it is.

use nodetool_store::{IfMatch, Saved, StoreError, WorkflowRow, now_micros};

use super::{WorkflowError, WorkflowService};
use crate::services::{Caller, Happened};

/// How often it is tried while others save the same workflow.
const TRIES: usize = 5;

impl WorkflowService {
    /// Gives the caller's workflow another name; what others save at the same time stays.
    pub(crate) async fn rename(
        &self,
        caller: &Caller,
        id: &str,
        name: &str,
    ) -> Result<WorkflowRow, WorkflowError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let found = self.store.get_workflow(id).await?;
            let found = found.filter(|row| row.user_id == caller.user_id);
            let row = found.ok_or(WorkflowError::NotFound)?;
            let expected = IfMatch::OneOf(vec![row.etag()]);
            let row = WorkflowRow {
                name: name.to_owned(),
                updated_at: now_micros(),
                ..row
            };
            let saved = self.store.save_workflow(row, expected).await;
            self.forget(id);
            let row = match saved {
                Ok(Saved { row, .. }) => row,
                Err(StoreError::Conflict { .. }) if tries < TRIES => continue,
                Err(e) => return Err(e.into()),
            };
            let etag = || row.etag();
            self.changes
                .tell(&caller.user_id, Happened::Updated, "workflow", id, etag);
            self.told(id, row.run_mode.as_deref()).await;
            return Ok(row);
        }
    }
}

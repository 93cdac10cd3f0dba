//! How the newest run of a workflow stands, as clients read it; JSON text.

use crate::error::During;
use crate::ids::check_id;
use crate::sql::{execute, first_row};
use crate::{Store, StoreError};

const KIND: &str = "loop state";

const SELECT: &str = "SELECT updated_at, state FROM nodetool_loop_states WHERE workflow_id = $1";

const PUT: &str = "INSERT INTO nodetool_loop_states (workflow_id, updated_at, state) VALUES ($1, $2, $3) \
     ON CONFLICT (workflow_id) DO UPDATE SET updated_at = excluded.updated_at, state = excluded.state";

const DELETE: &str = "DELETE FROM nodetool_loop_states WHERE workflow_id = $1";

/// A snapshot of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopStateRow {
    /// Microseconds UTC.
    pub updated_at: i64,
    /// JSON object.
    pub state: String,
}

impl Store {
    /// The snapshot of a workflow's newest run, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn loop_state(&self, workflow_id: &str) -> Result<Option<LoopStateRow>, StoreError> {
        let id = workflow_id.to_owned();
        self.read(move |db| {
            first_row(db, "read a loop state", SELECT, &[&id], |row| {
                let read = || {
                    Ok(LoopStateRow {
                        updated_at: row.get(0)?,
                        state: row.get(1)?,
                    })
                };
                read().during("read a loop state")
            })
        })
        .await
    }

    /// Keeps a snapshot in place of the one before; `None` removes it.
    ///
    /// # Errors
    /// When the id is none or the database cannot be written.
    pub async fn put_loop_state(
        &self,
        workflow_id: &str,
        row: Option<LoopStateRow>,
    ) -> Result<(), StoreError> {
        check_id("workflow_id", workflow_id)?;
        let id = workflow_id.to_owned();
        let bytes = row.as_ref().map_or(0, |r| r.state.len());
        self.write(KIND, bytes, move |db| {
            let operation = "store a loop state";
            match &row {
                Some(LoopStateRow { updated_at, state }) => {
                    execute(db, operation, PUT, &[&id, updated_at, state])
                }
                None => execute(db, operation, DELETE, &[&id]),
            }
            .map(drop)
        })
        .await
    }
}

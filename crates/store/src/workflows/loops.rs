//! A workflow together with what it has as a loop: written in one transaction, so that neither is seen without the
//! other.

use super::{KIND, WorkflowRow, compare, insert, update};
use crate::loops::{self, LoopRow};
use crate::workflows::IfMatch;
use crate::{Store, StoreError};

impl Store {
    /// Saves a workflow as [`Store::save_workflow`] does and changes what it has as a loop as [`Store::change_loop`]
    /// does, both or neither.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the id belongs to another user, [`StoreError::Conflict`] when the stored row is
    /// not the expected one.
    pub async fn save_loop(
        &self,
        row: WorkflowRow,
        expected: IfMatch,
        dialect: &'static str,
        change: impl Fn(&mut LoopRow) -> bool + Send + 'static,
    ) -> Result<(WorkflowRow, LoopRow), StoreError> {
        row.check()?;
        self.write(KIND, row.text_bytes(), move |db| {
            compare(db, &row.id, &row.user_id, &expected)?;
            let stored = match insert(db, &row) {
                Ok(()) => row.clone(),
                Err(StoreError::AlreadyExists { .. }) => update(db, &row)?,
                Err(error) => return Err(error),
            };
            let changed = loops::change(db, &row.id, dialect, &change)?;
            Ok((stored, changed))
        })
        .await
    }
}

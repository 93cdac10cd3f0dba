//! What steps could not work on: the input and why, the newest kept.

use crate::error::During;
use crate::ids::check_id;
use crate::sql::{each_row, execute};
use crate::{Store, StoreError};

const KIND: &str = "dead letter";

/// Dead letters that are kept of one workflow.
pub const DEAD_LETTERS_KEPT: i64 = 1000;

const INSERT: &str = "INSERT INTO nodetool_dead_letters (id, workflow_id, job_id, node_id, created_at, error, token) \
     VALUES ($1, $2, $3, $4, $5, $6, $7)";

const TRIM: &str = "DELETE FROM nodetool_dead_letters WHERE workflow_id = $1 AND (created_at, id) <= \
     (SELECT created_at, id FROM nodetool_dead_letters WHERE workflow_id = $1 \
      ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET $2)";

const SELECT: &str = "SELECT id, job_id, node_id, created_at, error, token FROM nodetool_dead_letters \
     WHERE workflow_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2";

/// An input that a step failed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterRow {
    /// Primary key.
    pub id: String,
    /// The run.
    pub job_id: String,
    /// The step.
    pub node_id: String,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Why it failed.
    pub error: String,
    /// JSON object.
    pub token: String,
}

impl Store {
    /// Keeps dead letters of a workflow, and drops its oldest beyond [`DEAD_LETTERS_KEPT`].
    ///
    /// # Errors
    /// When an id is none, they are too large together or the database cannot be written.
    pub async fn put_dead_letters(
        &self,
        workflow_id: &str,
        rows: Vec<DeadLetterRow>,
    ) -> Result<(), StoreError> {
        check_id("workflow_id", workflow_id)?;
        let id = workflow_id.to_owned();
        let bytes = rows.iter().map(|r| r.error.len() + r.token.len()).sum();
        self.write(KIND, bytes, move |db| {
            for row in &rows {
                let DeadLetterRow {
                    id: letter,
                    job_id,
                    node_id,
                    created_at,
                    error,
                    token,
                } = row;
                let values: [&dyn rusqlite::ToSql; 7] =
                    [letter, &id, job_id, node_id, created_at, error, token];
                execute(db, "keep a dead letter", INSERT, &values)?;
            }
            execute(
                db,
                "drop old dead letters",
                TRIM,
                &[&id, &DEAD_LETTERS_KEPT],
            )
            .map(drop)
        })
        .await
    }

    /// The newest dead letters of a workflow, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn dead_letters(
        &self,
        workflow_id: &str,
        limit: i64,
    ) -> Result<Vec<DeadLetterRow>, StoreError> {
        let id = workflow_id.to_owned();
        self.read(move |db| {
            let mut rows = Vec::new();
            each_row(db, "read dead letters", SELECT, &[&id, &limit], |row| {
                let read = || {
                    Ok(DeadLetterRow {
                        id: row.get(0)?,
                        job_id: row.get(1)?,
                        node_id: row.get(2)?,
                        created_at: row.get(3)?,
                        error: row.get(4)?,
                        token: row.get(5)?,
                    })
                };
                rows.push(read().during("read a dead letter")?);
                Ok(true)
            })?;
            Ok(rows)
        })
        .await
    }
}

//! What waits between the loops of a run that is taken up again: tokens by queue and number.

use rusqlite::Connection;

use crate::error::During;
use crate::ids::check_id;
use crate::sql::{each_row, execute};
use crate::{Store, StoreError};

const KIND: &str = "loop token";

const SELECT: &str = "SELECT queue, number, token FROM nodetool_loop_tokens WHERE workflow_id = $1 \
     ORDER BY queue, number";

// The same token again is the same row: a write that is tried again must not fail.
const PUT: &str = "INSERT INTO nodetool_loop_tokens (workflow_id, queue, number, token) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (workflow_id, queue, number) DO UPDATE SET token = excluded.token";

const DELETE: &str =
    "DELETE FROM nodetool_loop_tokens WHERE workflow_id = $1 AND queue = $2 AND number = $3";

const CLEAR: &str = "DELETE FROM nodetool_loop_tokens WHERE workflow_id = $1";

/// A token that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopTokenRow {
    /// Its queue.
    pub queue: String,
    /// Its number there.
    pub number: i64,
    /// JSON object.
    pub token: String,
}

impl Store {
    /// All tokens that wait in the queues of a workflow, by queue and number.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn loop_tokens(&self, workflow_id: &str) -> Result<Vec<LoopTokenRow>, StoreError> {
        let id = workflow_id.to_owned();
        self.read(move |db| {
            let mut rows = Vec::new();
            each_row(db, "read loop tokens", SELECT, &[&id], |row| {
                let read = || {
                    Ok(LoopTokenRow {
                        queue: row.get(0)?,
                        number: row.get(1)?,
                        token: row.get(2)?,
                    })
                };
                rows.push(read().during("read a loop token")?);
                Ok(true)
            })?;
            Ok(rows)
        })
        .await
    }

    /// Keeps a token; returns once that is committed. Many at once share a commit.
    ///
    /// # Errors
    /// When an id is none, the token is too large or the database cannot be written.
    pub async fn put_loop_token(
        &self,
        workflow_id: &str,
        row: LoopTokenRow,
    ) -> Result<(), StoreError> {
        check_id("workflow_id", workflow_id)?;
        let id = workflow_id.to_owned();
        self.write(KIND, row.token.len() + row.queue.len(), move |db| {
            let LoopTokenRow {
                queue,
                number,
                token,
            } = &row;
            execute(db, "keep a loop token", PUT, &[&id, queue, number, token])?;
            Ok(())
        })
        .await
    }

    /// Forgets tokens that have been worked on.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_loop_tokens(
        &self,
        workflow_id: &str,
        numbers: Vec<(String, i64)>,
    ) -> Result<(), StoreError> {
        let id = workflow_id.to_owned();
        self.write(KIND, numbers.len() * 64, move |db| {
            delete(db, &id, &numbers)
        })
        .await
    }

    /// Forgets all that waits in the queues of a workflow.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn clear_loop_tokens(&self, workflow_id: &str) -> Result<(), StoreError> {
        let id = workflow_id.to_owned();
        self.write(KIND, 0, move |db| {
            execute(db, "clear loop tokens", CLEAR, &[&id]).map(drop)
        })
        .await
    }
}

fn delete(db: &Connection, workflow_id: &str, numbers: &[(String, i64)]) -> Result<(), StoreError> {
    for (queue, number) in numbers {
        execute(
            db,
            "forget a loop token",
            DELETE,
            &[&workflow_id, queue, number],
        )?;
    }
    Ok(())
}

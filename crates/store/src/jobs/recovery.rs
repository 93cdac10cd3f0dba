//! Jobs that outlive their process: finding them, taking them over, and numbering their events.
//!
//! It must not know how a job is taken up again.

use rusqlite::{Connection, Row};
use serde_json::value::RawValue;

use super::reading::{ROW_COLUMNS, columns, payload_columns, read, read_payload};
use super::row::{Expected, JobPayload, JobRow};
use super::statements::{self, KIND, guarded, three_ways};
use crate::error::During;
use crate::ids::{check_id, new_id};
use crate::payloads::{Blobs, twice};
use crate::sql::{each_row, execute, first_row};
use crate::{Store, StoreError};

/// A job that has not ended, or the id of one that cannot be read and why.
pub type UnfinishedJob = Result<(JobRow, JobPayload), (String, StoreError)>;

// Comparing the status, which is never NULL, lets the index of unfinished jobs answer, whatever the status.
const UNFINISHED: &str = "SELECT id FROM nodetool_jobs WHERE finished_at IS NULL AND status >= '' \
     AND status NOT IN ('completed', 'failed', 'cancelled') ORDER BY started_at, id";

const WHOLE: &str = concat!(
    "SELECT ",
    columns!(),
    ", ",
    payload_columns!(),
    " FROM nodetool_jobs WHERE id = $1 AND finished_at IS NULL"
);

const TAKE_OVER: [&str; 3] = three_ways!(
    "UPDATE nodetool_jobs SET status = 'running', version = version + 1, retry_count = retry_count + 1, \
     worker_id = $3, execution_id = $4, event_seq = CASE WHEN event_seq < $5 THEN $5 ELSE event_seq END, \
     updated_at = $6, heartbeat_at = $6, suspended_node_id = NULL, suspension_reason = NULL"
);

const RESERVE: &str = "UPDATE nodetool_jobs SET event_seq = CASE WHEN event_seq < $2 THEN $2 ELSE event_seq END \
     WHERE id = $1";

impl Store {
    /// Every job that has not ended, oldest first, with all that is needed to take it up again. One that cannot be
    /// read (an unknown status, a text that is no JSON, a lost large value) is an error of its own in the list.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unfinished_jobs(&self) -> Result<Vec<UnfinishedJob>, StoreError> {
        let blobs = self.blobs().clone();
        self.read(move |db| unfinished(db, &blobs)).await
    }

    /// Makes a job run again here: `running`, one attempt more, a new execution id, a fresh sign of life, and
    /// `event_seq` at least what is given. Returns its new version.
    ///
    /// # Errors
    /// As [`Store::finish_job`].
    pub async fn take_over_job(
        &self,
        id: &str,
        from: Expected,
        worker_id: &str,
        event_seq: i64,
        now: i64,
    ) -> Result<i64, StoreError> {
        check_id("id", id)?;
        check_id("worker_id", worker_id)?;
        let (id, worker_id, execution_id) = (id.to_owned(), worker_id.to_owned(), new_id());
        self.write(KIND, id.len() + worker_id.len(), move |db| {
            let values: &[&dyn rusqlite::ToSql] = &[&worker_id, &execution_id, &event_seq, &now];
            let changed = statements::compare_and_set(db, &TAKE_OVER, &id, from, values)?;
            Ok(changed.version)
        })
        .await
    }

    /// Notes that events up to this number may be told, so that a process that takes the job over numbers on from
    /// there. A lower number than the one noted changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such job.
    pub async fn reserve_events(&self, run_id: &str, up_to: i64) -> Result<(), StoreError> {
        let id = run_id.to_owned();
        self.write(KIND, id.len(), move |db| {
            match execute(db, "reserve events", RESERVE, &[&id, &up_to])? {
                0 => Err(StoreError::NotFound {
                    kind: KIND,
                    id: id.clone(),
                }),
                _ => Ok(()),
            }
        })
        .await
    }
}

fn unfinished(db: &Connection, blobs: &Blobs) -> Result<Vec<UnfinishedJob>, StoreError> {
    const OPERATION: &str = "find unfinished jobs";
    let mut ids: Vec<String> = Vec::new();
    each_row(db, OPERATION, UNFINISHED, &[], |row| {
        ids.push(row.get(0).during(OPERATION)?);
        Ok(true)
    })?;
    let mut jobs = Vec::with_capacity(ids.len());
    for id in ids {
        let found = twice(|| first_row(db, OPERATION, WHOLE, &[&id], |row| whole(row, blobs, &id)));
        match found {
            Ok(Some(job)) => jobs.push(Ok(job)),
            // It has ended in the meantime.
            Ok(None) => {}
            Err(error) => jobs.push(Err((id, error))),
        }
    }
    Ok(jobs)
}

fn whole(row: &Row<'_>, blobs: &Blobs, id: &str) -> Result<(JobRow, JobPayload), StoreError> {
    let job = read(row)?;
    let payload = read_payload(row, ROW_COLUMNS, blobs, id)?;
    let texts = [
        ("graph", Some(&*payload.graph)),
        ("params", Some(&*payload.params)),
        (
            "suspension_state_json",
            Some(payload.suspension_state.as_str()),
        ),
        (
            "suspension_metadata_json",
            Some(payload.suspension_metadata.as_str()),
        ),
        ("metadata_json", Some(payload.metadata.as_str())),
        ("trigger_event", payload.trigger_event.as_deref()),
    ];
    for (column, text) in texts {
        let text = text.unwrap_or("null");
        // Looks at the text without building anything, however deep it nests.
        if serde_json::from_str::<&RawValue>(text).is_err() {
            return Err(StoreError::Corrupt {
                kind: KIND,
                id: id.to_owned(),
                column,
                value: text.chars().take(200).collect(),
            });
        }
    }
    Ok((job, payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::open_in_memory;
    use crate::migrations::apply_pending;

    #[test]
    fn unfinished_jobs_are_found_by_their_index() {
        let db = open_in_memory().unwrap();
        apply_pending(&db).unwrap();
        let mut steps: Vec<String> = Vec::new();
        each_row(
            &db,
            "explain",
            &format!("EXPLAIN QUERY PLAN {UNFINISHED}"),
            &[],
            |row| {
                steps.push(row.get("detail").unwrap());
                Ok(true)
            },
        )
        .unwrap();
        assert!(
            steps[0].starts_with("SEARCH nodetool_jobs USING INDEX nodetool_jobs_unfinished"),
            "{steps:?}"
        );
    }
}

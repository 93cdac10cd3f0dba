//! Deleting old jobs, by age or by how much they take. Only jobs that have ended are ever deleted.
//!
//! It must not know what a good age or size is.

use std::collections::{BinaryHeap, HashMap};

use rusqlite::{Connection, Row};

use super::statements::KIND;
use super::texts::{large_columns, references};
use crate::error::During;
use crate::payloads::{Blobs, Reference};
use crate::run_state::delete_node_records;
use crate::sql::{each_row, first_row, first_value};
use crate::{Store, StoreError};

/// Jobs deleted in one transaction at most.
const MAX_JOBS: usize = 1000;

/// About what a row takes beyond its texts, indexes included.
const ROW_BYTES: u64 = 512;

// Users one by one: with the user given, the index of their jobs gives the oldest without a look at the others.
const NEXT_USER: &str =
    "SELECT user_id FROM nodetool_jobs WHERE user_id > $1 ORDER BY user_id LIMIT 1";
const FIRST_USER: &str = "SELECT user_id FROM nodetool_jobs ORDER BY user_id LIMIT 1";
const OLD: &str = "SELECT id FROM nodetool_jobs WHERE user_id = $1 AND started_at < $2 AND finished_at < $2 \
     AND status IN ('completed', 'failed', 'cancelled') ORDER BY started_at, id LIMIT $3";

const DELETE: &str = concat!(
    "DELETE FROM nodetool_jobs WHERE id = $1 AND finished_at IS NOT NULL \
     AND status IN ('completed', 'failed', 'cancelled') RETURNING checkpoint, ",
    large_columns!()
);

/// What a column holds, if it is a reference.
macro_rules! reference {
    ($column:literal) => {
        concat!(
            "CASE WHEN substr(",
            $column,
            ", 1, 7) = 'sha256:' THEN ",
            $column,
            " END"
        )
    };
}

const SIZES: &str = concat!(
    "SELECT started_at, id, octet_length(graph) + octet_length(params) + COALESCE(octet_length(logs), 0) \
     + COALESCE(octet_length(result), 0) + COALESCE(octet_length(trigger_event), 0) \
     + COALESCE(octet_length(error), 0) * 2 + octet_length(metadata_json) + octet_length(suspension_state_json) \
     + octet_length(suspension_metadata_json), ",
    reference!("graph"),
    ", ",
    reference!("params"),
    ", ",
    reference!("logs"),
    ", ",
    reference!("result"),
    ", ",
    reference!("trigger_event"),
    " FROM nodetool_jobs WHERE finished_at IS NOT NULL AND status IN ('completed', 'failed', 'cancelled')"
);

impl Store {
    /// Deletes jobs that ended before a time (microseconds UTC), at most `limit` (1 to 1000), and returns how many
    /// there were; fewer than `limit` means that none is left. [`Store::vacuum_blobs`] then frees their large values.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_jobs_before(&self, before: i64, limit: usize) -> Result<usize, StoreError> {
        let (limit, blobs) = (limit.clamp(1, MAX_JOBS), self.blobs().clone());
        self.write(KIND, 0, move |db| {
            let ids = ended_before(db, before, limit)?;
            delete_all(db, &blobs, &ids)
        })
        .await
    }

    /// Deletes the jobs that began longest ago, of those that have ended, until what is left of them takes no more
    /// than `bytes`: their rows and, once each, the large values these refer to. Deletes at most `limit` (1 to 1000)
    /// and returns how many; 0 means that they fit. [`Store::vacuum_blobs`] then frees their large values.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn trim_jobs_to_bytes(&self, bytes: u64, limit: usize) -> Result<usize, StoreError> {
        let limit = limit.clamp(1, MAX_JOBS);
        let surplus = self
            .read(move |db| Ok(Sizes::of(db, limit)?.surplus(bytes)))
            .await?;
        if surplus.is_empty() {
            return Ok(0);
        }
        let blobs = self.blobs().clone();
        self.write(KIND, 0, move |db| delete_all(db, &blobs, &surplus))
            .await
    }
}

fn ended_before(db: &Connection, before: i64, limit: usize) -> Result<Vec<String>, StoreError> {
    const OPERATION: &str = "find old jobs";
    let mut ids = Vec::new();
    let mut user = first_value::<String>(db, OPERATION, FIRST_USER, &[])?;
    while let Some(name) = user {
        let room = i64::try_from(limit - ids.len()).unwrap_or(i64::MAX);
        each_row(db, OPERATION, OLD, &[&name, &before, &room], |row| {
            ids.push(row.get(0).during(OPERATION)?);
            Ok(true)
        })?;
        if ids.len() >= limit {
            break;
        }
        user = first_value(db, OPERATION, NEXT_USER, &[&name])?;
    }
    Ok(ids)
}

fn delete_all(db: &Connection, blobs: &Blobs, ids: &[String]) -> Result<usize, StoreError> {
    const OPERATION: &str = "delete a job";
    let mut deleted = 0;
    for id in ids {
        let gone = first_row(db, OPERATION, DELETE, &[id], |row| {
            let checkpointed = row.get::<_, i64>(0).during(OPERATION)? != 0;
            Ok((checkpointed, references(row, 1)?))
        })?;
        let Some((checkpointed, columns)) = gone else {
            continue;
        };
        for column in &columns {
            blobs.release(db, column.as_deref())?;
        }
        if checkpointed {
            delete_node_records(db, blobs, id)?;
        }
        deleted += 1;
    }
    Ok(deleted)
}

/// A job that may be deleted. Ordered by age.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Ended {
    started_at: i64,
    id: String,
    bytes: u64,
    blobs: Vec<String>,
}

/// What all ended jobs take, and the oldest of them.
#[derive(Default)]
struct Sizes {
    total: u64,
    oldest: BinaryHeap<Ended>,
    /// Size of each large value, and how many of the jobs refer to it.
    blobs: HashMap<String, (u64, usize)>,
}

impl Sizes {
    fn of(db: &Connection, limit: usize) -> Result<Self, StoreError> {
        let mut sizes = Self::default();
        each_row(db, "measure jobs", SIZES, &[], |row| {
            let job = sizes.measure(row)?;
            sizes.oldest.push(job);
            if sizes.oldest.len() > limit {
                sizes.oldest.pop();
            }
            Ok(true)
        })?;
        Ok(sizes)
    }

    fn measure(&mut self, row: &Row<'_>) -> Result<Ended, StoreError> {
        const OPERATION: &str = "measure a job";
        let texts: i64 = row.get(2).during(OPERATION)?;
        let mut job = Ended {
            started_at: row.get(0).during(OPERATION)?,
            id: row.get(1).during(OPERATION)?,
            bytes: ROW_BYTES + u64::try_from(texts).unwrap_or_default(),
            blobs: Vec::new(),
        };
        self.total = self.total.saturating_add(job.bytes);
        let columns = references(row, 3)?;
        for reference in columns.iter().flatten().filter_map(|r| Reference::parse(r)) {
            let (size, users) = self
                .blobs
                .entry(reference.hash.clone())
                .or_insert((reference.size, 0));
            if *users == 0 {
                self.total = self.total.saturating_add(*size);
            }
            *users += 1;
            job.blobs.push(reference.hash);
        }
        Ok(job)
    }

    /// The jobs to delete so that the rest takes no more than this, as far as they are among the oldest.
    fn surplus(mut self, bytes: u64) -> Vec<String> {
        let mut surplus = Vec::new();
        for job in std::mem::take(&mut self.oldest).into_sorted_vec() {
            if self.total <= bytes {
                break;
            }
            self.total = self.total.saturating_sub(job.bytes);
            for hash in &job.blobs {
                if let Some((size, users)) = self.blobs.get_mut(hash) {
                    *users = users.saturating_sub(1);
                    if *users == 0 {
                        self.total = self.total.saturating_sub(*size);
                    }
                }
            }
            surplus.push(job.id);
        }
        surplus
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::open_in_memory;
    use crate::migrations::apply_pending;

    #[test]
    fn old_jobs_are_found_without_sorting_or_scanning() {
        let db = open_in_memory().unwrap();
        apply_pending(&db).unwrap();
        for (sql, values) in [(FIRST_USER, 0), (NEXT_USER, 1), (OLD, 3)] {
            let values: Vec<&dyn rusqlite::ToSql> = vec![&1_i64; values];
            let mut steps: Vec<String> = Vec::new();
            each_row(
                &db,
                "explain",
                &format!("EXPLAIN QUERY PLAN {sql}"),
                &values,
                |row| {
                    steps.push(row.get("detail").unwrap());
                    Ok(true)
                },
            )
            .unwrap();
            assert!(
                steps.len() == 1 && steps[0].contains("INDEX"),
                "{sql}: {steps:?}"
            );
        }
    }
}

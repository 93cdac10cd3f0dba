//! The SQL that writes jobs. It must not know which callers may do what.

use rusqlite::types::Value;
use rusqlite::{Connection, ToSql};

use super::reading::select;
use super::row::{DeadOwner, Expected, FinishJob, NewJob, StatusChange};
use super::texts::{EndTexts, NewTexts};
use crate::StoreError;
use crate::error::During;
use crate::filter::Filter;
use crate::payloads::Blobs;
use crate::run_state::delete_node_records;
use crate::sql::{Values, each_row, first_row, first_value};

/// The error of a job whose process died.
pub const INTERRUPTED_ERROR: &str = "Server shutdown while job was running";

pub(super) const KIND: &str = "job";

const INSERT: &str = "INSERT INTO nodetool_jobs (id, user_id, job_type, workflow_id, started_at, updated_at, \
     status, graph, params, execution_strategy, execution_id, worker_id, metadata_json, trigger_event, assets, \
     queued_at) \
     VALUES ($1, $2, $3, $4, $5, $5, $6, COALESCE($7, '{}'), COALESCE($8, '{}'), $9, $10, $11, \
     COALESCE($12, '{}'), $13, $14, CASE WHEN $6 = 'scheduled' THEN $5 END) \
     ON CONFLICT (id) DO NOTHING RETURNING version";

/// What [`INSERT`] and then the update of an ending job would leave, in one statement.
const INSERT_ENDED: &str = "INSERT INTO nodetool_jobs (id, user_id, job_type, workflow_id, started_at, status, graph, \
     params, execution_strategy, execution_id, worker_id, metadata_json, updated_at, finished_at, completed_at, \
     failed_at, error, error_message, cost, logs, result, trigger_event, assets, version) \
     VALUES ($1, $2, $3, $4, $5, $6, COALESCE($7, '{}'), COALESCE($8, '{}'), $9, $10, $11, COALESCE($12, '{}'), \
     $13, $13, CASE WHEN $6 = 'completed' THEN $13 END, CASE WHEN $6 = 'failed' THEN $13 END, $14, $14, $15, $16, \
     $17, $18, $19, 1) \
     ON CONFLICT (id) DO NOTHING RETURNING version";

/// Completes an `UPDATE … WHERE id = $1` with what the job must still be, given as `$2`.
macro_rules! guarded {
    ($update:expr, $guard:literal) => {
        concat!(
            $update,
            " WHERE id = $1 AND status NOT IN ('completed', 'failed', 'cancelled')",
            $guard,
            " RETURNING version, checkpoint"
        )
    };
}

/// The three spellings of one update: by version, by status, by not having ended.
macro_rules! three_ways {
    ($update:expr) => {
        [
            guarded!($update, " AND version = $2"),
            guarded!($update, " AND status = $2"),
            // `$2` is unused text here; comparing keeps the number of parameters the same.
            guarded!($update, " AND $2 <> ''"),
        ]
    };
}

pub(super) use {guarded, three_ways};

const FINISH: [&str; 3] = three_ways!(
    "UPDATE nodetool_jobs SET status = $3, version = version + 1, updated_at = $4, finished_at = $4, \
     completed_at = CASE WHEN $3 = 'completed' THEN $4 ELSE completed_at END, \
     failed_at = CASE WHEN $3 = 'failed' THEN $4 ELSE failed_at END, \
     error = $5, error_message = $5, cost = COALESCE($6, cost), logs = COALESCE($7, logs), \
     result = COALESCE($8, result)"
);

const SET_STATUS: [&str; 3] = three_ways!(
    "UPDATE nodetool_jobs SET status = $3, version = version + 1, updated_at = $4, \
     worker_id = COALESCE($5, worker_id), execution_id = COALESCE($6, execution_id), \
     suspended_node_id = COALESCE($7, suspended_node_id), \
     suspension_reason = COALESCE($8, suspension_reason), \
     suspension_state_json = COALESCE($9, suspension_state_json), \
     suspension_metadata_json = COALESCE($10, suspension_metadata_json)"
);

pub(super) fn insert(
    db: &Connection,
    blobs: &Blobs,
    job: &NewJob,
    texts: &NewTexts,
) -> Result<i64, StoreError> {
    let texts = texts.keep(db, blobs)?;
    let values: &Values<'_> = &[
        &job.id,
        &job.user_id,
        &job.job_type,
        &job.workflow_id,
        &job.started_at,
        &job.status.as_str(),
        &texts.graph,
        &texts.params,
        &job.execution_strategy,
        &job.execution_id,
        &job.worker_id,
        &job.metadata,
        &texts.trigger_event,
        &job.assets,
    ];
    first_value(db, "insert a job", INSERT, values)?.ok_or_else(|| StoreError::AlreadyExists {
        kind: KIND,
        id: job.id.clone(),
    })
}

pub(super) fn insert_ended(
    db: &Connection,
    blobs: &Blobs,
    (job, texts): (&NewJob, &NewTexts),
    (end, end_texts): (&FinishJob, &EndTexts),
) -> Result<i64, StoreError> {
    let texts = texts.keep(db, blobs)?;
    let end_texts = end_texts.keep(db, blobs)?;
    let values: &Values<'_> = &[
        &job.id,
        &job.user_id,
        &job.job_type,
        &job.workflow_id,
        &job.started_at,
        &end.status.as_str(),
        &texts.graph,
        &texts.params,
        &job.execution_strategy,
        &job.execution_id,
        &job.worker_id,
        &job.metadata,
        &end.finished_at,
        &end.error,
        &end.cost,
        &end_texts.logs,
        &end_texts.result,
        &texts.trigger_event,
        &job.assets,
    ];
    first_value(db, "insert an ended job", INSERT_ENDED, values)?.ok_or_else(|| {
        StoreError::AlreadyExists {
            kind: KIND,
            id: job.id.clone(),
        }
    })
}

pub(super) fn finish(
    db: &Connection,
    blobs: &Blobs,
    finish: &FinishJob,
    texts: &EndTexts,
) -> Result<i64, StoreError> {
    let texts = texts.keep(db, blobs)?;
    let FinishJob {
        id,
        expected,
        status,
        finished_at,
        error,
        cost,
        ..
    } = finish;
    let status = status.as_str();
    let values: &Values<'_> = &[
        &status,
        finished_at,
        error,
        cost,
        &texts.logs,
        &texts.result,
    ];
    let changed = compare_and_set(db, &FINISH, id, *expected, values)?;
    if changed.checkpointed {
        delete_node_records(db, blobs, id)?;
    }
    Ok(changed.version)
}

pub(super) fn set_status(db: &Connection, change: &StatusChange) -> Result<i64, StoreError> {
    let StatusChange {
        id,
        expected,
        updated_at,
        worker_id,
        execution_id,
        ..
    } = change;
    let status = change.status.as_str();
    let suspension = change.suspension.as_ref();
    let node_id = suspension.map(|s| &s.node_id);
    let reason = suspension.map(|s| &s.reason);
    let state = suspension.map(|s| &s.state);
    let metadata = suspension.map(|s| &s.metadata);
    let values: &Values<'_> = &[
        &status,
        updated_at,
        worker_id,
        execution_id,
        &node_id,
        &reason,
        &state,
        &metadata,
    ];
    Ok(compare_and_set(db, &SET_STATUS, id, *expected, values)?.version)
}

/// What a compare-and-set left.
pub(super) struct Changed {
    pub(super) version: i64,
    /// Whether there may be node records of the job.
    pub(super) checkpointed: bool,
}

/// Runs the spelling of an update that fits what is expected; `values` begin at `$3`.
pub(super) fn compare_and_set(
    db: &Connection,
    update: &[&'static str; 3],
    id: &str,
    expected: Expected,
    values: &Values<'_>,
) -> Result<Changed, StoreError> {
    let [by_version, by_status, not_ended] = update;
    let (sql, guard) = match expected {
        Expected::Version(version) => (by_version, Value::Integer(version)),
        Expected::Status(status) => (by_status, Value::Text(status.as_str().to_owned())),
        Expected::NotEnded => (not_ended, Value::Text("any".to_owned())),
    };
    let mut all: Vec<&dyn ToSql> = vec![&id, &guard];
    all.extend_from_slice(values);
    let changed = first_row(db, "change a job", sql, &all, |row| {
        let read = || -> rusqlite::Result<Changed> {
            Ok(Changed {
                version: row.get(0)?,
                checkpointed: row.get::<_, i64>(1)? != 0,
            })
        };
        read().during("change a job")
    })?;
    changed.ok_or_else(|| refusal(db, id, expected))
}

/// Why a compare-and-set touched nothing.
pub(super) fn refusal(db: &Connection, id: &str, expected: Expected) -> StoreError {
    let stored = match select(db, id) {
        Ok(Some(stored)) => stored,
        Ok(None) => {
            return StoreError::NotFound {
                kind: KIND,
                id: id.to_owned(),
            };
        }
        Err(error) => return error,
    };
    let id = stored.id;
    if stored.status.is_terminal() {
        return StoreError::AlreadyEnded {
            id,
            status: stored.status.as_str(),
        };
    }
    let (expected, found) = match expected {
        Expected::Version(version) => (
            format!("version {version}"),
            format!("version {}", stored.version),
        ),
        Expected::Status(status) => (status.to_string(), stored.status.to_string()),
        Expected::NotEnded => ("not ended".to_owned(), stored.status.to_string()),
    };
    StoreError::Conflict {
        kind: KIND,
        id,
        expected,
        found,
    }
}

pub(super) fn fail_interrupted(
    db: &Connection,
    blobs: &Blobs,
    dead: &DeadOwner,
    now: i64,
) -> Result<usize, StoreError> {
    if matches!(dead, DeadOwner::Workers(workers) if workers.is_empty()) {
        return Ok(0);
    }
    let (sql, filter) = interruption(dead, now);
    let operation = "fail interrupted jobs";
    let (mut failed, mut checkpointed) = (0, Vec::<String>::new());
    each_row(db, operation, &sql, &filter.values(), |row| {
        failed += 1;
        if row.get::<_, i64>(1).during(operation)? != 0 {
            checkpointed.push(row.get(0).during(operation)?);
        }
        Ok(true)
    })?;
    for id in checkpointed {
        delete_node_records(db, blobs, &id)?;
    }
    Ok(failed)
}

fn interruption(dead: &DeadOwner, now: i64) -> (String, Filter) {
    let mut filter = Filter::default();
    // `finished_at IS NULL` is what the index of unfinished jobs is built on.
    filter.add(
        "finished_at IS NULL AND status IN ('scheduled', 'running')",
        [],
    );
    let condition = match dead {
        DeadOwner::SilentSince(since) => {
            let since = filter.bind(Value::Integer(*since));
            format!(
                "COALESCE(heartbeat_at, started_at) < {since} AND COALESCE(updated_at, started_at) < {since}"
            )
        }
        DeadOwner::Workers(workers) => {
            let mut bind = |worker: &String| filter.bind(Value::Text(worker.clone()));
            let list: Vec<String> = workers.iter().map(&mut bind).collect();
            format!("worker_id IN ({})", list.join(", "))
        }
    };
    let error = filter.bind(Value::Text(INTERRUPTED_ERROR.to_owned()));
    let now = filter.bind(Value::Integer(now));
    let sql = format!(
        "UPDATE nodetool_jobs SET status = 'failed', version = version + 1, error = {error}, \
         error_message = {error}, updated_at = {now}, finished_at = {now}, failed_at = {now}{} AND {condition} \
         RETURNING id, checkpoint",
        filter.sql()
    );
    (sql, filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::open_in_memory;
    use crate::jobs::JobStatus;
    use crate::jobs::reading::payload;
    use crate::migrations::apply_pending;

    fn plan(db: &Connection, sql: &str, filter: &Filter) -> Vec<String> {
        let mut steps = Vec::new();
        let explain = format!("EXPLAIN QUERY PLAN {sql}");
        each_row(db, "explain", &explain, &filter.values(), |row| {
            steps.push(row.get("detail").unwrap());
            Ok(true)
        })
        .unwrap();
        steps
    }

    #[test]
    fn interrupted_jobs_are_found_among_the_unfinished_only() {
        let db = open_in_memory().unwrap();
        apply_pending(&db).unwrap();
        for dead in [
            DeadOwner::SilentSince(1),
            DeadOwner::Workers(vec!["w".into()]),
        ] {
            let (sql, filter) = interruption(&dead, 2);
            let steps = plan(&db, &sql, &filter);
            assert!(
                steps[0].contains("USING INDEX nodetool_jobs_unfinished"),
                "{steps:?}"
            );
        }
    }

    #[test]
    fn a_small_job_touches_no_table_but_its_own() {
        let db = open_in_memory().unwrap();
        apply_pending(&db).unwrap();
        db.execute_batch("DROP TABLE nodetool_blobs; DROP TABLE run_node_state")
            .unwrap();
        let blobs = Blobs::beside(std::path::Path::new("/nowhere/at/all"));
        let new = |id: &str| {
            let mut job = NewJob::new(id, "u", "w", 1);
            job.params = Some("[1]".into());
            let texts = NewTexts::of(&mut job);
            (job, texts)
        };
        let end = |id: &str| {
            let mut end = FinishJob::new(id, Expected::NotEnded, JobStatus::Completed, 2);
            end.result = Some("[2]".into());
            let texts = EndTexts::of(&mut end);
            (end, texts)
        };
        let ((job, texts), (ended, ended_texts)) = (new("a"), end("a"));
        insert_ended(&db, &blobs, (&job, &texts), (&ended, &ended_texts)).unwrap();
        let ((job, texts), (ended, ended_texts)) = (new("b"), end("b"));
        insert(&db, &blobs, &job, &texts).unwrap();
        finish(&db, &blobs, &ended, &ended_texts).unwrap();
        for id in ["a", "b"] {
            let payload = payload(&db, &blobs, id).unwrap().unwrap();
            assert_eq!(
                (&*payload.params, payload.result.as_deref()),
                ("[1]", Some("[2]"))
            );
        }
    }
}

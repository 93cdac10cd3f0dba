//! The SQL of jobs and how its rows are read. It must not know which callers may do what.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, ToSql};

use super::row::{
    DeadOwner, Expected, FinishJob, JobFilter, JobPayload, JobRow, JobStatus, NewJob, StatusChange,
};
use crate::StoreError;
use crate::error::During;
use crate::filter::Filter;
use crate::page::{Gather, Key, List, Page};
use crate::sql::{Values, each_row, execute, first_row, first_value};

/// The error of a job whose process died.
pub const INTERRUPTED_ERROR: &str = "Server shutdown while job was running";

pub(super) const KIND: &str = "job";

macro_rules! columns {
    () => {
        "id, user_id, job_type, workflow_id, started_at, finished_at, status, version, updated_at, \
         completed_at, failed_at, error, error_message, cost, suspended_node_id, suspension_reason, \
         execution_strategy, execution_id, worker_id, heartbeat_at, retry_count, max_retries"
    };
}

const INSERT: &str = "INSERT INTO nodetool_jobs (id, user_id, job_type, workflow_id, started_at, updated_at, \
     status, graph, params, execution_strategy, execution_id, worker_id, metadata_json) \
     VALUES ($1, $2, $3, $4, $5, $5, $6, COALESCE($7, '{}'), COALESCE($8, '{}'), $9, $10, $11, \
     COALESCE($12, '{}')) ON CONFLICT (id) DO NOTHING RETURNING version";

/// What [`INSERT`] and then the update of an ending job would leave, in one statement.
const INSERT_ENDED: &str = "INSERT INTO nodetool_jobs (id, user_id, job_type, workflow_id, started_at, status, graph, \
     params, execution_strategy, execution_id, worker_id, metadata_json, updated_at, finished_at, completed_at, \
     failed_at, error, error_message, cost, logs, version) \
     VALUES ($1, $2, $3, $4, $5, $6, COALESCE($7, '{}'), COALESCE($8, '{}'), $9, $10, $11, COALESCE($12, '{}'), \
     $13, $13, CASE WHEN $6 = 'completed' THEN $13 END, CASE WHEN $6 = 'failed' THEN $13 END, $14, $14, $15, $16, 1) \
     ON CONFLICT (id) DO NOTHING RETURNING version";

const SELECT: &str = concat!("SELECT ", columns!(), " FROM nodetool_jobs WHERE id = $1");

const SELECT_PAYLOAD: &str = "SELECT graph, params, logs, suspension_state_json, suspension_metadata_json, \
     metadata_json FROM nodetool_jobs WHERE id = $1";

/// Completes an `UPDATE … WHERE id = $1` with what the job must still be, given as `$2`.
macro_rules! guarded {
    ($update:expr, $guard:literal) => {
        concat!(
            $update,
            " WHERE id = $1 AND status NOT IN ('completed', 'failed', 'cancelled')",
            $guard,
            " RETURNING version"
        )
    };
}

/// The three spellings of one update: by version, by status, by not having ended.
macro_rules! compare_and_set {
    ($update:expr) => {
        [
            guarded!($update, " AND version = $2"),
            guarded!($update, " AND status = $2"),
            // `$2` is unused text here; comparing keeps the number of parameters the same.
            guarded!($update, " AND $2 <> ''"),
        ]
    };
}

const FINISH: [&str; 3] = compare_and_set!(
    "UPDATE nodetool_jobs SET status = $3, version = version + 1, updated_at = $4, finished_at = $4, \
     completed_at = CASE WHEN $3 = 'completed' THEN $4 ELSE completed_at END, \
     failed_at = CASE WHEN $3 = 'failed' THEN $4 ELSE failed_at END, \
     error = $5, error_message = $5, cost = COALESCE($6, cost), logs = COALESCE($7, logs)"
);

const SET_STATUS: [&str; 3] = compare_and_set!(
    "UPDATE nodetool_jobs SET status = $3, version = version + 1, updated_at = $4, \
     worker_id = COALESCE($5, worker_id), execution_id = COALESCE($6, execution_id), \
     suspended_node_id = COALESCE($7, suspended_node_id), \
     suspension_reason = COALESCE($8, suspension_reason), \
     suspension_state_json = COALESCE($9, suspension_state_json), \
     suspension_metadata_json = COALESCE($10, suspension_metadata_json)"
);

pub(super) fn insert(db: &Connection, job: &NewJob) -> Result<i64, StoreError> {
    let values: &Values<'_> = &[
        &job.id,
        &job.user_id,
        &job.job_type,
        &job.workflow_id,
        &job.started_at,
        &job.status.as_str(),
        &job.graph,
        &job.params,
        &job.execution_strategy,
        &job.execution_id,
        &job.worker_id,
        &job.metadata,
    ];
    first_value(db, "insert a job", INSERT, values)?.ok_or_else(|| StoreError::AlreadyExists {
        kind: KIND,
        id: job.id.clone(),
    })
}

pub(super) fn insert_ended(
    db: &Connection,
    job: &NewJob,
    end: &FinishJob,
) -> Result<i64, StoreError> {
    let values: &Values<'_> = &[
        &job.id,
        &job.user_id,
        &job.job_type,
        &job.workflow_id,
        &job.started_at,
        &end.status.as_str(),
        &job.graph,
        &job.params,
        &job.execution_strategy,
        &job.execution_id,
        &job.worker_id,
        &job.metadata,
        &end.finished_at,
        &end.error,
        &end.cost,
        &end.logs,
    ];
    first_value(db, "insert an ended job", INSERT_ENDED, values)?.ok_or_else(|| {
        StoreError::AlreadyExists {
            kind: KIND,
            id: job.id.clone(),
        }
    })
}

pub(super) fn finish(db: &Connection, finish: &FinishJob) -> Result<i64, StoreError> {
    let FinishJob {
        id,
        expected,
        status,
        finished_at,
        error,
        cost,
        logs,
    } = finish;
    let status = status.as_str();
    compare_and_set(
        db,
        &FINISH,
        id,
        *expected,
        &[&status, finished_at, error, cost, logs],
    )
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
    compare_and_set(db, &SET_STATUS, id, *expected, values)
}

pub(super) fn payload(db: &Connection, id: &str) -> Result<Option<JobPayload>, StoreError> {
    first_row(
        db,
        "read the texts of a job",
        SELECT_PAYLOAD,
        &[&id],
        |row| read_payload(row).during("read the texts of a job"),
    )
}

/// Runs the spelling of an update that fits what is expected; `values` begin at `$3`.
fn compare_and_set(
    db: &Connection,
    update: &[&'static str; 3],
    id: &str,
    expected: Expected,
    values: &Values<'_>,
) -> Result<i64, StoreError> {
    let [by_version, by_status, not_ended] = update;
    let (sql, guard) = match expected {
        Expected::Version(version) => (by_version, Value::Integer(version)),
        Expected::Status(status) => (by_status, Value::Text(status.as_str().to_owned())),
        Expected::NotEnded => (not_ended, Value::Text("any".to_owned())),
    };
    let mut all: Vec<&dyn ToSql> = vec![&id, &guard];
    all.extend_from_slice(values);
    first_value(db, "change a job", sql, &all)?.map_or_else(|| Err(refusal(db, id, expected)), Ok)
}

/// Why a compare-and-set touched nothing.
fn refusal(db: &Connection, id: &str, expected: Expected) -> StoreError {
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
    dead: &DeadOwner,
    now: i64,
) -> Result<usize, StoreError> {
    if matches!(dead, DeadOwner::Workers(workers) if workers.is_empty()) {
        return Ok(0);
    }
    let (sql, filter) = interruption(dead, now);
    execute(db, "fail interrupted jobs", &sql, &filter.values())
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
            format!("COALESCE(heartbeat_at, updated_at, started_at) < {since}")
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
         error_message = {error}, updated_at = {now}, finished_at = {now}, failed_at = {now}{} AND {condition}",
        filter.sql()
    );
    (sql, filter)
}

pub(super) fn select(db: &Connection, id: &str) -> Result<Option<JobRow>, StoreError> {
    first_row(db, "read a job", SELECT, &[&id], read)
}

fn page_query(filter: &JobFilter, limit: usize, after: Option<Key>) -> (String, Filter) {
    let JobFilter {
        user_id,
        workflow_id,
    } = filter;
    let mut filter = Filter::default();
    filter.equals("user_id = ?", Some(user_id));
    filter.equals("workflow_id = ?", workflow_id.as_deref());
    if let Some(Key { at, id }) = after {
        filter.add(
            "(started_at, id) < (?, ?)",
            [Value::Integer(at), Value::Text(id)],
        );
    }
    let limit = filter.bind(Value::Integer(Gather::<JobRow>::fetch(limit)));
    let columns = columns!();
    let conditions = filter.sql();
    let sql = format!(
        "SELECT {columns} FROM nodetool_jobs{conditions} ORDER BY started_at DESC, id DESC LIMIT {limit}"
    );
    (sql, filter)
}

pub(super) fn list(
    db: &Connection,
    filter: &JobFilter,
    limit: usize,
    after: Option<Key>,
) -> Result<Page<JobRow>, StoreError> {
    let (sql, filter) = page_query(filter, limit, after);
    let mut page = Gather::new(List::Jobs, limit);
    each_row(db, "list jobs", &sql, &filter.values(), |row| {
        if page.is_full() {
            return Ok(false);
        }
        let row = read(row)?;
        page.push(
            Key {
                at: row.started_at,
                id: row.id.clone(),
            },
            row.text_bytes(),
            row,
        );
        Ok(true)
    })?;
    Ok(page.finish())
}

fn read(row: &Row<'_>) -> Result<JobRow, StoreError> {
    let (id, status): (String, String) = row
        .get(0)
        .and_then(|id| Ok((id, row.get(6)?)))
        .during("read a job")?;
    let Ok(status) = status.parse() else {
        return Err(StoreError::Corrupt {
            kind: KIND,
            id,
            column: "status",
            value: status,
        });
    };
    read_columns(row, id, status).during("read a job")
}

fn read_columns(row: &Row<'_>, id: String, status: JobStatus) -> rusqlite::Result<JobRow> {
    Ok(JobRow {
        id,
        user_id: row.get(1)?,
        job_type: row.get(2)?,
        workflow_id: row.get(3)?,
        started_at: row.get(4)?,
        finished_at: row.get(5)?,
        status,
        version: row.get(7)?,
        updated_at: row.get(8)?,
        completed_at: row.get(9)?,
        failed_at: row.get(10)?,
        error: row.get(11)?,
        error_message: row.get(12)?,
        cost: row.get(13)?,
        suspended_node_id: row.get(14)?,
        suspension_reason: row.get(15)?,
        execution_strategy: row.get(16)?,
        execution_id: row.get(17)?,
        worker_id: row.get(18)?,
        heartbeat_at: row.get(19)?,
        retry_count: row.get(20)?,
        max_retries: row.get(21)?,
    })
}

fn read_payload(row: &Row<'_>) -> rusqlite::Result<JobPayload> {
    Ok(JobPayload {
        graph: row.get(0)?,
        params: row.get(1)?,
        logs: row.get(2)?,
        suspension_state: row.get(3)?,
        suspension_metadata: row.get(4)?,
        metadata: row.get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::open_in_memory;
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
    fn no_list_sorts_or_scans_the_table() {
        let db = open_in_memory().unwrap();
        apply_pending(&db).unwrap();
        for workflow_id in [None, Some("w".to_owned())] {
            for after in [
                None,
                Some(Key {
                    at: 1,
                    id: "i".into(),
                }),
            ] {
                let filter = JobFilter {
                    user_id: "u".into(),
                    workflow_id: workflow_id.clone(),
                };
                let (sql, filter) = page_query(&filter, 10, after);
                let steps = plan(&db, &sql, &filter);
                assert_eq!(steps.len(), 1, "an index gives the order: {steps:?}");
                assert!(
                    steps[0].starts_with("SEARCH nodetool_jobs USING INDEX"),
                    "{steps:?}"
                );
            }
        }
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
}

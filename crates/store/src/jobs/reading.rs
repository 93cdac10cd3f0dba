//! Reading jobs: one, its texts, a page of a list. It must not know which callers may see what.

use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, Row};

use super::row::{JobFilter, JobPayload, JobRow, JobStatus};
use super::statements::KIND;
use super::texts::{self, references};
use crate::StoreError;
use crate::error::During;
use crate::filter::Filter;
use crate::page::{Gather, Key, List, Page};
use crate::payloads::{Blobs, twice};
use crate::sql::{each_row, first_row};

macro_rules! columns {
    () => {
        "id, user_id, job_type, workflow_id, started_at, finished_at, status, version, updated_at, \
         completed_at, failed_at, error, error_message, cost, suspended_node_id, suspension_reason, \
         execution_strategy, execution_id, worker_id, heartbeat_at, retry_count, max_retries"
    };
}

pub(super) use columns;

const SELECT: &str = concat!("SELECT ", columns!(), " FROM nodetool_jobs WHERE id = $1");

macro_rules! payload_columns {
    () => {
        "graph, params, logs, result, trigger_event, suspension_state_json, suspension_metadata_json, \
         metadata_json, event_seq, assets, queued_at"
    };
}

pub(super) use payload_columns;

/// How many columns [`columns`] names.
pub(super) const ROW_COLUMNS: usize = 22;

const SELECT_PAYLOAD: &str = concat!(
    "SELECT ",
    payload_columns!(),
    " FROM nodetool_jobs WHERE id = $1"
);

pub(super) fn payload(
    db: &Connection,
    blobs: &Blobs,
    id: &str,
) -> Result<Option<JobPayload>, StoreError> {
    let operation = "read the texts of a job";
    twice(|| {
        first_row(db, operation, SELECT_PAYLOAD, &[&id], |row| {
            read_payload(row, 0, blobs, id)
        })
    })
}

pub(super) fn select(db: &Connection, id: &str) -> Result<Option<JobRow>, StoreError> {
    first_row(db, "read a job", SELECT, &[&id], read)
}

fn page_query(filter: &JobFilter, limit: usize, after: Option<Key>) -> (String, Filter) {
    let JobFilter {
        user_id,
        workflow_id,
        statuses,
    } = filter;
    let mut filter = Filter::default();
    filter.equals("user_id = ?", Some(user_id));
    filter.equals("workflow_id = ?", workflow_id.as_deref());
    // Calls of workflows and single steps are jobs like others, but too many and too small to be listed with them.
    filter.add("job_type NOT IN ('api', 'node')", []);
    if let Some(first) = statuses.first() {
        // As many places as there are statuses, so that there is one statement for every choice.
        let word = |status: &JobStatus| Value::Text(status.as_str().to_owned());
        let chosen = JobStatus::ALL.map(|s| word(if statuses.contains(&s) { &s } else { first }));
        filter.add("status IN (?, ?, ?, ?, ?, ?, ?, ?)", chosen);
    }
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

pub(super) fn read(row: &Row<'_>) -> Result<JobRow, StoreError> {
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

/// Reads the columns of a payload from column `first` on, and the large values they refer to.
pub(super) fn read_payload(
    row: &Row<'_>,
    first: usize,
    blobs: &Blobs,
    id: &str,
) -> Result<JobPayload, StoreError> {
    let [graph, params, logs, result, trigger_event] = references(row, first)?;
    let text = |column, held: Option<String>| {
        held.map(|held| texts::text(blobs, id, column, held))
            .transpose()
    };
    let shared = |column, held| Ok::<_, StoreError>(text(column, held)?.map(Arc::<str>::from));
    let (graph, params) = (shared("graph", graph)?, shared("params", params)?);
    let (logs, result) = (text("logs", logs)?, shared("result", result)?);
    let trigger_event = text("trigger_event", trigger_event)?;
    let rest = || -> rusqlite::Result<JobPayload> {
        Ok(JobPayload {
            graph: graph.unwrap_or_else(|| Arc::from("{}")),
            params: params.unwrap_or_else(|| Arc::from("{}")),
            logs,
            result,
            trigger_event,
            suspension_state: row.get(first + 5)?,
            suspension_metadata: row.get(first + 6)?,
            metadata: row.get(first + 7)?,
            event_seq: row.get(first + 8)?,
            assets: row.get(first + 9)?,
            queued_at: row.get(first + 10)?,
        })
    };
    rest().during("read the texts of a job")
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
                    statuses: vec![JobStatus::Running],
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
}

//! The SQL of triggers. It must not know what decides when a schedule fires.

use rusqlite::Connection;

use super::row::{Delivered, FireTrigger, ListedTrigger, SeenTrigger, TriggerInput, TriggerRow};
use crate::StoreError;
use crate::error::During;
use crate::ids::new_id;
use crate::sql::{Values, each_row, execute, first_row, first_value};

pub(super) const KIND: &str = "trigger";

macro_rules! columns {
    () => {
        "t.workflow_id, t.node_id, t.user_id, t.kind, t.spec, t.salt, t.active, t.by_hand, t.started_at, t.next_due, \
         t.last_fired, t.fired, t.last_job_id, t.last_error, t.revision, t.created_at, t.updated_at"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM trigger_schedules t ", $rest)
    };
}

const UPSERT: &str = "INSERT INTO trigger_schedules (workflow_id, node_id, user_id, kind, spec, salt, active, by_hand, \
     started_at, next_due, last_fired, fired, last_job_id, last_error, revision, created_at, updated_at, cursor) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) \
     ON CONFLICT (workflow_id, node_id) DO UPDATE SET user_id = $3, kind = $4, spec = $5, active = $7, by_hand = $8, \
     started_at = $9, next_due = $10, last_fired = $11, fired = $12, last_job_id = $13, last_error = $14, \
     revision = $15, updated_at = $17, cursor = $18";

const FIRE: &str = "UPDATE trigger_schedules SET next_due = $4, last_fired = $5, fired = fired + 1, last_job_id = $6, \
     last_error = NULL, updated_at = $5 \
     WHERE workflow_id = $1 AND node_id = $2 AND active = 1 AND next_due = $3";

const MOVE: &str = "UPDATE trigger_schedules SET next_due = $4, updated_at = $5, \
     started_at = CASE WHEN started_at > $5 THEN $5 ELSE started_at END \
     WHERE workflow_id = $1 AND node_id = $2 AND active = 1 AND next_due = $3";

const SEE: &str = "UPDATE trigger_schedules SET cursor = $4, revision = revision + 1, fired = fired + $5, \
     last_fired = COALESCE($6, last_fired), last_job_id = COALESCE($7, last_job_id), last_error = NULL, updated_at = $8 \
     WHERE workflow_id = $1 AND node_id = $2 AND active = 1 AND revision = $3";

const DELIVERED: &str = "UPDATE trigger_schedules SET fired = fired + 1, last_fired = $3, last_job_id = $4, \
     last_error = NULL, updated_at = $3 WHERE workflow_id = $1 AND node_id = $2 AND active = 1";

const INSERT_INPUT: &str = "INSERT INTO trigger_inputs (id, input_id, run_id, user_id, workflow_id, node_id, \
     payload_json, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) \
     ON CONFLICT (input_id) DO NOTHING";

const WAITING: &str = "SELECT input_id, run_id, user_id, workflow_id, node_id, payload_json, created_at \
     FROM trigger_inputs WHERE processed = 0 ORDER BY created_at, id LIMIT $1";

pub(super) fn put(
    db: &Connection,
    workflow_id: &str,
    kept: &[String],
    rows: &[(TriggerRow, Option<String>)],
) -> Result<(), StoreError> {
    let stays = |id: &String| kept.contains(id) || rows.iter().any(|(row, _)| row.node_id == *id);
    for gone in of_workflow(db, workflow_id)? {
        if !stays(&gone.node_id) {
            let sql = "DELETE FROM trigger_schedules WHERE workflow_id = $1 AND node_id = $2";
            execute(db, "delete a trigger", sql, &[&workflow_id, &gone.node_id])?;
        }
    }
    for (row, cursor) in rows {
        let values: &Values<'_> = &[
            &workflow_id,
            &row.node_id,
            &row.user_id,
            &row.kind,
            &row.spec,
            &row.salt,
            &i64::from(row.active),
            &i64::from(row.by_hand),
            &row.started_at,
            &row.next_due,
            &row.last_fired,
            &row.fired,
            &row.last_job_id,
            &row.last_error,
            &row.revision,
            &row.created_at,
            &row.updated_at,
            cursor,
        ];
        execute(db, "store a trigger", UPSERT, values)?;
    }
    Ok(())
}

/// The rows of a query.
fn rows(
    db: &Connection,
    operation: &'static str,
    sql: &str,
    values: &Values<'_>,
) -> Result<Vec<TriggerRow>, StoreError> {
    let mut rows = Vec::new();
    each_row(db, operation, sql, values, |row| {
        rows.push(TriggerRow::read(row)?);
        Ok(true)
    })?;
    Ok(rows)
}

pub(super) fn of_workflow(
    db: &Connection,
    workflow_id: &str,
) -> Result<Vec<TriggerRow>, StoreError> {
    let sql = select!("WHERE t.workflow_id = $1 ORDER BY t.node_id");
    rows(db, "read the triggers of a workflow", sql, &[&workflow_id])
}

pub(super) fn one(
    db: &Connection,
    workflow_id: &str,
    node_id: &str,
) -> Result<Option<TriggerRow>, StoreError> {
    let sql = select!("WHERE t.workflow_id = $1 AND t.node_id = $2");
    let values: &Values<'_> = &[&workflow_id, &node_id];
    first_row(db, "read a trigger", sql, values, TriggerRow::read)
}

pub(super) fn of_user(
    db: &Connection,
    user_id: &str,
    limit: usize,
) -> Result<Vec<ListedTrigger>, StoreError> {
    const OPERATION: &str = "list triggers";
    let sql = concat!(
        "SELECT ",
        columns!(),
        ", j.status, j.error FROM trigger_schedules t LEFT JOIN nodetool_jobs j ON j.id = t.last_job_id \
         WHERE t.user_id = $1 ORDER BY t.workflow_id, t.node_id LIMIT $2"
    );
    let mut listed = Vec::new();
    each_row(db, OPERATION, sql, &[&user_id, &whole(limit)], |row| {
        listed.push(ListedTrigger {
            row: TriggerRow::read(row)?,
            job_status: row.get(17).during(OPERATION)?,
            job_error: row.get(18).during(OPERATION)?,
        });
        Ok(true)
    })?;
    Ok(listed)
}

pub(super) fn count_others(
    db: &Connection,
    user_id: &str,
    workflow_id: &str,
) -> Result<usize, StoreError> {
    let sql = "SELECT COUNT(*) FROM trigger_schedules WHERE user_id = $1 AND workflow_id <> $2";
    let count = first_value::<i64>(db, "count triggers", sql, &[&user_id, &workflow_id])?;
    Ok(usize::try_from(count.unwrap_or_default()).unwrap_or(usize::MAX))
}

pub(super) fn workflows(
    db: &Connection,
    after: &str,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    const OPERATION: &str = "list workflows with triggers";
    let sql = "SELECT DISTINCT workflow_id FROM trigger_schedules WHERE workflow_id > $1 \
               ORDER BY workflow_id LIMIT $2";
    let mut ids = Vec::new();
    each_row(db, OPERATION, sql, &[&after, &whole(limit)], |row| {
        ids.push(row.get(0).during(OPERATION)?);
        Ok(true)
    })?;
    Ok(ids)
}

pub(super) fn watching(
    db: &Connection,
    kind: &str,
    limit: usize,
) -> Result<Vec<(TriggerRow, Option<String>)>, StoreError> {
    const OPERATION: &str = "list watching triggers";
    let sql = concat!(
        "SELECT ",
        columns!(),
        ", t.cursor FROM trigger_schedules t WHERE t.kind = $1 AND t.active = 1 \
         ORDER BY t.workflow_id, t.node_id LIMIT $2"
    );
    let mut watching = Vec::new();
    each_row(db, OPERATION, sql, &[&kind, &whole(limit)], |row| {
        watching.push((TriggerRow::read(row)?, row.get(17).during(OPERATION)?));
        Ok(true)
    })?;
    Ok(watching)
}

pub(super) fn due(db: &Connection, now: i64, limit: usize) -> Result<Vec<TriggerRow>, StoreError> {
    let sql = select!(
        "WHERE t.active = 1 AND t.next_due IS NOT NULL AND t.next_due <= $1 \
         ORDER BY t.next_due, t.workflow_id, t.node_id LIMIT $2"
    );
    rows(db, "read due triggers", sql, &[&now, &whole(limit)])
}

pub(super) fn next_due(db: &Connection) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT next_due FROM trigger_schedules WHERE active = 1 AND next_due IS NOT NULL \
               ORDER BY next_due LIMIT 1";
    first_value(db, "read the next due time", sql, &[])
}

pub(super) fn fire(db: &Connection, fire: &FireTrigger) -> Result<bool, StoreError> {
    let input = &fire.input;
    let values: &Values<'_> = &[
        &input.workflow_id,
        &input.node_id,
        &fire.due,
        &fire.next_due,
        &fire.now,
        &input.job_id,
    ];
    if execute(db, "fire a trigger", FIRE, values)? == 0 {
        return Ok(false);
    }
    insert_input(db, input)?;
    Ok(true)
}

pub(super) fn move_due(
    db: &Connection,
    row: &TriggerRow,
    next_due: Option<i64>,
    now: i64,
) -> Result<bool, StoreError> {
    let values: &Values<'_> = &[
        &row.workflow_id,
        &row.node_id,
        &row.next_due,
        &next_due,
        &now,
    ];
    Ok(execute(db, "move a trigger", MOVE, values)? > 0)
}

pub(super) fn see(db: &Connection, seen: &SeenTrigger) -> Result<bool, StoreError> {
    let last = seen.inputs.last();
    let values: &Values<'_> = &[
        &seen.workflow_id,
        &seen.node_id,
        &seen.revision,
        &seen.cursor,
        &seen.told,
        &last.map(|_| seen.now),
        &last.map(|input| &input.job_id),
        &seen.now,
    ];
    if execute(db, "store what a trigger saw", SEE, values)? == 0 {
        return Ok(false);
    }
    for input in &seen.inputs {
        insert_input(db, input)?;
    }
    Ok(true)
}

pub(super) fn deliver(db: &Connection, input: &TriggerInput) -> Result<Delivered, StoreError> {
    let sql = "SELECT run_id FROM trigger_inputs WHERE input_id = $1";
    let known = first_value::<String>(db, "look for an event", sql, &[&input.input_id])?;
    if let Some(job_id) = known {
        return Ok(Delivered::Known { job_id });
    }
    let values: &Values<'_> = &[
        &input.workflow_id,
        &input.node_id,
        &input.created_at,
        &input.job_id,
    ];
    if execute(db, "deliver an event", DELIVERED, values)? == 0 {
        return Ok(Delivered::Inactive);
    }
    insert_input(db, input)?;
    Ok(Delivered::New)
}

pub(super) fn insert_input(db: &Connection, input: &TriggerInput) -> Result<(), StoreError> {
    let values: &Values<'_> = &[
        &new_id(),
        &input.input_id,
        &input.job_id,
        &input.user_id,
        &input.workflow_id,
        &input.node_id,
        &input.payload,
        &input.created_at,
    ];
    execute(db, "store an event", INSERT_INPUT, values).map(drop)
}

pub(super) fn note_error(
    db: &Connection,
    workflow_id: &str,
    node_id: &str,
    error: Option<&str>,
    now: i64,
) -> Result<(), StoreError> {
    let sql = "UPDATE trigger_schedules SET last_error = $3, updated_at = $4 \
               WHERE workflow_id = $1 AND node_id = $2";
    let values: &Values<'_> = &[&workflow_id, &node_id, &error, &now];
    execute(db, "note the error of a trigger", sql, values).map(drop)
}

pub(super) fn waiting(db: &Connection, limit: usize) -> Result<Vec<TriggerInput>, StoreError> {
    const OPERATION: &str = "read waiting events";
    let mut inputs = Vec::new();
    each_row(db, OPERATION, WAITING, &[&whole(limit)], |row| {
        let read = || -> rusqlite::Result<TriggerInput> {
            Ok(TriggerInput {
                input_id: row.get(0)?,
                job_id: row.get(1)?,
                user_id: row.get(2)?,
                workflow_id: row.get(3)?,
                node_id: row.get(4)?,
                payload: row.get(5)?,
                created_at: row.get(6)?,
            })
        };
        inputs.push(read().during(OPERATION)?);
        Ok(true)
    })?;
    Ok(inputs)
}

pub(super) fn process(db: &Connection, input_ids: &[String], now: i64) -> Result<(), StoreError> {
    let sql = "UPDATE trigger_inputs SET processed = 1, processed_at = $2, updated_at = $2 \
               WHERE input_id = $1 AND processed = 0";
    for id in input_ids {
        execute(db, "note that an event became a job", sql, &[id, &now])?;
    }
    Ok(())
}

pub(super) fn prune(db: &Connection, before: i64) -> Result<usize, StoreError> {
    let sql = "DELETE FROM trigger_inputs WHERE processed = 1 AND processed_at < $1";
    execute(db, "remove old events", sql, &[&before])
}

fn whole(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::open_in_memory;
    use crate::migrations::apply_pending;

    #[test]
    fn what_is_asked_all_the_time_is_found_by_an_index() {
        let db = open_in_memory().unwrap();
        apply_pending(&db).unwrap();
        let due = select!(
            "WHERE t.active = 1 AND t.next_due IS NOT NULL AND t.next_due <= $1 ORDER BY t.next_due LIMIT 1"
        );
        for (sql, index) in [
            (due, "trigger_schedules_due"),
            (WAITING, "trigger_inputs_waiting"),
        ] {
            let mut steps: Vec<String> = Vec::new();
            each_row(
                &db,
                "explain",
                &format!("EXPLAIN QUERY PLAN {sql}"),
                &[&1i64],
                |row| {
                    steps.push(row.get("detail").unwrap());
                    Ok(true)
                },
            )
            .unwrap();
            assert_eq!(steps.len(), 1, "an index gives the order: {steps:?}");
            assert!(steps[0].contains(index), "{steps:?}");
        }
    }
}

//! Rows of loops: what a workflow has beside its graph when it runs as loops, and the values its nodes last had.
//!
//! It must not know what the values mean; env, state and data are JSON text.

mod browsers;
mod dead_letters;
mod enquiries;
mod files;
mod node_data;
mod people;
mod states;
mod tokens;
mod webhook_secrets;

use rusqlite::{Connection, Row};

use crate::error::During;
use crate::ids::check_id;
use crate::sql::{each_row, execute, first_row, first_value};
use crate::{Store, StoreError};

pub use browsers::{BrowserKind, BrowserRow, NewThrottleRule, ThrottleRuleRow};
pub use dead_letters::{DEAD_LETTERS_KEPT, DeadLetterRow};
pub use enquiries::{EnquiryKind, EnquiryRow, MAX_ENQUIRIES};
pub use files::{MAX_NODE_FILES, NodeFileRow, PutNodeFile};
pub use node_data::NodeDataRow;
pub use people::{MAX_PEOPLE, NewPerson, PersonRow};
pub use states::LoopStateRow;
pub use tokens::LoopTokenRow;
pub use webhook_secrets::WebhookSecretRow;

const KIND: &str = "loop";

macro_rules! columns {
    () => {
        "workflow_id, dialect, workflow_type, category, status, restart, env, runtime_state, runs_count, last_run, \
         next_run, last_job_id"
    };
}

const SELECT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_loops WHERE workflow_id = $1"
);

const OF_OWNER: &str = "SELECT l.workflow_id, l.dialect, l.workflow_type, l.category, l.status, l.restart, l.env, \
     l.runtime_state, l.runs_count, l.last_run, l.next_run, l.last_job_id FROM nodetool_workflows w \
     JOIN nodetool_loops l ON l.workflow_id = w.id WHERE w.user_id = $1";
/// A production workflow is active only while its loops run.
const SELECT_RUNNING: &str = "SELECT l.workflow_id, w.user_id, l.restart, l.last_job_id FROM nodetool_loops l \
     JOIN nodetool_workflows w ON w.id = l.workflow_id \
     WHERE l.status = 'active' AND l.workflow_type = 'production' ORDER BY l.workflow_id";

const PUT: &str = concat!(
    "INSERT INTO nodetool_loops (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (workflow_id) DO UPDATE SET \
     dialect = excluded.dialect, workflow_type = excluded.workflow_type, category = excluded.category, \
     status = excluded.status, restart = excluded.restart, env = excluded.env, \
     runtime_state = excluded.runtime_state, runs_count = excluded.runs_count, last_run = excluded.last_run, \
     next_run = excluded.next_run, last_job_id = excluded.last_job_id"
);

const DELETE: [&str; 6] = [
    "DELETE FROM nodetool_loops WHERE workflow_id = $1",
    "DELETE FROM nodetool_node_data WHERE workflow_id = $1",
    "DELETE FROM nodetool_node_files WHERE workflow_id = $1",
    "DELETE FROM nodetool_loop_tokens WHERE workflow_id = $1",
    "DELETE FROM nodetool_dead_letters WHERE workflow_id = $1",
    "DELETE FROM nodetool_loop_states WHERE workflow_id = $1",
];

/// A workflow as a loop, column by column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopRow {
    /// The workflow.
    pub workflow_id: String,
    /// `loop` or `dataflow`: through which API it was made.
    pub dialect: String,
    /// `production` or `api`.
    pub workflow_type: String,
    /// Free text.
    pub category: Option<String>,
    /// `active`, `inactive` or `error`.
    pub status: String,
    /// `never` or `on-boot`: whether a run that a lost process left behind is begun again.
    pub restart: String,
    /// JSON object.
    pub env: String,
    /// JSON object.
    pub runtime_state: String,
    /// Runs that were begun.
    pub runs_count: i64,
    /// Microseconds UTC.
    pub last_run: Option<i64>,
    /// Microseconds UTC.
    pub next_run: Option<i64>,
    /// Its newest job.
    pub last_job_id: Option<String>,
}

/// A workflow whose loops were running when somebody last said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningLoop {
    /// The workflow.
    pub workflow_id: String,
    /// Whose it is.
    pub user_id: String,
    /// `never` or `on-boot`.
    pub restart: String,
    /// The job of the run.
    pub last_job_id: Option<String>,
}

impl LoopRow {
    /// What a workflow is that nobody has made a loop of.
    #[must_use]
    pub fn new(workflow_id: &str, dialect: &str) -> Self {
        LoopRow {
            workflow_id: workflow_id.to_owned(),
            dialect: dialect.to_owned(),
            workflow_type: "production".to_owned(),
            category: None,
            status: "inactive".to_owned(),
            restart: "never".to_owned(),
            env: "{}".to_owned(),
            runtime_state: "{}".to_owned(),
            runs_count: 0,
            last_run: None,
            next_run: None,
            last_job_id: None,
        }
    }

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let read = || {
            Ok(LoopRow {
                workflow_id: row.get(0)?,
                dialect: row.get(1)?,
                workflow_type: row.get(2)?,
                category: row.get(3)?,
                status: row.get(4)?,
                restart: row.get(5)?,
                env: row.get(6)?,
                runtime_state: row.get(7)?,
                runs_count: row.get(8)?,
                last_run: row.get(9)?,
                next_run: row.get(10)?,
                last_job_id: row.get(11)?,
            })
        };
        read().during("read a loop")
    }
}

impl Store {
    /// What a workflow has as a loop; `None` when nobody has made one of it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_loop(&self, workflow_id: &str) -> Result<Option<LoopRow>, StoreError> {
        let id = workflow_id.to_owned();
        self.read(move |db| select(db, &id)).await
    }

    /// The production workflows whose loops run, or ran when the process was lost.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn running_loops(&self) -> Result<Vec<RunningLoop>, StoreError> {
        self.read(|db| {
            let mut running = Vec::new();
            each_row(db, "list running loops", SELECT_RUNNING, &[], |row| {
                let read = || {
                    Ok(RunningLoop {
                        workflow_id: row.get(0)?,
                        user_id: row.get(1)?,
                        restart: row.get(2)?,
                        last_job_id: row.get(3)?,
                    })
                };
                running.push(read().during("read a running loop")?);
                Ok(true)
            })?;
            Ok(running)
        })
        .await
    }

    /// Changes what a workflow has as a loop, in one transaction: `change` gets the row as it is, or a new one of this
    /// dialect, and says whether to store it. Answers the row as it is then.
    ///
    /// # Errors
    /// When the id is none or the database cannot be written.
    pub async fn change_loop(
        &self,
        workflow_id: &str,
        dialect: &'static str,
        change: impl Fn(&mut LoopRow) -> bool + Send + 'static,
    ) -> Result<LoopRow, StoreError> {
        check_id("workflow_id", workflow_id)?;
        let id = workflow_id.to_owned();
        self.write(KIND, 64 << 10, move |db| {
            self::change(db, &id, dialect, &change)
        })
        .await
    }

    /// What the workflows of an owner have as loops; those that have nothing are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn loops_of(&self, user_id: &str) -> Result<Vec<LoopRow>, StoreError> {
        let user_id = user_id.to_owned();
        self.read(move |db| {
            let mut rows = Vec::new();
            each_row(db, "list loops", OF_OWNER, &[&user_id], |row| {
                rows.push(LoopRow::read(row)?);
                Ok(true)
            })?;
            Ok(rows)
        })
        .await
    }

    /// The name somebody signs in with; nothing for whom no name is stored.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sign_in_name(&self, user_id: &str) -> Result<Option<String>, StoreError> {
        const SQL: &str = "SELECT username FROM nodetool_people WHERE id = $1";
        let Ok(id) = user_id.parse::<i64>() else {
            return Ok(None);
        };
        self.read(move |db| first_value(db, "read a name", SQL, &[&id]))
            .await
    }
}

/// Changes the row as it is, or a new one of this dialect, if `change` says so.
pub(crate) fn change(
    db: &Connection,
    id: &str,
    dialect: &str,
    change: &impl Fn(&mut LoopRow) -> bool,
) -> Result<LoopRow, StoreError> {
    let mut row = select(db, id)?.unwrap_or_else(|| LoopRow::new(id, dialect));
    if change(&mut row) {
        put(db, &row)?;
    }
    Ok(row)
}

fn select(db: &Connection, id: &str) -> Result<Option<LoopRow>, StoreError> {
    first_row(db, "read a loop", SELECT, &[&id], LoopRow::read)
}

fn put(db: &Connection, row: &LoopRow) -> Result<(), StoreError> {
    execute(
        db,
        "store a loop",
        PUT,
        &[
            &row.workflow_id,
            &row.dialect,
            &row.workflow_type,
            &row.category,
            &row.status,
            &row.restart,
            &row.env,
            &row.runtime_state,
            &row.runs_count,
            &row.last_run,
            &row.next_run,
            &row.last_job_id,
        ],
    )?;
    Ok(())
}

/// Removes all that a workflow has as a loop, with the workflow itself.
pub(crate) fn delete(db: &Connection, workflow_id: &str) -> Result<(), StoreError> {
    for sql in DELETE {
        execute(db, "delete a loop", sql, &[&workflow_id])?;
    }
    Ok(())
}

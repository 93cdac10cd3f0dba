//! The shapes of trigger rows. It must not know SQL.

use rusqlite::Row;

use crate::StoreError;
use crate::error::During;
use crate::ids::check_id;

/// Longest node id of a schedule, in bytes; graphs choose them.
pub const MAX_NODE_ID_BYTES: usize = 256;

/// What begins runs of a workflow at one of its nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TriggerRow {
    /// Workflow that is run.
    pub workflow_id: String,
    /// Node the event goes to.
    pub node_id: String,
    /// Owner, for whom it is run.
    pub user_id: String,
    /// `interval`, `cron`, `manual`, `webhook` or `file_watch`.
    pub kind: String,
    /// Its settings as JSON text.
    pub spec: String,
    /// What makes its job ids impossible to guess.
    pub salt: String,
    /// Whether it fires.
    pub active: bool,
    /// Whether it was started by hand for a workflow of another run mode.
    pub by_hand: bool,
    /// When it was started.
    pub started_at: i64,
    /// When it fires next; none when no clock decides that or there is no such time.
    pub next_due: Option<i64>,
    /// When it fired last.
    pub last_fired: Option<i64>,
    /// How often it has fired since it was started.
    pub fired: i64,
    /// Job of the last event.
    pub last_job_id: Option<String>,
    /// Why it cannot fire, or why the last event did not become a job.
    pub last_error: Option<String>,
    /// Counts changes of settings and cursor.
    pub revision: i64,
    /// When it was first stored.
    pub created_at: i64,
    /// When it was last changed.
    pub updated_at: i64,
}

impl TriggerRow {
    pub(super) fn check(&self) -> Result<(), StoreError> {
        check_id("workflow_id", &self.workflow_id)?;
        check_node_id(&self.node_id)
    }

    pub(super) fn text_bytes(&self) -> usize {
        self.spec.len()
            + self.node_id.len()
            + self.workflow_id.len()
            + self.last_error.as_deref().map_or(0, str::len)
    }

    pub(super) fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let read = || -> rusqlite::Result<Self> {
            Ok(TriggerRow {
                workflow_id: row.get(0)?,
                node_id: row.get(1)?,
                user_id: row.get(2)?,
                kind: row.get(3)?,
                spec: row.get(4)?,
                salt: row.get(5)?,
                active: row.get::<_, i64>(6)? != 0,
                by_hand: row.get::<_, i64>(7)? != 0,
                started_at: row.get(8)?,
                next_due: row.get(9)?,
                last_fired: row.get(10)?,
                fired: row.get(11)?,
                last_job_id: row.get(12)?,
                last_error: row.get(13)?,
                revision: row.get(14)?,
                created_at: row.get(15)?,
                updated_at: row.get(16)?,
            })
        };
        read().during("read a trigger")
    }
}

/// Refuses node ids no schedule may have.
pub(super) fn check_node_id(id: &str) -> Result<(), StoreError> {
    let reason = match id.len() {
        0 => "is empty, expected an id".to_owned(),
        n if n > MAX_NODE_ID_BYTES => {
            format!("has {n} bytes, expected at most {MAX_NODE_ID_BYTES}")
        }
        _ if id.contains('\0') => "contains a NUL character".to_owned(),
        _ => return Ok(()),
    };
    Err(StoreError::InvalidInput {
        field: "node_id",
        reason,
    })
}

/// A schedule and how its last job went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTrigger {
    /// The schedule.
    pub row: TriggerRow,
    /// Status of its last job, while that is stored.
    pub job_status: Option<String>,
    /// Error of its last job.
    pub job_error: Option<String>,
}

/// An event that becomes one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerInput {
    /// Names the event; a second one of the same name is the same event.
    pub input_id: String,
    /// Id of the job it becomes.
    pub job_id: String,
    /// Owner of the workflow.
    pub user_id: String,
    /// Workflow that is run.
    pub workflow_id: String,
    /// Node the event goes to.
    pub node_id: String,
    /// The event as JSON text.
    pub payload: String,
    /// When it was stored.
    pub created_at: i64,
}

impl TriggerInput {
    pub(super) fn text_bytes(&self) -> usize {
        self.payload.len() + self.input_id.len() + self.node_id.len()
    }
}

/// A due time that has come: the event, and what the schedule becomes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FireTrigger {
    /// The event.
    pub input: TriggerInput,
    /// The due time the schedule must still have.
    pub due: i64,
    /// The due time it has from then on.
    pub next_due: Option<i64>,
    /// The time now.
    pub now: i64,
}

/// Changes that were seen: the events, and what the schedule remembers with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenTrigger {
    /// Workflow of the schedule.
    pub workflow_id: String,
    /// Its node.
    pub node_id: String,
    /// The revision the schedule must still have.
    pub revision: i64,
    /// What was seen last.
    pub cursor: String,
    /// The events; none when nothing is to be told.
    pub inputs: Vec<TriggerInput>,
    /// How many events there were in all, with those stored before.
    pub told: i64,
    /// The time now.
    pub now: i64,
}

/// What storing an event found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// It is new.
    New,
    /// The event is there already; it became, or becomes, this job.
    Known {
        /// Id of the job.
        job_id: String,
    },
    /// The schedule does not fire any more.
    Inactive,
}

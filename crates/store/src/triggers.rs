//! Schedules of triggers and the events they gave: what is due, what has fired, what still has to become a job.
//!
//! An event is stored together with the change of its schedule, so that neither is lost and none is there twice. Every
//! function takes the time; the store has no clock of its own. It must not know what a spec or a payload means.

mod row;
mod statements;

pub use row::{
    Delivered, FireTrigger, ListedTrigger, MAX_NODE_ID_BYTES, SeenTrigger, TriggerInput, TriggerRow,
};

use crate::ids::check_id;
use crate::{Store, StoreError};
use statements::KIND;

/// Rows one call gives at most.
const MAX_ROWS: usize = 1000;

impl Store {
    /// Makes the kept nodes and these rows the schedules of a workflow: writes the rows with what they saw, leaves the
    /// kept ones as they are, removes all others.
    ///
    /// # Errors
    /// When a row is refused or the database cannot be written.
    pub async fn put_triggers(
        &self,
        workflow_id: &str,
        kept: Vec<String>,
        rows: Vec<(TriggerRow, Option<String>)>,
    ) -> Result<(), StoreError> {
        check_id("workflow_id", workflow_id)?;
        rows.iter().try_for_each(|(row, _)| row.check())?;
        let size = |(row, cursor): &(TriggerRow, Option<String>)| {
            row.text_bytes() + cursor.as_deref().map_or(0, str::len)
        };
        let bytes = rows.iter().map(size).sum();
        let workflow_id = workflow_id.to_owned();
        self.write(KIND, bytes, move |db| {
            statements::put(db, &workflow_id, &kept, &rows)
        })
        .await
    }

    /// The schedules of a workflow, by node.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn workflow_triggers(
        &self,
        workflow_id: &str,
    ) -> Result<Vec<TriggerRow>, StoreError> {
        let workflow_id = workflow_id.to_owned();
        self.read(move |db| statements::of_workflow(db, &workflow_id))
            .await
    }

    /// One schedule.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_trigger(
        &self,
        workflow_id: &str,
        node_id: &str,
    ) -> Result<Option<TriggerRow>, StoreError> {
        let (workflow_id, node_id) = (workflow_id.to_owned(), node_id.to_owned());
        self.read(move |db| statements::one(db, &workflow_id, &node_id))
            .await
    }

    /// A user's schedules with their last jobs, by workflow and node; 1000 at most.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_triggers(&self, user_id: &str) -> Result<Vec<ListedTrigger>, StoreError> {
        let user_id = user_id.to_owned();
        self.read(move |db| statements::of_user(db, &user_id, MAX_ROWS))
            .await
    }

    /// How many schedules a user has beside those of one workflow.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_other_triggers(
        &self,
        user_id: &str,
        workflow_id: &str,
    ) -> Result<usize, StoreError> {
        let (user_id, workflow_id) = (user_id.to_owned(), workflow_id.to_owned());
        self.read(move |db| statements::count_others(db, &user_id, &workflow_id))
            .await
    }

    /// Every workflow that has schedules, after the given id in order; 1000 at most.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn triggered_workflows(&self, after: &str) -> Result<Vec<String>, StoreError> {
        let after = after.to_owned();
        self.read(move |db| statements::workflows(db, &after, MAX_ROWS))
            .await
    }

    /// Active schedules of a kind with what they saw last; 1000 at most.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn watching_triggers(
        &self,
        kind: &str,
    ) -> Result<Vec<(TriggerRow, Option<String>)>, StoreError> {
        let kind = kind.to_owned();
        self.read(move |db| statements::watching(db, &kind, MAX_ROWS))
            .await
    }

    /// Active schedules whose time has come, the longest due first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn due_triggers(
        &self,
        now: i64,
        limit: usize,
    ) -> Result<Vec<TriggerRow>, StoreError> {
        self.read(move |db| statements::due(db, now, limit.clamp(1, MAX_ROWS)))
            .await
    }

    /// When the next active schedule fires.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn next_trigger_due(&self) -> Result<Option<i64>, StoreError> {
        self.read(statements::next_due).await
    }

    /// Stores the event of a due time and moves its schedule on, both or neither; false when the schedule is not due at
    /// that time any more. An event that is stored already is not stored again.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn fire_trigger(&self, fire: FireTrigger) -> Result<bool, StoreError> {
        self.write(KIND, fire.input.text_bytes(), move |db| {
            statements::fire(db, &fire)
        })
        .await
    }

    /// Sets another next due time where the schedule still has the given one; false when it has not.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn move_trigger(
        &self,
        row: &TriggerRow,
        next_due: Option<i64>,
        now: i64,
    ) -> Result<bool, StoreError> {
        let row = row.clone();
        self.write(KIND, 0, move |db| {
            statements::move_due(db, &row, next_due, now)
        })
        .await
    }

    /// Stores what was seen and its events, all or nothing; false when the schedule was changed meanwhile.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn see_trigger(&self, seen: SeenTrigger) -> Result<bool, StoreError> {
        let bytes: usize = seen.inputs.iter().map(TriggerInput::text_bytes).sum();
        self.write(KIND, bytes + seen.cursor.len(), move |db| {
            statements::see(db, &seen)
        })
        .await
    }

    /// Stores events ahead of [`see_trigger`](Self::see_trigger), which takes only so many; those that are there stay.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn store_inputs(&self, inputs: Vec<TriggerInput>) -> Result<(), StoreError> {
        let bytes = inputs.iter().map(TriggerInput::text_bytes).sum();
        self.write(KIND, bytes, move |db| {
            inputs
                .iter()
                .try_for_each(|input| statements::insert_input(db, input))
        })
        .await
    }

    /// Stores an event that came from outside.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn deliver_trigger(&self, input: TriggerInput) -> Result<Delivered, StoreError> {
        self.write(KIND, input.text_bytes(), move |db| {
            statements::deliver(db, &input)
        })
        .await
    }

    /// Notes what keeps a schedule from firing, or that nothing does.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn note_trigger_error(
        &self,
        workflow_id: &str,
        node_id: &str,
        error: Option<String>,
        now: i64,
    ) -> Result<(), StoreError> {
        let (workflow_id, node_id) = (workflow_id.to_owned(), node_id.to_owned());
        let bytes = error.as_deref().map_or(0, str::len);
        self.write(KIND, bytes, move |db| {
            statements::note_error(db, &workflow_id, &node_id, error.as_deref(), now)
        })
        .await
    }

    /// Events that have not become jobs yet, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn waiting_inputs(&self, limit: usize) -> Result<Vec<TriggerInput>, StoreError> {
        self.read(move |db| statements::waiting(db, limit.clamp(1, MAX_ROWS)))
            .await
    }

    /// Notes that these events have become jobs, or never will.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn process_inputs(&self, input_ids: Vec<String>, now: i64) -> Result<(), StoreError> {
        let bytes = input_ids.iter().map(String::len).sum();
        self.write(KIND, bytes, move |db| {
            statements::process(db, &input_ids, now)
        })
        .await
    }

    /// Removes events that became jobs before the given time; says how many.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn prune_inputs(&self, before: i64) -> Result<usize, StoreError> {
        self.write(KIND, 0, move |db| statements::prune(db, before))
            .await
    }
}

//! Job rows: queue the insert, change the status, end them, read and list them.
//!
//! Every change compares what the caller saw with what is stored, and a terminal status never changes.
//! It must not know how jobs are run, nor look into graphs and parameters.

mod reading;
mod recovery;
mod retention;
mod row;
mod statements;
mod texts;

pub use recovery::UnfinishedJob;
pub use row::{
    DeadOwner, Expected, FinishJob, JobFilter, JobPayload, JobRow, JobStatus, NewJob, StatusChange,
    Suspension, UnknownStatus, job_etag,
};
pub use statements::INTERRUPTED_ERROR;

use rusqlite::Connection;

use crate::ids::check_id;
use crate::page::{Key, List, Page};
use crate::writer::Pending;
use crate::{Store, StoreError};
use statements::KIND;
use texts::{EndTexts, NewTexts};

/// Workers that can be declared dead in one call.
const MAX_WORKERS: usize = 500;

impl Store {
    /// Queues a new job and returns at once: work can start while the row is on its way. Later writes
    /// about the job are applied after it. The handle yields the job's version once committed; dropping
    /// it drops only the answer.
    ///
    /// Await the handle before telling anybody the id, and before finishing a job whose id came from
    /// outside: the id may be taken.
    ///
    /// # Errors
    /// At once when the input is refused, too much is waiting or the store is closed; through the handle
    /// [`StoreError::AlreadyExists`] when the id is taken.
    pub fn insert_job(&self, mut job: NewJob) -> Result<Pending<i64>, StoreError> {
        check_id("id", &job.id)?;
        if job.status.is_terminal() {
            return Err(bad_status(job.status, "a new job cannot have ended"));
        }
        let (bytes, blobs) = (job.text_bytes(), self.blobs().clone());
        let texts = NewTexts::of(&mut job);
        self.enqueue(KIND, bytes, move |db| {
            statements::insert(db, &blobs, &job, &texts)
        })
    }

    /// Stores a new job and waits until that is committed; returns its version.
    ///
    /// # Errors
    /// As [`insert_job`](Self::insert_job).
    pub async fn add_job(&self, mut job: NewJob) -> Result<i64, StoreError> {
        check_id("id", &job.id)?;
        if job.status.is_terminal() {
            return Err(bad_status(job.status, "a new job cannot have ended"));
        }
        let (bytes, blobs) = (job.text_bytes(), self.blobs().clone());
        let texts = NewTexts::of(&mut job);
        self.write_load(KIND, bytes, texts, move |db, texts| {
            statements::insert(db, &blobs, &job, texts)
        })
        .await
    }

    /// Stores a job that has already ended, with one write, and waits until that is committed. The row is what
    /// [`insert_job`](Self::insert_job) and [`finish_job`](Self::finish_job) would leave.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] when the id is taken.
    pub async fn insert_ended_job(
        &self,
        mut job: NewJob,
        mut end: FinishJob,
    ) -> Result<i64, StoreError> {
        check_id("id", &job.id)?;
        if !end.status.is_terminal() {
            return Err(bad_status(
                end.status,
                "a job ends completed, failed or cancelled",
            ));
        }
        let bytes = job.text_bytes() + end.text_bytes();
        let blobs = self.blobs().clone();
        let texts = (NewTexts::of(&mut job), EndTexts::of(&mut end));
        self.write_load(KIND, bytes, texts, move |db, (new, ended)| {
            statements::insert_ended(db, &blobs, (&job, new), (&end, ended))
        })
        .await
    }

    /// Ends a job and waits until that is committed; returns its new version. Its node records go with the same
    /// commit.
    ///
    /// # Errors
    /// [`StoreError::AlreadyEnded`], [`StoreError::Conflict`] or [`StoreError::NotFound`] when the job
    /// is not what was expected.
    pub async fn finish_job(&self, mut finish: FinishJob) -> Result<i64, StoreError> {
        if !finish.status.is_terminal() {
            return Err(bad_status(
                finish.status,
                "a job ends completed, failed or cancelled",
            ));
        }
        let (bytes, blobs) = (finish.text_bytes(), self.blobs().clone());
        let texts = EndTexts::of(&mut finish);
        self.write_load(KIND, bytes, texts, move |db, texts| {
            statements::finish(db, &blobs, &finish, texts)
        })
        .await
    }

    /// Moves a job that has not ended to another such status; returns its new version.
    ///
    /// # Errors
    /// As [`Store::finish_job`].
    pub async fn set_job_status(&self, change: StatusChange) -> Result<i64, StoreError> {
        if change.status.is_terminal() {
            return Err(bad_status(
                change.status,
                "a job is ended with `finish_job`",
            ));
        }
        let bytes = change.text_bytes();
        self.write(KIND, bytes, move |db| statements::set_status(db, &change))
            .await
    }

    /// Marks scheduled and running jobs of dead processes as failed with [`INTERRUPTED_ERROR`]; returns
    /// how many there were. Suspended, paused and recovering jobs outlive their process.
    ///
    /// # Errors
    /// When more than 500 workers are named or the database cannot be written.
    pub async fn fail_interrupted_jobs(
        &self,
        dead: DeadOwner,
        now: i64,
    ) -> Result<usize, StoreError> {
        if let DeadOwner::Workers(workers) = &dead
            && workers.len() > MAX_WORKERS
        {
            let reason = format!(
                "names {} workers, expected at most {MAX_WORKERS}",
                workers.len()
            );
            return Err(StoreError::InvalidInput {
                field: "workers",
                reason,
            });
        }
        let blobs = self.blobs().clone();
        self.write(KIND, 0, move |db| {
            statements::fail_interrupted(db, &blobs, &dead, now)
        })
        .await
    }

    /// Reads one job.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_job(&self, id: &str) -> Result<Option<JobRow>, StoreError> {
        let id = id.to_owned();
        self.read(move |db| reading::select(db, &id)).await
    }

    /// Reads the large texts of one job.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when a large one is not what was stored; when the database cannot be read.
    pub async fn get_job_payload(&self, id: &str) -> Result<Option<JobPayload>, StoreError> {
        let id = id.to_owned();
        let blobs = self.blobs().clone();
        self.read(move |db| reading::payload(db, &blobs, &id)).await
    }

    /// One page of a user's jobs, last started first. `limit` is brought into 1 to
    /// [`crate::MAX_PAGE_ROWS`]; `cursor` is `""` for the first page and [`Page::next`] after that.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`] when the cursor is not one of this list.
    pub async fn list_jobs(
        &self,
        filter: JobFilter,
        limit: usize,
        cursor: &str,
    ) -> Result<Page<JobRow>, StoreError> {
        let after = Key::decode(List::Jobs, cursor)?;
        self.read(move |db| reading::list(db, &filter, limit, after))
            .await
    }

    /// How many jobs there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_jobs(&self) -> Result<u64, StoreError> {
        self.count("SELECT COUNT(*) FROM nodetool_jobs").await
    }
}

/// Why a change of a job that must not have ended touched nothing.
pub(crate) fn refuse_change(db: &Connection, id: &str) -> StoreError {
    statements::refusal(db, id, Expected::NotEnded)
}

fn bad_status(status: JobStatus, rule: &str) -> StoreError {
    StoreError::InvalidInput {
        field: "status",
        reason: format!("is {status}, but {rule}"),
    }
}

//! What can go wrong in the store, in terms a caller can act on.
//!
//! It must not name the database driver: causes are opaque, so that a second driver changes nothing here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;

/// The driver's own error behind a [`StoreError`], kept for logs.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Why the store refused or failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database file could not be opened or prepared.
    #[error("cannot open the database {}", path.display())]
    Open {
        /// The file that was asked for.
        path: PathBuf,
        /// What the file system or the driver said.
        source: Cause,
    },
    /// The path names no file a database can live in.
    #[error("the database path {} is not usable: {reason}", path.display())]
    BadPath {
        /// The path that was given.
        path: PathBuf,
        /// What was expected instead.
        reason: &'static str,
    },
    /// A setting of the database did not take.
    #[error("the database answered `{found}` for {setting}, expected `{expected}`")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What the store needs.
        expected: &'static str,
        /// What it got.
        found: String,
    },
    /// A migration could not be applied; nothing of it was kept.
    #[error("migration {version}_{name} failed")]
    Migration {
        /// Version of the migration.
        version: String,
        /// Its name.
        name: String,
        /// What the driver said.
        source: Cause,
    },
    /// A migration was changed after it had been applied to this database.
    #[error(
        "migration {version}_{name} was applied with checksum {found}, this program has {expected}"
    )]
    ChecksumMismatch {
        /// Version of the migration.
        version: String,
        /// Its name.
        name: String,
        /// Checksum in this program.
        expected: String,
        /// Checksum in the database.
        found: String,
    },
    /// The database was written by a newer program.
    #[error(
        "the database has migration {version}_{name}, which this program does not know (its newest is {newest}); \
         use a newer program"
    )]
    NewerDatabase {
        /// Unknown version.
        version: String,
        /// Its name.
        name: String,
        /// Newest version this program knows.
        newest: String,
    },
    /// A row with this id already exists.
    #[error("{kind} {id} already exists")]
    AlreadyExists {
        /// `workflow` or `job`.
        kind: &'static str,
        /// Id of the row.
        id: String,
    },
    /// There is no such row, or it belongs to somebody else.
    #[error("{kind} {id} not found")]
    NotFound {
        /// `workflow` or `job`.
        kind: &'static str,
        /// Id of the row.
        id: String,
    },
    /// The row is no longer what the caller saw.
    #[error("{kind} {id} has changed: expected {expected}, found {found}")]
    Conflict {
        /// `workflow` or `job`.
        kind: &'static str,
        /// Id of the row.
        id: String,
        /// What the caller expected.
        expected: String,
        /// What is stored.
        found: String,
    },
    /// A terminal status never changes.
    #[error("job {id} has already ended as {status}")]
    AlreadyEnded {
        /// Id of the job.
        id: String,
        /// The status it keeps.
        status: &'static str,
    },
    /// An argument breaks a rule of the store.
    #[error("{field}: {reason}")]
    InvalidInput {
        /// Name of the argument.
        field: &'static str,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// A page cursor was not made by this store for this list.
    #[error("the cursor does not belong to the list of {list}")]
    BadCursor {
        /// The list that was asked for.
        list: &'static str,
    },
    /// A text is larger than the store accepts.
    #[error("{kind} holds {size} bytes of text, at most {limit} are accepted")]
    TooLarge {
        /// `workflow` or `job`.
        kind: &'static str,
        /// Size that was given.
        size: usize,
        /// Largest accepted size.
        limit: usize,
    },
    /// A stored row cannot be read as what it should be.
    #[error("{kind} {id} has an unreadable {column}: `{value}`")]
    Corrupt {
        /// `workflow` or `job`.
        kind: &'static str,
        /// Id of the row.
        id: String,
        /// Column at fault.
        column: &'static str,
        /// What it holds.
        value: String,
    },
    /// A large value that a row refers to cannot be had, or is not what was stored.
    #[error("{table}.{column} of {id} refers to `{reference}`, which {reason}")]
    Damaged {
        /// Table of the row.
        table: &'static str,
        /// Column at fault.
        column: &'static str,
        /// Id of the row.
        id: String,
        /// What the column holds.
        reference: String,
        /// What is wrong with the value.
        reason: &'static str,
    },
    /// The disk is full, or the database has reached its largest size. Nothing of the write was kept; it can be
    /// tried again once there is room.
    #[error("there is no room left: {operation}")]
    NoRoom {
        /// What was being done.
        operation: &'static str,
        /// What the file system or the driver said.
        source: Cause,
    },
    /// The data folder or the database in it may only be read.
    #[error("the data folder cannot be written: {operation}")]
    ReadOnly {
        /// What was being done.
        operation: &'static str,
        /// What the file system or the driver said.
        source: Cause,
    },
    /// A file beside the database could not be used.
    #[error("cannot {operation}: {}", path.display())]
    File {
        /// What was being done.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the file system said.
        source: Cause,
    },
    /// More writes are waiting than the store is willing to hold.
    #[error("too many writes are waiting")]
    QueueFull,
    /// Another process kept the database locked for longer than the busy timeout.
    #[error("the database stayed busy: {operation}")]
    Busy {
        /// What was being done.
        operation: &'static str,
        /// What the driver said.
        source: Cause,
    },
    /// A statement failed.
    #[error("the database failed: {operation}")]
    Sql {
        /// What was being done.
        operation: &'static str,
        /// What the driver said.
        source: Cause,
    },
    /// The store has been closed, or its thread has died.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// What opening `path` ran into.
    pub(crate) fn open<E>(path: &Path, source: E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        Self::Open {
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }
}

/// Names the operation a driver call belonged to.
pub(crate) trait During<T> {
    /// Turns a driver error into a [`StoreError`] that says what was being done.
    fn during(self, operation: &'static str) -> Result<T, StoreError>;
}

impl<T> During<T> for rusqlite::Result<T> {
    fn during(self, operation: &'static str) -> Result<T, StoreError> {
        self.map_err(|error| {
            let code = error.sqlite_error_code();
            let source: Cause = Arc::new(error);
            match code {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                    StoreError::Busy { operation, source }
                }
                Some(ErrorCode::DiskFull) => StoreError::NoRoom { operation, source },
                Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { operation, source },
                _ => StoreError::Sql { operation, source },
            }
        })
    }
}

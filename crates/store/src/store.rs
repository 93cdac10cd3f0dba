//! The handle everything else holds: opens the database, routes writes and reads, closes it.
//!
//! It must not know tables; those add their own methods to [`Store`] in `workflows` and `jobs`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use crate::StoreError;
use crate::connection::{limit_size, open_in_memory, open_writer};
use crate::error::During;
use crate::folder::Folder;
use crate::migrations::{self, MigrationStatus};
use crate::payloads::{Blobs, Load, sweep_at_open};
use crate::reader::Readers;
use crate::writer::{MAX_COMMAND_BYTES, MAX_LOAD_BYTES, Pending, Writer};

/// Most reader threads a store may have.
const MAX_READERS: usize = 16;

/// How a database is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads that read; 1 to 16.
    pub readers: usize,
    /// How long to wait for another process that holds the database locked.
    pub busy_timeout: Duration,
    /// Whether opening applies missing migrations, and then tidies up what a killed process has left.
    pub migrate: bool,
    /// Most bytes the database file may take, in steps of a page; `None` leaves it to the disk.
    pub max_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            readers: 2,
            busy_timeout: Duration::from_secs(5),
            migrate: true,
            max_bytes: None,
        }
    }
}

/// The product's database; clones share it.
///
/// Dropping the last clone blocks until what is queued is committed; [`Store::close`] does the same
/// without blocking on the commit, and reports failures.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    // Dropped in this order: readers let go of the file before the writer folds the log back.
    readers: Readers,
    writer: Writer,
    in_memory: bool,
    blobs: Blobs,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("in_memory", &self.shared.in_memory)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database file, creating it if absent, and checks that its migrations are known.
    ///
    /// Large values are kept in a folder `blobs` beside the file, which must be of this database alone: files in it
    /// that no row refers to are removed.
    ///
    /// # Errors
    /// When the file cannot be used, when a migration fails, was changed after it was applied, or is
    /// not known to this program.
    pub fn open(path: &Path, options: Options) -> Result<Self, StoreError> {
        let mut db = open_writer(path, options.busy_timeout)?;
        if let Some(bytes) = options.max_bytes {
            limit_size(&db, bytes)?;
        }
        prepare(&mut db, options.migrate)?;
        let blobs = Blobs::beside(path);
        if options.migrate {
            sweep_at_open(&db, &blobs)?;
        }
        let count = options.readers.clamp(1, MAX_READERS);
        let readers = Readers::start(path, count, options.busy_timeout)?;
        let folder = Folder::start(path, options.busy_timeout)?;
        Self::start(db, readers, Some(folder), path, blobs)
    }

    /// Opens an empty database that lives as long as this store.
    ///
    /// # Errors
    /// When the database cannot be created.
    pub fn open_in_memory() -> Result<Self, StoreError> {
        let mut db = open_in_memory()?;
        prepare(&mut db, true)?;
        Self::start(
            db,
            Readers::none(),
            None,
            Path::new(":memory:"),
            Blobs::inline(),
        )
    }

    fn start(
        db: Connection,
        readers: Readers,
        folder: Option<Folder>,
        path: &Path,
        blobs: Blobs,
    ) -> Result<Self, StoreError> {
        let in_memory = folder.is_none();
        let writer = Writer::start(db, folder).map_err(|source| StoreError::open(path, source))?;
        Ok(Self {
            shared: Arc::new(Shared {
                readers,
                writer,
                in_memory,
                blobs,
            }),
        })
    }

    /// Commits what is queued and closes the database; later calls answer [`StoreError::Closed`].
    ///
    /// # Errors
    /// When the database cannot be closed cleanly.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.shared.readers.close();
        self.shared.writer.close().await
    }

    /// Numbers about what was written since the store was opened.
    #[must_use]
    pub fn stats(&self) -> crate::StoreStats {
        self.shared.writer.stats()
    }

    /// Every migration this program knows, and whether this database has it.
    ///
    /// # Errors
    /// When the database cannot be read or does not fit this program.
    pub async fn migration_status(&self) -> Result<Vec<MigrationStatus>, StoreError> {
        self.read(migrations::status).await
    }

    /// Applies the missing migrations and returns how many there were.
    ///
    /// # Errors
    /// When a migration fails; then none of them is kept.
    pub async fn migrate(&self) -> Result<usize, StoreError> {
        self.shared.writer.write(0, migrations::apply_pending).await
    }

    /// Queues a write now and answers later.
    pub(crate) fn enqueue<T, F>(
        &self,
        kind: &'static str,
        bytes: usize,
        run: F,
    ) -> Result<Pending<T>, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        check_size(kind, bytes, MAX_COMMAND_BYTES)?;
        self.shared.writer.enqueue(bytes, run)
    }

    /// Writes and waits for the commit.
    pub(crate) async fn write<T, F>(
        &self,
        kind: &'static str,
        bytes: usize,
        run: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        check_size(kind, bytes, MAX_COMMAND_BYTES)?;
        self.shared.writer.write(bytes, run).await
    }

    /// The same for a write that may be as large as the whole queue.
    pub(crate) async fn write_large<T, F>(
        &self,
        kind: &'static str,
        bytes: usize,
        run: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        check_size(kind, bytes, MAX_LOAD_BYTES)?;
        self.shared.writer.write(bytes, run).await
    }

    /// Writes values of which the large ones go to files, and waits for the commit.
    pub(crate) async fn write_load<T, L, F>(
        &self,
        kind: &'static str,
        bytes: usize,
        load: L,
        mut run: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        L: Load,
        F: FnMut(&Connection, &L) -> Result<T, StoreError> + Send + 'static,
    {
        check_size(kind, bytes, MAX_LOAD_BYTES)?;
        let load = self.shared.blobs.ahead(load).await?;
        self.shared
            .writer
            .write(bytes, move |db| run(db, &load))
            .await
    }

    /// Runs something on the writing connection, outside any transaction and while nobody else writes.
    pub(crate) async fn exclusive<T, F>(&self, run: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let Shared {
            readers, writer, ..
        } = &*self.shared;
        readers.read_through(writer, run).await
    }

    /// Where large values are.
    pub(crate) fn blobs(&self) -> &Blobs {
        &self.shared.blobs
    }

    /// Reads what has been committed so far.
    pub(crate) async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let Shared {
            readers,
            writer,
            in_memory,
            ..
        } = &*self.shared;
        if *in_memory {
            readers.read_through(writer, query).await
        } else {
            readers.read(query).await
        }
    }

    /// The number a counting query gives.
    pub(crate) async fn count(&self, sql: &'static str) -> Result<u64, StoreError> {
        let count: i64 = self
            .read(move |db| db.query_row(sql, [], |row| row.get(0)).during("count rows"))
            .await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

/// Checks the migrations and applies the missing ones, if wanted, as one transaction.
fn prepare(db: &mut Connection, migrate: bool) -> Result<(), StoreError> {
    migrations::check(db)?;
    if migrate {
        let transaction = db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .during("begin the migrations")?;
        migrations::apply_pending(&transaction)?;
        transaction.commit().during("commit the migrations")?;
    }
    Ok(())
}

fn check_size(kind: &'static str, size: usize, limit: usize) -> Result<(), StoreError> {
    if size > limit {
        Err(StoreError::TooLarge { kind, size, limit })
    } else {
        Ok(())
    }
}

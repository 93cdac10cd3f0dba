//! Opens SQLite connections with the settings the store relies on. It must not know tables.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::StoreError;
use crate::error::During;

/// Each connection is used by one thread at a time, so SQLite's own mutexes are left out; URI parsing
/// is off, so no path can smuggle in options.
const WRITER_FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE
    .union(OpenFlags::SQLITE_OPEN_CREATE)
    .union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
const FOLDER_FLAGS: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
const READER_FLAGS: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// Page cache in KiB: enough for the hot ends of the indexes, small enough for an idle process.
const WRITER_CACHE_KIB: i64 = 1024;
const READER_CACHE_KIB: i64 = 256;

/// Prepared statements kept per connection.
const STATEMENTS: usize = 48;

/// The write-ahead log is folded back inside a commit only past this many pages; usually the
/// folding thread has done it earlier (see `folder`).
const AUTOCHECKPOINT_PAGES: i64 = 8192;

/// What is left of the write-ahead log file after it was folded back.
const KEPT_LOG_BYTES: i64 = 16 << 20;

pub(crate) fn open_writer(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    check_path(path)?;
    create_private(path)?;
    let db = open(path, WRITER_FLAGS, busy_timeout)?;
    let mode: String = db
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .during("switch to the write-ahead log")?;
    if mode != "wal" {
        return Err(StoreError::Setting {
            setting: "journal_mode",
            expected: "wal",
            found: mode,
        });
    }
    configure_writer(&db)?;
    Ok(db)
}

/// Bounds the database file.
pub(crate) fn limit_size(db: &Connection, bytes: u64) -> Result<(), StoreError> {
    let page: i64 = db
        .query_row("PRAGMA page_size", [], |row| row.get(0))
        .during("read the page size")?;
    let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
    db.pragma_update_and_check(None, "max_page_count", pages.max(1), |_| Ok(()))
        .during("limit the size of the database")
}

pub(crate) fn open_in_memory() -> Result<Connection, StoreError> {
    let db = Connection::open_in_memory().during("open a database in memory")?;
    configure_writer(&db)?;
    Ok(db)
}

pub(crate) fn open_reader(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let db = open(path, READER_FLAGS, busy_timeout)?;
    set(&db, "query_only", 1)?;
    set(&db, "cache_size", -READER_CACHE_KIB)?;
    Ok(db)
}

/// A connection that leaves no trace. A database that nobody has open has no log beside it, and reading such a one the
/// usual way would make one.
pub(crate) fn open_looker(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    check_path(path)?;
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if Path::new(&log).exists() {
        return open_reader(path, busy_timeout);
    }
    let url = url_of(path);
    let flags = READER_FLAGS | OpenFlags::SQLITE_OPEN_URI;
    let db =
        Connection::open_with_flags(url, flags).map_err(|source| StoreError::open(path, source))?;
    set(&db, "query_only", 1)?;
    Ok(db)
}

/// A path as a URL that says that nobody changes the file meanwhile.
fn url_of(path: &Path) -> String {
    use std::fmt::Write;
    let mut url = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                url.push(char::from(*byte));
            }
            // Writing to a text does not fail.
            _ => drop(write!(url, "%{byte:02X}")),
        }
    }
    url + "?mode=ro&immutable=1"
}

/// A connection that only folds the log back; it needs next to no cache.
pub(crate) fn open_folder(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let db = open(path, FOLDER_FLAGS, busy_timeout)?;
    set(&db, "synchronous", 1)?;
    set(&db, "cache_size", 0)?;
    set(&db, "journal_size_limit", KEPT_LOG_BYTES)?;
    Ok(db)
}

fn open(path: &Path, flags: OpenFlags, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let db = Connection::open_with_flags(path, flags)
        .map_err(|source| StoreError::open(path, source))?;
    db.busy_timeout(busy_timeout)
        .during("set the busy timeout")?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(db)
}

fn configure_writer(db: &Connection) -> Result<(), StoreError> {
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    // NORMAL never corrupts and survives the death of the process; only a power cut can lose the
    // last moments.
    set(db, "synchronous", 1)?;
    set(db, "foreign_keys", 1)?;
    set(db, "temp_store", 2)?;
    set(db, "cache_size", -WRITER_CACHE_KIB)?;
    set(db, "wal_autocheckpoint", AUTOCHECKPOINT_PAGES)?;
    set(db, "journal_size_limit", KEPT_LOG_BYTES)
}

fn set(db: &Connection, name: &'static str, value: i64) -> Result<(), StoreError> {
    db.pragma_update(None, name, value)
        .during("configure the connection")
}

/// SQLite gives some paths a meaning of their own: every connection would get another database.
fn check_path(path: &Path) -> Result<(), StoreError> {
    let reason = if path.as_os_str().is_empty() || path.as_os_str() == ":memory:" {
        "expected a file; a database in memory is opened with `open_in_memory`"
    } else if path.is_dir() {
        "expected a file, found a directory"
    } else {
        return Ok(());
    };
    Err(StoreError::BadPath {
        path: path.to_owned(),
        reason,
    })
}

/// Creates a new database readable by its owner only; SQLite gives its side files the same mode.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(StoreError::open(path, error))
        }
        _ => Ok(()),
    }
}

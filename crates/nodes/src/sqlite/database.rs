//! A database file of the workspace, opened so that SQL from outside can reach nothing else and ends in time.
//!
//! It must not know nodes. What SQL may not do: attach other files, load extensions, change settings, and take more
//! time, memory or disk than the limits.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nodetool_sdk::{Map, NodeCx, NodeError, Value};
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, params_from_iter};

use super::cell;
use crate::data::work::{self, Stop};

/// How long a statement may take.
const TIME: Duration = Duration::from_secs(60);
/// How long others may hold the file.
const PATIENCE: Duration = Duration::from_secs(10);
/// Steps of SQLite between two looks at the clock.
const STEPS: i32 = 2_000;
/// Most bytes of a text, a blob or a row.
const MAX_CELL: i32 = 64 << 20;
/// Most bytes of a statement.
const MAX_SQL: i32 = 1_000_000;
/// Most bytes of the file.
const MAX_FILE: i64 = 2 << 30;
/// Most rows that are read at once.
const MAX_ROWS: usize = 1_000_000;
/// Most bytes that are read at once.
const MAX_READ: usize = 256 << 20;
/// Counted for each cell beside what is in it.
const CELL: usize = 64;
/// Settings that only tell something.
const TELLING: &[&str] = &[
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
];

/// What becomes of a file that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    Created,
    Refused,
}

/// An open database.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
}

/// The file a name stands for.
pub(super) fn path(cx: &NodeCx, name: &str) -> Result<std::path::PathBuf, NodeError> {
    let bad = |message: String| NodeError::bad("database_name", message);
    let name = name.trim();
    if name.is_empty() || name.ends_with(['/', '\\']) {
        return Err(bad(
            "is no file name (expected one such as memory.db)".into()
        ));
    }
    let path = cx.workspace()?.resolve(name);
    path.map_err(|e| bad(e.to_string()))
}

/// Works with the database of a name on a thread where that harms nobody; ended when nobody waits any more.
pub(super) async fn with<T: Send + 'static>(
    cx: &NodeCx,
    name: &str,
    absent: Absent,
    job: impl FnOnce(&Database) -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    let (path, name) = (path(cx, name)?, name.trim().to_owned());
    // A file may take its time however little is asked of it.
    work::run(usize::MAX, move |stop| {
        if !path.exists() {
            if absent == Absent::Refused {
                let message = format!("there is no database {name} in the workspace");
                return Err(NodeError::bad("database_name", message));
            }
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
        }
        let database = Database::open(&path, absent, TIME, stop);
        let database = database.map_err(|e| fault("database_name", &e))?;
        let done = job(&database);
        stop.check()?;
        done
    })
    .await
}

impl Database {
    fn open(path: &Path, absent: Absent, time: Duration, stop: &Stop) -> rusqlite::Result<Self> {
        // Names are paths here, never URIs with options in them.
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        if absent == Absent::Created {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.busy_timeout(PATIENCE)?;
        for (limit, most) in [
            (Limit::SQLITE_LIMIT_LENGTH, MAX_CELL),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, MAX_SQL),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
            (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 100),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
            (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 20),
            (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        ] {
            connection.set_limit(limit, most)?;
        }
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = MAX_FILE / page.max(512);
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        connection.authorizer(Some(permitted))?;
        let (stop, end) = (stop.clone(), Instant::now() + time);
        let late = move || stop.check().is_err() || Instant::now() >= end;
        connection.progress_handler(STEPS, Some(late))?;
        Ok(Database { connection })
    }

    /// One statement.
    pub(super) fn statement(&self, property: &str, sql: &str) -> Result<Statement<'_>, NodeError> {
        let prepared = self.connection.prepare(sql);
        prepared.map_err(|e| fault(property, &e))
    }

    /// Runs a statement that gives no rows; how many rows it changed.
    pub(super) fn change(
        &self,
        property: &str,
        sql: &str,
        values: Vec<Cell>,
    ) -> Result<usize, NodeError> {
        let mut statement = self.statement(property, sql)?;
        let changed = statement.execute(params_from_iter(values));
        changed.map_err(|e| fault(property, &e))
    }

    /// Runs a statement; its rows.
    pub(super) fn rows(
        &self,
        property: &str,
        sql: &str,
        values: Vec<Cell>,
    ) -> Result<Vec<Value>, NodeError> {
        let mut statement = self.statement(property, sql)?;
        rows(property, &mut statement, values)
    }

    /// The id of the row that was inserted last.
    pub(super) fn last_row(&self) -> i64 {
        self.connection.last_insert_rowid()
    }
}

/// The rows a statement gives, as objects.
pub(super) fn rows(
    property: &str,
    statement: &mut Statement<'_>,
    values: Vec<Cell>,
) -> Result<Vec<Value>, NodeError> {
    let names: Vec<Arc<str>> = statement.column_names().map(Arc::from).collect();
    let fault = |e: rusqlite::Error| fault(property, &e);
    let mut rows = statement.query(params_from_iter(values)).map_err(fault)?;
    let (mut read, mut bytes) = (Vec::new(), 0usize);
    while let Some(row) = rows.next().map_err(fault)? {
        let mut object = Map::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            let cell = row.get_ref(at).map_err(fault)?;
            bytes = bytes.saturating_add(CELL + cell::size(cell));
            object.insert(name.clone(), cell::read(cell));
        }
        if read.len() >= MAX_ROWS || bytes > MAX_READ {
            let message = format!(
                "asks for too much (expected at most {MAX_ROWS} rows of {MAX_READ} bytes in all)"
            );
            return Err(NodeError::bad(property, message));
        }
        read.push(object.into());
    }
    Ok(read)
}

/// Whether SQL may do something.
fn permitted(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } | AuthAction::Unknown { .. } => {
            Authorization::Deny
        }
        AuthAction::Pragma { pragma_name, .. } => {
            match TELLING.iter().any(|p| p.eq_ignore_ascii_case(pragma_name)) {
                true => Authorization::Allow,
                false => Authorization::Deny,
            }
        }
        AuthAction::Function { function_name }
            if function_name.eq_ignore_ascii_case("load_extension") =>
        {
            Authorization::Deny
        }
        _ => Authorization::Allow,
    }
}

/// What went wrong, in the name of the property that holds the SQL.
pub(super) fn fault(property: &str, error: &rusqlite::Error) -> NodeError {
    let code = error.sqlite_error_code();
    let message = match (error, code) {
        (rusqlite::Error::MultipleStatement, _) => {
            "holds several statements (expected one)".to_owned()
        }
        (rusqlite::Error::InvalidParameterCount(given, wanted), _) => {
            format!("has {wanted} places for parameters, and {given} are given")
        }
        (_, Some(ErrorCode::OperationInterrupted)) => {
            format!("took longer than {} s", TIME.as_secs())
        }
        (_, Some(ErrorCode::AuthorizationForStatementDenied)) => {
            "asks for what is not allowed here: other files, extensions or settings".to_owned()
        }
        (_, Some(ErrorCode::NotADatabase)) => "is a file that is no SQLite database".to_owned(),
        (_, Some(ErrorCode::DiskFull)) => {
            format!("would make the file larger than {MAX_FILE} bytes, or the disk is full")
        }
        _ => {
            let text: String = error.to_string().chars().take(400).collect();
            format!("cannot be carried out: {text}")
        }
    };
    NodeError::bad(property, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path, time: Duration) -> Database {
        Database::open(path, Absent::Created, time, &Stop::default()).unwrap()
    }

    #[test]
    fn other_files_extensions_and_settings_are_out_of_reach() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let database = open(&folder.join("a.db"), TIME);
        let other = folder.join("b.db");
        for sql in [
            format!("ATTACH '{}' AS b", other.display()),
            format!("VACUUM INTO '{}'", other.display()),
            "SELECT load_extension('x')".into(),
            "PRAGMA writable_schema = 1".into(),
            "PRAGMA temp_store_directory = '/tmp'".into(),
            "SELECT readfile('/etc/passwd')".into(),
            "SELECT 1; SELECT 2".into(),
            "SELECT randomblob(100000000)".into(),
        ] {
            let refused = database.rows("sql", &sql, Vec::new());
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains("`sql`"), "{sql}: {refused}");
        }
        assert!(!other.exists());
        let told = database.rows("sql", "PRAGMA table_list", Vec::new());
        assert!(!told.unwrap().is_empty());
    }

    #[test]
    fn a_statement_without_end_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let database = open(&folder.join("a.db"), Duration::ZERO);
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        let ended = database.rows("sql", sql, Vec::new()).unwrap_err();
        assert!(ended.to_string().contains("took longer"), "{ended}");
    }
}

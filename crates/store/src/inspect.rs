//! Looks at a database file without changing it, beside a server that uses it or without one. It must not know what is
//! wrong with what it finds; it tells.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::StoreError;
use crate::connection::open_looker;
use crate::error::During;
use crate::migrations::{self, MigrationStatus};
use crate::sql::each_row;

/// Complaints of the integrity check that are told.
const COMPLAINTS: usize = 5;

/// What there is to know of a database.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Every migration this program knows, and whether the database has it.
    pub migrations: Vec<MigrationStatus>,
    /// What the integrity check complains of; nothing when it was not made.
    pub complaints: Option<Vec<String>>,
    /// Keys of the contents that assets refer to, as far as they were asked for.
    pub file_ids: Vec<String>,
}

/// Looks at a database: with the integrity check if wanted, and with the contents of at most `files` assets, the newest
/// first. Blocks, for long if the database is large and checked.
///
/// # Errors
/// When the database cannot be read, or is not one of this program.
pub fn inspect(path: &Path, check: bool, files: usize) -> Result<Inspection, StoreError> {
    let db = open_looker(path, Duration::from_secs(2))?;
    let migrations = migrations::status(&db)?;
    let complaints = check.then(|| complaints(&db)).transpose()?;
    let file_ids = if migrations::is_current(&migrations) {
        file_ids(&db, files)?
    } else {
        Vec::new()
    };
    Ok(Inspection {
        migrations,
        complaints,
        file_ids,
    })
}

fn complaints(db: &Connection) -> Result<Vec<String>, StoreError> {
    const OPERATION: &str = "check the database";
    let mut told = Vec::new();
    let check = format!("PRAGMA quick_check({COMPLAINTS})");
    let mut statement = db.prepare(&check).during(OPERATION)?;
    let mut rows = statement.query([]).during(OPERATION)?;
    while let Some(row) = rows.next().during(OPERATION)? {
        let text: String = row.get(0).during(OPERATION)?;
        if text != "ok" {
            told.push(text);
        }
    }
    Ok(told)
}

fn file_ids(db: &Connection, most: usize) -> Result<Vec<String>, StoreError> {
    const OPERATION: &str = "list the contents of assets";
    let mut ids = Vec::new();
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let sql = "SELECT file_id FROM nodetool_assets WHERE file_id <> '' ORDER BY id DESC LIMIT $1";
    each_row(db, OPERATION, sql, &[&most], |row| {
        ids.push(row.get(0).during(OPERATION)?);
        Ok(true)
    })?;
    Ok(ids)
}

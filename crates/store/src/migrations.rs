//! The ordered changes that make up the schema, and the record of those a database has.
//!
//! Migrations are embedded SQL files named `YYYYMMDD_HHMMSS_name.sql`; they only add. A file must never
//! change once released: its checksum is compared with the one noted when it was applied. It must not
//! know what the tables are for.

use std::sync::Arc;
use std::time::Instant;

use rusqlite::{Connection, Row};

use crate::StoreError;
use crate::error::During;
use crate::etag::sha256_hex;
use crate::ids::now_micros;
use crate::sql::{Values, each_row, execute, first_value};

const CREATE_RECORD: &str = "CREATE TABLE IF NOT EXISTS _nodetool_migrations (
    version TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at BIGINT NOT NULL,
    execution_time_ms BIGINT NOT NULL DEFAULT 0,
    baselined BIGINT NOT NULL DEFAULT 0
)";

const RECORD: &str = "INSERT INTO _nodetool_migrations \
     (version, name, checksum, applied_at, execution_time_ms, baselined) VALUES ($1, $2, $3, $4, $5, 0)";

macro_rules! embedded {
    ($($file:literal),* $(,)?) => {
        &[$(Migration { file: $file, sql: include_str!(concat!("../migrations/", $file, ".sql")) }),*]
    };
}

/// Every migration, oldest first.
const MIGRATIONS: &[Migration] = embedded![
    "20260101_000000_create_workflows",
    "20260101_000100_create_jobs",
    "20260601_000000_create_versions",
    "20260601_000100_create_assets",
    "20260601_000200_create_threads_and_messages",
    "20260601_000300_create_predictions",
    "20260601_000350_create_workspaces",
    "20260601_000360_create_settings",
    "20260601_000400_add_run_state",
    "20260601_000500_create_triggers",
    "20260601_000501_create_secrets",
    "20260601_000502_create_api_keys",
    "20260601_000503_create_oauth_credentials",
    "20260601_000510_create_collections",
    "20260601_000610_add_message_inputs",
    "20260601_000700_create_loops",
    "20260601_000710_create_browsers",
    "20260601_000730_create_enquiries",
];

/// Length of `YYYYMMDD_HHMMSS`.
const VERSION_LENGTH: usize = 15;

struct Migration {
    file: &'static str,
    sql: &'static str,
}

impl Migration {
    fn version(&self) -> &'static str {
        self.file.get(..VERSION_LENGTH).unwrap_or(self.file)
    }

    fn name(&self) -> &'static str {
        self.file.get(VERSION_LENGTH + 1..).unwrap_or_default()
    }

    /// Hash of the text with Unix line ends, so that a checkout cannot change it.
    fn checksum(&self) -> String {
        sha256_hex(&self.sql.replace("\r\n", "\n"))
    }

    fn pending(&self) -> MigrationStatus {
        MigrationStatus {
            version: self.version().to_owned(),
            name: self.name().to_owned(),
            checksum: self.checksum(),
            state: MigrationState::Pending,
        }
    }
}

/// One migration as `migrations status` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// `YYYYMMDD_HHMMSS`.
    pub version: String,
    /// What it does, in snake case.
    pub name: String,
    /// SHA-256 of its text in hex.
    pub checksum: String,
    /// Whether the database has it.
    pub state: MigrationState,
}

/// Whether a database has a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MigrationState {
    /// Not applied yet.
    Pending,
    /// Applied.
    Applied {
        /// When, in microseconds UTC.
        applied_at: i64,
        /// How long it took.
        execution_time_ms: i64,
        /// Noted as present without having been run.
        baselined: bool,
    },
}

/// Refuses a database whose migrations are not those of this program.
pub(crate) fn check(db: &Connection) -> Result<(), StoreError> {
    status(db).map(|_| ())
}

/// Whether no migration is missing.
pub(crate) fn is_current(migrations: &[MigrationStatus]) -> bool {
    let mut states = migrations.iter().map(|m| &m.state);
    states.all(|state| *state != MigrationState::Pending)
}

/// Compares the migrations of this program with those noted in the database.
pub(crate) fn status(db: &Connection) -> Result<Vec<MigrationStatus>, StoreError> {
    let mut known: Vec<MigrationStatus> = MIGRATIONS.iter().map(Migration::pending).collect();
    for applied in recorded(db)? {
        let Some(own) = known.iter_mut().find(|own| own.version == applied.version) else {
            return Err(StoreError::NewerDatabase {
                version: applied.version,
                name: applied.name,
                newest: MIGRATIONS
                    .last()
                    .map_or("none", Migration::version)
                    .to_owned(),
            });
        };
        if own.checksum != applied.checksum {
            return Err(StoreError::ChecksumMismatch {
                version: applied.version,
                name: applied.name,
                expected: own.checksum.clone(),
                found: applied.checksum,
            });
        }
        own.state = applied.state;
    }
    Ok(known)
}

/// Applies what is missing, oldest first, and returns how many that were. The caller holds a write
/// transaction, so no other process can apply the same ones.
pub(crate) fn apply_pending(db: &Connection) -> Result<usize, StoreError> {
    db.execute_batch(CREATE_RECORD)
        .during("create the record of migrations")?;
    let mut count = 0;
    for (migration, status) in MIGRATIONS.iter().zip(status(db)?) {
        if status.state == MigrationState::Pending {
            apply(db, migration, &status.checksum)?;
            count += 1;
        }
    }
    Ok(count)
}

fn apply(db: &Connection, migration: &Migration, checksum: &str) -> Result<(), StoreError> {
    let started = Instant::now();
    db.execute_batch(migration.sql)
        .map_err(|source| StoreError::Migration {
            version: migration.version().to_owned(),
            name: migration.name().to_owned(),
            source: Arc::new(source),
        })?;
    let took = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
    let values: &Values<'_> = &[
        &migration.version(),
        &migration.name(),
        &checksum,
        &now_micros(),
        &took,
    ];
    execute(db, "note a migration", RECORD, values)?;
    Ok(())
}

fn recorded(db: &Connection) -> Result<Vec<MigrationStatus>, StoreError> {
    const OPERATION: &str = "read the record of migrations";
    // Catalogues are the one thing both dialects name differently.
    let catalogue =
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_nodetool_migrations'";
    if first_value::<i64>(db, OPERATION, catalogue, &[])?.is_none() {
        return Ok(Vec::new());
    }
    let mut recorded = Vec::new();
    let columns = "SELECT version, name, checksum, applied_at, execution_time_ms, baselined \
                   FROM _nodetool_migrations ORDER BY version";
    each_row(db, OPERATION, columns, &[], |row| {
        recorded.push(read(row).during(OPERATION)?);
        Ok(true)
    })?;
    Ok(recorded)
}

fn read(row: &Row<'_>) -> rusqlite::Result<MigrationStatus> {
    Ok(MigrationStatus {
        version: row.get(0)?,
        name: row.get(1)?,
        checksum: row.get(2)?,
        state: MigrationState::Applied {
            applied_at: row.get(3)?,
            execution_time_ms: row.get(4)?,
            baselined: row.get::<_, i64>(5)? != 0,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_time_and_purpose_and_stand_in_order() {
        for migration in MIGRATIONS {
            let version = migration.version();
            assert_eq!(version.len(), VERSION_LENGTH, "{}", migration.file);
            assert!(
                version.bytes().enumerate().all(|(at, b)| if at == 8 {
                    b == b'_'
                } else {
                    b.is_ascii_digit()
                }),
                "{}",
                migration.file
            );
            assert_eq!(migration.file, format!("{version}_{}", migration.name()));
            assert!(!migration.name().is_empty());
        }
        assert!(MIGRATIONS.is_sorted_by(|a, b| a.version() < b.version()));
    }

    #[test]
    fn workflows_stored_before_versions_came_keep_every_column() {
        let names = "id, user_id, access, created_at, updated_at, name, tool_name, tags, description, package_name, \
                     thumbnail, thumbnail_url, graph, settings, receive_clipboard, run_mode, workspace_id, html_app";
        let db = crate::connection::open_in_memory().unwrap();
        db.execute_batch(CREATE_RECORD).unwrap();
        for migration in MIGRATIONS.iter().filter(|m| m.version() < "20260601") {
            apply(&db, migration, &migration.checksum()).unwrap();
        }
        let values: Vec<String> = (0..18)
            .map(|at| match at {
                3 | 4 | 14 => at.to_string(),
                at => format!("'text {at}'"),
            })
            .collect();
        let insert = format!(
            "INSERT INTO nodetool_workflows ({names}) VALUES ({})",
            values.join(", ")
        );
        db.execute_batch(&insert).unwrap();
        apply_pending(&db).unwrap();
        let select = format!("SELECT {names}, input_schema FROM nodetool_workflows");
        each_row(&db, "probe", &select, &[], |row| {
            for (at, value) in values.iter().enumerate() {
                let found: rusqlite::types::Value = row.get(at).unwrap();
                let found = match found {
                    rusqlite::types::Value::Integer(n) => n.to_string(),
                    rusqlite::types::Value::Text(text) => format!("'{text}'"),
                    other => format!("{other:?}"),
                };
                assert_eq!(&found, value);
            }
            assert_eq!(row.get::<_, Option<String>>(18).unwrap(), None);
            Ok(true)
        })
        .unwrap();
        let count =
            first_value::<i64>(&db, "probe", "SELECT COUNT(*) FROM nodetool_workflows", &[]);
        assert_eq!(count.unwrap(), Some(1));
    }

    #[test]
    fn line_ends_do_not_change_a_checksum() {
        let unix = Migration {
            file: "x",
            sql: "a\nb\n",
        };
        let windows = Migration {
            file: "x",
            sql: "a\r\nb\r\n",
        };
        assert_eq!(unix.checksum(), windows.checksum());
    }
}

//! Rows of browsers that steps work in: sessions, pools of them, and the pauses each pool keeps for a domain.
//!
//! Every statement names the owner. It must not know what a config means; it is JSON text.

use rusqlite::{Connection, Row};

use crate::error::During;
use crate::ids::check_id;
use crate::sql::{Values, each_row, execute, first_row, first_value};
use crate::{Store, StoreError};

const SESSION: &str = "browser session";
const POOL: &str = "browser pool";
const RULE: &str = "throttle rule";

macro_rules! columns {
    () => {
        "id, user_id, name, description, config, created_at, updated_at"
    };
}

macro_rules! statements {
    ($table:literal) => {
        Statements {
            count: concat!("SELECT COUNT(*) FROM ", $table, " WHERE user_id = $1"),
            insert: concat!(
                "INSERT INTO ",
                $table,
                " (",
                columns!(),
                ") VALUES ($1, $2, $3, $4, $5, $6, $7)"
            ),
            select: concat!(
                "SELECT ",
                columns!(),
                " FROM ",
                $table,
                " WHERE id = $1 AND user_id = $2"
            ),
            list: concat!(
                "SELECT ",
                columns!(),
                " FROM ",
                $table,
                " WHERE user_id = $1 ORDER BY created_at, id"
            ),
            update: concat!(
                "UPDATE ",
                $table,
                " SET name = $3, description = $4, config = $5, updated_at = $6 WHERE id = $1 AND user_id = $2"
            ),
            delete: concat!("DELETE FROM ", $table, " WHERE id = $1 AND user_id = $2"),
        }
    };
}

struct Statements {
    count: &'static str,
    insert: &'static str,
    select: &'static str,
    list: &'static str,
    update: &'static str,
    delete: &'static str,
}

const SESSIONS: Statements = statements!("nodetool_browser_sessions");
const POOLS: Statements = statements!("nodetool_browser_pools");

const DELETE_RULES: &str =
    "DELETE FROM nodetool_browser_throttle_rules WHERE pool_id = $1 AND user_id = $2";
const COUNT_RULES: &str =
    "SELECT COUNT(*) FROM nodetool_browser_throttle_rules WHERE pool_id = $1 AND user_id = $2";
const LIST_RULES: &str = "SELECT id, user_id, pool_id, domain, delay_ms, enabled, created_at, updated_at \
     FROM nodetool_browser_throttle_rules WHERE pool_id = $1 AND user_id = $2 ORDER BY domain";
const INSERT_RULE: &str = "INSERT INTO nodetool_browser_throttle_rules \
     (id, user_id, pool_id, domain, delay_ms, enabled, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING id";
const UPDATE_RULE: &str = "UPDATE nodetool_browser_throttle_rules \
     SET delay_ms = $4, enabled = $5, updated_at = $6 WHERE id = $1 AND user_id = $2 AND pool_id = $3";
const DELETE_RULE: &str =
    "DELETE FROM nodetool_browser_throttle_rules WHERE id = $1 AND user_id = $2 AND pool_id = $3";

/// Which of the two kinds of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrowserKind {
    /// A browser with cookies of its own.
    Session,
    /// Some sessions of a user.
    Pool,
}

impl BrowserKind {
    fn word(self) -> &'static str {
        match self {
            BrowserKind::Session => SESSION,
            BrowserKind::Pool => POOL,
        }
    }

    fn statements(self) -> &'static Statements {
        match self {
            BrowserKind::Session => &SESSIONS,
            BrowserKind::Pool => &POOLS,
        }
    }
}

/// A session or a pool, column by column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrowserRow {
    /// Primary key.
    pub id: String,
    /// Owner.
    pub user_id: String,
    /// Shown name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// JSON: how a session's browser is set up, or the sessions of a pool.
    pub config: String,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub updated_at: i64,
}

impl BrowserRow {
    fn bytes(&self) -> usize {
        self.id.len()
            + self.user_id.len()
            + self.name.len()
            + self.description.len()
            + self.config.len()
    }

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let read = || {
            Ok(BrowserRow {
                id: row.get(0)?,
                user_id: row.get(1)?,
                name: row.get(2)?,
                description: row.get(3)?,
                config: row.get(4)?,
                created_at: row.get(5)?,
                updated_at: row.get(6)?,
            })
        };
        read().during("read a browser")
    }
}

/// The pause between visits to a domain, column by column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThrottleRuleRow {
    /// Primary key.
    pub id: String,
    /// Owner.
    pub user_id: String,
    /// The pool that keeps it.
    pub pool_id: String,
    /// In small letters; one rule of a pool for each.
    pub domain: String,
    /// Milliseconds.
    pub delay_ms: i64,
    /// Whether it is kept.
    pub enabled: bool,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub updated_at: i64,
}

impl ThrottleRuleRow {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let read = || {
            Ok(ThrottleRuleRow {
                id: row.get(0)?,
                user_id: row.get(1)?,
                pool_id: row.get(2)?,
                domain: row.get(3)?,
                delay_ms: row.get(4)?,
                enabled: row.get::<_, i64>(5)? != 0,
                created_at: row.get(6)?,
                updated_at: row.get(7)?,
            })
        };
        read().during("read a throttle rule")
    }
}

/// What became of a new rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewThrottleRule {
    /// It is stored.
    Stored,
    /// The pool has one for the domain.
    Taken,
    /// The pool has as many as it may.
    TooMany,
}

impl Store {
    /// Stores a new session or pool; false when the user has as many as are allowed.
    ///
    /// # Errors
    /// When the id is none or taken, or the database cannot be written.
    pub async fn insert_browser(
        &self,
        kind: BrowserKind,
        row: BrowserRow,
        most: i64,
    ) -> Result<bool, StoreError> {
        check_id("id", &row.id)?;
        self.write(kind.word(), row.bytes(), move |db| {
            const OPERATION: &str = "insert a browser";
            let count = first_value(db, OPERATION, kind.statements().count, &[&row.user_id])?;
            if count.unwrap_or(0) >= most {
                return Ok(false);
            }
            let values: &Values<'_> = &[
                &row.id,
                &row.user_id,
                &row.name,
                &row.description,
                &row.config,
                &row.created_at,
                &row.updated_at,
            ];
            execute(db, OPERATION, kind.statements().insert, values)?;
            Ok(true)
        })
        .await
    }

    /// A session or pool of a user.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_browser(
        &self,
        kind: BrowserKind,
        user_id: &str,
        id: &str,
    ) -> Result<Option<BrowserRow>, StoreError> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        self.read(move |db| find(db, kind, &user_id, &id)).await
    }

    /// A user's sessions or pools, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_browsers(
        &self,
        kind: BrowserKind,
        user_id: &str,
    ) -> Result<Vec<BrowserRow>, StoreError> {
        let user_id = user_id.to_owned();
        self.read(move |db| {
            let mut rows = Vec::new();
            let sql = kind.statements().list;
            each_row(db, "list browsers", sql, &[&user_id], |row| {
                rows.push(BrowserRow::read(row)?);
                Ok(true)
            })?;
            Ok(rows)
        })
        .await
    }

    /// Changes name, description and config of the user's session or pool; false when there is none.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn update_browser(
        &self,
        kind: BrowserKind,
        row: BrowserRow,
    ) -> Result<bool, StoreError> {
        self.write(kind.word(), row.bytes(), move |db| {
            let values: &Values<'_> = &[
                &row.id,
                &row.user_id,
                &row.name,
                &row.description,
                &row.config,
                &row.updated_at,
            ];
            Ok(execute(db, "update a browser", kind.statements().update, values)? > 0)
        })
        .await
    }

    /// Deletes the user's session or pool, a pool with its rules; false when there is none.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_browser(
        &self,
        kind: BrowserKind,
        user_id: &str,
        id: &str,
    ) -> Result<bool, StoreError> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        self.write(kind.word(), 1 << 8, move |db| {
            const OPERATION: &str = "delete a browser";
            let values: &Values<'_> = &[&id, &user_id];
            if kind == BrowserKind::Pool {
                execute(db, OPERATION, DELETE_RULES, values)?;
            }
            Ok(execute(db, OPERATION, kind.statements().delete, values)? > 0)
        })
        .await
    }

    /// The rules of a user's pool, by domain.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_throttle_rules(
        &self,
        user_id: &str,
        pool_id: &str,
    ) -> Result<Vec<ThrottleRuleRow>, StoreError> {
        let (user_id, pool_id) = (user_id.to_owned(), pool_id.to_owned());
        self.read(move |db| {
            let mut rows = Vec::new();
            let values: &Values<'_> = &[&pool_id, &user_id];
            each_row(db, "list throttle rules", LIST_RULES, values, |row| {
                rows.push(ThrottleRuleRow::read(row)?);
                Ok(true)
            })?;
            Ok(rows)
        })
        .await
    }

    /// Stores a new rule of a pool.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the user has no such pool.
    pub async fn insert_throttle_rule(
        &self,
        row: ThrottleRuleRow,
        most: i64,
    ) -> Result<NewThrottleRule, StoreError> {
        check_id("id", &row.id)?;
        self.write(RULE, 1 << 10, move |db| {
            const OPERATION: &str = "insert a throttle rule";
            if find(db, BrowserKind::Pool, &row.user_id, &row.pool_id)?.is_none() {
                return Err(StoreError::NotFound {
                    kind: POOL,
                    id: row.pool_id.clone(),
                });
            }
            let count = first_value(db, OPERATION, COUNT_RULES, &[&row.pool_id, &row.user_id])?;
            if count.unwrap_or(0) >= most {
                return Ok(NewThrottleRule::TooMany);
            }
            let values: &Values<'_> = &[
                &row.id,
                &row.user_id,
                &row.pool_id,
                &row.domain,
                &row.delay_ms,
                &i64::from(row.enabled),
                &row.created_at,
                &row.updated_at,
            ];
            Ok(
                match first_value::<String>(db, OPERATION, INSERT_RULE, values)? {
                    Some(_) => NewThrottleRule::Stored,
                    None => NewThrottleRule::Taken,
                },
            )
        })
        .await
    }

    /// Changes pause and state of a rule; false when the user's pool has none of this id.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn update_throttle_rule(&self, row: ThrottleRuleRow) -> Result<bool, StoreError> {
        self.write(RULE, 1 << 10, move |db| {
            let values: &Values<'_> = &[
                &row.id,
                &row.user_id,
                &row.pool_id,
                &row.delay_ms,
                &i64::from(row.enabled),
                &row.updated_at,
            ];
            Ok(execute(db, "update a throttle rule", UPDATE_RULE, values)? > 0)
        })
        .await
    }

    /// Deletes a rule; false when the user's pool has none of this id.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_throttle_rule(
        &self,
        user_id: &str,
        pool_id: &str,
        id: &str,
    ) -> Result<bool, StoreError> {
        let (user_id, pool_id, id) = (user_id.to_owned(), pool_id.to_owned(), id.to_owned());
        self.write(RULE, 1 << 8, move |db| {
            let values: &Values<'_> = &[&id, &user_id, &pool_id];
            Ok(execute(db, "delete a throttle rule", DELETE_RULE, values)? > 0)
        })
        .await
    }
}

fn find(
    db: &Connection,
    kind: BrowserKind,
    user_id: &str,
    id: &str,
) -> Result<Option<BrowserRow>, StoreError> {
    let sql = kind.statements().select;
    first_row(
        db,
        "read a browser",
        sql,
        &[&id, &user_id],
        BrowserRow::read,
    )
}

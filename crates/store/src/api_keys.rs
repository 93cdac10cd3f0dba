//! API key rows: what is known of keys that programs show instead of their user's token.
//!
//! It must not know the keys themselves: a hash is text here.

use rusqlite::{Connection, Row};

use crate::error::During;
use crate::ids::check_id;
use crate::sql::{Values, each_row, execute, first_row, first_value};
use crate::{Pending, Store, StoreError};

const KIND: &str = "API key";

/// Most keys of one user.
pub const MAX_API_KEYS: usize = 100;

macro_rules! columns {
    () => {
        "id, user_id, name, hash, prefix, created_at, expires_at, last_used_at"
    };
}

const COUNT: &str = "SELECT COUNT(*) FROM nodetool_api_keys WHERE user_id = $1";

const INSERT: &str = concat!(
    "INSERT INTO nodetool_api_keys (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING id"
);

const SELECT_BY_HASH: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_api_keys WHERE hash = $1"
);

const SELECT_OF_USER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_api_keys WHERE user_id = $1 ORDER BY created_at DESC, id DESC"
);

const TOUCH: &str = "UPDATE nodetool_api_keys SET last_used_at = $2 \
     WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)";

const DELETE: &str = "DELETE FROM nodetool_api_keys WHERE id = $1 AND user_id = $2 RETURNING id";

/// One API key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiKeyRow {
    /// Primary key.
    pub id: String,
    /// Owner.
    pub user_id: String,
    /// What its owner calls it.
    pub name: String,
    /// Hash of the key, unique.
    pub hash: String,
    /// First characters of the key, by which its owner knows it.
    pub prefix: String,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC; never when `None`.
    pub expires_at: Option<i64>,
    /// Microseconds UTC; about.
    pub last_used_at: Option<i64>,
}

impl ApiKeyRow {
    fn text_bytes(&self) -> usize {
        self.id.len() + self.user_id.len() + self.name.len() + self.hash.len() + self.prefix.len()
    }

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let columns = |row: &Row<'_>| {
            Ok(Self {
                id: row.get(0)?,
                user_id: row.get(1)?,
                name: row.get(2)?,
                hash: row.get(3)?,
                prefix: row.get(4)?,
                created_at: row.get(5)?,
                expires_at: row.get(6)?,
                last_used_at: row.get(7)?,
            })
        };
        columns(row).during("read an API key")
    }
}

impl Store {
    /// Stores a new key and answers true, or answers false when the user has [`MAX_API_KEYS`] already.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] when the id or the hash is taken.
    pub async fn insert_api_key(&self, row: ApiKeyRow) -> Result<bool, StoreError> {
        check_id("id", &row.id)?;
        self.write(KIND, row.text_bytes(), move |db| insert(db, &row))
            .await
    }

    /// Finds the key with a hash, whoever owns it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_api_key(&self, hash: &str) -> Result<Option<ApiKeyRow>, StoreError> {
        let hash = hash.to_owned();
        self.read(move |db| {
            first_row(
                db,
                "find an API key",
                SELECT_BY_HASH,
                &[&hash],
                ApiKeyRow::read,
            )
        })
        .await
    }

    /// A user's keys, newest first; all of them, as there are at most [`MAX_API_KEYS`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_api_keys(&self, user_id: &str) -> Result<Vec<ApiKeyRow>, StoreError> {
        let user_id = user_id.to_owned();
        self.read(move |db| {
            let mut keys = Vec::new();
            let values: &Values<'_> = &[&user_id];
            each_row(db, "list API keys", SELECT_OF_USER, values, |row| {
                keys.push(ApiKeyRow::read(row)?);
                Ok(keys.len() < MAX_API_KEYS)
            })?;
            Ok(keys)
        })
        .await
    }

    /// Notes that a key was used, unless it was used after `unless_since` already. The note is queued and kept whether
    /// or not the answer is awaited.
    ///
    /// # Errors
    /// When the queue of writes is full.
    pub fn touch_api_key(
        &self,
        id: &str,
        used_at: i64,
        unless_since: i64,
    ) -> Result<Pending<usize>, StoreError> {
        let id = id.to_owned();
        self.enqueue(KIND, id.len(), move |db| {
            let values: &Values<'_> = &[&id, &used_at, &unless_since];
            execute(db, "note the use of an API key", TOUCH, values)
        })
    }

    /// Deletes a user's key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the user has no such key.
    pub async fn delete_api_key(&self, user_id: &str, id: &str) -> Result<(), StoreError> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        self.write(KIND, id.len() + user_id.len(), move |db| {
            let values: &Values<'_> = &[&id, &user_id];
            first_value::<String>(db, "delete an API key", DELETE, values)?
                .map(|_| ())
                .ok_or_else(|| StoreError::NotFound {
                    kind: KIND,
                    id: id.clone(),
                })
        })
        .await
    }
}

fn insert(db: &Connection, row: &ApiKeyRow) -> Result<bool, StoreError> {
    let count = first_value::<i64>(db, "count API keys", COUNT, &[&row.user_id])?;
    if usize::try_from(count.unwrap_or(0)).unwrap_or(usize::MAX) >= MAX_API_KEYS {
        return Ok(false);
    }
    let values: &Values<'_> = &[
        &row.id,
        &row.user_id,
        &row.name,
        &row.hash,
        &row.prefix,
        &row.created_at,
        &row.expires_at,
        &row.last_used_at,
    ];
    first_value::<String>(db, "insert an API key", INSERT, values)?
        .map(|_| true)
        .ok_or_else(|| StoreError::AlreadyExists {
            kind: KIND,
            id: row.id.clone(),
        })
}

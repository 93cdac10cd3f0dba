//! Secret rows: encrypted values of users, by key, and the fingerprint of the master key they all belong to.
//!
//! It must not know how values are encrypted, nor which keys there are. What it does know is that values of two master
//! keys never mix: every write names the fingerprint of its key, and one that does not fit is refused.

use rusqlite::{Connection, Row};

use crate::error::During;
use crate::ids::{check_id, new_id};
use crate::oauth_credentials::{SealedTokens, reseal};
use crate::settings;
use crate::sql::{each_row, execute, first_row, first_value};
use crate::{SettingChange, Store, StoreError};

const KIND: &str = "secret";

/// Most secrets of one user that are read at once.
const MAX_ROWS: usize = 1000;

macro_rules! columns {
    () => {
        "id, user_id, key, encrypted_value, description, created_at, updated_at"
    };
}

const SELECT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_secrets WHERE user_id = $1 AND key = $2"
);

const SELECT_OF_USER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_secrets WHERE user_id = $1 ORDER BY key LIMIT $2"
);

const SELECT_ALL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_secrets ORDER BY user_id, key"
);

const UPSERT: &str = concat!(
    "INSERT INTO nodetool_secrets (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (user_id, key) DO UPDATE SET encrypted_value = $4, \
     description = COALESCE($5, nodetool_secrets.description), updated_at = $7 RETURNING ",
    columns!()
);

const REPLACE: &str =
    "UPDATE nodetool_secrets SET encrypted_value = $3 WHERE id = $1 AND encrypted_value = $2";

const COUNT: &str = "SELECT COUNT(*) FROM nodetool_secrets";

const DELETE: &str = "DELETE FROM nodetool_secrets WHERE user_id = $1 AND key = $2 RETURNING id";

const FINGERPRINT: &str = "SELECT fingerprint FROM nodetool_secrets_key WHERE id = 1";

const SET_FINGERPRINT: &str = "INSERT INTO nodetool_secrets_key (id, fingerprint, since) VALUES (1, $1, $2) \
     ON CONFLICT (id) DO UPDATE SET fingerprint = $1, since = $2";

const FORGET_FINGERPRINT: &str = "DELETE FROM nodetool_secrets_key \
     WHERE NOT EXISTS (SELECT 1 FROM nodetool_secrets)";

/// One secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretRow {
    /// Primary key.
    pub id: String,
    /// Owner.
    pub user_id: String,
    /// Its name, given once to each user.
    pub key: String,
    /// The value, encrypted.
    pub encrypted_value: String,
    /// What it is for.
    pub description: Option<String>,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub updated_at: i64,
}

impl SecretRow {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let operation = "read a secret";
        Ok(SecretRow {
            id: row.get(0).during(operation)?,
            user_id: row.get(1).during(operation)?,
            key: row.get(2).during(operation)?,
            encrypted_value: row.get(3).during(operation)?,
            description: row.get(4).during(operation)?,
            created_at: row.get(5).during(operation)?,
            updated_at: row.get(6).during(operation)?,
        })
    }
}

/// A secret to store, in place of the one of the same user and key.
#[derive(Clone, Debug)]
pub struct PutSecret {
    /// Owner.
    pub user_id: String,
    /// Its name.
    pub key: String,
    /// The value, encrypted.
    pub encrypted_value: String,
    /// What it is for; `None` keeps what is stored.
    pub description: Option<String>,
    /// When it was made, if it is new; microseconds UTC.
    pub created_at: i64,
    /// When it was changed; microseconds UTC.
    pub updated_at: i64,
}

impl PutSecret {
    fn check(&self) -> Result<(), StoreError> {
        check_id("user_id", &self.user_id)?;
        check_id("key", &self.key)
    }

    fn bytes(&self) -> usize {
        let description = self.description.as_ref().map_or(0, String::len);
        self.user_id.len() + self.key.len() + self.encrypted_value.len() + description
    }
}

/// The new value of a row under another master key.
#[derive(Clone, Debug)]
pub struct ReplacedSecret {
    /// Primary key of the row.
    pub id: String,
    /// What it holds.
    pub before: String,
    /// What it shall hold.
    pub after: String,
}

/// Stores secrets under the key of this fingerprint, or refuses when others belong to another one.
fn put(
    db: &Connection,
    secrets: &[PutSecret],
    fingerprint: &str,
) -> Result<Vec<SecretRow>, StoreError> {
    let Some(first) = secrets.first() else {
        return Ok(Vec::new());
    };
    match current(db)? {
        Some(found) if found != fingerprint => {
            return Err(StoreError::Conflict {
                kind: KIND,
                id: first.key.clone(),
                expected: fingerprint.to_owned(),
                found,
            });
        }
        Some(_) => {}
        None => {
            let operation = "note the key of secrets";
            execute(
                db,
                operation,
                SET_FINGERPRINT,
                &[&fingerprint, &first.updated_at],
            )?;
        }
    }
    let rows = secrets.iter().map(|secret| {
        let values: [&dyn rusqlite::ToSql; 7] = [
            &new_id(),
            &secret.user_id,
            &secret.key,
            &secret.encrypted_value,
            &secret.description,
            &secret.created_at,
            &secret.updated_at,
        ];
        let row = first_row(db, "store a secret", UPSERT, &values, SecretRow::read)?;
        row.ok_or_else(|| StoreError::NotFound {
            kind: KIND,
            id: secret.key.clone(),
        })
    });
    rows.collect()
}

fn current(db: &Connection) -> Result<Option<String>, StoreError> {
    first_value(db, "read the key of secrets", FINGERPRINT, &[])
}

impl Store {
    /// The secrets of a user, by key.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn secrets(&self, user_id: &str) -> Result<Vec<SecretRow>, StoreError> {
        let user_id = user_id.to_owned();
        self.read(move |db| {
            let (mut rows, most) = (Vec::new(), MAX_ROWS as i64);
            each_row(
                db,
                "list secrets",
                SELECT_OF_USER,
                &[&user_id, &most],
                |row| {
                    rows.push(SecretRow::read(row)?);
                    Ok(true)
                },
            )?;
            Ok(rows)
        })
        .await
    }

    /// One secret of a user.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_secret(
        &self,
        user_id: &str,
        key: &str,
    ) -> Result<Option<SecretRow>, StoreError> {
        let (user_id, key) = (user_id.to_owned(), key.to_owned());
        self.read(move |db| {
            first_row(
                db,
                "read a secret",
                SELECT,
                &[&user_id, &key],
                SecretRow::read,
            )
        })
        .await
    }

    /// Stores secrets that were encrypted under the key of this fingerprint, all or none.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when stored secrets belong to another key; and when the database cannot be written.
    pub async fn put_secrets(
        &self,
        secrets: Vec<PutSecret>,
        fingerprint: &str,
    ) -> Result<Vec<SecretRow>, StoreError> {
        secrets.iter().try_for_each(PutSecret::check)?;
        let fingerprint = fingerprint.to_owned();
        let bytes = secrets.iter().map(PutSecret::bytes).sum();
        self.write(KIND, bytes, move |db| put(db, &secrets, &fingerprint))
            .await
    }

    /// Stores some settings and secrets, all or none.
    ///
    /// # Errors
    /// As [`Store::put_secrets`].
    pub async fn change_settings_and_secrets(
        &self,
        changes: Vec<SettingChange>,
        secrets: Vec<PutSecret>,
        fingerprint: &str,
        updated_at: i64,
    ) -> Result<Vec<SecretRow>, StoreError> {
        secrets.iter().try_for_each(PutSecret::check)?;
        let fingerprint = fingerprint.to_owned();
        let bytes = settings::bytes(&changes) + secrets.iter().map(PutSecret::bytes).sum::<usize>();
        self.write(KIND, bytes, move |db| {
            settings::change(db, &changes, updated_at)?;
            put(db, &secrets, &fingerprint)
        })
        .await
    }

    /// Deletes a secret of a user; says whether there was one. With the last of all, the key they belonged to is
    /// forgotten.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_secret(&self, user_id: &str, key: &str) -> Result<bool, StoreError> {
        let (user_id, key) = (user_id.to_owned(), key.to_owned());
        self.write(KIND, 0, move |db| {
            let deleted: Option<String> =
                first_value(db, "delete a secret", DELETE, &[&user_id, &key])?;
            execute(db, "forget the key of secrets", FORGET_FINGERPRINT, &[])?;
            Ok(deleted.is_some())
        })
        .await
    }

    /// The fingerprint of the master key that stored secrets belong to.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn secrets_fingerprint(&self) -> Result<Option<String>, StoreError> {
        self.read(current).await
    }

    /// Every secret of every user, for a change of the master key.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn all_secrets(&self) -> Result<Vec<SecretRow>, StoreError> {
        self.read(|db| {
            let mut rows = Vec::new();
            each_row(db, "read all secrets", SELECT_ALL, &[], |row| {
                rows.push(SecretRow::read(row)?);
                Ok(true)
            })?;
            Ok(rows)
        })
        .await
    }

    /// Gives every secret, and the tokens of every account, their values under the master key of another fingerprint,
    /// all or none.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when these are not all secrets, or one has changed meanwhile; and when the database
    /// cannot be written.
    pub async fn replace_secrets(
        &self,
        secrets: Vec<ReplacedSecret>,
        tokens: Vec<(SealedTokens, SealedTokens)>,
        fingerprint: &str,
        at: i64,
    ) -> Result<(), StoreError> {
        let fingerprint = fingerprint.to_owned();
        // They are all of them, so they cannot come in smaller parts; and nobody else writes meanwhile.
        self.write(KIND, 0, move |db| {
            let count: i64 = first_value(db, "count secrets", COUNT, &[])?.unwrap_or_default();
            if usize::try_from(count).ok() != Some(secrets.len()) {
                return Err(changed(
                    "",
                    format!("{} rows", secrets.len()),
                    format!("{count}"),
                ));
            }
            for ReplacedSecret { id, before, after } in &secrets {
                let operation = "store a secret under another key";
                if execute(db, operation, REPLACE, &[id, before, after])? != 1 {
                    return Err(changed(
                        id,
                        "the value that was read".into(),
                        "another".into(),
                    ));
                }
            }
            if !reseal(db, &tokens)? {
                let found = "others".to_owned();
                return Err(changed("", "the tokens that were read".into(), found));
            }
            let operation = "note the key of secrets";
            execute(db, operation, SET_FINGERPRINT, &[&fingerprint, &at])?;
            execute(db, "forget the key of secrets", FORGET_FINGERPRINT, &[]).map(drop)
        })
        .await
    }
}

fn changed(id: &str, expected: String, found: String) -> StoreError {
    StoreError::Conflict {
        kind: KIND,
        id: id.to_owned(),
        expected,
        found,
    }
}

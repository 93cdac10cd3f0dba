//! People who sign in with a name and a password, and the tokens by which they renew their access.
//!
//! It must not know passwords nor tokens: hashes and ids are text here.

use rusqlite::{Connection, Row};

use crate::error::During;
use crate::sql::{execute, first_row, first_value};
use crate::{Store, StoreError};

const KIND: &str = "person";

/// Most people of a server.
pub const MAX_PEOPLE: i64 = 10_000;
/// Number of the first one; the owner of a server without accounts is 1.
const FIRST: i64 = 2;

const COUNT: &str = "SELECT COUNT(*) FROM nodetool_people";
const NEXT: &str = "SELECT COALESCE(MAX(id), $1 - 1) + 1 FROM nodetool_people";
const INSERT: &str = "INSERT INTO nodetool_people (id, username, email, first_name, last_name, password_hash, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id";
const BY_NAME: &str = "SELECT id, username, email, first_name, last_name, password_hash, created_at \
     FROM nodetool_people WHERE username = $1";
const BY_ID: &str = "SELECT id, username, email, first_name, last_name, password_hash, created_at \
     FROM nodetool_people WHERE id = $1";
const INSERT_TOKEN: &str =
    "INSERT INTO nodetool_refresh_tokens (id, person_id, expires_at) VALUES ($1, $2, $3)";
const USE_TOKEN: &str = "UPDATE nodetool_refresh_tokens SET used_at = $2 \
     WHERE id = $1 AND used_at IS NULL AND expires_at > $2 RETURNING person_id";
const FORGET_TOKENS: &str = "DELETE FROM nodetool_refresh_tokens WHERE expires_at <= $1";

/// One person, column by column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonRow {
    /// Primary key; 0 before it is stored.
    pub id: i64,
    /// The name they sign in with, unique.
    pub username: String,
    /// Free text.
    pub email: String,
    /// Free text.
    pub first_name: String,
    /// Free text.
    pub last_name: String,
    /// What their password is compared with.
    pub password_hash: String,
    /// Microseconds UTC.
    pub created_at: i64,
}

impl PersonRow {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let read = || {
            Ok(PersonRow {
                id: row.get(0)?,
                username: row.get(1)?,
                email: row.get(2)?,
                first_name: row.get(3)?,
                last_name: row.get(4)?,
                password_hash: row.get(5)?,
                created_at: row.get(6)?,
            })
        };
        read().during("read a person")
    }
}

/// What became of a new person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewPerson {
    /// Stored under this number.
    Stored(i64),
    /// The name is another one's.
    NameTaken,
    /// There are [`MAX_PEOPLE`] already.
    TooMany,
}

impl Store {
    /// Stores a new person and gives them a number.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn insert_person(&self, row: PersonRow) -> Result<NewPerson, StoreError> {
        self.write(KIND, 1 << 10, move |db| insert(db, &row)).await
    }

    /// The person with a name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_person(&self, username: &str) -> Result<Option<PersonRow>, StoreError> {
        let name = username.to_owned();
        self.read(move |db| first_row(db, "find a person", BY_NAME, &[&name], PersonRow::read))
            .await
    }

    /// The person with a number.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_person(&self, id: i64) -> Result<Option<PersonRow>, StoreError> {
        self.read(move |db| first_row(db, "read a person", BY_ID, &[&id], PersonRow::read))
            .await
    }

    /// Notes a token that may be used once until it ends, and forgets those that have ended.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn insert_refresh_token(
        &self,
        id: String,
        person_id: i64,
        expires_at: i64,
        now: i64,
    ) -> Result<(), StoreError> {
        self.write(KIND, 1 << 8, move |db| {
            execute(db, "forget old tokens", FORGET_TOKENS, &[&now])?;
            let values: [&dyn rusqlite::ToSql; 3] = [&id, &person_id, &expires_at];
            execute(db, "store a token", INSERT_TOKEN, &values)?;
            Ok(())
        })
        .await
    }

    /// Uses a token up; answers whose it was, or nothing when it was used, has ended or never was.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn use_refresh_token(&self, id: String, now: i64) -> Result<Option<i64>, StoreError> {
        self.write(KIND, 1 << 8, move |db| {
            first_value(db, "use a token", USE_TOKEN, &[&id, &now])
        })
        .await
    }
}

fn insert(db: &Connection, row: &PersonRow) -> Result<NewPerson, StoreError> {
    const OPERATION: &str = "store a person";
    let count: Option<i64> = first_value(db, OPERATION, COUNT, &[])?;
    if count.unwrap_or_default() >= MAX_PEOPLE {
        return Ok(NewPerson::TooMany);
    }
    let id: i64 = first_value(db, OPERATION, NEXT, &[&FIRST])?.unwrap_or(FIRST);
    let PersonRow {
        username,
        email,
        first_name,
        last_name,
        password_hash,
        created_at,
        ..
    } = row;
    let values: [&dyn rusqlite::ToSql; 7] = [
        &id,
        username,
        email,
        first_name,
        last_name,
        password_hash,
        created_at,
    ];
    let stored: Option<i64> = first_value(db, OPERATION, INSERT, &values)?;
    Ok(stored.map_or(NewPerson::NameTaken, NewPerson::Stored))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str) -> PersonRow {
        PersonRow {
            username: name.into(),
            ..PersonRow::default()
        }
    }

    #[tokio::test]
    async fn numbers_begin_behind_the_owner_and_names_are_unique() {
        let store = Store::open_in_memory().unwrap();
        assert_eq!(
            store.insert_person(person("a")).await.unwrap(),
            NewPerson::Stored(2)
        );
        assert_eq!(
            store.insert_person(person("b")).await.unwrap(),
            NewPerson::Stored(3)
        );
        assert_eq!(
            store.insert_person(person("a")).await.unwrap(),
            NewPerson::NameTaken
        );
        let found = store.find_person("b").await.unwrap().unwrap();
        assert_eq!(store.get_person(3).await.unwrap(), Some(found));
    }

    #[tokio::test]
    async fn a_token_is_used_once_and_before_its_end() {
        let store = Store::open_in_memory().unwrap();
        store
            .insert_refresh_token("t".into(), 2, 100, 1)
            .await
            .unwrap();
        assert_eq!(
            store.use_refresh_token("t".into(), 100).await.unwrap(),
            None
        );
        assert_eq!(
            store.use_refresh_token("t".into(), 99).await.unwrap(),
            Some(2)
        );
        assert_eq!(store.use_refresh_token("t".into(), 99).await.unwrap(), None);
        assert_eq!(store.use_refresh_token("u".into(), 99).await.unwrap(), None);
    }
}

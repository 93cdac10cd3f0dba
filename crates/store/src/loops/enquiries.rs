//! What people write to those who run a server: requests for a demo, and messages. Nobody owns them.

use rusqlite::Row;

use crate::error::During;
use crate::ids::check_id;
use crate::sql::{Values, each_row, execute, first_row, first_value};
use crate::{Store, StoreError};

const KIND: &str = "enquiry";

/// Most rows of one kind.
pub const MAX_ENQUIRIES: i64 = 10_000;

macro_rules! columns {
    () => {
        "id, name, email, company, message, status, created_at, updated_at"
    };
}

const COUNT: &str = "SELECT COUNT(*) FROM nodetool_enquiries WHERE kind = $1";
const INSERT: &str = concat!(
    "INSERT INTO nodetool_enquiries (kind, ",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
);
const SELECT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_enquiries WHERE kind = $1 AND id = $2"
);
const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_enquiries WHERE kind = $1 AND ($2 = '' OR status = $2) \
      ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4"
);
const UPDATE: &str = "UPDATE nodetool_enquiries SET name = $3, email = $4, company = $5, message = $6, status = $7, \
     updated_at = $8 WHERE kind = $1 AND id = $2";
const DELETE: &str = "DELETE FROM nodetool_enquiries WHERE kind = $1 AND id = $2";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnquiryKind {
    /// That somebody shows what the server does.
    Demo,
    /// An answer.
    Contact,
}

impl EnquiryKind {
    fn word(self) -> &'static str {
        match self {
            EnquiryKind::Demo => "demo",
            EnquiryKind::Contact => "contact",
        }
    }
}

/// An enquiry, column by column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnquiryRow {
    /// Primary key.
    pub id: String,
    /// Who asks.
    pub name: String,
    /// Where the answer goes.
    pub email: String,
    /// Free text.
    pub company: String,
    /// Free text.
    pub message: String,
    /// How far it has come.
    pub status: String,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub updated_at: i64,
}

impl EnquiryRow {
    fn bytes(&self) -> usize {
        self.name.len() + self.email.len() + self.company.len() + self.message.len()
    }

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let read = || {
            Ok(EnquiryRow {
                id: row.get(0)?,
                name: row.get(1)?,
                email: row.get(2)?,
                company: row.get(3)?,
                message: row.get(4)?,
                status: row.get(5)?,
                created_at: row.get(6)?,
                updated_at: row.get(7)?,
            })
        };
        read().during("read an enquiry")
    }
}

impl Store {
    /// Stores a new enquiry; false when there are [`MAX_ENQUIRIES`] of its kind.
    ///
    /// # Errors
    /// When the id is none or taken, or the database cannot be written.
    pub async fn insert_enquiry(
        &self,
        kind: EnquiryKind,
        row: EnquiryRow,
    ) -> Result<bool, StoreError> {
        check_id("id", &row.id)?;
        self.write(KIND, row.bytes(), move |db| {
            const OPERATION: &str = "insert an enquiry";
            let word = kind.word();
            let count: Option<i64> = first_value(db, OPERATION, COUNT, &[&word])?;
            if count.unwrap_or(0) >= MAX_ENQUIRIES {
                return Ok(false);
            }
            let values: &Values<'_> = &[
                &word,
                &row.id,
                &row.name,
                &row.email,
                &row.company,
                &row.message,
                &row.status,
                &row.created_at,
                &row.updated_at,
            ];
            execute(db, OPERATION, INSERT, values)?;
            Ok(true)
        })
        .await
    }

    /// One enquiry.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_enquiry(
        &self,
        kind: EnquiryKind,
        id: &str,
    ) -> Result<Option<EnquiryRow>, StoreError> {
        let id = id.to_owned();
        self.read(move |db| {
            let values: &Values<'_> = &[&kind.word(), &id];
            first_row(db, "read an enquiry", SELECT, values, EnquiryRow::read)
        })
        .await
    }

    /// Enquiries, newest first; only those of a status, if one is named.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_enquiries(
        &self,
        kind: EnquiryKind,
        status: Option<&str>,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<EnquiryRow>, StoreError> {
        let status = status.unwrap_or_default().to_owned();
        self.read(move |db| {
            let mut rows = Vec::new();
            let values: &Values<'_> = &[&kind.word(), &status, &limit, &offset];
            each_row(db, "list enquiries", LIST, values, |row| {
                rows.push(EnquiryRow::read(row)?);
                Ok(true)
            })?;
            Ok(rows)
        })
        .await
    }

    /// Changes an enquiry as it is then, all but its id and when it came; `None` when there is none.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn change_enquiry(
        &self,
        kind: EnquiryKind,
        id: &str,
        bytes: usize,
        change: impl Fn(&mut EnquiryRow) + Send + 'static,
    ) -> Result<Option<EnquiryRow>, StoreError> {
        let id = id.to_owned();
        self.write(KIND, bytes, move |db| {
            const OPERATION: &str = "change an enquiry";
            let word = kind.word();
            let kept = first_row(db, OPERATION, SELECT, &[&word, &id], EnquiryRow::read)?;
            let Some(mut row) = kept else {
                return Ok(None);
            };
            change(&mut row);
            let values: &Values<'_> = &[
                &word,
                &id,
                &row.name,
                &row.email,
                &row.company,
                &row.message,
                &row.status,
                &row.updated_at,
            ];
            execute(db, OPERATION, UPDATE, values)?;
            Ok(Some(row))
        })
        .await
    }

    /// Deletes an enquiry; false when there is none.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_enquiry(&self, kind: EnquiryKind, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(KIND, 1 << 8, move |db| {
            let values: &Values<'_> = &[&kind.word(), &id];
            Ok(execute(db, "delete an enquiry", DELETE, values)? > 0)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enquiry(id: &str, status: &str, created_at: i64) -> EnquiryRow {
        EnquiryRow {
            id: id.into(),
            status: status.into(),
            created_at,
            ..EnquiryRow::default()
        }
    }

    #[tokio::test]
    async fn each_kind_has_its_own_rows_listed_newest_first() {
        let store = Store::open_in_memory().unwrap();
        let (demo, contact) = (EnquiryKind::Demo, EnquiryKind::Contact);
        for (id, status, at) in [("a", "new", 1), ("b", "rejected", 2), ("c", "new", 3)] {
            let row = enquiry(id, status, at);
            assert!(store.insert_enquiry(demo, row).await.unwrap());
        }
        let ids = async |status: Option<&str>, limit, offset| {
            let rows = store.list_enquiries(demo, status, limit, offset).await;
            let ids = rows.unwrap().into_iter().map(|row| row.id);
            ids.collect::<Vec<_>>().concat()
        };
        assert_eq!(ids(None, 10, 0).await, "cba");
        assert_eq!(ids(None, 1, 1).await, "b");
        assert_eq!(ids(Some("new"), 10, 0).await, "ca");
        assert_eq!(store.get_enquiry(contact, "a").await.unwrap(), None);
        assert!(!store.delete_enquiry(contact, "a").await.unwrap());
        let change = |kind| {
            store.change_enquiry(kind, "a", 1, |row| {
                row.message = "m".into();
                row.status = "completed".into();
            })
        };
        assert_eq!(change(contact).await.unwrap(), None);
        let changed = change(demo).await.unwrap().unwrap();
        assert_eq!((&*changed.message, &*changed.status), ("m", "completed"));
        assert_eq!(store.get_enquiry(demo, "a").await.unwrap(), Some(changed));
        assert!(store.delete_enquiry(demo, "a").await.unwrap());
        assert_eq!(ids(None, 10, 0).await, "cb");
    }
}

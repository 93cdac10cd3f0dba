//! Thread rows: conversations that messages belong to.
//!
//! It must not know what is said in them; deleting a thread deletes its messages with it.

use rusqlite::{Connection, Row};

use crate::error::During;
use crate::etag::Etag;
use crate::filter::Filter;
use crate::ids::check_id;
use crate::listing::{By, First, Listing};
use crate::page::{Key, List, Page};
use crate::sql::{execute, first_row, first_value};
use crate::{Store, StoreError};

pub(crate) const KIND: &str = "thread";

const INSERT: &str = "INSERT INTO nodetool_threads (id, user_id, title, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING RETURNING id";

const SELECT: &str = "SELECT id, user_id, title, created_at, updated_at FROM nodetool_threads \
     WHERE id = $1 AND user_id = $2";

const OWNER: &str = "SELECT user_id FROM nodetool_threads WHERE id = $1";

const RENAME: &str = "UPDATE nodetool_threads SET title = $3, updated_at = $4 \
     WHERE id = $1 AND user_id = $2 RETURNING id, user_id, title, created_at, updated_at";

const DELETE: &str = "DELETE FROM nodetool_threads WHERE id = $1 AND user_id = $2 RETURNING id";

const DELETE_MESSAGES: &str = "DELETE FROM nodetool_messages WHERE thread_id = $1 AND user_id = $2";

const LISTING: Listing<ThreadRow> = Listing {
    list: List::Threads,
    operation: "list threads",
    select: "SELECT id, user_id, title, created_at, updated_at FROM nodetool_threads",
    by: By::Created,
    read: ThreadRow::read,
    key: |row| Key {
        at: row.created_at,
        id: row.id.clone(),
    },
    text: ThreadRow::text_bytes,
};

/// One conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadRow {
    /// Primary key.
    pub id: String,
    /// Owner.
    pub user_id: String,
    /// Shown name.
    pub title: Option<String>,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub updated_at: i64,
}

impl ThreadRow {
    /// Opaque hash of every column.
    #[must_use]
    pub fn etag(&self) -> String {
        Etag::new(KIND)
            .text(&self.id)
            .text(&self.user_id)
            .optional(self.title.as_deref())
            .number(self.created_at)
            .number(self.updated_at)
            .finish()
    }

    pub(crate) fn text_bytes(&self) -> usize {
        self.id.len() + self.user_id.len() + self.title.as_ref().map_or(0, String::len)
    }

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let columns = |row: &Row<'_>| {
            Ok(Self {
                id: row.get(0)?,
                user_id: row.get(1)?,
                title: row.get(2)?,
                created_at: row.get(3)?,
                updated_at: row.get(4)?,
            })
        };
        columns(row).during("read a thread")
    }
}

impl Store {
    /// Stores a new thread.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] when the id is taken.
    pub async fn insert_thread(&self, row: ThreadRow) -> Result<(), StoreError> {
        check_id("id", &row.id)?;
        self.write(KIND, row.text_bytes(), move |db| insert(db, &row))
            .await
    }

    /// Reads one thread of a user.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_thread(
        &self,
        user_id: &str,
        id: &str,
    ) -> Result<Option<ThreadRow>, StoreError> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        self.read(move |db| {
            first_row(
                db,
                "read a thread",
                SELECT,
                &[&id, &user_id],
                ThreadRow::read,
            )
        })
        .await
    }

    /// Whose thread an id is, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn thread_owner(&self, id: &str) -> Result<Option<String>, StoreError> {
        let id = id.to_owned();
        self.read(move |db| first_value::<String>(db, "find the owner of a thread", OWNER, &[&id]))
            .await
    }

    /// One page of a user's threads, oldest first or newest first.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`] when the cursor is not one of this list.
    pub async fn list_threads(
        &self,
        user_id: &str,
        newest_first: bool,
        limit: usize,
        cursor: &str,
    ) -> Result<Page<ThreadRow>, StoreError> {
        let after = Key::decode(List::Threads, cursor)?;
        let first = if newest_first {
            First::Newest
        } else {
            First::Oldest
        };
        let mut filter = Filter::default();
        filter.equals("user_id = ?", Some(user_id));
        self.read(move |db| LISTING.page(db, filter, first, limit, after))
            .await
    }

    /// Gives a user's thread another title and returns the row as stored.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the user has no such thread.
    pub async fn rename_thread(
        &self,
        user_id: &str,
        id: &str,
        title: &str,
        updated_at: i64,
    ) -> Result<ThreadRow, StoreError> {
        let (user_id, id, title) = (user_id.to_owned(), id.to_owned(), title.to_owned());
        self.write(KIND, title.len() + id.len(), move |db| {
            let values: &[&dyn rusqlite::ToSql] = &[&id, &user_id, &title, &updated_at];
            first_row(db, "rename a thread", RENAME, values, ThreadRow::read)?
                .ok_or_else(|| not_found(&id))
        })
        .await
    }

    /// Deletes a user's thread and the user's messages in it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the user has no such thread.
    pub async fn delete_thread(&self, user_id: &str, id: &str) -> Result<(), StoreError> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        self.write(KIND, id.len() + user_id.len(), move |db| {
            first_value::<String>(db, "delete a thread", DELETE, &[&id, &user_id])?
                .ok_or_else(|| not_found(&id))?;
            execute(
                db,
                "delete the messages of a thread",
                DELETE_MESSAGES,
                &[&id, &user_id],
            )?;
            Ok(())
        })
        .await
    }
}

/// Inserts a thread; messages do so, too, when they begin one.
pub(crate) fn insert(db: &Connection, row: &ThreadRow) -> Result<(), StoreError> {
    let values: &[&dyn rusqlite::ToSql] = &[
        &row.id,
        &row.user_id,
        &row.title,
        &row.created_at,
        &row.updated_at,
    ];
    first_value::<String>(db, "insert a thread", INSERT, values)?
        .map(|_| ())
        .ok_or_else(|| StoreError::AlreadyExists {
            kind: KIND,
            id: row.id.clone(),
        })
}

/// Refuses a thread that is not the user's.
pub(crate) fn require(db: &Connection, user_id: &str, id: &str) -> Result<(), StoreError> {
    first_value::<String>(db, "find a thread", SELECT, &[&id, &user_id])?
        .map(|_| ())
        .ok_or_else(|| not_found(id))
}

fn not_found(id: &str) -> StoreError {
    StoreError::NotFound {
        kind: KIND,
        id: id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::tests::assert_indexed;

    #[test]
    fn no_list_of_threads_sorts_or_scans_the_table() {
        assert_indexed(&LISTING, || {
            let mut filter = Filter::default();
            filter.equals("user_id = ?", Some("u"));
            filter
        });
    }
}

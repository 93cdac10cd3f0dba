//! Workspace rows: folders that workflows may use. At most one of a user's is the default.
//!
//! It must not know file systems; a path is text here.

use rusqlite::{Connection, Row};

use crate::error::During;
use crate::etag::Etag;
use crate::filter::Filter;
use crate::ids::check_id;
use crate::listing::{By, First, Listing};
use crate::page::{Key, List, Page};
use crate::sql::{Values, execute, first_row, first_value};
use crate::{Store, StoreError};

const KIND: &str = "workspace";

macro_rules! columns {
    () => {
        "id, user_id, name, path, is_default, created_at, updated_at"
    };
}

const INSERT: &str = concat!(
    "INSERT INTO nodetool_workspaces (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING RETURNING id"
);

const SELECT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_workspaces WHERE id = $1 AND user_id = $2"
);

const SELECT_DEFAULT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_workspaces WHERE user_id = $1 AND is_default = 1"
);

const CLEAR_DEFAULT: &str = "UPDATE nodetool_workspaces SET is_default = 0 WHERE user_id = $1 AND is_default = 1 AND id <> $2";

const UPDATE: &str = concat!(
    "UPDATE nodetool_workspaces SET name = COALESCE($3, name), path = COALESCE($4, path), \
     is_default = COALESCE($5, is_default), updated_at = $6 WHERE id = $1 AND user_id = $2 RETURNING ",
    columns!()
);

const DELETE: &str = "DELETE FROM nodetool_workspaces WHERE id = $1 AND user_id = $2 RETURNING id";

const LINKED: &str =
    "SELECT id FROM nodetool_workflows WHERE workspace_id = $1 AND user_id = $2 LIMIT 1";

const LISTING: Listing<WorkspaceRow> = Listing {
    list: List::Workspaces,
    operation: "list workspaces",
    select: concat!("SELECT ", columns!(), " FROM nodetool_workspaces"),
    by: By::Updated,
    read: WorkspaceRow::read,
    key: |row| Key {
        at: row.updated_at,
        id: row.id.clone(),
    },
    text: WorkspaceRow::text_bytes,
};

/// One workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkspaceRow {
    /// Primary key.
    pub id: String,
    /// Owner.
    pub user_id: String,
    /// Shown name.
    pub name: String,
    /// Absolute path of the folder.
    pub path: String,
    /// Whether workflows use it that name none.
    pub is_default: bool,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub updated_at: i64,
}

/// What of a workspace changes; `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkspaceUpdate {
    /// Another name.
    pub name: Option<String>,
    /// Another folder.
    pub path: Option<String>,
    /// Whether it is the default.
    pub is_default: Option<bool>,
    /// Microseconds UTC.
    pub updated_at: i64,
}

impl WorkspaceRow {
    /// Opaque hash of every column.
    #[must_use]
    pub fn etag(&self) -> String {
        Etag::new(KIND)
            .text(&self.id)
            .text(&self.user_id)
            .text(&self.name)
            .text(&self.path)
            .number(i64::from(self.is_default))
            .number(self.created_at)
            .number(self.updated_at)
            .finish()
    }

    fn text_bytes(&self) -> usize {
        self.id.len() + self.user_id.len() + self.name.len() + self.path.len()
    }

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let columns = |row: &Row<'_>| {
            Ok(Self {
                id: row.get(0)?,
                user_id: row.get(1)?,
                name: row.get(2)?,
                path: row.get(3)?,
                is_default: row.get::<_, i64>(4)? != 0,
                created_at: row.get(5)?,
                updated_at: row.get(6)?,
            })
        };
        columns(row).during("read a workspace")
    }
}

impl Store {
    /// Stores a new workspace; as the default, it takes the place of the one before.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] when the id is taken.
    pub async fn insert_workspace(&self, row: WorkspaceRow) -> Result<(), StoreError> {
        check_id("id", &row.id)?;
        self.write(KIND, row.text_bytes(), move |db| insert(db, &row))
            .await
    }

    /// Reads one workspace of a user.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_workspace(
        &self,
        user_id: &str,
        id: &str,
    ) -> Result<Option<WorkspaceRow>, StoreError> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        self.read(move |db| {
            let values: &Values<'_> = &[&id, &user_id];
            first_row(db, "read a workspace", SELECT, values, WorkspaceRow::read)
        })
        .await
    }

    /// Reads a user's default workspace.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_default_workspace(
        &self,
        user_id: &str,
    ) -> Result<Option<WorkspaceRow>, StoreError> {
        let user_id = user_id.to_owned();
        self.read(move |db| {
            let operation = "read the default workspace";
            first_row(
                db,
                operation,
                SELECT_DEFAULT,
                &[&user_id],
                WorkspaceRow::read,
            )
        })
        .await
    }

    /// One page of a user's workspaces, last changed first.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`] when the cursor is not one of this list.
    pub async fn list_workspaces(
        &self,
        user_id: &str,
        limit: usize,
        cursor: &str,
    ) -> Result<Page<WorkspaceRow>, StoreError> {
        let after = Key::decode(List::Workspaces, cursor)?;
        let mut filter = Filter::default();
        filter.equals("user_id = ?", Some(user_id));
        self.read(move |db| LISTING.page(db, filter, First::Newest, limit, after))
            .await
    }

    /// Changes a user's workspace and returns the row as stored.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the user has no such workspace.
    pub async fn update_workspace(
        &self,
        user_id: &str,
        id: &str,
        update: WorkspaceUpdate,
    ) -> Result<WorkspaceRow, StoreError> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        let bytes = [&update.name, &update.path]
            .iter()
            .map(|text| text.as_ref().map_or(0, String::len))
            .sum();
        self.write(KIND, bytes, move |db| {
            if update.is_default == Some(true) {
                clear_default(db, &user_id, &id)?;
            }
            let is_default = update.is_default.map(i64::from);
            let values: &Values<'_> = &[
                &id,
                &user_id,
                &update.name,
                &update.path,
                &is_default,
                &update.updated_at,
            ];
            first_row(db, "update a workspace", UPDATE, values, WorkspaceRow::read)?
                .ok_or_else(|| not_found(&id))
        })
        .await
    }

    /// Deletes a user's workspace and answers true, or leaves it and answers false when one of the user's
    /// workflows uses it. Its folder is not touched.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the user has no such workspace.
    pub async fn delete_workspace(&self, user_id: &str, id: &str) -> Result<bool, StoreError> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        self.write(KIND, id.len() + user_id.len(), move |db| {
            let values: &Values<'_> = &[&id, &user_id];
            first_row(db, "find a workspace", SELECT, values, WorkspaceRow::read)?
                .ok_or_else(|| not_found(&id))?;
            if first_value::<String>(db, "find workflows of a workspace", LINKED, values)?.is_some()
            {
                return Ok(false);
            }
            first_value::<String>(db, "delete a workspace", DELETE, values)?;
            Ok(true)
        })
        .await
    }
}

fn clear_default(db: &Connection, user_id: &str, except: &str) -> Result<(), StoreError> {
    let operation = "clear the default workspace";
    execute(db, operation, CLEAR_DEFAULT, &[&user_id, &except]).map(|_| ())
}

fn insert(db: &Connection, row: &WorkspaceRow) -> Result<(), StoreError> {
    if row.is_default {
        clear_default(db, &row.user_id, &row.id)?;
    }
    let is_default = i64::from(row.is_default);
    let values: &Values<'_> = &[
        &row.id,
        &row.user_id,
        &row.name,
        &row.path,
        &is_default,
        &row.created_at,
        &row.updated_at,
    ];
    first_value::<String>(db, "insert a workspace", INSERT, values)?
        .map(|_| ())
        .ok_or_else(|| StoreError::AlreadyExists {
            kind: KIND,
            id: row.id.clone(),
        })
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
    fn no_list_of_workspaces_sorts_or_scans_the_table() {
        assert_indexed(&LISTING, || {
            let mut filter = Filter::default();
            filter.equals("user_id = ?", Some("u"));
            filter
        });
    }
}

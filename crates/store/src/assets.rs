//! Asset rows: insert, change, read, list, search, walk folders, delete.
//!
//! Folders are rows, too; the tree they form never holds a cycle, a foreign parent or more than
//! [`MAX_ASSET_DEPTH`] levels, because every write that places a row checks its parents in the same
//! transaction. It must not know where contents are kept.

mod row;
mod tree;

use rusqlite::Connection;
use rusqlite::types::Value;

pub use row::AssetRow;
pub use tree::{DeletedAsset, PlacedAsset};

use crate::error::During;
use crate::filter::Filter;
use crate::page::{Gather, Key, List, Page};
use crate::sql::{Values, each_row, first_row, first_value};
use crate::{Store, StoreError};

const KIND: &str = "asset";

/// Most levels of folders, the root not counted.
pub const MAX_ASSET_DEPTH: usize = 64;

/// Most assets one page or one walk of a folder may hold.
pub const MAX_ASSET_ROWS: usize = 10_000;

macro_rules! columns {
    () => {
        "id, user_id, workflow_id, parent_id, file_id, name, content_type, size, metadata, created_at, \
         updated_at, duration, node_id, job_id"
    };
}

const INSERT: &str = concat!(
    "INSERT INTO nodetool_assets (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
     ON CONFLICT (id) DO NOTHING RETURNING id"
);

/// A row as it is given, in place of one of the same owner.
const PUT: &str = concat!(
    "INSERT INTO nodetool_assets (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
     ON CONFLICT (id) DO UPDATE SET workflow_id = excluded.workflow_id, parent_id = excluded.parent_id, \
     file_id = excluded.file_id, name = excluded.name, content_type = excluded.content_type, size = excluded.size, \
     metadata = excluded.metadata, created_at = excluded.created_at, updated_at = excluded.updated_at, \
     duration = excluded.duration, node_id = excluded.node_id, job_id = excluded.job_id \
     WHERE nodetool_assets.user_id = excluded.user_id RETURNING id"
);

const SELECT: &str = concat!("SELECT ", columns!(), " FROM nodetool_assets WHERE id = $1");

const CHILDREN: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_assets WHERE user_id = $1 AND parent_id = $2 ORDER BY id"
);

const UPDATE: &str = "UPDATE nodetool_assets SET parent_id = $3, name = $4, content_type = $5, size = $6, \
     metadata = $7, updated_at = $8, duration = $9, file_id = $10 WHERE id = $1 AND user_id = $2 RETURNING id";

const DELETE: &str = "DELETE FROM nodetool_assets WHERE id = $1 AND user_id = $2 RETURNING id";

/// Which assets of one user a list holds; what is `None` does not restrict.
#[derive(Clone, Debug, Default)]
pub struct AssetFilter {
    /// Owner.
    pub user_id: String,
    /// Directly in this folder only.
    pub parent_id: Option<String>,
    /// Only content types that begin like this.
    pub content_type: Option<String>,
    /// Of this workflow only.
    pub workflow_id: Option<String>,
    /// Of this node only.
    pub node_id: Option<String>,
    /// Of this job only.
    pub job_id: Option<String>,
    /// Only names that contain this, whatever the case of ASCII letters.
    pub name_contains: Option<String>,
}

impl AssetFilter {
    fn query(&self, limit: usize, after: Option<Key>) -> (String, Filter) {
        let mut filter = Filter::default();
        filter.equals("user_id = ?", Some(&self.user_id));
        filter.equals("parent_id = ?", self.parent_id.as_deref());
        filter.equals("workflow_id = ?", self.workflow_id.as_deref());
        filter.equals("node_id = ?", self.node_id.as_deref());
        filter.equals("job_id = ?", self.job_id.as_deref());
        if let Some(prefix) = &self.content_type {
            let prefix = || Value::Text(prefix.clone());
            filter.add(
                "substr(content_type, 1, length(?)) = ?",
                [prefix(), prefix()],
            );
        }
        if let Some(text) = &self.name_contains {
            filter.add(
                "lower(name) LIKE ? ESCAPE '\\'",
                [Value::Text(containing(text))],
            );
        }
        if let Some(Key { id, .. }) = after {
            filter.add("id > ?", [Value::Text(id)]);
        }
        let fetch = limit.clamp(1, MAX_ASSET_ROWS) + 1;
        let limit = filter.bind(Value::Integer(i64::try_from(fetch).unwrap_or(i64::MAX)));
        let columns = columns!();
        let conditions = filter.sql();
        let sql =
            format!("SELECT {columns} FROM nodetool_assets{conditions} ORDER BY id LIMIT {limit}");
        (sql, filter)
    }
}

/// The pattern of names that contain a text.
fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c.to_ascii_lowercase());
    }
    pattern.push('%');
    pattern
}

/// What a change of an asset sets; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AssetPatch {
    /// Folder to move it to.
    pub parent_id: Option<String>,
    /// Shown name.
    pub name: Option<String>,
    /// MIME type.
    pub content_type: Option<String>,
    /// Bytes of its contents.
    pub size: Option<i64>,
    /// JSON object.
    pub metadata: Option<String>,
    /// Seconds it lasts; `Some(None)` for not known.
    pub duration: Option<Option<f64>>,
    /// Key of its contents.
    pub file_id: Option<String>,
    /// Microseconds UTC.
    pub updated_at: i64,
}

impl AssetPatch {
    fn text_bytes(&self) -> usize {
        let texts = [
            &self.parent_id,
            &self.name,
            &self.content_type,
            &self.metadata,
            &self.file_id,
        ];
        texts
            .iter()
            .map(|text| text.as_ref().map_or(0, String::len))
            .sum()
    }

    fn apply(&self, mut row: AssetRow) -> AssetRow {
        let set = |field: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                field.clone_from(value);
            }
        };
        set(&mut row.parent_id, &self.parent_id);
        set(&mut row.name, &self.name);
        set(&mut row.content_type, &self.content_type);
        set(&mut row.file_id, &self.file_id);
        row.size = self.size.or(row.size);
        if self.metadata.is_some() {
            row.metadata.clone_from(&self.metadata);
        }
        row.duration = self.duration.unwrap_or(row.duration);
        row.updated_at = self.updated_at;
        row
    }
}

impl Store {
    /// Stores a new asset in a folder of its owner.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] when the id is taken, [`StoreError::InvalidInput`] naming
    /// `parent_id` when that is no folder of the owner or too deep.
    pub async fn insert_asset(&self, row: AssetRow) -> Result<(), StoreError> {
        row.check()?;
        self.write(KIND, row.text_bytes(), move |db| {
            tree::check_place(db, &row.user_id, &row.parent_id, None)?;
            insert(db, &row)
        })
        .await
    }

    /// Stores a row as it is given, in place of one of the same owner with its id; says whether there was none.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] when the id is another owner's, [`StoreError::InvalidInput`] naming `parent_id` when
    /// it cannot be placed there, or `content_type` when it would turn a folder into a file or a file into a folder.
    pub async fn put_asset(&self, row: AssetRow) -> Result<bool, StoreError> {
        row.check()?;
        self.write(KIND, row.text_bytes(), move |db| {
            let stored = select(db, &row.id)?;
            if stored
                .as_ref()
                .is_some_and(|s| s.is_folder() != row.is_folder())
            {
                return Err(StoreError::InvalidInput {
                    field: "content_type",
                    reason: "cannot turn a folder into a file or a file into a folder".to_owned(),
                });
            }
            tree::check_place(db, &row.user_id, &row.parent_id, stored.as_ref())?;
            put(db, "put an asset", PUT, &row)?;
            Ok(stored.is_none())
        })
        .await
    }

    /// Reads one asset of its owner.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_asset(&self, user_id: &str, id: &str) -> Result<Option<AssetRow>, StoreError> {
        let row = self.find_asset(id).await?;
        Ok(row.filter(|row| row.user_id == user_id))
    }

    /// Reads one asset, whoever owns it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_asset(&self, id: &str) -> Result<Option<AssetRow>, StoreError> {
        let id = id.to_owned();
        self.read(move |db| select(db, &id)).await
    }

    /// One page of assets by id. `limit` is brought into 1 to [`MAX_ASSET_ROWS`]; `cursor` is `""` for
    /// the first page and [`Page::next`] after that.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`] when the cursor is not one of this list.
    pub async fn list_assets(
        &self,
        filter: AssetFilter,
        limit: usize,
        cursor: &str,
    ) -> Result<Page<AssetRow>, StoreError> {
        let after = Key::decode(List::Assets, cursor)?;
        self.read(move |db| list(db, &filter, limit, after)).await
    }

    /// Changes what the patch sets and returns the row as stored.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the owner has no such asset, [`StoreError::InvalidInput`] naming
    /// `parent_id` when it cannot be moved there.
    pub async fn update_asset(
        &self,
        user_id: &str,
        id: &str,
        patch: AssetPatch,
    ) -> Result<AssetRow, StoreError> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        self.write(KIND, patch.text_bytes() + id.len(), move |db| {
            let stored = select(db, &id)?.filter(|row| row.user_id == user_id);
            let stored = stored.ok_or_else(|| not_found(&id))?;
            if let Some(parent) = &patch.parent_id
                && *parent != stored.parent_id
            {
                tree::check_place(db, &user_id, parent, Some(&stored))?;
            }
            let row = patch.apply(stored);
            row.check()?;
            update(db, &row)?;
            Ok(row)
        })
        .await
    }

    /// Deletes an asset and all that is in it; says what went, children before their folder.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the owner has no such asset.
    pub async fn delete_asset(
        &self,
        user_id: &str,
        id: &str,
    ) -> Result<Vec<DeletedAsset>, StoreError> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        self.write(KIND, id.len() + user_id.len(), move |db| {
            tree::delete(db, &user_id, &id)
        })
        .await
    }

    /// The given assets of one user and all that is in them, each once, with the names of the folders
    /// they are in from the root down. Ids that are not the user's are left out; at most
    /// [`MAX_ASSET_ROWS`].
    ///
    /// # Errors
    /// [`StoreError::InvalidInput`] naming `asset_ids` when there are more.
    pub async fn walk_assets(
        &self,
        user_id: &str,
        ids: Vec<String>,
    ) -> Result<Vec<PlacedAsset>, StoreError> {
        let user_id = user_id.to_owned();
        self.read(move |db| tree::walk(db, &user_id, &ids)).await
    }

    /// The names from the root down to each of these folders of one user, in the order asked for.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn asset_folder_paths(
        &self,
        user_id: &str,
        folders: Vec<String>,
    ) -> Result<Vec<Vec<String>>, StoreError> {
        let user_id = user_id.to_owned();
        self.read(move |db| tree::paths(db, &user_id, &folders))
            .await
    }

    /// Those of the given asset ids that no row has.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn missing_assets(&self, ids: Vec<String>) -> Result<Vec<String>, StoreError> {
        self.read(move |db| {
            let mut missing = Vec::new();
            for id in ids {
                let sql = "SELECT id FROM nodetool_assets WHERE id = $1";
                if first_value::<String>(db, "look for an asset", sql, &[&id])?.is_none() {
                    missing.push(id);
                }
            }
            Ok(missing)
        })
        .await
    }

    /// Bytes of all assets of one user together.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn asset_bytes(&self, user_id: &str) -> Result<u64, StoreError> {
        const SUM: &str =
            "SELECT COALESCE(SUM(size), 0) FROM nodetool_assets WHERE user_id = $1 AND size > 0";
        let user_id = user_id.to_owned();
        self.read(move |db| {
            let sum = first_value::<i64>(db, "add up assets", SUM, &[&user_id])?;
            Ok(sum
                .and_then(|sum| u64::try_from(sum).ok())
                .unwrap_or_default())
        })
        .await
    }

    /// How many assets there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_assets(&self) -> Result<u64, StoreError> {
        self.count("SELECT COUNT(*) FROM nodetool_assets").await
    }

    /// How many assets there are, and the bytes of their contents.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn asset_totals(&self) -> Result<(u64, u64), StoreError> {
        let sql = "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM nodetool_assets";
        let totals = self.read(|db| {
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            db.query_row(sql, [], read).during("add up the assets")
        });
        let (count, bytes): (i64, i64) = totals.await?;
        Ok((count.try_into().unwrap_or(0), bytes.try_into().unwrap_or(0)))
    }
}

fn insert(db: &Connection, row: &AssetRow) -> Result<(), StoreError> {
    put(db, "insert an asset", INSERT, row)
}

fn put(
    db: &Connection,
    operation: &'static str,
    sql: &str,
    row: &AssetRow,
) -> Result<(), StoreError> {
    let values: &Values<'_> = &[
        &row.id,
        &row.user_id,
        &row.workflow_id,
        &row.parent_id,
        &row.file_id,
        &row.name,
        &row.content_type,
        &row.size,
        &row.metadata,
        &row.created_at,
        &row.updated_at,
        &row.duration,
        &row.node_id,
        &row.job_id,
    ];
    first_value::<String>(db, operation, sql, values)?
        .map(|_| ())
        .ok_or_else(|| StoreError::AlreadyExists {
            kind: KIND,
            id: row.id.clone(),
        })
}

fn select(db: &Connection, id: &str) -> Result<Option<AssetRow>, StoreError> {
    first_row(db, "read an asset", SELECT, &[&id], AssetRow::read)
}

fn list(
    db: &Connection,
    filter: &AssetFilter,
    limit: usize,
    after: Option<Key>,
) -> Result<Page<AssetRow>, StoreError> {
    let (sql, filter) = filter.query(limit, after);
    let mut page = Gather::new(List::Assets, limit);
    each_row(db, "list assets", &sql, &filter.values(), |row| {
        if page.is_full() {
            return Ok(false);
        }
        let row = AssetRow::read(row)?;
        let id = row.id.clone();
        page.push(Key { at: 0, id }, row.text_bytes(), row);
        Ok(true)
    })?;
    Ok(page.finish())
}

fn update(db: &Connection, row: &AssetRow) -> Result<(), StoreError> {
    let values: &Values<'_> = &[
        &row.id,
        &row.user_id,
        &row.parent_id,
        &row.name,
        &row.content_type,
        &row.size,
        &row.metadata,
        &row.updated_at,
        &row.duration,
        &row.file_id,
    ];
    first_value::<String>(db, "change an asset", UPDATE, values)?
        .map(|_| ())
        .ok_or_else(|| not_found(&row.id))
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
    use crate::connection::open_in_memory;
    use crate::migrations::apply_pending;

    #[test]
    fn no_list_sorts_or_scans_the_table() {
        let db = open_in_memory().unwrap();
        apply_pending(&db).unwrap();
        let own = AssetFilter {
            user_id: "u".into(),
            ..AssetFilter::default()
        };
        let folder = AssetFilter {
            parent_id: Some("f".into()),
            ..own.clone()
        };
        let job = AssetFilter {
            job_id: Some("j".into()),
            ..own.clone()
        };
        let workflow = AssetFilter {
            workflow_id: Some("w".into()),
            ..own.clone()
        };
        let named = AssetFilter {
            name_contains: Some("cat".into()),
            content_type: Some("image/".into()),
            ..own.clone()
        };
        for filter in [own, folder, job, workflow, named] {
            let after = Key {
                at: 0,
                id: "i".into(),
            };
            for after in [None, Some(after)] {
                let (sql, filter) = filter.query(10, after);
                let mut steps: Vec<String> = Vec::new();
                let explain = format!("EXPLAIN QUERY PLAN {sql}");
                each_row(&db, "explain", &explain, &filter.values(), |row| {
                    steps.push(row.get("detail").unwrap());
                    Ok(true)
                })
                .unwrap();
                assert_eq!(steps.len(), 1, "an index gives the order: {steps:?}");
                assert!(
                    steps[0].starts_with("SEARCH nodetool_assets USING INDEX"),
                    "{steps:?}"
                );
            }
        }
    }

    #[test]
    fn wildcards_of_a_searched_text_are_only_text() {
        assert_eq!(containing("A_b%\\"), r"%a\_b\%\\%");
    }
}

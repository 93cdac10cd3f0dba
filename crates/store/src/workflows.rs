//! Workflow rows: insert, read, list, update, upsert, delete.
//!
//! It must not know what a graph means, nor who may see a workflow; it only keeps one user's writes off
//! another user's rows.

mod row;

use rusqlite::Connection;
use rusqlite::types::Value;

pub use row::WorkflowRow;

use crate::filter::Filter;
use crate::page::{Gather, Key, List, Page};
use crate::sql::{Values, each_row, first_row, first_value};
use crate::{Store, StoreError};

const KIND: &str = "workflow";

macro_rules! columns {
    () => {
        "id, user_id, access, created_at, updated_at, name, tool_name, tags, description, package_name, \
         thumbnail, thumbnail_url, graph, settings, receive_clipboard, run_mode, workspace_id, html_app"
    };
}

const INSERT: &str = concat!(
    "INSERT INTO nodetool_workflows (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) \
     ON CONFLICT (id) DO NOTHING RETURNING id"
);

const SELECT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_workflows WHERE id = $1"
);

const UPDATE: &str = "UPDATE nodetool_workflows SET access = $3, updated_at = $4, name = $5, tool_name = $6, \
     tags = $7, description = $8, package_name = $9, thumbnail = $10, thumbnail_url = $11, graph = $12, \
     settings = $13, receive_clipboard = $14, run_mode = $15, workspace_id = $16, html_app = $17 \
     WHERE id = $1 AND user_id = $2 RETURNING created_at";

const DELETE: &str = "DELETE FROM nodetool_workflows WHERE id = $1 AND user_id = $2 RETURNING id";

/// Which workflows a list holds; what is `None` or false does not restrict.
#[derive(Clone, Debug, Default)]
pub struct WorkflowFilter {
    /// Of this owner only.
    pub user_id: Option<String>,
    /// With this access only.
    pub access: Option<String>,
    /// With this run mode only.
    pub run_mode: Option<String>,
    /// Only those that have a tool name.
    pub has_tool_name: bool,
}

impl WorkflowFilter {
    fn query(&self, limit: usize, after: Option<Key>) -> (String, Filter) {
        let mut filter = Filter::default();
        filter.equals("user_id = ?", self.user_id.as_deref());
        filter.equals("access = ?", self.access.as_deref());
        filter.equals("run_mode = ?", self.run_mode.as_deref());
        if self.has_tool_name {
            filter.add("tool_name IS NOT NULL", []);
        }
        if let Some(Key { at, id }) = after {
            filter.add(
                "(updated_at, id) < (?, ?)",
                [Value::Integer(at), Value::Text(id)],
            );
        }
        let limit = filter.bind(Value::Integer(Gather::<WorkflowRow>::fetch(limit)));
        let columns = columns!();
        let conditions = filter.sql();
        let sql = format!(
            "SELECT {columns} FROM nodetool_workflows{conditions} ORDER BY updated_at DESC, id DESC LIMIT {limit}"
        );
        (sql, filter)
    }
}

/// What an upsert did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upserted {
    /// The row as it is stored now.
    pub row: WorkflowRow,
    /// Whether it is new.
    pub created: bool,
}

impl Store {
    /// Stores a new workflow.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] when the id is taken.
    pub async fn insert_workflow(&self, row: WorkflowRow) -> Result<(), StoreError> {
        row.check()?;
        self.write(KIND, row.text_bytes(), move |db| insert(db, &row))
            .await
    }

    /// Reads one workflow.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_workflow(&self, id: &str) -> Result<Option<WorkflowRow>, StoreError> {
        let id = id.to_owned();
        self.read(move |db| select(db, &id)).await
    }

    /// One page of workflows, last saved first. `limit` is brought into 1 to [`crate::MAX_PAGE_ROWS`];
    /// `cursor` is `""` for the first page and [`Page::next`] after that.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`] when the cursor is not one of this list.
    pub async fn list_workflows(
        &self,
        filter: WorkflowFilter,
        limit: usize,
        cursor: &str,
    ) -> Result<Page<WorkflowRow>, StoreError> {
        let after = Key::decode(List::Workflows, cursor)?;
        self.read(move |db| list(db, &filter, limit, after)).await
    }

    /// Overwrites every column except id, owner and creation time, and returns the row as stored. With
    /// an `expected_etag`, only when the stored row still has it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the owner has no such workflow, [`StoreError::Conflict`] when its
    /// etag is another.
    pub async fn update_workflow(
        &self,
        row: WorkflowRow,
        expected_etag: Option<&str>,
    ) -> Result<WorkflowRow, StoreError> {
        row.check()?;
        let expected = expected_etag.map(str::to_owned);
        self.write(KIND, row.text_bytes(), move |db| {
            if let Some(expected) = &expected {
                compare(db, &row, expected)?;
            }
            update(db, &row)
        })
        .await
    }

    /// Updates the owner's workflow of this id, or creates it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the id belongs to another user.
    pub async fn upsert_workflow(&self, row: WorkflowRow) -> Result<Upserted, StoreError> {
        row.check()?;
        self.write(KIND, row.text_bytes(), move |db| match insert(db, &row) {
            Ok(()) => Ok(Upserted {
                row: row.clone(),
                created: true,
            }),
            Err(StoreError::AlreadyExists { .. }) => Ok(Upserted {
                row: update(db, &row)?,
                created: false,
            }),
            Err(error) => Err(error),
        })
        .await
    }

    /// Deletes the owner's workflow.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the owner has no such workflow.
    pub async fn delete_workflow(&self, user_id: &str, id: &str) -> Result<(), StoreError> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        self.write(KIND, id.len() + user_id.len(), move |db| {
            first_value::<String>(db, "delete a workflow", DELETE, &[&id, &user_id])?
                .map(|_| ())
                .ok_or_else(|| not_found(&id))
        })
        .await
    }

    /// How many workflows there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_workflows(&self) -> Result<u64, StoreError> {
        self.count("SELECT COUNT(*) FROM nodetool_workflows").await
    }
}

fn insert(db: &Connection, row: &WorkflowRow) -> Result<(), StoreError> {
    let values: &Values<'_> = &[
        &row.id,
        &row.user_id,
        &row.access,
        &row.created_at,
        &row.updated_at,
        &row.name,
        &row.tool_name,
        &row.tags,
        &row.description,
        &row.package_name,
        &row.thumbnail,
        &row.thumbnail_url,
        &row.graph,
        &row.settings,
        &i64::from(row.receive_clipboard),
        &row.run_mode,
        &row.workspace_id,
        &row.html_app,
    ];
    first_value::<String>(db, "insert a workflow", INSERT, values)?
        .map(|_| ())
        .ok_or_else(|| StoreError::AlreadyExists {
            kind: KIND,
            id: row.id.clone(),
        })
}

fn select(db: &Connection, id: &str) -> Result<Option<WorkflowRow>, StoreError> {
    first_row(db, "read a workflow", SELECT, &[&id], WorkflowRow::read)
}

fn list(
    db: &Connection,
    filter: &WorkflowFilter,
    limit: usize,
    after: Option<Key>,
) -> Result<Page<WorkflowRow>, StoreError> {
    let (sql, filter) = filter.query(limit, after);
    let mut page = Gather::new(List::Workflows, limit);
    each_row(db, "list workflows", &sql, &filter.values(), |row| {
        if page.is_full() {
            return Ok(false);
        }
        let row = WorkflowRow::read(row)?;
        page.push(
            Key {
                at: row.updated_at,
                id: row.id.clone(),
            },
            row.text_bytes(),
            row,
        );
        Ok(true)
    })?;
    Ok(page.finish())
}

fn compare(db: &Connection, row: &WorkflowRow, expected: &str) -> Result<(), StoreError> {
    let stored = select(db, &row.id)?.filter(|stored| stored.user_id == row.user_id);
    let found = stored.ok_or_else(|| not_found(&row.id))?.etag();
    if found == expected {
        return Ok(());
    }
    Err(StoreError::Conflict {
        kind: KIND,
        id: row.id.clone(),
        expected: expected.to_owned(),
        found,
    })
}

fn update(db: &Connection, row: &WorkflowRow) -> Result<WorkflowRow, StoreError> {
    let values: &Values<'_> = &[
        &row.id,
        &row.user_id,
        &row.access,
        &row.updated_at,
        &row.name,
        &row.tool_name,
        &row.tags,
        &row.description,
        &row.package_name,
        &row.thumbnail,
        &row.thumbnail_url,
        &row.graph,
        &row.settings,
        &i64::from(row.receive_clipboard),
        &row.run_mode,
        &row.workspace_id,
        &row.html_app,
    ];
    let created_at = first_value::<i64>(db, "update a workflow", UPDATE, values)?;
    let created_at = created_at.ok_or_else(|| not_found(&row.id))?;
    Ok(WorkflowRow {
        created_at,
        ..row.clone()
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
    use crate::connection::open_in_memory;
    use crate::migrations::apply_pending;

    #[test]
    fn no_list_sorts_or_scans_the_table() {
        let db = open_in_memory().unwrap();
        apply_pending(&db).unwrap();
        let own = WorkflowFilter {
            user_id: Some("u".into()),
            ..WorkflowFilter::default()
        };
        let public = WorkflowFilter {
            access: Some("public".into()),
            ..WorkflowFilter::default()
        };
        let tools = WorkflowFilter {
            run_mode: Some("tool".into()),
            has_tool_name: true,
            ..own.clone()
        };
        for filter in [own, public, tools] {
            for after in [
                None,
                Some(Key {
                    at: 1,
                    id: "i".into(),
                }),
            ] {
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
                    steps[0].starts_with("SEARCH nodetool_workflows USING INDEX"),
                    "{steps:?}"
                );
            }
        }
    }
}

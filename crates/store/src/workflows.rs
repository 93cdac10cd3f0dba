//! Workflow rows: insert, read, list, save, delete.
//!
//! It must not know what a graph means, nor who may see a workflow; it only keeps one user's writes off
//! another user's rows.

mod loops;
mod row;

use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::types::Value;

pub use row::WorkflowRow;

use crate::error::During;
use crate::filter::Filter;
use crate::page::{Gather, Key, List, Page};
use crate::sql::{Values, each_row, execute, first_row, first_value};
use crate::{Store, StoreError};

const KIND: &str = "workflow";

macro_rules! columns {
    () => {
        "id, user_id, access, created_at, updated_at, name, tool_name, tags, description, package_name, \
         thumbnail, thumbnail_url, settings, receive_clipboard, run_mode, workspace_id, input_schema, \
         output_schema, html_app, graph"
    };
}

/// Every column in the order rows are read in, with what stands in for one a list leaves out.
const STAND_INS: [(&str, &str); 20] = [
    ("id", "id"),
    ("user_id", "''"),
    ("access", "''"),
    ("created_at", "0"),
    ("updated_at", "updated_at"),
    ("name", "''"),
    ("tool_name", "NULL"),
    ("tags", "'[]'"),
    ("description", "NULL"),
    ("package_name", "NULL"),
    ("thumbnail", "NULL"),
    ("thumbnail_url", "NULL"),
    ("settings", "NULL"),
    ("receive_clipboard", "0"),
    ("run_mode", "NULL"),
    ("workspace_id", "NULL"),
    ("input_schema", "NULL"),
    ("output_schema", "NULL"),
    ("html_app", "NULL"),
    ("graph", "'{}'"),
];

/// Columns a list can be cut down to.
pub const WORKFLOW_COLUMNS: [&str; 20] = {
    let mut names = [""; 20];
    let mut at = 0;
    while at < names.len() {
        names[at] = STAND_INS[at].0;
        at += 1;
    }
    names
};

const INSERT: &str = concat!(
    "INSERT INTO nodetool_workflows (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) \
     ON CONFLICT (id) DO NOTHING RETURNING id"
);

/// A row as it is given, in place of one of the same owner; the time of its save still rises, since etags hang on it.
const PUT: &str = concat!(
    "INSERT INTO nodetool_workflows (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) \
     ON CONFLICT (id) DO UPDATE SET access = excluded.access, created_at = excluded.created_at, updated_at = CASE \
     WHEN nodetool_workflows.updated_at >= excluded.updated_at THEN nodetool_workflows.updated_at + 1 \
     ELSE excluded.updated_at END, name = excluded.name, tool_name = excluded.tool_name, tags = excluded.tags, \
     description = excluded.description, package_name = excluded.package_name, thumbnail = excluded.thumbnail, \
     thumbnail_url = excluded.thumbnail_url, settings = excluded.settings, \
     receive_clipboard = excluded.receive_clipboard, run_mode = excluded.run_mode, \
     workspace_id = excluded.workspace_id, input_schema = excluded.input_schema, \
     output_schema = excluded.output_schema, html_app = excluded.html_app, graph = excluded.graph \
     WHERE nodetool_workflows.user_id = excluded.user_id RETURNING id"
);

const SELECT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_workflows WHERE id = $1"
);

/// What an etag is made of: the graph, which may be large, hangs on the time of its save.
const SELECT_TAGGED: &str = "SELECT id, user_id, access, created_at, updated_at, name, tool_name, tags, description, \
     package_name, thumbnail, thumbnail_url, settings, receive_clipboard, run_mode, workspace_id, NULL, NULL, NULL, '{}' \
     FROM nodetool_workflows WHERE id = $1";

/// A save: what a client may leave out keeps its value, and the time of the save always rises.
const UPDATE: &str = "UPDATE nodetool_workflows SET access = $3, \
     updated_at = CASE WHEN updated_at >= $4 THEN updated_at + 1 ELSE $4 END, \
     name = $5, tool_name = $6, tags = $7, description = $8, package_name = $9, \
     thumbnail = COALESCE($10, thumbnail), settings = $11, run_mode = COALESCE($12, run_mode), workspace_id = $13, \
     input_schema = $14, output_schema = $15, html_app = $16, graph = $17 \
     WHERE id = $1 AND user_id = $2 \
     RETURNING created_at, updated_at, thumbnail, thumbnail_url, receive_clipboard, run_mode";

const UPDATE_GRAPH: &str = concat!(
    "UPDATE nodetool_workflows SET \
     updated_at = CASE WHEN updated_at >= $3 THEN updated_at + 1 ELSE $3 END, \
     graph = $4, input_schema = $5, output_schema = $6 \
     WHERE id = $1 AND user_id = $2 RETURNING ",
    columns!()
);

macro_rules! made_as_loop {
    () => {
        "EXISTS (SELECT 1 FROM nodetool_loops WHERE workflow_id = nodetool_workflows.id AND dialect = 'loop')"
    };
}

const MADE_AS_LOOP: &str = made_as_loop!();
const NOT_MADE_AS_LOOP: &str = concat!("NOT ", made_as_loop!());

/// Only the schemas of the very save they were made of.
const FILL: &str = "UPDATE nodetool_workflows SET input_schema = $3, output_schema = $4 \
     WHERE id = $1 AND updated_at = $2 AND input_schema IS NULL";

const DELETE: &str = "DELETE FROM nodetool_workflows WHERE id = $1 AND user_id = $2 RETURNING id";

const DELETE_VERSIONS: &str = "DELETE FROM nodetool_workflow_versions WHERE workflow_id = $1";

const SELECT_ACCESS: &str = "SELECT user_id, access FROM nodetool_workflows WHERE id = $1";

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
    /// Only those that were made as loops, or only the others.
    pub loops: Option<bool>,
    /// Columns to read, out of [`WORKFLOW_COLUMNS`]; the others hold nothing of the row, so its etag means nothing.
    pub columns: Option<Vec<&'static str>>,
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
        if let Some(loops) = self.loops {
            filter.add(
                if loops {
                    MADE_AS_LOOP
                } else {
                    NOT_MADE_AS_LOOP
                },
                [],
            );
        }
        if let Some(Key { at, id }) = after {
            filter.add(
                "(updated_at, id) < (?, ?)",
                [Value::Integer(at), Value::Text(id)],
            );
        }
        let limit = filter.bind(Value::Integer(Gather::<WorkflowRow>::fetch(limit)));
        let columns = self.selection();
        let conditions = filter.sql();
        let sql = format!(
            "SELECT {columns} FROM nodetool_workflows{conditions} ORDER BY updated_at DESC, id DESC LIMIT {limit}"
        );
        (sql, filter)
    }

    /// Columns left out are not even read: large texts lie in pages of their own.
    fn selection(&self) -> String {
        let Some(wanted) = &self.columns else {
            return columns!().to_owned();
        };
        let pick = |(name, stand_in): &(&'static str, &'static str)| {
            if wanted.contains(name) {
                *name
            } else {
                *stand_in
            }
        };
        STAND_INS.iter().map(pick).collect::<Vec<_>>().join(", ")
    }
}

/// Which stored row a change may replace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IfMatch {
    /// Any, or none.
    #[default]
    Anything,
    /// Any, but there has to be one.
    Existing,
    /// One that has one of these etags.
    OneOf(Vec<String>),
}

/// A graph put in place of a workflow's own.
#[derive(Clone, Debug)]
pub struct ChangedGraph {
    /// The workflow.
    pub id: String,
    /// Its owner.
    pub user_id: String,
    /// Microseconds UTC.
    pub updated_at: i64,
    /// JSON graph.
    pub graph: Arc<str>,
    /// JSON Schema of its inputs.
    pub input_schema: String,
    /// JSON Schema of its outputs.
    pub output_schema: String,
}

/// Schemas made of a stored graph that had none.
#[derive(Clone, Debug)]
pub struct FilledSchemas {
    /// The workflow.
    pub id: String,
    /// The save they were made of.
    pub updated_at: i64,
    /// JSON Schema of its inputs.
    pub input_schema: String,
    /// JSON Schema of its outputs.
    pub output_schema: String,
}

/// What a save did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
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

    /// Stores a row as it is given, in place of one of the same owner with its id; says whether there was none.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] when the id is another owner's.
    pub async fn put_workflow(&self, row: WorkflowRow) -> Result<bool, StoreError> {
        row.check()?;
        self.write(KIND, row.text_bytes(), move |db| {
            let created = select(db, &row.id)?.is_none();
            put(db, "put a workflow", PUT, &row)?;
            Ok(created)
        })
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

    /// Owner and access of a workflow, without reading the rest of it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn workflow_access(&self, id: &str) -> Result<Option<(String, String)>, StoreError> {
        const OPERATION: &str = "read the access of a workflow";
        let id = id.to_owned();
        self.read(move |db| {
            first_row(db, OPERATION, SELECT_ACCESS, &[&id], |row| {
                Ok((row.get(0).during(OPERATION)?, row.get(1).during(OPERATION)?))
            })
        })
        .await
    }

    /// Changes the owner's workflow of this id, or creates it, and returns the row as stored.
    ///
    /// A change leaves id, owner, creation time, address of the thumbnail and clipboard flag as they are, and
    /// thumbnail and run mode where the row has none. The stored time of the save is later than the one before,
    /// whatever the row says.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the id belongs to another user, [`StoreError::Conflict`] when the stored
    /// row is not the expected one.
    pub async fn save_workflow(
        &self,
        row: WorkflowRow,
        expected: IfMatch,
    ) -> Result<Saved, StoreError> {
        row.check()?;
        self.write(KIND, row.text_bytes(), move |db| {
            compare(db, &row.id, &row.user_id, &expected)?;
            match insert(db, &row) {
                Ok(()) => Ok(Saved {
                    row: row.clone(),
                    created: true,
                }),
                Err(StoreError::AlreadyExists { .. }) => Ok(Saved {
                    row: update(db, &row)?,
                    created: false,
                }),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Gives the owner's workflow another graph and returns the row as stored.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the owner has no such workflow.
    pub async fn change_graph(&self, change: ChangedGraph) -> Result<WorkflowRow, StoreError> {
        let bytes = change.graph.len() + change.input_schema.len() + change.output_schema.len();
        self.write(KIND, bytes, move |db| {
            let values: &Values<'_> = &[
                &change.id,
                &change.user_id,
                &change.updated_at,
                &change.graph,
                &change.input_schema,
                &change.output_schema,
            ];
            first_row(
                db,
                "change a graph",
                UPDATE_GRAPH,
                values,
                WorkflowRow::read,
            )?
            .ok_or_else(|| not_found(&change.id))
        })
        .await
    }

    /// Keeps schemas made of rows that had none; rows saved since are left alone.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn fill_schemas(&self, filled: Vec<FilledSchemas>) -> Result<(), StoreError> {
        let bytes = filled
            .iter()
            .map(|f| f.id.len() + f.input_schema.len() + f.output_schema.len())
            .sum();
        self.write(KIND, bytes, move |db| {
            for f in &filled {
                let values: &Values<'_> =
                    &[&f.id, &f.updated_at, &f.input_schema, &f.output_schema];
                execute(db, "keep the schemas of a workflow", FILL, values)?;
            }
            Ok(())
        })
        .await
    }

    /// Deletes the owner's workflow and all its versions.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the owner has no such workflow, [`StoreError::Conflict`] when it is not
    /// the expected one.
    pub async fn delete_workflow(
        &self,
        user_id: &str,
        id: &str,
        expected: IfMatch,
    ) -> Result<(), StoreError> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        self.write(KIND, id.len() + user_id.len(), move |db| {
            // What is not there to delete is not found, whatever was expected of it.
            let owner = first_value::<String>(db, "look for a workflow", SELECT_ACCESS, &[&id])?;
            if owner.is_none() {
                return Err(not_found(&id));
            }
            compare(db, &id, &user_id, &expected)?;
            first_value::<String>(db, "delete a workflow", DELETE, &[&id, &user_id])?
                .ok_or_else(|| not_found(&id))?;
            execute(
                db,
                "delete the versions of a workflow",
                DELETE_VERSIONS,
                &[&id],
            )?;
            crate::loops::delete(db, &id)
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
    put(db, "insert a workflow", INSERT, row)
}

fn put(
    db: &Connection,
    operation: &'static str,
    sql: &str,
    row: &WorkflowRow,
) -> Result<(), StoreError> {
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
        &row.settings,
        &i64::from(row.receive_clipboard),
        &row.run_mode,
        &row.workspace_id,
        &row.input_schema,
        &row.output_schema,
        &row.html_app,
        &row.graph,
    ];
    first_value::<String>(db, operation, sql, values)?
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

/// Refuses a change of a row that is not the expected one. A row that is not there only fits no expectation.
fn compare(db: &Connection, id: &str, user_id: &str, expected: &IfMatch) -> Result<(), StoreError> {
    if *expected == IfMatch::Anything {
        return Ok(());
    }
    let conflict = |expected: String, found: String| StoreError::Conflict {
        kind: KIND,
        id: id.to_owned(),
        expected,
        found,
    };
    let stored = first_row(
        db,
        "compare a workflow",
        SELECT_TAGGED,
        &[&id],
        WorkflowRow::read,
    )?;
    let Some(stored) = stored else {
        return Err(conflict("a stored workflow".into(), "none".into()));
    };
    if stored.user_id != user_id {
        return Err(not_found(id));
    }
    match expected {
        IfMatch::OneOf(etags) if !etags.contains(&stored.etag()) => {
            Err(conflict(etags.join(", "), stored.etag()))
        }
        _ => Ok(()),
    }
}

fn update(db: &Connection, row: &WorkflowRow) -> Result<WorkflowRow, StoreError> {
    const OPERATION: &str = "update a workflow";
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
        &row.settings,
        &row.run_mode,
        &row.workspace_id,
        &row.input_schema,
        &row.output_schema,
        &row.html_app,
        &row.graph,
    ];
    let stored = first_row(db, OPERATION, UPDATE, values, |kept| {
        let read = || {
            Ok(WorkflowRow {
                created_at: kept.get(0)?,
                updated_at: kept.get(1)?,
                thumbnail: kept.get(2)?,
                thumbnail_url: kept.get(3)?,
                receive_clipboard: kept.get::<_, i64>(4)? != 0,
                run_mode: kept.get(5)?,
                ..row.clone()
            })
        };
        read().during(OPERATION)
    })?;
    stored.ok_or_else(|| not_found(&row.id))
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

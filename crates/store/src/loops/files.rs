//! Files that belong to nodes: which there are and under which key their contents lie.
//!
//! A node is named by the id clients know it by. It must not know where contents are kept.

use rusqlite::{Connection, Row};

use crate::error::During;
use crate::ids::check_id;
use crate::sql::{Values, each_row, execute, first_row, first_value};
use crate::{Store, StoreError};

const KIND: &str = "node file";

/// Most files of one workflow.
pub const MAX_NODE_FILES: i64 = 1000;

macro_rules! columns {
    () => {
        "id, workflow_id, node_id, key, file_name, blob, size, created_at, updated_at"
    };
}

const OF_NODE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_node_files WHERE workflow_id = $1 AND node_id = $2 ORDER BY created_at, id"
);

const GET: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_node_files WHERE id = $3 AND workflow_id = $1 AND node_id = $2"
);

const BY_KEY: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_node_files WHERE workflow_id = $1 AND node_id = $2 AND key = $3"
);

/// Nodes of two workflows may have one id, where a workflow was copied with its ids; the newest file counts.
const OF_OWNER: &str = "SELECT f.id, f.workflow_id, f.node_id, f.key, f.file_name, f.blob, f.size, f.created_at, \
     f.updated_at FROM nodetool_node_files f JOIN nodetool_workflows w ON w.id = f.workflow_id \
     WHERE f.node_id = $2 AND f.key = $3 AND f.file_name = $4 AND w.user_id = $1 \
     ORDER BY f.updated_at DESC, f.id DESC LIMIT 1";

const INSERT: &str = concat!(
    "INSERT INTO nodetool_node_files (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
);

const REPLACE: &str = "UPDATE nodetool_node_files SET file_name = $2, blob = $3, size = $4, \
     updated_at = CASE WHEN updated_at >= $5 THEN updated_at + 1 ELSE $5 END WHERE id = $1";

const COUNT: &str = "SELECT COUNT(*) FROM nodetool_node_files WHERE workflow_id = $1";

const BLOBS: &str = "SELECT blob FROM nodetool_node_files WHERE workflow_id = $1";

const BLOBS_OF_NODE: &str =
    "SELECT blob FROM nodetool_node_files WHERE workflow_id = $1 AND node_id = $2";

const DELETE: &str = "DELETE FROM nodetool_node_files WHERE id = $3 AND workflow_id = $1 AND node_id = $2 \
     RETURNING blob";

const DELETE_OF_NODE: &str =
    "DELETE FROM nodetool_node_files WHERE workflow_id = $1 AND node_id = $2";

const DELETE_DATA: &str = "DELETE FROM nodetool_node_data WHERE workflow_id = $1 AND node_id = $2";

/// A file of a node, column by column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFileRow {
    /// Its id.
    pub id: String,
    /// The workflow of its node.
    pub workflow_id: String,
    /// Its node, by the id clients know it by.
    pub node_id: String,
    /// Its name among the node's files.
    pub key: String,
    /// The name it came with.
    pub file_name: String,
    /// Key of its contents.
    pub blob: String,
    /// Bytes.
    pub size: i64,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub updated_at: i64,
}

impl NodeFileRow {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let read = || {
            Ok(NodeFileRow {
                id: row.get(0)?,
                workflow_id: row.get(1)?,
                node_id: row.get(2)?,
                key: row.get(3)?,
                file_name: row.get(4)?,
                blob: row.get(5)?,
                size: row.get(6)?,
                created_at: row.get(7)?,
                updated_at: row.get(8)?,
            })
        };
        read().during("read a node file")
    }
}

/// What storing a file did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutNodeFile {
    /// The row as it is now.
    pub row: NodeFileRow,
    /// Key of the contents it had before, which nothing names any more.
    pub replaced: Option<String>,
}

impl Store {
    /// The files of a node, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn node_files(
        &self,
        workflow_id: &str,
        node_id: &str,
    ) -> Result<Vec<NodeFileRow>, StoreError> {
        let (workflow_id, node_id) = (workflow_id.to_owned(), node_id.to_owned());
        self.read(move |db| {
            let mut rows = Vec::new();
            let values: &Values<'_> = &[&workflow_id, &node_id];
            each_row(db, "list node files", OF_NODE, values, |row| {
                rows.push(NodeFileRow::read(row)?);
                Ok(true)
            })?;
            Ok(rows)
        })
        .await
    }

    /// One file of a node.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_node_file(
        &self,
        workflow_id: &str,
        node_id: &str,
        id: &str,
    ) -> Result<Option<NodeFileRow>, StoreError> {
        let ids = [workflow_id, node_id, id].map(str::to_owned);
        self.read(move |db| {
            let [workflow_id, node_id, id] = &ids;
            let values: &Values<'_> = &[workflow_id, node_id, id];
            first_row(db, "read a node file", GET, values, NodeFileRow::read)
        })
        .await
    }

    /// A file of a node of one of the owner's workflows, by what its address says.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_node_file(
        &self,
        user_id: &str,
        node_id: &str,
        key: &str,
        file_name: &str,
    ) -> Result<Option<NodeFileRow>, StoreError> {
        let texts = [user_id, node_id, key, file_name].map(str::to_owned);
        self.read(move |db| {
            let [user_id, node_id, key, file_name] = &texts;
            let values: &Values<'_> = &[user_id, node_id, key, file_name];
            first_row(db, "find a node file", OF_OWNER, values, NodeFileRow::read)
        })
        .await
    }

    /// Stores a file whose contents are there. With `replace`, one with its key gets its contents and keeps its id and
    /// its time of creation.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] when the key is taken and nothing may be replaced,
    /// [`StoreError::InvalidInput`] when the workflow has too many files, [`StoreError::NotFound`] when it is gone.
    pub async fn put_node_file(
        &self,
        row: NodeFileRow,
        replace: bool,
    ) -> Result<PutNodeFile, StoreError> {
        check_id("id", &row.id)?;
        let bytes = row.key.len() + row.file_name.len() + 256;
        self.write(KIND, bytes, move |db| put(db, &row, replace))
            .await
    }

    /// Deletes a file; answers the key of its contents.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_node_file(
        &self,
        workflow_id: &str,
        node_id: &str,
        id: &str,
    ) -> Result<Option<String>, StoreError> {
        let ids = [workflow_id, node_id, id].map(str::to_owned);
        self.write(KIND, 256, move |db| {
            let [workflow_id, node_id, id] = &ids;
            let values: &Values<'_> = &[workflow_id, node_id, id];
            first_value(db, "delete a node file", DELETE, values)
        })
        .await
    }

    /// Keys of the contents of all files of a workflow.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn node_file_blobs(&self, workflow_id: &str) -> Result<Vec<String>, StoreError> {
        let workflow_id = workflow_id.to_owned();
        self.read(move |db| blobs(db, BLOBS, &[&workflow_id])).await
    }

    /// Removes the values and files of a node that is gone: `key` is its name in the graph, `node_id` the id clients
    /// know it by. Answers the keys of the files' contents.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_node(
        &self,
        workflow_id: &str,
        key: &str,
        node_id: &str,
    ) -> Result<Vec<String>, StoreError> {
        let ids = [workflow_id, key, node_id].map(str::to_owned);
        self.write(KIND, 256, move |db| {
            let [workflow_id, key, node_id] = &ids;
            let gone = blobs(db, BLOBS_OF_NODE, &[workflow_id, node_id])?;
            let files: &Values<'_> = &[workflow_id, node_id];
            execute(db, "delete the files of a node", DELETE_OF_NODE, files)?;
            let data: &Values<'_> = &[workflow_id, key];
            execute(db, "delete the data of a node", DELETE_DATA, data)?;
            Ok(gone)
        })
        .await
    }

    /// Those of the keys that no file's contents have.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn missing_node_files(&self, keys: Vec<String>) -> Result<Vec<String>, StoreError> {
        const SQL: &str = "SELECT id FROM nodetool_node_files WHERE blob = $1";
        self.read(move |db| {
            let mut missing = Vec::new();
            for key in keys {
                if first_value::<String>(db, "look for a node file", SQL, &[&key])?.is_none() {
                    missing.push(key);
                }
            }
            Ok(missing)
        })
        .await
    }
}

fn blobs(db: &Connection, sql: &str, values: &Values<'_>) -> Result<Vec<String>, StoreError> {
    const OPERATION: &str = "list the contents of node files";
    let mut keys = Vec::new();
    each_row(db, OPERATION, sql, values, |row| {
        keys.push(row.get(0).during(OPERATION)?);
        Ok(true)
    })?;
    Ok(keys)
}

fn put(db: &Connection, row: &NodeFileRow, replace: bool) -> Result<PutNodeFile, StoreError> {
    // The workflow may have been deleted while the contents came.
    let sql = "SELECT id FROM nodetool_workflows WHERE id = $1";
    if first_value::<String>(db, "look for a workflow", sql, &[&row.workflow_id])?.is_none() {
        return Err(StoreError::NotFound {
            kind: "workflow",
            id: row.workflow_id.clone(),
        });
    }
    let place: &Values<'_> = &[&row.workflow_id, &row.node_id, &row.key];
    let before = first_row(db, "read a node file", BY_KEY, place, NodeFileRow::read)?;
    if let Some(before) = before {
        if !replace {
            return Err(StoreError::AlreadyExists {
                kind: KIND,
                id: row.key.clone(),
            });
        }
        let values: &Values<'_> = &[
            &before.id,
            &row.file_name,
            &row.blob,
            &row.size,
            &row.updated_at,
        ];
        execute(db, "replace a node file", REPLACE, values)?;
        let now = first_row(db, "read a node file", BY_KEY, place, NodeFileRow::read)?;
        return Ok(PutNodeFile {
            row: now.unwrap_or_else(|| row.clone()),
            replaced: Some(before.blob),
        });
    }
    let count = first_value::<i64>(db, "count node files", COUNT, &[&row.workflow_id])?;
    if count.unwrap_or_default() >= MAX_NODE_FILES {
        return Err(StoreError::InvalidInput {
            field: "file",
            reason: format!("a workflow has at most {MAX_NODE_FILES} files"),
        });
    }
    let values: &Values<'_> = &[
        &row.id,
        &row.workflow_id,
        &row.node_id,
        &row.key,
        &row.file_name,
        &row.blob,
        &row.size,
        &row.created_at,
        &row.updated_at,
    ];
    execute(db, "insert a node file", INSERT, values)?;
    Ok(PutNodeFile {
        row: row.clone(),
        replaced: None,
    })
}

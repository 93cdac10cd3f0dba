//! The values nodes were last given and gave while their workflow was being built.

use rusqlite::{Connection, Row};

use super::LoopRow;
use crate::error::During;
use crate::ids::check_id;
use crate::sql::{each_row, execute, first_row};
use crate::{Store, StoreError};

const KIND: &str = "node data";

const SELECT: &str = "SELECT node_id, updated_at, input_data, output_data FROM nodetool_node_data \
     WHERE workflow_id = $1 ORDER BY node_id";

const SELECT_ONE: &str = "SELECT node_id, updated_at, input_data, output_data FROM nodetool_node_data \
     WHERE workflow_id = $1 AND node_id = $2";

const PUT: &str = "INSERT INTO nodetool_node_data (workflow_id, node_id, updated_at, input_data, output_data) \
     VALUES ($1, $2, $3, COALESCE($4, '{}'), COALESCE($5, '{}')) \
     ON CONFLICT (workflow_id, node_id) DO UPDATE SET updated_at = excluded.updated_at, \
     input_data = COALESCE($4, input_data), output_data = COALESCE($5, output_data)";

/// The values of one node; `None` leaves a stored one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeDataRow {
    /// The node.
    pub node_id: String,
    /// Microseconds UTC.
    pub updated_at: i64,
    /// JSON object.
    pub input_data: Option<String>,
    /// JSON object.
    pub output_data: Option<String>,
}

impl NodeDataRow {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let read = || {
            Ok(NodeDataRow {
                node_id: row.get(0)?,
                updated_at: row.get(1)?,
                input_data: row.get(2)?,
                output_data: row.get(3)?,
            })
        };
        read().during("read node data")
    }
}

impl Store {
    /// The values of a workflow's nodes; nodes that never had any are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn node_data(&self, workflow_id: &str) -> Result<Vec<NodeDataRow>, StoreError> {
        let id = workflow_id.to_owned();
        self.read(move |db| {
            let mut rows = Vec::new();
            each_row(db, "read node data", SELECT, &[&id], |row| {
                rows.push(NodeDataRow::read(row)?);
                Ok(true)
            })?;
            Ok(rows)
        })
        .await
    }

    /// What a workflow has as a loop, and the values of some of its nodes; those that never had any are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_loop_and_data(
        &self,
        workflow_id: &str,
        node_ids: Vec<String>,
    ) -> Result<(Option<LoopRow>, Vec<NodeDataRow>), StoreError> {
        let id = workflow_id.to_owned();
        self.read(move |db| {
            let row = super::select(db, &id)?;
            let mut rows = Vec::new();
            for node in &node_ids {
                let values: [&dyn rusqlite::ToSql; 2] = [&id, node];
                let data = first_row(db, "read node data", SELECT_ONE, &values, NodeDataRow::read);
                rows.extend(data?);
            }
            Ok((row, rows))
        })
        .await
    }

    /// Stores values of some nodes of a workflow, all or none.
    ///
    /// # Errors
    /// When an id is none or the database cannot be written.
    pub async fn put_node_data(
        &self,
        workflow_id: &str,
        rows: Vec<NodeDataRow>,
    ) -> Result<(), StoreError> {
        check_id("workflow_id", workflow_id)?;
        let id = workflow_id.to_owned();
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let bytes = rows
            .iter()
            .map(|r| length(&r.input_data) + length(&r.output_data))
            .sum();
        self.write(KIND, bytes, move |db| put(db, &id, &rows)).await
    }
}

fn put(db: &Connection, workflow_id: &str, rows: &[NodeDataRow]) -> Result<(), StoreError> {
    for row in rows {
        let NodeDataRow {
            node_id,
            updated_at,
            input_data,
            output_data,
        } = row;
        let values: [&dyn rusqlite::ToSql; 5] =
            [&workflow_id, node_id, updated_at, input_data, output_data];
        execute(db, "store node data", PUT, &values)?;
    }
    Ok(())
}

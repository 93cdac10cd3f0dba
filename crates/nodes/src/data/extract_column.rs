//! `nodetool.data.ExtractColumn`.

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process, Value};

use super::table::Table;
use super::work;

/// Gives the values of one column as a list.
/// dataframe, column, list, values
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct ExtractColumn {
    /// The table.
    dataframe: DataframeRef,
    /// Name of the column.
    column_name: String,
}

impl Process for ExtractColumn {
    type Output = Vec<Value>;

    async fn process(self, cx: &NodeCx) -> Result<Vec<Value>, NodeError> {
        let table = Table::open("dataframe", self.dataframe, cx).await?;
        work::run(table.cells(), move |_| {
            let frame = table.read()?;
            let at = frame
                .find(&self.column_name)
                .map_err(|e| NodeError::bad("column_name", e))?;
            Ok(frame.into_columns().swap_remove(at).into_values())
        })
        .await
    }
}

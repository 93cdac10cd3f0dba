//! `nodetool.data.ToList`.

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Outputs, Process, Value};

use super::table::Table;
use super::work;

/// Gives the rows of a table as a list of objects.
/// dataframe, list, dict, records, convert
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct ToList {
    /// The table.
    dataframe: DataframeRef,
}

/// The rows.
#[derive(Outputs)]
pub(super) struct Rows {
    #[slot(ty = "list[dict]")]
    output: Value,
}

impl Process for ToList {
    type Output = Rows;

    async fn process(self, cx: &NodeCx) -> Result<Rows, NodeError> {
        let table = Table::open("dataframe", self.dataframe, cx).await?;
        work::run(table.cells(), move |_| {
            let output = table.read()?.into_rows().into();
            Ok(Rows { output })
        })
        .await
    }
}

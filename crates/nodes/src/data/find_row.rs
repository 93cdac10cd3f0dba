//! `nodetool.data.FindRow`.

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process};

use super::filter::matching;

/// Gives the first row for which a condition holds, as a table of one row; of none when there is no such row.
/// find, query, first, condition, single row
///
/// Conditions are those of Filter: `id == 7`, `amount > 10 and city == 'Oslo'`.
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct FindRow {
    /// The table.
    df: DataframeRef,
    /// What must hold for the row.
    condition: String,
}

impl Process for FindRow {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        matching(self.df, &self.condition, 1, cx).await
    }
}

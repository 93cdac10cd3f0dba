//! `nodetool.data.Filter`.

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process};

use super::query::Query;
use super::table::{Table, written};
use super::work;

/// Keeps the rows for which a condition holds.
/// filter, query, where, condition, rows
///
/// Conditions compare columns with values: `amount >= 10 and city == 'Oslo'`, `10 <= amount <= 20`,
/// `state in ['new', 'open']`, `not (amount < 5)`, `name.str.contains('ann')`, `email.notnull()`. A column whose name has
/// blanks goes in backticks.
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct Filter {
    /// The table.
    df: DataframeRef,
    /// What must hold for a row to stay.
    condition: String,
}

impl Process for Filter {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        matching(self.df, &self.condition, usize::MAX, cx).await
    }
}

/// The first `limit` rows of a table for which a condition holds.
pub(super) async fn matching(
    df: DataframeRef,
    condition: &str,
    limit: usize,
    cx: &NodeCx,
) -> Result<DataframeRef, NodeError> {
    let query = Query::parse(condition).map_err(|e| NodeError::bad("condition", e))?;
    let table = Table::open("df", df, cx).await?;
    work::run(table.cells(), move |stop| {
        let frame = table.read()?;
        let rows = query.select(&frame, limit, "condition", stop)?;
        Ok(written(frame.take(&rows)))
    })
    .await
}

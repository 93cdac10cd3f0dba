//! `nodetool.data.DropNA`.

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process};

use super::key::is_missing;
use super::table::{Table, written};
use super::work;

/// Drops rows in which any value is missing.
/// missing, null, na, nan, clean
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct DropNA {
    /// The table.
    df: DataframeRef,
}

impl Process for DropNA {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let table = Table::open("df", self.df, cx).await?;
        work::run(table.cells(), move |_| {
            let frame = table.read()?;
            let mut whole = vec![true; frame.rows()];
            for column in frame.columns() {
                for (whole, value) in whole.iter_mut().zip(column.values()) {
                    *whole &= !is_missing(value);
                }
            }
            let rows: Vec<usize> = (0..frame.rows()).filter(|&r| whole[r]).collect();
            Ok(written(frame.take(&rows)))
        })
        .await
    }
}

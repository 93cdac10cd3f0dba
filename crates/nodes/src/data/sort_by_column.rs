//! `nodetool.data.SortByColumn`.

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process};

use super::key::compare;
use super::table::{Table, written};
use super::work;

/// Sorts the rows by one column, smallest first.
/// sort, order, arrange, ascending
///
/// Rows that are equal keep their order, missing values come last, and where types mix numbers come before text.
#[derive(Node)]
#[node(namespace = "nodetool.data")]
pub(super) struct SortByColumn {
    /// The table.
    df: DataframeRef,
    /// Name of the column.
    column: String,
}

impl Process for SortByColumn {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let table = Table::open("df", self.df, cx).await?;
        work::run(table.cells(), move |_| {
            let frame = table.read()?;
            let at = frame
                .find(&self.column)
                .map_err(|e| NodeError::bad("column", e))?;
            let values = frame.columns()[at].values();
            let mut rows: Vec<usize> = (0..frame.rows()).collect();
            rows.sort_by(|&a, &b| compare(&values[a], &values[b]));
            Ok(written(frame.take(&rows)))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn missing_values_come_last_and_equal_rows_keep_their_order() {
        let table = r#"{"columns":["k","n"],"data":[[2,1],[null,2],["a",3],[1,4],[2,5]]}"#;
        let out = case::<SortByColumn>()
            .set("df", serde_json::from_str::<Value>(table).unwrap())
            .set("column", "k")
            .value()
            .await
            .unwrap();
        assert_eq!(
            format!("{:?}", out.get("data").unwrap()),
            r#"[[1, 4], [2, 1], [2, 5], ["a", 3], [null, 2]]"#
        );
    }
}

//! `nodetool.data.DropDuplicates`.

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process};

use super::frame::Column;
use super::key::Distinct;
use super::table::{Table, written};
use super::work;

/// Keeps the first of rows that are the same in every column.
/// duplicates, distinct, unique, clean
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct DropDuplicates {
    /// The table.
    df: DataframeRef,
}

impl Process for DropDuplicates {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let table = Table::open("df", self.df, cx).await?;
        work::run(table.cells(), move |_| {
            let frame = table.read()?;
            let columns: Vec<&Column> = frame.columns().iter().collect();
            let rows = Distinct::of(&columns, frame.rows(), false);
            let rows = rows.map_err(|e| NodeError::bad("df", e))?;
            Ok(written(frame.take(&rows.first)))
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
    async fn the_first_of_equal_rows_stays_and_gaps_are_equal() {
        let rows =
            r#"{"rows":[{"a":1,"b":null},{"a":2,"b":"x"},{"a":1,"b":null},{"a":1,"b":"x"}]}"#;
        let out = case::<DropDuplicates>()
            .set("df", serde_json::from_str::<Value>(rows).unwrap())
            .value()
            .await
            .unwrap();
        assert_eq!(
            format!("{:?}", out.get("data").unwrap()),
            r#"[[1, null], [2, "x"], [1, "x"]]"#
        );
    }
}

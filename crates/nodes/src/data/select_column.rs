//! `nodetool.data.SelectColumn`.

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process};

use super::frame::{Frame, check_size};
use super::table::{Table, written};
use super::work;

/// Keeps some columns of a table, in the order they are named.
/// select, columns, subset, project
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct SelectColumn {
    /// The table.
    dataframe: DataframeRef,
    /// Names of the columns, separated by commas.
    columns: String,
}

impl Process for SelectColumn {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let table = Table::open("dataframe", self.dataframe, cx).await?;
        work::run(table.cells(), move |_| {
            let bad = |e| NodeError::bad("columns", e);
            let frame = table.read()?;
            let places = frame.find_all(&self.columns).map_err(bad)?;
            check_size(places.len(), frame.rows()).map_err(bad)?;
            let columns = places.iter().map(|&p| frame.columns()[p].clone());
            Ok(written(Frame::new(columns.collect())))
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
    async fn names_count_as_written_before_blanks_are_cut() {
        let run = |columns: &str| {
            let table = r#"{"rows":[{"a":1," a":2,"b,c":3}]}"#;
            case::<SelectColumn>()
                .set("dataframe", serde_json::from_str::<Value>(table).unwrap())
                .set("columns", columns)
                .value()
        };
        for (columns, want) in [("a, a", "[[1, 2]]"), ("  a", "[[1]]"), ("b,c", "[[3]]")] {
            let out = run(columns).await.unwrap();
            assert_eq!(format!("{:?}", out.get("data").unwrap()), want);
        }
        let e = run("a,x").await.unwrap_err().to_string();
        assert!(e.contains("`columns`") && e.contains("'x'"), "{e}");
    }
}

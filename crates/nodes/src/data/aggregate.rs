//! `nodetool.data.Aggregate`.

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process};

use super::aggregation::Aggregation;
use super::frame::{Column, Frame};
use super::key::Distinct;
use super::table::{Table, written};
use super::work;

/// Groups rows by some columns and makes one value of each other column per group.
/// group by, summarize, sum, mean, count, min, max, median, std, var, first, last
///
/// Groups come in the order of their keys; rows without a key are left out, and so are missing values.
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct Aggregate {
    /// The table.
    dataframe: DataframeRef,
    /// Columns to group by, separated by commas.
    columns: String,
    /// One of sum, mean, count, min, max, std, var, median, first, last.
    #[prop(default = "sum")]
    aggregation: String,
}

impl Process for Aggregate {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let how =
            Aggregation::parse(&self.aggregation).map_err(|e| NodeError::bad("aggregation", e))?;
        let table = Table::open("dataframe", self.dataframe, cx).await?;
        work::run(table.cells(), move |_| {
            let frame = table.read()?;
            let keys = frame
                .find_all(&self.columns)
                .map_err(|e| NodeError::bad("columns", e))?;
            let grouped =
                grouped(&frame, &keys, how).map_err(|e| NodeError::bad("aggregation", e))?;
            Ok(written(grouped))
        })
        .await
    }
}

fn grouped(frame: &Frame, keys: &[usize], how: Aggregation) -> Result<Frame, String> {
    let by: Vec<&Column> = keys.iter().map(|&k| &frame.columns()[k]).collect();
    let groups = Distinct::of(&by, frame.rows(), true)?;
    let order = groups.sorted(&by);
    let members = groups.members();
    let firsts: Vec<usize> = order.iter().map(|&g| groups.first[g]).collect();
    let mut columns: Vec<Column> = by.iter().map(|c| c.take(&firsts)).collect();
    for (at, column) in frame.columns().iter().enumerate() {
        if keys.contains(&at) {
            continue;
        }
        how.check(column)?;
        let values: Result<Vec<_>, String> = order
            .iter()
            .map(|&g| how.apply(column, members.of(g)))
            .collect();
        columns.push(Column::new(
            column.name().clone(),
            values?,
            how.kind(column),
        ));
    }
    Ok(Frame::new(columns))
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn groups_are_sorted_and_rows_without_a_key_stay_out() {
        let rows = r#"{"rows":[{"k":"b","j":2,"n":1},{"k":"a","j":1,"n":2},{"k":null,"j":1,"n":9},{"k":"b","j":1,"n":null}]}"#;
        let table: Value = serde_json::from_str(rows).unwrap();
        let run = |columns: &str, how: &str| {
            case::<Aggregate>()
                .set("dataframe", table.clone())
                .set("columns", columns)
                .set("aggregation", how)
                .value()
        };
        let data = run("k, j", "sum").await.unwrap();
        assert_eq!(
            format!("{:?}", data.get("data").unwrap()),
            r#"[["a", 1, 2.0], ["b", 1, 0.0], ["b", 2, 1.0]]"#
        );
        let data = run("k", "count").await.unwrap();
        assert_eq!(
            format!("{:?}", data.get("data").unwrap()),
            r#"[["a", 1, 1], ["b", 2, 1]]"#
        );
        let e = run("n", "mean").await.unwrap_err().to_string();
        assert!(
            e.contains("`aggregation`") && e.contains("column 'k' holds str"),
            "{e}"
        );
        let e = run("nope", "sum").await.unwrap_err().to_string();
        assert!(e.contains("`columns`") && e.contains("k, j, n"), "{e}");
    }
}

//! `nodetool.data.Slice`.

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process};

use super::table::{Table, written};
use super::work;

/// Keeps the rows from one place up to another.
/// slice, rows, range, subset, head, tail
///
/// Rows count from 0; the end is not included. A negative start counts from the end of the table, and so does a negative
/// end, except that -1 means up to the last row.
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct Slice {
    /// The table.
    dataframe: DataframeRef,
    /// First row to keep.
    #[prop(default = 0)]
    start_index: i64,
    /// First row not to keep; -1 for all to the end.
    #[prop(default = -1)]
    end_index: i64,
}

impl Process for Slice {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let table = Table::open("dataframe", self.dataframe, cx).await?;
        work::run(table.cells(), move |_| {
            let frame = table.read()?;
            let rows = frame.rows();
            let start = place(self.start_index, rows);
            let end = match self.end_index {
                -1 => rows,
                end => place(end, rows),
            };
            Ok(written(frame.slice(start..end.max(start))))
        })
        .await
    }
}

/// The row a Python index means, kept inside the table.
fn place(index: i64, rows: usize) -> usize {
    let distance = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
    if index < 0 {
        rows.saturating_sub(distance)
    } else {
        distance.min(rows)
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn places_are_those_of_python_and_minus_one_is_the_end() {
        for (start, end, want) in [
            (0, -1, "[[0], [1], [2], [3]]"),
            (1, 3, "[[1], [2]]"),
            (-2, -1, "[[2], [3]]"),
            (0, -3, "[[0]]"),
            (3, 1, "[]"),
            (9, i64::MAX, "[]"),
            (i64::MIN, 1, "[[0]]"),
        ] {
            let table = r#"{"rows":[{"a":0},{"a":1},{"a":2},{"a":3}]}"#;
            let out = case::<Slice>()
                .set("dataframe", serde_json::from_str::<Value>(table).unwrap())
                .set("start_index", start)
                .set("end_index", end)
                .value()
                .await
                .unwrap();
            assert_eq!(
                format!("{:?}", out.get("data").unwrap()),
                want,
                "{start}..{end}"
            );
        }
    }
}

//! `nodetool.data.Merge`.

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process};

use super::frame::{Frame, check_size};
use super::table::{Table, written};
use super::work;

/// Puts the columns of two tables side by side, row by row.
/// merge, concat, columns, side by side, combine
///
/// The shorter table is filled up with missing values.
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct Merge {
    /// The table whose columns come first.
    dataframe_a: DataframeRef,
    /// The table whose columns follow.
    dataframe_b: DataframeRef,
}

impl Process for Merge {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let a = Table::open("dataframe_a", self.dataframe_a, cx).await?;
        let b = Table::open("dataframe_b", self.dataframe_b, cx).await?;
        work::run(a.cells().saturating_add(b.cells()), move |_| {
            let merged = merged(a.read()?, b.read()?);
            Ok(written(
                merged.map_err(|e| NodeError::bad("dataframe_b", e))?,
            ))
        })
        .await
    }
}

fn merged(a: Frame, b: Frame) -> Result<Frame, String> {
    let rows = a.rows().max(b.rows());
    check_size(a.columns().len() + b.columns().len(), rows)?;
    let columns = a.into_columns().into_iter().chain(b.into_columns());
    Ok(Frame::new(columns.map(|c| c.padded(rows)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_table_is_filled_up_and_a_wide_one_cannot_blow_up() {
        let frame = |json: &str| Frame::from_value(&serde_json::from_str(json).unwrap()).unwrap();
        let out = merged(frame(r#"[{"a":1},{"a":2}]"#), frame(r#"[{"b":3}]"#)).unwrap();
        let rows = serde_json::to_string(&out.into_rows()).unwrap();
        assert_eq!(rows, r#"[{"a":1,"b":3.0},{"a":2,"b":null}]"#);
        let wide: String = (0..20_000).map(|i| format!("\"k{i}\":1,")).collect();
        let wide = frame(&format!("[{{{wide}\"z\":1}}]"));
        let tall = frame(&format!("[{}{{\"t\":1}}]", r#"{"t":1},"#.repeat(20_000)));
        assert!(merged(wide, tall).unwrap_err().contains("cells"));
    }
}

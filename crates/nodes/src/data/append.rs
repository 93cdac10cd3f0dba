//! `nodetool.data.Append`.

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process};

use super::frame::{Column, Frame, check_size};
use super::table::{Table, written};
use super::work;

/// Puts the rows of one table under those of another with the same columns.
/// append, concat, rows, stack, union
///
/// An empty table adds nothing and need not have the columns.
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct Append {
    /// The table whose rows come first.
    dataframe_a: DataframeRef,
    /// The table whose rows follow.
    dataframe_b: DataframeRef,
}

impl Process for Append {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let a = Table::open("dataframe_a", self.dataframe_a, cx).await?;
        let b = Table::open("dataframe_b", self.dataframe_b, cx).await?;
        work::run(a.cells().saturating_add(b.cells()), move |_| {
            let appended = appended(a.read()?, b.read()?);
            Ok(written(
                appended.map_err(|e| NodeError::bad("dataframe_b", e))?,
            ))
        })
        .await
    }
}

fn appended(a: Frame, b: Frame) -> Result<Frame, String> {
    if a.is_empty() {
        return Ok(b);
    }
    if b.is_empty() {
        return Ok(a);
    }
    let names = |f: &Frame| -> Vec<_> { f.columns().iter().map(|c| c.name().clone()).collect() };
    let (of_a, of_b) = (names(&a), names(&b));
    // Columns in another order are brought into that of the first table.
    let places: Option<Vec<usize>> = if of_a == of_b {
        Some((0..of_b.len()).collect())
    } else {
        let places: Option<Vec<usize>> = of_a.iter().map(|n| b.position(n)).collect();
        places.filter(|p| {
            let mut sorted = p.clone();
            sorted.sort_unstable();
            sorted.into_iter().eq(0..of_b.len())
        })
    };
    let Some(places) = places else {
        return Err(format!(
            "Columns in dataframe A do not match columns in dataframe B: {} and {}",
            shown(&of_a),
            shown(&of_b)
        ));
    };
    check_size(of_a.len(), a.rows().saturating_add(b.rows()))?;
    let columns = a
        .into_columns()
        .into_iter()
        .zip(places)
        .map(|(column, at)| {
            let (name, kind) = (column.name().clone(), column.kind());
            let mut values = column.into_values();
            values.extend_from_slice(b.columns()[at].values());
            Column::new(name, values, Some(kind))
        });
    Ok(Frame::new(columns.collect()))
}

fn shown(names: &[std::sync::Arc<str>]) -> String {
    let first: Vec<&str> = names.iter().take(20).map(|n| &**n).collect();
    let more = if names.len() > 20 { ", …" } else { "" };
    format!("[{}{more}]", first.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(json: &str) -> Frame {
        Frame::from_value(&serde_json::from_str(json).unwrap()).unwrap()
    }

    #[test]
    fn rows_follow_by_column_name_and_numbers_keep_one_type() {
        let a = frame(r#"[{"x":1,"y":"a"}]"#);
        let b = frame(r#"[{"y":"b","x":2.5}]"#);
        let rows = appended(a.clone(), b).unwrap().into_rows();
        assert_eq!(
            format!("{rows:?}"),
            r#"[{"x": 1.0, "y": "a"}, {"x": 2.5, "y": "b"}]"#
        );
        assert_eq!(appended(a.clone(), Frame::default()).unwrap().rows(), 1);
        let e = appended(a, frame(r#"[{"x":1}]"#)).unwrap_err();
        assert!(e.contains("[x, y] and [x]"), "{e}");
    }
}

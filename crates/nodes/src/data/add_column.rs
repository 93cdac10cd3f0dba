//! `nodetool.data.AddColumn`.

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process, Value};

use super::frame::{Column, Frame};
use super::table::{Table, written};
use super::work;

/// Gives a table one more column, or new values for one it has.
/// dataframe, column, values, extend, list
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct AddColumn {
    /// The table.
    dataframe: DataframeRef,
    /// Name of the column.
    column_name: String,
    /// Its values, one per row.
    values: Vec<Value>,
}

impl Process for AddColumn {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let table = Table::open("dataframe", self.dataframe, cx).await?;
        work::run(table.cells() + self.values.len(), move |_| {
            let frame = table.read()?;
            if !frame.columns().is_empty() && self.values.len() != frame.rows() {
                return Err(NodeError::bad(
                    "values",
                    format!(
                        "list of {} values (expected {}, one per row)",
                        self.values.len(),
                        frame.rows()
                    ),
                ));
            }
            let at = frame.position(&self.column_name);
            let column = Column::new(self.column_name, self.values, None);
            let mut columns = frame.into_columns();
            match at {
                Some(at) => columns[at] = column,
                None => columns.push(column),
            }
            Ok(written(Frame::new(columns)))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn a_wrong_number_of_values_is_refused() {
        let e = case::<AddColumn>()
            .set(
                "dataframe",
                Value::map([("rows", Value::list([Value::map([("a", Value::from(1))])]))]),
            )
            .set("values", Value::list([]))
            .value()
            .await
            .unwrap_err()
            .to_string();
        assert!(e.contains("`values`") && e.contains("expected 1"), "{e}");
    }
}

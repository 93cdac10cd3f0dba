//! `nodetool.data.ForEachRow` and `nodetool.data.RowIterator`, which differ in the name of one output.

use nodetool_sdk::{DataframeRef, Emitter, Generate, Node, NodeCx, NodeError, Outputs, Value};

use super::frame::Frame;
use super::table::Table;
use super::work;

/// Sends the rows of a table one by one, each as an object.
/// loop, iterate, rows, each, dataframe
#[derive(Node)]
#[node(namespace = "nodetool.data", kind = Generate, tool)]
pub(super) struct ForEachRow {
    /// The table.
    dataframe: DataframeRef,
}

/// A row and its place.
#[derive(Outputs)]
pub(super) struct Row {
    #[slot(ty = "dict")]
    row: Value,
    index: Value,
}

impl Generate for ForEachRow {
    type Output = Row;

    async fn generate(self, out: &Emitter<'_, Row>, cx: &NodeCx) -> Result<(), NodeError> {
        let frame = read(self.dataframe, cx).await?;
        for index in 0..frame.rows() {
            out.emit(Row {
                row: frame.row(index).into(),
                index: index.into(),
            })
            .await?;
        }
        Ok(())
    }
}

/// Sends the rows of a table one by one, each as an object.
/// loop, iterate, rows, dict, dataframe
#[derive(Node)]
#[node(namespace = "nodetool.data", kind = Generate)]
pub(super) struct RowIterator {
    /// The table.
    dataframe: DataframeRef,
}

/// A row and its place.
#[derive(Outputs)]
pub(super) struct DictRow {
    #[slot(ty = "dict")]
    dict: Value,
    index: Value,
}

impl Generate for RowIterator {
    type Output = DictRow;

    async fn generate(self, out: &Emitter<'_, DictRow>, cx: &NodeCx) -> Result<(), NodeError> {
        let frame = read(self.dataframe, cx).await?;
        for index in 0..frame.rows() {
            out.emit(DictRow {
                dict: frame.row(index).into(),
                index: index.into(),
            })
            .await?;
        }
        Ok(())
    }
}

async fn read(dataframe: DataframeRef, cx: &NodeCx) -> Result<Frame, NodeError> {
    let table = Table::open("dataframe", dataframe, cx).await?;
    work::run(table.cells(), move |_| table.read()).await
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn both_send_the_same_rows_under_their_own_names() {
        let table: Value = serde_json::from_str(r#"{"rows":[{"a":1},{"a":null}]}"#).unwrap();
        let rows = case::<ForEachRow>().set("dataframe", table.clone()).run();
        assert_eq!(
            format!("{:?}", rows.await.unwrap()),
            r#"[{"row": {"a": 1.0}, "index": 0}, {"row": {"a": null}, "index": 1}]"#
        );
        let rows = case::<RowIterator>().set("dataframe", table).run();
        assert_eq!(
            format!("{:?}", rows.await.unwrap()[0]),
            r#"{"dict": {"a": 1.0}, "index": 0}"#
        );
    }
}

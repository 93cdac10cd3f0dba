//! `nodetool.data.ImportCSV`.

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process};

use super::table::written;
use super::{csv, work};

/// Reads CSV text with a header line as a table.
/// csv, text, parse, import, dataframe
///
/// Columns of numbers and of true and false are recognised; dates stay text.
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct ImportCSV {
    /// The text.
    #[prop(title = "CSV Data")]
    csv_data: String,
}

impl Process for ImportCSV {
    type Output = DataframeRef;

    async fn process(self, _: &NodeCx) -> Result<DataframeRef, NodeError> {
        work::run(self.csv_data.len() / 4, move |_| {
            let frame = csv::read(&self.csv_data).map_err(|e| NodeError::bad("csv_data", e))?;
            Ok(written(frame))
        })
        .await
    }
}

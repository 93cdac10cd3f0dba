//! A workspace with databases, for the tests of this namespace.

use nodetool_sdk::services::Services;
use nodetool_sdk::testing::{Case, case, context_with};
use nodetool_sdk::{Node, NodeError, Value};
use tempfile::TempDir;

use super::create_table::CreateTable;

pub(super) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A workspace.
pub(super) struct Folder(pub(super) TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    /// A case in it.
    pub(super) fn case<N: Node>(&self) -> Case {
        let workspace = Some(self.0.path().to_owned());
        case::<N>().within(context_with(Services::none(), workspace))
    }

    /// One with a table of cards.
    pub(super) async fn with_cards() -> Result<Self, NodeError> {
        let folder = Folder::new();
        let columns = json(
            r#"{"type":"record_type","columns":[{"name":"id","data_type":"int"},{"name":"front","data_type":"string"},
                {"name":"tags","data_type":"object"},{"name":"score","data_type":"float"}]}"#,
        );
        let run = folder.case::<CreateTable>().set("columns", columns);
        run.run().await?;
        Ok(folder)
    }
}

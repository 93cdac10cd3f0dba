//! `nodetool.data.Schema`.

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process, Value, catalogue};

/// Describes the columns of a table.
/// schema, columns, types, record
#[derive(Node)]
#[node(namespace = "nodetool.data")]
pub(super) struct Schema {
    /// The columns, each with a name and a type.
    #[prop(
        ty = "record_type",
        default = catalogue::default_value("record_type").unwrap_or_default()
    )]
    columns: Value,
}

/// The columns.
#[derive(Outputs)]
pub(super) struct Columns {
    #[slot(ty = "record_type")]
    output: Value,
}

impl Process for Schema {
    type Output = Columns;

    async fn process(self, _: &NodeCx) -> Result<Columns, NodeError> {
        Ok(Columns {
            output: self.columns,
        })
    }
}

//! `lib.json.ValidateJSON`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process, Value};

use super::schema::{Fault, satisfies};
use crate::bounds::blocking;

/// Tells whether data satisfies a JSON schema.
/// json, schema, validate, check, structure
///
/// The keywords of draft 7 count; references stay inside the schema, and `format` is a note.
#[derive(Node)]
#[node(namespace = "lib.json")]
pub(super) struct ValidateJSON {
    /// What to check.
    #[prop(default = Map::new())]
    data: Value,
    /// The schema.
    #[prop(ty = "dict")]
    json_schema: Map,
}

impl Process for ValidateJSON {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        let Self { data, json_schema } = self;
        // How long patterns and references take is hard to tell beforehand.
        blocking(move || {
            satisfies(&data, &json_schema.into()).map_err(|fault| match fault {
                Fault::Schema(e) => NodeError::bad("json_schema", e),
                Fault::Data(e) => NodeError::bad("data", e),
            })
        })
        .await
    }
}

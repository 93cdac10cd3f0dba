//! `nodetool.control.TryCatch`.

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process, Value};

/// Puts another value in the place of a missing one.
/// try, catch, fallback, default, null, error
///
/// Failures of other nodes end the run as ever; this node only sees values.
#[derive(Node)]
#[node(namespace = "nodetool.control")]
pub(super) struct TryCatch {
    /// The value that may be missing.
    value: Value,
    /// What to use when it is.
    fallback: Value,
}

/// The value to use, and whether it is the fallback.
#[derive(Outputs)]
pub(super) struct Caught {
    output: Value,
    error: String,
    has_error: bool,
}

impl Process for TryCatch {
    type Output = Caught;

    async fn process(self, _: &NodeCx) -> Result<Caught, NodeError> {
        Ok(if self.value.is_null() {
            Caught {
                output: self.fallback,
                error: "Value is null or undefined".into(),
                has_error: true,
            }
        } else {
            Caught {
                output: self.value,
                error: String::new(),
                has_error: false,
            }
        })
    }
}

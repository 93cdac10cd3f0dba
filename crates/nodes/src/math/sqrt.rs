//! `lib.math.Sqrt`.

use nodetool_sdk::{Node, NodeCx, NodeError, Number, Process};

/// Takes the square root of a number.
/// math, root, radical, arithmetic
#[derive(Node)]
#[node(namespace = "lib.math", layout = "small", tool)]
pub(super) struct Sqrt {
    /// A number of 0 or more.
    #[prop(default = 0.0)]
    x: Number,
}

impl Process for Sqrt {
    type Output = Number;

    async fn process(self, _: &NodeCx) -> Result<Number, NodeError> {
        square_root("x", self.x.as_f64())
    }
}

/// The square root of the value of `property`.
pub(super) fn square_root(property: &str, x: f64) -> Result<Number, NodeError> {
    if x < 0.0 {
        return Err(NodeError::bad(
            property,
            format!("{x} (expected a number of 0 or more for a square root)"),
        ));
    }
    Ok(Number::Float(x.sqrt()))
}

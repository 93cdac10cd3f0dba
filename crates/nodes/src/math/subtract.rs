//! `lib.math.Subtract`.

use nodetool_sdk::{Node, NodeCx, NodeError, Number, Process};

/// Takes one number from another.
/// math, minus, difference, arithmetic
///
/// Two integers give an integer; anything else gives a float.
#[derive(Node)]
#[node(namespace = "lib.math", layout = "small", tool)]
pub(super) struct Subtract {
    /// What is taken from.
    #[prop(default = 0.0)]
    a: Number,
    /// What is taken away.
    #[prop(default = 0.0)]
    b: Number,
}

impl Process for Subtract {
    type Output = Number;

    async fn process(self, _: &NodeCx) -> Result<Number, NodeError> {
        Ok(match (self.a, self.b) {
            (Number::Int(a), Number::Int(b)) => match a.checked_sub(b) {
                Some(difference) => Number::Int(difference),
                None => Number::Float(a as f64 - b as f64),
            },
            (a, b) => Number::Float(a.as_f64() - b.as_f64()),
        })
    }
}

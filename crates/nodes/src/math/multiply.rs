//! `lib.math.Multiply`.

use nodetool_sdk::{Node, NodeCx, NodeError, Number, Process};

/// Multiplies two numbers.
/// math, times, product, scale, arithmetic
///
/// Two integers give an integer; anything else gives a float.
#[derive(Node)]
#[node(namespace = "lib.math", layout = "small", tool)]
pub(super) struct Multiply {
    /// First factor.
    #[prop(default = 0.0)]
    a: Number,
    /// Second factor.
    #[prop(default = 0.0)]
    b: Number,
}

impl Process for Multiply {
    type Output = Number;

    async fn process(self, _: &NodeCx) -> Result<Number, NodeError> {
        Ok(product(self.a, self.b))
    }
}

/// The product; an integer that leaves 64 bits becomes a float.
pub(super) fn product(a: Number, b: Number) -> Number {
    if let (Number::Int(a), Number::Int(b)) = (a, b)
        && let Some(product) = a.checked_mul(b)
    {
        return Number::Int(product);
    }
    Number::Float(a.as_f64() * b.as_f64())
}

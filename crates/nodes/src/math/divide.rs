//! `lib.math.Divide`.

use nodetool_sdk::{Node, NodeCx, NodeError, Number, Process};

/// Divides one number by another.
/// math, quotient, ratio, per, arithmetic
///
/// The result is always a float.
#[derive(Node)]
#[node(namespace = "lib.math", layout = "small", tool)]
pub(super) struct Divide {
    /// What is divided.
    #[prop(default = 0.0)]
    a: Number,
    /// What it is divided by; not zero.
    #[prop(default = 1.0)]
    b: Number,
}

impl Process for Divide {
    type Output = Number;

    async fn process(self, _: &NodeCx) -> Result<Number, NodeError> {
        refuse_zero(self.b)?;
        Ok(Number::Float(self.a.as_f64() / self.b.as_f64()))
    }
}

/// Fails when the divisor `b` is zero.
pub(super) fn refuse_zero(b: Number) -> Result<(), NodeError> {
    if b.as_f64() == 0.0 {
        return Err(NodeError::bad(
            "b",
            "division by zero (expected a number other than 0)",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn a_quotient_is_a_float_and_zero_is_refused_by_name() {
        let quotient = case::<Divide>().set("a", 4i64).set("b", 2i64).value().await;
        assert!(matches!(quotient, Ok(Value::Float(2.0))));
        let error = case::<Divide>().set("b", 0i64).value().await.unwrap_err();
        assert!(error.to_string().contains("`b`"), "{error}");
    }
}

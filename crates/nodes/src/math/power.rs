//! `lib.math.Power`.

use nodetool_sdk::{Node, NodeCx, NodeError, Number, Process};

/// Raises a number to a power.
/// math, exponent, pow, square, root, arithmetic
///
/// The result is always a float.
#[derive(Node)]
#[node(namespace = "lib.math", layout = "small", tool)]
pub(super) struct Power {
    /// What is raised.
    #[prop(default = 0.0)]
    base: Number,
    /// The power.
    #[prop(default = 1.0)]
    exponent: Number,
}

impl Process for Power {
    type Output = Number;

    async fn process(self, _: &NodeCx) -> Result<Number, NodeError> {
        let (base, exponent) = (self.base.as_f64(), self.exponent.as_f64());
        let result = base.powf(exponent);
        let refuse = |why: &str| {
            Err(NodeError::bad(
                "exponent",
                format!("{base} to the power of {exponent} {why}"),
            ))
        };
        if result.is_nan() && !base.is_nan() && !exponent.is_nan() {
            return refuse("is not a real number (expected a whole exponent for a negative base)");
        }
        if result.is_infinite() && base.is_finite() && exponent.is_finite() {
            return refuse(if base == 0.0 {
                "divides by zero (expected an exponent of 0 or more for base 0)"
            } else {
                "is too large (expected a result below 1.8e308)"
            });
        }
        Ok(Number::Float(result))
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn a_power_is_a_float_and_what_has_no_result_is_refused() {
        let power = |base: f64, exponent: f64| {
            case::<Power>()
                .set("base", base)
                .set("exponent", exponent)
                .value()
        };
        assert!(matches!(power(2.0, 3.0).await, Ok(Value::Float(8.0))));
        for (base, exponent) in [(-8.0, 0.5), (0.0, -1.0), (10.0, 400.0)] {
            let error = power(base, exponent).await.unwrap_err().to_string();
            assert!(error.contains("`exponent`"), "{error}");
        }
    }
}

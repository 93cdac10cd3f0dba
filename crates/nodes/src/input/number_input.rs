//! `nodetool.input.IntegerInput` and `FloatInput`.

use nodetool_sdk::{Node, NodeCx, NodeError, Number, Process};

/// Takes a whole number from the run.
/// input, parameter, number, integer, count, slider
///
/// A number outside the bounds becomes the nearest one inside.
#[derive(Node)]
#[node(namespace = "nodetool.input", role = Input, basic("name", "value"))]
pub(super) struct IntegerInput {
    /// Name of the run's parameter.
    #[expect(dead_code, reason = "read by the engine")]
    name: String,
    /// Used when the run gives nothing.
    value: i64,
    /// What the parameter is for.
    #[expect(dead_code, reason = "read by people")]
    description: String,
    /// Smallest number that gets through.
    min: i64,
    /// Largest number that gets through.
    #[prop(default = 99999)]
    max: i64,
}

impl Process for IntegerInput {
    type Output = i64;

    async fn process(self, _: &NodeCx) -> Result<i64, NodeError> {
        if self.min > self.max {
            return Err(reversed(self.min, self.max));
        }
        Ok(self.value.clamp(self.min, self.max))
    }
}

/// Takes a number from the run.
/// input, parameter, number, float, decimal, slider
///
/// A number outside the bounds becomes the nearest one inside. A whole number stays whole.
#[derive(Node)]
#[node(namespace = "nodetool.input", role = Input, basic("name", "value"))]
pub(super) struct FloatInput {
    /// Name of the run's parameter.
    #[expect(dead_code, reason = "read by the engine")]
    name: String,
    /// Used when the run gives nothing.
    #[prop(ty = "float", default = 0.0)]
    value: Number,
    /// What the parameter is for.
    #[expect(dead_code, reason = "read by people")]
    description: String,
    /// Smallest number that gets through.
    #[prop(ty = "float")]
    min: Number,
    /// Largest number that gets through.
    #[prop(ty = "float", default = 99999)]
    max: Number,
}

#[derive(nodetool_sdk::Outputs)]
pub(super) struct Given {
    #[slot(ty = "float")]
    output: Number,
}

impl Process for FloatInput {
    type Output = Given;

    async fn process(self, _: &NodeCx) -> Result<Given, NodeError> {
        let (value, min, max) = (self.value.as_f64(), self.min.as_f64(), self.max.as_f64());
        if min > max {
            return Err(reversed(min, max));
        }
        let output = if value < min {
            self.min
        } else if value > max {
            self.max
        } else {
            self.value
        };
        Ok(Given { output })
    }
}

fn reversed(min: impl std::fmt::Display, max: impl std::fmt::Display) -> NodeError {
    NodeError::bad("max", format!("{max} (expected at least min, {min})"))
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn numbers_are_moved_into_their_bounds() {
        for (given, got) in [(500i64, 100i64), (-3, 0), (42, 42)] {
            let number = case::<IntegerInput>()
                .set("value", given)
                .set("max", 100i64);
            assert_eq!(number.value().await.unwrap(), Value::Int(got));
        }
        for (given, got) in [
            (Value::Float(2.5), Value::Float(1.0)),
            (Value::Float(0.75), Value::Float(0.75)),
        ] {
            let number = case::<FloatInput>().set("value", given).set("max", 1i64);
            assert_eq!(number.value().await.unwrap(), got);
        }
        let whole = case::<FloatInput>().set("value", 5i64).value().await;
        assert!(matches!(whole.unwrap(), Value::Int(5)));
        let not_a_number = case::<FloatInput>().set("value", f64::NAN).value().await;
        assert!(matches!(not_a_number.unwrap(), Value::Float(f) if f.is_nan()));
    }

    #[tokio::test]
    async fn reversed_bounds_are_refused() {
        let integer = case::<IntegerInput>().set("min", 9i64).set("max", 1i64);
        let float = case::<FloatInput>().set("min", 0.5).set("max", 0.25);
        for refused in [integer.run().await, float.run().await] {
            let text = refused.unwrap_err().to_string();
            assert!(
                text.contains("`max`") && text.contains("at least min"),
                "{text}"
            );
        }
    }
}

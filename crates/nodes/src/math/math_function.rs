//! `lib.math.MathFunction`.

use nodetool_sdk::{Node, NodeCx, NodeError, Number, Process, ValueType};

use super::multiply::product;
use super::sqrt::square_root;
use super::trigonometry::finite;

/// Which function.
#[derive(ValueType)]
#[value(type_name = "nodetool.nodes.lib.math.MathFunction.Operation")]
pub(super) enum Operation {
    Negate,
    Absolute,
    Square,
    Cube,
    SquareRoot,
    CubeRoot,
    Sine,
    Cosine,
    Tangent,
    Arcsin,
    Arccos,
    Arctan,
    Log,
}

/// Applies one of the common functions to a number.
/// math, function, negate, absolute, square, root, sine, cosine, tangent, logarithm
///
/// Signs, squares and cubes of integers are integers; roots, angles and logarithms are floats.
#[derive(Node)]
#[node(namespace = "lib.math", layout = "small", tool)]
pub(super) struct MathFunction {
    /// The number.
    #[prop(default = 0.0)]
    input: Number,
    /// The function; angles are in radians, `log` is the natural logarithm.
    operation: Operation,
}

impl Process for MathFunction {
    type Output = Number;

    async fn process(self, _: &NodeCx) -> Result<Number, NodeError> {
        let input = self.input;
        let x = input.as_f64();
        let within = |allowed: bool, expected: &str| {
            if allowed || x.is_nan() {
                Ok(x)
            } else {
                Err(NodeError::bad(
                    "input",
                    format!("{x} (expected {expected})"),
                ))
            }
        };
        Ok(match self.operation {
            Operation::Negate => negated(input),
            Operation::Absolute => match input {
                Number::Int(i) if i < 0 => negated(input),
                Number::Int(_) => input,
                Number::Float(f) => Number::Float(f.abs()),
            },
            Operation::Square => product(input, input),
            Operation::Cube => product(product(input, input), input),
            Operation::SquareRoot => square_root("input", x)?,
            Operation::CubeRoot => Number::Float(x.cbrt()),
            Operation::Sine => Number::Float(finite("input", input)?.sin()),
            Operation::Cosine => Number::Float(finite("input", input)?.cos()),
            Operation::Tangent => Number::Float(finite("input", input)?.tan()),
            Operation::Arcsin => Number::Float(within(x.abs() <= 1.0, "-1 to 1")?.asin()),
            Operation::Arccos => Number::Float(within(x.abs() <= 1.0, "-1 to 1")?.acos()),
            Operation::Arctan => Number::Float(x.atan()),
            Operation::Log => Number::Float(within(x > 0.0, "a number above 0")?.ln()),
        })
    }
}

fn negated(number: Number) -> Number {
    match number {
        Number::Int(i) => i
            .checked_neg()
            .map_or(Number::Float(-(i as f64)), Number::Int),
        Number::Float(f) => Number::Float(-f),
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn integers_stay_integers_until_they_leave_64_bits() {
        let of = |operation: &str, input: Value| {
            case::<MathFunction>()
                .set("operation", operation)
                .set("input", input)
                .value()
        };
        let square = of("square", 3i64.into()).await;
        assert!(matches!(square, Ok(Value::Int(9))));
        let absolute = of("absolute", i64::MIN.into()).await;
        assert!(matches!(absolute, Ok(Value::Float(f)) if f == 2f64.powi(63)));
        for operation in ["square_root", "log", "arcsin"] {
            let error = of(operation, (-2i64).into()).await.unwrap_err().to_string();
            assert!(error.contains("`input`"), "{operation}: {error}");
        }
    }
}

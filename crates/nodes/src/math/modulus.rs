//! `lib.math.Modulus`.

use nodetool_sdk::{Node, NodeCx, NodeError, Number, Process};

use super::divide::refuse_zero;

/// Gives what is left over after a division.
/// math, remainder, modulo, rest, arithmetic
///
/// The result has the sign of the divisor, as in Python: -7 and 3 give 2.
#[derive(Node)]
#[node(namespace = "lib.math", layout = "small", tool)]
pub(super) struct Modulus {
    /// What is divided.
    #[prop(default = 0.0)]
    a: Number,
    /// What it is divided by; not zero.
    #[prop(default = 1.0)]
    b: Number,
}

impl Process for Modulus {
    type Output = Number;

    async fn process(self, _: &NodeCx) -> Result<Number, NodeError> {
        refuse_zero(self.b)?;
        Ok(match (self.a, self.b) {
            (Number::Int(a), Number::Int(b)) => {
                // The one pair that overflows, the smallest integer and -1, leaves nothing over.
                let rest = a.checked_rem(b).unwrap_or(0);
                Number::Int(if rest != 0 && (rest < 0) != (b < 0) {
                    rest + b
                } else {
                    rest
                })
            }
            (a, b) => Number::Float(floored(a.as_f64(), b.as_f64())),
        })
    }
}

fn floored(a: f64, b: f64) -> f64 {
    let rest = a % b;
    if rest == 0.0 {
        0.0f64.copysign(b)
    } else if (rest < 0.0) != (b < 0.0) {
        rest + b
    } else {
        rest
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn the_rest_has_the_sign_of_the_divisor() {
        for (a, b, rest) in [(-7, 3, 2), (7, -3, -2), (6, 3, 0), (i64::MIN, -1, 0)] {
            let got = case::<Modulus>().set("a", a).set("b", b).value().await;
            assert!(matches!(got, Ok(Value::Int(r)) if r == rest), "{a} % {b}");
        }
        let got = case::<Modulus>().set("a", -7.5).set("b", 2.0).value().await;
        assert!(matches!(got, Ok(Value::Float(0.5))));
    }
}

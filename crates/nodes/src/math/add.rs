//! `lib.math.Add`.

use nodetool_sdk::{Node, NodeCx, NodeError, Number, Process};

/// Adds two numbers.
/// math, sum, plus, total, arithmetic
///
/// Two integers give an integer; anything else gives a float.
#[derive(Node)]
#[node(namespace = "lib.math", layout = "small", tool)]
pub(super) struct Add {
    #[prop(default = 0.0)]
    a: Number,
    #[prop(default = 0.0)]
    b: Number,
}

impl Process for Add {
    type Output = Number;

    async fn process(self, _: &NodeCx) -> Result<Number, NodeError> {
        Ok(match (self.a, self.b) {
            (Number::Int(a), Number::Int(b)) => match a.checked_add(b) {
                Some(sum) => Number::Int(sum),
                None => Number::Float(a as f64 + b as f64),
            },
            (a, b) => Number::Float(a.as_f64() + b.as_f64()),
        })
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn integers_stay_integers() {
        let sum = case::<Add>()
            .set("a", 1i64)
            .set("b", 2i64)
            .value()
            .await
            .unwrap();
        assert!(matches!(sum, Value::Int(3)));
        let sum = case::<Add>()
            .set("a", 1i64)
            .set("b", 2.5)
            .value()
            .await
            .unwrap();
        assert!(matches!(sum, Value::Float(f) if f == 3.5));
    }
}
